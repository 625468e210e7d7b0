-- Gives a request an id of other kinds than Envoy's own, where it has none.
local DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
local NANOID = "_-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
-- 13 May 2014, where the seconds of a ksuid begin.
local KSUID_EPOCH = 1400000000

-- Each worker draws from a beginning of its own.
local function seed()
  local source, number = io.open("/dev/urandom", "rb"), os.time()
  local bytes = source and source:read(6) or tostring({})
  if source then source:close() end
  for at = 1, #bytes do number = (number * 256 + bytes:byte(at)) % 2 ^ 52 end
  return number
end
math.randomseed(seed())

local function drawn(length, characters)
  local id = {}
  for at = 1, length do
    local place = math.random(#characters)
    id[at] = characters:sub(place, place)
  end
  return table.concat(id)
end

local function bytes_of(number, length)
  local bytes = {}
  for at = length, 1, -1 do
    bytes[at] = number % 256
    number = math.floor(number / 256)
  end
  return bytes
end

local function random_bytes(bytes, length)
  while #bytes < length do bytes[#bytes + 1] = math.random(0, 255) end
  return bytes
end

local function base62(bytes, length)
  local id = {}
  for at = length, 1, -1 do
    local rest = 0
    for byte = 1, #bytes do
      local value = rest * 256 + bytes[byte]
      bytes[byte] = math.floor(value / 62)
      rest = value % 62
    end
    id[at] = DIGITS:sub(rest + 1, rest + 1)
  end
  return table.concat(id)
end

local function uuid_of(bytes)
  bytes[7] = bytes[7] % 16 + 7 * 16
  bytes[9] = bytes[9] % 64 + 128
  local text = ("%02x"):rep(#bytes):format(unpack(bytes))
  return (text:gsub("^(........)(....)(....)(....)(.*)$", "%1-%2-%3-%4-%5"))
end

local made = {
  nanoid = function() return drawn(21, NANOID) end,
  range_id = function(context) return drawn(context:get("length"), context:get("characters")) end,
  ksuid = function(_, now)
    return base62(random_bytes(bytes_of(math.floor(now / 1000) - KSUID_EPOCH, 4), 20), 27)
  end,
  uuidv7 = function(_, now) return uuid_of(random_bytes(bytes_of(now, 6), 16)) end,
}

function envoy_on_request(request)
  local context, headers = request:filterContext(), request:headers()
  local name = context:get("header")
  if (headers:get(name) or "") ~= "" then return end
  local now = tonumber(request:timestampString(EnvoyTimestampResolution.MILLISECOND))
  headers:replace(name, made[context:get("algorithm")](context, now))
end
