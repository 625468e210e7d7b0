-- Gives requests the one form that they are read in, as APISIX reads several, and errors the head and the body that they have there.
local WITH_BODY = { POST = true, PUT = true, PATCH = true }
local ESCAPED = { ['"'] = '\\"', ["\\"] = "\\\\" }

local function quoted(text)
  text = text:gsub('[%c"\\]', function(sign) return ESCAPED[sign] or ("\\u%04x"):format(sign:byte()) end)
  return '"' .. text .. '"'
end

local function unescaped(text)
  return (text:gsub("%+", " "):gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end))
end

-- A form as JSON: a name that comes several times has a list of values.
local function as_json(form)
  local values, names = {}, {}
  for pair in form:gmatch("[^&]+") do
    local name, value = pair:match("^([^=]*)=(.*)$")
    value = name and quoted(unescaped(value)) or "true"
    name = unescaped(name or pair)
    if values[name] then
      table.insert(values[name], value)
    else
      values[name] = { value }
      names[#names + 1] = name
    end
  end
  local fields = {}
  for at, name in ipairs(names) do
    local all = values[name]
    fields[at] = quoted(name) .. ":" .. (all[2] and "[" .. table.concat(all, ",") .. "]" or all[1])
  end
  return "{" .. table.concat(fields, ",") .. "}"
end

function envoy_on_request(request)
  local headers = request:headers()
  local method, kind = headers:get(":method"), headers:get("content-type") or ""
  if kind:find("^application/grpc") then return end
  local is_json = WITH_BODY[method] and kind:find("application/json", 1, true)
  if is_json or method == "POST" then
    -- Its fields are those of its body, and no others.
    headers:replace(":path", headers:get(":path"):match("^[^?]*"))
  elseif WITH_BODY[method] then
    -- Its fields are those of its query.
    headers:replace(":method", "GET")
  end
  if is_json then return end
  local body = request:body()
  if not body or body:length() == 0 then return end
  local text = method == "POST" and as_json(body:getBytes(0, body:length())) or ""
  -- Those of before the body came are none any more.
  request:headers():replace("content-length", tostring(body:setBytes(text)))
end

function envoy_on_response(response)
  local headers = response:headers()
  if tonumber(headers:get(":status")) < 300 then return end
  if (headers:get("content-type") or ""):find("^application/grpc") then
    headers:replace("content-type", "application/json")
  elseif response:filterContext():get("wraps") and headers:get("content-type") == "application/json" then
    local body = response:body(true)
    local text = body:getBytes(0, body:length())
    -- Another filter may have answered.
    if not text:find('^{"code":%d') then return end
    response:headers():replace("content-length", tostring(body:setBytes('{"error":' .. text .. "}")))
  end
end
