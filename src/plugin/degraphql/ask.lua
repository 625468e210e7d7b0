-- Makes a request one of GraphQL: a query of the route's, with variables from the request.
local SIGNS = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function text(value)
  local inner = value:gsub('[%c"\\]', function(sign)
    return SIGNS[sign] or ("\\u%04x"):format(sign:byte())
  end)
  return '"' .. inner .. '"'
end

local function number(value)
  if value == math.floor(value) and math.abs(value) < 1e15 then return ("%d"):format(value) end
  return ("%.14g"):format(value)
end

local json

local function each(value)
  local parts = {}
  if getmetatable(value) == LIST then
    for at, item in ipairs(value) do parts[at] = json(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  local names = {}
  for name in pairs(value) do names[#names + 1] = name end
  table.sort(names)
  for at, name in ipairs(names) do parts[at] = text(name) .. ":" .. json(value[name]) end
  return "{" .. table.concat(parts, ",") .. "}"
end

function json(value)
  if value == null then return "null" end
  if type(value) == "string" then return text(value) end
  if type(value) == "number" then return number(value) end
  if type(value) == "table" then return each(value) end
  return tostring(value)
end

local function chosen(from, names)
  local some = {}
  for _, name in ipairs(names) do some[name] = from[name] end
  return some
end

local function escaped(value)
  return (value:gsub("[^%w%-%._~]", function(sign) return ("%%%02X"):format(sign:byte()) end))
end

local function asked(headers, context, names)
  local path, query = headers:get(":path"):match("^([^?]*)%??(.*)$")
  local parts = { "query=" .. escaped(context:get("query")) }
  local operation = context:get("operation")
  if operation then parts[#parts + 1] = "operationName=" .. escaped(operation) end
  if names then parts[#parts + 1] = "variables=" .. escaped(json(chosen(read_form(query), names))) end
  headers:replace(":path", path .. "?" .. table.concat(parts, "&"))
end

-- What is posted; nothing where it is no JSON of an object or a list.
local function posted(body)
  if body:length() == 0 then return nil end
  local fine, value = pcall(read_json, body:getBytes(0, body:length()))
  return fine and value ~= null and type(value) == "table" and value or nil
end

function envoy_on_request(request)
  local headers, context = request:headers(), request:filterContext()
  local method, names = headers:get(":method"), context:get("variables")
  if method == "GET" then return asked(headers, context, names) end
  if method ~= "POST" then return request:respond({ [":status"] = "405" }, "") end
  local object = { query = context:get("query"), operationName = context:get("operation") }
  -- What stands above is gone once the body came.
  local body = request:body(true)
  if names then
    local from = posted(body)
    if not from then return request:respond({ [":status"] = "400" }, "") end
    object.variables = chosen(from, names)
  end
  local length = body:setBytes(json(object))
  request:headers():replace("content-type", "application/json")
  request:headers():replace("content-length", tostring(length))
  request:headers():remove("transfer-encoding")
end
