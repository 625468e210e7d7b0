-- Lets requests pass whose bearer token a key verifies, of those that the route has; where people log in, it readies all others for that.
local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
local LARGEST = 16384
-- What is put behind the path of a request, where the provider sends people back.
local CALLBACK = "/.apisix/redirect"
-- Bytes of a signature by a curve.
local CURVES = { ES256 = 64, ES384 = 96, ES512 = 132 }

-- What a route says: it cannot be asked for once the provider has been waited for.
local TOLD = {}
for name in ("audience audience_required challenge client closed cluster host issuers keys login named no_scopes path scopes slack "
  .. "timeout token_header userinfo verifies"):gmatch("%S+") do
  TOLD[#TOLD + 1] = name
end

local function said_by(context)
  local route = {}
  for _, name in ipairs(TOLD) do route[name] = context:get(name) end
  return route
end

local function decoded(text)
  local out, bits, count = {}, 0, 0
  for at = 1, #text do
    bits, count = bits * 64 + ALPHABET:find(text:sub(at, at), 1, true) - 1, count + 6
    if count >= 8 then
      count = count - 8
      local byte = math.floor(bits / 2 ^ count)
      out[#out + 1], bits = string.char(byte), bits - byte * 2 ^ count
    end
  end
  return table.concat(out)
end

local function integer(bytes)
  bytes = bytes:gsub("^%z+", "")
  if bytes == "" or bytes:byte() > 127 then bytes = "\0" .. bytes end
  return "\2" .. string.char(#bytes) .. bytes
end

-- The two numbers of a signature by a curve, as Envoy reads them (DER).
local function sequence(both)
  local numbers = integer(both:sub(1, #both / 2)) .. integer(both:sub(#both / 2 + 1))
  return "\48" .. (#numbers > 127 and "\129" or "") .. string.char(#numbers) .. numbers
end

local function set_of(list)
  local set = {}
  for _, one in ipairs(list) do set[one] = true end
  return set
end

-- The key of a token: of a provider's that which it names, or the only one.
local function chosen(route, kid)
  local keys = route.keys
  if not route.named or kid == nil then return #keys == 1 and keys[1] or nil end
  for _, key in ipairs(keys) do
    if key.kid == kid then return key end
  end
end

local function is_signed(request, of, algorithm, text, signature)
  if CURVES[algorithm] then
    if #signature ~= CURVES[algorithm] then return false end
    signature = sequence(signature)
  end
  local key = of.key:gsub("%x%x", function(digits) return string.char(tonumber(digits, 16)) end)
  request:importPublicKey(key, #key)
  return request:verifySignature("sha" .. algorithm:sub(3), key, signature, #signature, text, #text) == true
end

-- What the provider says of a token; or nothing, and what is wrong.
local function introspected(request, route, token)
  if #token > LARGEST then return nil, "invalid jwt" end
  local question = {
    [":method"] = "POST",
    [":path"] = route.path,
    [":authority"] = route.host,
    accept = "application/json",
    ["content-type"] = "application/x-www-form-urlencoded",
  }
  local asked = "token=" .. token:gsub("[^%w._~-]", function(sign) return ("%%%02X"):format(sign:byte()) end)
  local done, answer, text = pcall(request.httpCall, request, route.cluster, question, asked, route.timeout)
  if not done or answer[":status"] ~= "200" or #(text or "") > LARGEST then return nil, "the issuer says nothing of the token" end
  local claims = read_json(text or "")
  if claims.active ~= true then return nil, "invalid token" end
  return claims, request:base64Escape(text)
end

-- What a token says, once it is verified; or nothing, and what is wrong.
local function claimed(request, route, token)
  if route.cluster then return introspected(request, route, token) end
  local header, payload, signature = token:match("^([%w_-]+)%.([%w_-]+)%.([%w_-]+)$")
  if not header or #token > LARGEST then return nil, "invalid jwt" end
  local head, claims = read_json(decoded(header)), read_json(decoded(payload))
  local algorithm, key = head.alg, chosen(route, head.kid)
  if not key then return nil, "no key of the issuer verifies the token" end
  if type(algorithm) ~= "string" or not set_of(key.algorithms)[algorithm] or head.crit ~= nil then
    return nil, "token is signed by unexpected algorithm"
  end
  if not is_signed(request, key, algorithm, header .. "." .. payload, decoded(signature)) then
    return nil, "jwt signature verification failed"
  end
  local now, slack = os.time(), route.slack
  if type(claims.iss) ~= "string" or not set_of(route.issuers)[claims.iss] then
    return nil, "jwt signature verification failed: Claim 'iss' returned failure"
  end
  if claims.exp ~= nil and not (claims.exp + slack >= now) then return nil, "JWT expired" end
  if claims.nbf ~= nil and not (claims.nbf - slack <= now) then return nil, "JWT is not valid yet" end
  local info = payload:gsub("%-", "+"):gsub("_", "/")
  return claims, info .. ("="):rep(-#info % 4)
end

-- What is wrong with a token that is good as such.
local function lacking(route, claims)
  local scopes = {}
  for scope in (type(claims.scope) == "string" and claims.scope or ""):gmatch("[^ ]+") do scopes[scope] = true end
  for _, scope in ipairs(route.scopes or {}) do
    if not scopes[scope] then return route.no_scopes end
  end
  local audience, client = claims[route.audience], route.client
  if route.audience_required and audience == nil then return '{"error":"required audience claim not present"}' end
  if client and audience ~= nil then
    local all = getmetatable(audience) == LIST and audience or { audience }
    if not set_of(all)[client] then return '{"error":"mismatched audience"}' end
  end
end

local function answer(status, body, challenge)
  return { [":status"] = status, ["www-authenticate"] = challenge }, body
end

-- Has a request say nothing that the filter which logs people in, and upstreams, take for said here.
local function ready(headers)
  headers:remove("x-chancery-token-verified")
  for _, name in ipairs({ "x-access-token", "x-id-token", "x-refresh-token", "x-userinfo" }) do headers:remove(name) end
  local path = headers:get(":path"):match("^[^?#]*")
  if path:sub(-#CALLBACK) ~= CALLBACK then path = path:match("^(.-)/?$") .. CALLBACK end
  headers:replace("x-chancery-callback", path)
end

-- The headers of an answer, with its status, and its body; nothing where the request may pass, or somebody is to log in.
local function checked(request)
  local headers, route = request:headers(), said_by(request:filterContext())
  local challenge = route.challenge
  local told, sent = headers:get("authorization"), headers:get("x-access-token")
  if route.closed then return answer("503", "") end
  if route.login then
    ready(headers)
    local scheme = (told or "bearer "):match("^(%S*) ") or "bearer"
    if not route.verifies or not (told or sent) or scheme:lower() ~= "bearer" then return end
  end
  if not told and not sent then return answer("401", "", challenge) end
  -- Whom the request goes to could read another than was verified.
  if told and (not told:find(" ", 1, true) or headers:getNumValues("authorization") > 1) then return answer("400", "") end
  local scheme, token = (told or ""):match("^(%S*) (.*)$")
  if told and scheme:lower() ~= "bearer" then return answer("401", "", challenge) end
  local done, claims, said = true, nil, "no Authorization header found"
  if token then done, claims, said = pcall(claimed, request, route, token) end
  if not done or not claims then
    local why = done and said or "invalid jwt"
    return answer("401", "", challenge .. ', error="invalid_token", error_description="' .. why .. '"')
  end
  local problem = lacking(route, claims)
  if problem then return answer("403", problem) end
  headers = request:headers()
  if route.token_header then headers:replace("x-access-token", token) end
  if route.userinfo then headers:replace("x-userinfo", said) end
  if route.login then headers:replace("x-chancery-token-verified", "yes") end
end

function envoy_on_request(request)
  -- Where the script fails, Envoy would let the request through.
  local done, headers, body = pcall(checked, request)
  if not done then headers, body = { [":status"] = "500" }, "" end
  if headers then request:respond(headers, body) end
end
