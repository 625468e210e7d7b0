-- Tells upstreams who has logged in, and takes off what the filter that logs people in leaves in a request.
local SPACE = "chancery.openid-connect"

-- The cookies of others, and the ID token in those of the filter, which has decrypted it.
local function sorted(text, of)
  local others, id = {}, nil
  for cookie in text:gmatch("[^;]+") do
    local from = cookie:find("[^ \t]") or #cookie + 1
    local name, value = cookie:match("^([^=]*)=?(.*)$", from)
    if not name:find("^chancery_%l+_") then
      others[#others + 1] = cookie:sub(from)
    elseif name == "chancery_id_" .. of then
      id = id or value
    end
  end
  return table.concat(others, "; "), id
end

-- What a token says, as the texts of headers are written.
local function claims(token)
  local payload = token:match("^[%w_-]+%.([%w_-]+)%.[%w_-]+$")
  if not payload then return nil end
  local text = payload:gsub("%-", "+"):gsub("_", "/")
  return text .. ("="):rep(-#text % 4)
end

local function tell(request)
  local headers, route = request:headers(), request:filterContext()
  request:streamInfo():dynamicMetadata():set(SPACE, "passed", true)
  headers:remove("x-chancery-callback")
  headers:remove("x-envoy-oauth-status")
  headers:remove("x-envoy-oauth-failure-reason")
  local cookies, id = sorted(headers:get("cookie") or "", route:get("cookies"))
  if cookies == "" then headers:remove("cookie") else headers:replace("cookie", cookies) end
  -- A token that was verified says who it is.
  local verified = headers:get("x-chancery-token-verified")
  headers:remove("x-chancery-token-verified")
  -- The filter lets no other pass than that of a session.
  local token = not verified and (headers:get("authorization") or ""):match("^Bearer (.+)$")
  if not token then return end
  if not route:get("authorization") then headers:remove("authorization") end
  if route:get("token_header") then headers:replace("x-access-token", token) end
  local said = claims(id or "")
  if said and route:get("userinfo") then headers:replace("x-userinfo", said) end
  if said and route:get("id_token") then headers:replace("x-id-token", said) end
end

function envoy_on_request(request)
  -- Where the script fails, Envoy would let the request through, with all tokens.
  if not pcall(tell, request) then request:respond({ [":status"] = "500" }, "") end
end

-- Where somebody goes who logs out, in the place of where Envoy sends them.
local function sent(location, route)
  local ends = route:get("ends")
  if not ends or location:sub(1, #ends) ~= ends then return nil end
  local hint, client = location:sub(#ends + 1):match("^%?id_token_hint=([^&]*)&client_id=([^&]*)")
  if not hint then return nil end
  if not route:get("is_provider") then return ends end
  local after, parts = route:get("after"), { "client_id=" .. client }
  if hint ~= "" then table.insert(parts, 1, "id_token_hint=" .. hint) end
  if after then parts[#parts + 1] = "post_logout_redirect_uri=" .. after end
  return ends .. (ends:find("?", 1, true) and "&" or "?") .. table.concat(parts, "&")
end

function envoy_on_response(response)
  local known = response:streamInfo():dynamicMetadata():get(SPACE)
  if known and known["passed"] then return end
  local location = response:headers():get("location")
  local to = location and sent(location, response:filterContext())
  if to then response:headers():replace("location", to) end
end
