-- JSON and forms: scripts that read them have this before their own.
local null, LIST = {}, {}
local WORDS = { ["true"] = true, ["false"] = false, ["null"] = null }
local ESCAPES = { b = "\b", f = "\f", n = "\n", r = "\r", t = "\t", ['"'] = '"', ["\\"] = "\\", ["/"] = "/" }
local DEEPEST = 100

local function fail(text) error({ said = text }, 0) end

local function utf8(code)
  if code < 0x80 then return string.char(code) end
  if code < 0x800 then return string.char(0xC0 + math.floor(code / 64), 0x80 + code % 64) end
  local last = string.char(0x80 + math.floor(code / 64) % 64, 0x80 + code % 64)
  if code < 0x10000 then return string.char(0xE0 + math.floor(code / 4096)) .. last end
  return string.char(0xF0 + math.floor(code / 262144), 0x80 + math.floor(code / 4096) % 64) .. last
end

-- Behind `\u`: the character, and where what follows begins.
local function unicode(text, at)
  local digits = text:match("^%x%x%x%x", at)
  local code = digits and tonumber(digits, 16) or fail("found no character at " .. at)
  if code < 0xD800 or code > 0xDFFF then return utf8(code), at + 4 end
  local low = tonumber(text:match("^\\u([dD][c-fC-F]%x%x)", at + 4) or fail("found half a character at " .. at), 16)
  if code > 0xDBFF then fail("found half a character at " .. at) end
  return utf8(0x10000 + (code - 0xD800) * 1024 + low - 0xDC00), at + 10
end

local function read_text(text, at)
  local parts = {}
  while true do
    local stop = text:find('[%c"\\]', at)
    local sign = stop and text:sub(stop, stop)
    if sign == "\127" then
      parts[#parts + 1] = text:sub(at, stop)
      at = stop + 1
    elseif sign == '"' then
      parts[#parts + 1] = text:sub(at, stop - 1)
      return table.concat(parts), stop + 1
    elseif sign ~= "\\" then
      fail("found no end of a text")
    else
      parts[#parts + 1] = text:sub(at, stop - 1)
      local kind = text:sub(stop + 1, stop + 1)
      if kind == "u" then
        parts[#parts + 1], at = unicode(text, stop + 2)
      else
        parts[#parts + 1] = ESCAPES[kind] or fail("found no character at " .. stop)
        at = stop + 2
      end
    end
  end
end

local function skip(text, at) return text:find("[^ \t\r\n]", at) or #text + 1 end

local read

local function read_list(text, at, depth)
  local list, count = setmetatable({}, LIST), 0
  at = skip(text, at)
  if text:byte(at) == 93 then return list, at + 1 end
  while true do
    count = count + 1
    list[count], at = read(text, at, depth)
    at = skip(text, at)
    local sign = text:byte(at)
    if sign == 93 then return list, at + 1 end
    if sign ~= 44 then fail("found no comma and no end of a list at " .. at) end
    at = skip(text, at + 1)
  end
end

-- Where in its text each object begins, behind the brace.
local PLACES = setmetatable({}, { __mode = "k" })

local function read_object(text, at, depth)
  local object = {}
  PLACES[object] = at
  at = skip(text, at)
  if text:byte(at) == 125 then return object, at + 1 end
  while true do
    if text:byte(at) ~= 34 then fail("found no name at " .. at) end
    local name
    name, at = read_text(text, at + 1)
    at = skip(text, at)
    if text:byte(at) ~= 58 then fail("found no colon at " .. at) end
    -- Whom the request goes to could take the other of the two.
    if object[name] ~= nil then fail("found a name twice in an object at " .. at) end
    object[name], at = read(text, skip(text, at + 1), depth)
    at = skip(text, at)
    local sign = text:byte(at)
    if sign == 125 then return object, at + 1 end
    if sign ~= 44 then fail("found no comma and no end of an object at " .. at) end
    at = skip(text, at + 1)
  end
end

function read(text, at, depth)
  if depth == 0 then fail("found more than " .. DEEPEST .. " levels") end
  local sign = text:byte(at)
  if sign == 123 then return read_object(text, at + 1, depth - 1) end
  if sign == 91 then return read_list(text, at + 1, depth - 1) end
  if sign == 34 then return read_text(text, at + 1) end
  local word = text:match("^%a+", at)
  if word and WORDS[word] ~= nil then return WORDS[word], at + #word end
  local whole = text:match("^-?[1-9]%d*", at) or text:match("^-?0", at) or fail("found no value at " .. at)
  local fraction = text:match("^%.%d+", at + #whole) or ""
  local number = whole .. fraction
  number = number .. (text:match("^[eE][+-]?%d+", at + #number) or "")
  return tonumber(number), at + #number
end

local function read_json(text)
  local value, at = read(text, skip(text, 1), DEEPEST)
  if skip(text, at) <= #text then fail("found something behind the end at " .. at) end
  return value
end

local function unescaped(text)
  return (text:gsub("%+", " "):gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- What comes several times under a name is a list of values, as nginx reads forms.
local function put(object, name, value)
  local before = object[name]
  if before == nil then
    object[name] = value
  elseif getmetatable(before) == LIST then
    before[#before + 1] = value
  else
    object[name] = setmetatable({ before, value }, LIST)
  end
end

local function read_form(text)
  local form = {}
  for pair in text:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=(.*)$")
    put(form, unescaped(name or pair), name and unescaped(value) or true)
  end
  return form
end
