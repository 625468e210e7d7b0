-- Turns requests away that do not keep to a schema: of headers, then of a body in JSON or of a form. What a body in JSON lacks goes on with
-- the default that the schema has for it.
local LARGEST = 1048576

-- The defaults of objects that lack something, while a body is checked: texts, by the object.
local lacking = {}

local function of_kind(value, kind)
  if value == null then return kind == "null" end
  if type(value) == "table" then
    -- As in APISIX, what is empty is both.
    return next(value) == nil and (kind == "array" or kind == "object")
      or kind == (getmetatable(value) == LIST and "array" or "object")
  end
  if kind == "integer" then return type(value) == "number" and math.fmod(value, 1) == 0 end
  return type(value) == kind
end

local function letters(text)
  local _, following = text:gsub("[\128-\191]", "")
  return #text - following
end

local function set_of(list)
  local set = {}
  for _, one in ipairs(list) do set[one] = true end
  return set
end

-- What equal values have in common, and no others.
local function key(value)
  if value == null then return "null" end
  if type(value) == "boolean" then return tostring(value) end
  if type(value) == "number" then return ("%.17g"):format(value + 0) end
  if type(value) == "string" then return #value .. ":" .. value end
  local parts = {}
  if getmetatable(value) == LIST then
    for at, item in ipairs(value) do parts[at] = key(item) end
  else
    local names = {}
    for name in pairs(value) do names[#names + 1] = name end
    table.sort(names)
    for at, name in ipairs(names) do parts[at] = key(name) .. "=" .. key(value[name]) end
  end
  return "{" .. table.concat(parts, ",") .. "}"
end

local function quoted(text) return (("%q"):format(text):gsub("\\\n", "\\n")) end

local wrong

local function wrong_object(rule, object)
  for _, property in ipairs(rule.properties) do
    local value = object[property.name]
    if value == nil then
      if property.required then return "property " .. quoted(property.name) .. " is required" end
      if property.default then
        lacking[object] = lacking[object] or {}
        table.insert(lacking[object], property.default)
      end
    else
      local said = wrong(property.rule, value)
      if said then return "property " .. quoted(property.name) .. " validation failed: " .. said end
    end
  end
  if rule.closed then
    if not rule.known then
      rule.known = {}
      for _, property in ipairs(rule.properties) do rule.known[property.name] = property.written end
    end
    for name in pairs(object) do
      if not rule.known[name] then return "additional properties forbidden, found " .. name end
    end
  end
end

local function wrong_list(rule, list)
  if rule.min_items and #list < rule.min_items then
    return "expect array to have at least " .. rule.min_items .. " items"
  end
  if rule.max_items and #list > rule.max_items then
    return "expect array to have at most " .. rule.max_items .. " items"
  end
  for at, item in ipairs(rule.items and list or {}) do
    local said = wrong(rule.items, item)
    if said then return "failed to validate item " .. at .. ": " .. said end
  end
  local places = {}
  for at, item in ipairs(rule.unique and list or {}) do
    local name = key(item)
    if places[name] then return "expected unique items but items " .. places[name] .. " and " .. at .. " are equal" end
    places[name] = at
  end
end

local function wrong_text(rule, text)
  local length = letters(text)
  if rule.min_length and length < rule.min_length then
    return "string too short, expected at least " .. rule.min_length .. ", got " .. length
  end
  if rule.max_length and length > rule.max_length then
    return "string too long, expected at most " .. rule.max_length .. ", got " .. length
  end
  if rule.pattern and not text:find(rule.pattern) then
    return "failed to match pattern " .. quoted(rule.regex) .. " with " .. quoted(text)
  end
end

local function wrong_number(rule, number)
  local least, most, over, under = rule.minimum, rule.maximum, rule.over, rule.under
  if least and number < least then return "expected " .. number .. " to be greater than " .. least end
  if over and number <= over then return "expected " .. number .. " to be sctrictly greater than " .. over end
  if most and number > most then return "expected " .. number .. " to be smaller than " .. most end
  if under and number >= under then return "expected " .. number .. " to be sctrictly smaller than " .. under end
end

-- What is wrong with a value, in the words of APISIX.
function wrong(rule, value)
  if rule.kinds then
    local fits = false
    for _, kind in ipairs(rule.kinds) do fits = fits or of_kind(value, kind) end
    local kind = value == null and "userdata" or type(value)
    local expected = (rule.kinds[2] and "one of " or "") .. table.concat(rule.kinds, ", ")
    if not fits then return "wrong type: expected " .. expected .. ", got " .. kind end
  end
  local said
  if rule.properties and of_kind(value, "object") then said = wrong_object(rule, value) end
  if not said and rule.is_list and of_kind(value, "array") then said = wrong_list(rule, value) end
  if not said and type(value) == "string" then said = wrong_text(rule, value) end
  if not said and type(value) == "number" then said = wrong_number(rule, value) end
  if said or not rule.values then return said end
  rule.among = rule.among or set_of(rule.values)
  if rule.among[value] then return nil end
  return rule.only and "failed to check const value" or "matches none of the enum values"
end

-- The headers that the schema names, as nginx would find them.
local function named_headers(rule, headers)
  local found = {}
  for _, property in ipairs(rule.properties or {}) do
    local name = property.name:lower():gsub("_", "-")
    if name == "host" then name = ":authority" end
    local count = headers:getNumValues(name)
    if count == 1 then found[property.name] = headers:get(name) end
    if count > 1 then
      local all = setmetatable({}, LIST)
      for at = 0, count - 1 do all[at + 1] = headers:getAtIndex(name, at) end
      found[property.name] = all
    end
  end
  return found
end

-- A text of JSON with what its objects lack; nothing where they lack nothing.
local function completed(text)
  local objects, parts, last, size = {}, {}, 1, 0
  for object in pairs(lacking) do objects[#objects + 1] = object end
  if not objects[1] then return nil end
  table.sort(objects, function(one, other) return PLACES[one] < PLACES[other] end)
  for _, object in ipairs(objects) do
    local at, added = PLACES[object], table.concat(lacking[object], ",") .. (next(object) ~= nil and "," or "")
    size = size + #added
    if size > LARGEST then fail("lacks more than can be added") end
    parts[#parts + 1], parts[#parts + 2], last = text:sub(last, at - 1), added, at
  end
  return table.concat(parts) .. text:sub(last)
end

-- What is wrong with a body; else what goes on in its place.
local function checked_body(rule, text, is_form)
  lacking = {}
  local said = wrong(rule, (is_form and read_form or read_json)(text))
  local other = not said and not is_form and completed(text)
  lacking = {}
  return said, other
end

local function wrong_headers(rule, headers)
  local said = wrong(rule, named_headers(rule, headers))
  lacking = {}
  return said
end

-- What is wrong, where the script itself fails too: else Envoy would let the request through.
local function checked(check, ...)
  local done, said, other = pcall(check, ...)
  if done then return said, other end
  return type(said) == "table" and said.said or "cannot be checked"
end

local function read_body(request)
  local body = request:body()
  return body and body:getBytes(0, body:length()) or ""
end

function envoy_on_request(request)
  local context, headers = request:filterContext(), request:headers()
  -- What the context holds cannot be asked for once the body has been waited for.
  local of_headers, of_body = context:get("headers"), context:get("body")
  local status, message = context:get("status"), context:get("message")
  local said = of_headers and checked(wrong_headers, of_headers, headers)
  if not said and of_body then
    local is_form = headers:get("content-type") == "application/x-www-form-urlencoded"
    local text = read_body(request)
    local other
    if text == "" then said = "" else said, other = checked(checked_body, of_body, text, is_form) end
    if other then request:body():setBytes(other) end
  end
  if said then request:respond({ [":status"] = status, ["content-type"] = "text/plain" }, message or said) end
end
