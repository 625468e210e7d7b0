-- Finds a request's token, and reads from it whose it says it is: only that consumer's key is tried on it. Nothing is
-- believed here: what another filter verified has to say the same.
local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

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

-- The first value of that name in a list of pairs, and the list without it.
local function taken(list, separator, wanted)
  local value, rest = nil, {}
  for pair in list:gmatch("[^" .. separator .. "]+") do
    local name, found = pair:match("^%s*([^=]*)=(.*)$")
    if name == wanted then value = value or found else rest[#rest + 1] = pair end
  end
  return value, table.concat(rest, separator)
end

local function found(headers, route)
  local hide = route:get("hide")
  local token = headers:get(route:get("header"))
  if token then
    if hide then headers:remove(route:get("header")) end
    return (token:gsub("^[Bb]earer ", ""))
  end
  local path, query = headers:get(":path"):match("^([^?]*)%?(.*)$")
  local rest
  if query then
    token, rest = taken(query, "&", route:get("query"))
    if token and hide then headers:replace(":path", rest == "" and path or path .. "?" .. rest) end
  end
  if token then return token end
  token, rest = taken(headers:get("cookie") or "", ";", route:get("cookie"))
  if token and hide then
    rest = rest:gsub("^%s+", "")
    if rest == "" then headers:remove("cookie") else headers:replace("cookie", rest) end
  end
  return token
end

local function claimed(token, claim)
  local payload = #token <= 16384 and token:match("^[%w_-]+%.([%w_-]+)%.[%w_-]+$")
  if not payload then return nil, "JWT token invalid" end
  -- Without what lies deeper: only the payload's own claim counts.
  local claims = decoded(payload):gsub("\\/", "/"):gsub("^%s*{", "", 1):gsub("%b{}", "")
  local value = claims:match('"' .. claim:gsub("%W", "%%%0") .. '"%s*:%s*"([^"\\]+)"')
  return value, "missing user key in JWT token"
end

-- What an earlier filter was told of another token is nothing to this one.
local TOLD = { "token", "unverified", "claimed", "claim-key", "claim-iss", "claim-sub" }

function envoy_on_request(request)
  local headers, route = request:headers(), request:filterContext()
  for _, told in ipairs(TOLD) do headers:remove("x-chancery-" .. told) end
  local token, value, problem = found(headers, route), nil, "Missing JWT token in request"
  if token then value, problem = claimed(token, route:get("claim")) end
  if not value and route:get("strangers") then return end
  if not value then
    local body = '{"message":"' .. problem .. '"}'
    request:respond({
      [":status"] = "401",
      ["content-type"] = "application/json",
      ["www-authenticate"] = route:get("challenge"),
    }, body)
    return
  end
  headers:replace("x-chancery-token", token)
  headers:replace("x-chancery-unverified", value)
end
