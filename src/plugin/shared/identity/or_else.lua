-- Finds the consumer behind a credential, and else the one that a route has in the place of strangers. Before this stand `KNOWN` and
-- `CONSUMERS`: lines of a credential, or a name, and of what a consumer is found as, with a tab between them. Where they are not
-- there, as no route asked yet, everybody is a stranger.
local bit = require("bit")
local ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

local function listed(text)
  local list = {}
  for key, value in (text or ""):gmatch("([^\t\n]*)\t([^\n]*)\n") do list[key] = value end
  return list
end

local known, consumers = listed(KNOWN), listed(CONSUMERS)

local function decoded(text)
  local out, bits, count = {}, 0, 0
  text = text:gsub("=+$", "")
  for at = 1, #text do
    local digit = ALPHABET:find(text:sub(at, at), 1, true)
    if not digit then return nil end
    bits, count = bits * 64 + digit - 1, count + 6
    if count >= 8 then
      count = count - 8
      local byte = math.floor(bits / 2 ^ count)
      out[#out + 1], bits = string.char(byte), bits - byte * 2 ^ count
    end
  end
  return table.concat(out)
end

-- The four bytes of a number, the first the greatest.
local function word(number)
  local byte = function(shift) return bit.band(bit.rshift(number, shift), 255) end
  return string.char(byte(24), byte(16), byte(8), byte(0))
end

local function encoded(bytes)
  local out = {}
  for at = 1, #bytes, 3 do
    local a, b, c = bytes:byte(at, at + 2)
    local all = a * 65536 + (b or 0) * 256 + (c or 0)
    for digit = 3, 0, -1 do
      local is_there = digit > 1 or (digit == 1 and b) or (digit == 0 and c)
      local value = math.floor(all / 64 ^ digit) % 64 + 1
      out[#out + 1] = is_there and ALPHABET:sub(value, value) or "="
    end
  end
  return table.concat(out)
end

-- The base64 of a text's SHA-1, as the lines have it. No credential is longer than a header, and none that long is one.
local function digest(text)
  if #text > 4096 then return "" end
  local band, bor, bxor, rol, add = bit.band, bit.bor, bit.bxor, bit.rol, bit.tobit
  local padded = text .. "\128" .. ("\0"):rep((55 - #text) % 64) .. word(0) .. word(#text * 8)
  local h0, h1, h2, h3, h4 = 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0
  local w = {}
  for start = 1, #padded, 64 do
    for i = 0, 15 do
      local a, b, c, d = padded:byte(start + i * 4, start + i * 4 + 3)
      w[i] = bor(a * 16777216, b * 65536, c * 256, d)
    end
    for i = 16, 79 do w[i] = rol(bxor(w[i - 3], w[i - 8], w[i - 14], w[i - 16]), 1) end
    local a, b, c, d, e = h0, h1, h2, h3, h4
    for i = 0, 79 do
      local f, k
      if i < 20 then f, k = bxor(d, band(b, bxor(c, d))), 0x5a827999
      elseif i < 40 then f, k = bxor(b, c, d), 0x6ed9eba1
      elseif i < 60 then f, k = bor(band(b, c), band(d, bor(b, c))), 0x8f1bbcdc
      else f, k = bxor(b, c, d), 0xca62c1d6 end
      a, b, c, d, e = add(rol(a, 5) + f + e + k + w[i]), a, rol(b, 30), c, d
    end
    h0, h1, h2, h3, h4 = add(h0 + a), add(h1 + b), add(h2 + c), add(h3 + d), add(h4 + e)
  end
  return encoded(word(h0) .. word(h1) .. word(h2) .. word(h3) .. word(h4))
end

-- The credential that a request shows, by the plugin that asks.
local shown = {}

function shown.key(headers)
  local key = headers:get("x-chancery-key")
  headers:remove("x-chancery-key")
  return key and digest(key)
end

function shown.basic(headers)
  local coded = (headers:get("authorization") or ""):match("^[Bb][Aa][Ss][Ii][Cc] +(%S+)$")
  local name, password = (coded and decoded(coded) or ""):match("^([^:]*):(.*)$")
  return name and name .. ":" .. digest(password)
end

function shown.jwt(headers) return headers:get("x-chancery-claimed") end

-- Whom this request is of, as far as the lists say.
local function found(headers, route)
  local credential, anonymous = shown[route:get("kind")](headers), route:get("anonymous")
  if not CONSUMERS then return anonymous end
  return credential and known[credential] or anonymous and consumers[anonymous]
end

-- Where several look for a consumer, the one of the lowest rank that finds somebody counts.
local RANK = "x-chancery-rank"

local function in_turn(headers, route)
  local rank, consumer = route:get("rank"), found(headers, route)
  local told = headers:get(RANK)
  local best = told and tonumber(told)
  if consumer and not (best and best < rank) then
    headers:replace("x-consumer-username", consumer)
    headers:replace(RANK, tostring(rank))
    best = rank
  end
  if route:get("challenge") then headers:remove(RANK) end
  if best and best == route:get("hides") then headers:remove("authorization") end
  return best
end

-- A script that fails lets a request pass, so here it must not: whom it has not found it turns away, of several the last does.
function envoy_on_request(request)
  local headers, route = request:headers(), request:filterContext()
  if route:get("rank") then
    local fine, best = pcall(in_turn, headers, route)
    local challenge = route:get("challenge")
    if (fine and best) or not challenge then return end
    request:respond({
      [":status"] = "401",
      ["content-type"] = "application/json",
      ["www-authenticate"] = challenge,
    }, '{"message":"Authorization Failed"}')
    return
  end
  local fine, consumer = pcall(found, headers, route)
  if fine and consumer and pcall(headers.replace, headers, "x-consumer-username", consumer) then return end
  request:respond({
    [":status"] = "401",
    ["content-type"] = "application/json",
  }, '{"message":"Invalid user authorization"}')
end
