-- Asks an Open Policy Agent whether a request may pass.
local LARGEST = 1048576
local SIGNS = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }
local UNSAFE = "[%z\1-\8\10-\31\127]"
-- They say where a message ends, or are about the connection: Envoy writes them itself.
local OF_ENVOY = {}
for name in ("connection content-length keep-alive proxy-connection te trailer transfer-encoding upgrade"):gmatch("%S+") do
  OF_ENVOY[name] = true
end

local function quoted(text)
  return '"' .. text:gsub('[%c"\\]', function(sign) return SIGNS[sign] or ("\\u%04x"):format(sign:byte()) end) .. '"'
end

-- What is JSON already.
local RAW = {}
local function raw(text) return text and setmetatable({ text = text }, RAW) end

local function written(value)
  if value == null then return "null" end
  if type(value) == "string" then return quoted(value) end
  if type(value) == "number" then return ("%.14g"):format(value) end
  if type(value) ~= "table" then return tostring(value) end
  if getmetatable(value) == RAW then return value.text end
  local parts = {}
  if getmetatable(value) == LIST then
    for at, item in ipairs(value) do parts[at] = written(item) end
    return "[" .. table.concat(parts, ",") .. "]"
  end
  for name, field in pairs(value) do parts[#parts + 1] = quoted(name) .. ":" .. written(field) end
  return "{" .. table.concat(parts, ",") .. "}"
end

-- The address and the port of `10.0.0.1:80` or `[::1]:80`.
local function parted(place) return place:match("^%[?(.-)%]?:(%d+)$") end

local function seen(headers)
  local all = {}
  for name, value in pairs(headers) do
    -- What Chancery's filters tell each other may be a credential.
    if not name:find("^:") and not name:find("^x%-chancery%-") then put(all, name, value) end
  end
  all.host = headers:get(":authority")
  return all
end

-- Whoever sends the request, as far as its document is no secret; nothing where nobody asked, or it is a stranger.
local function consumer(request)
  local headers = request:headers()
  local name = headers:get("x-consumer-username")
  if not name then return nil end
  local found = request:streamInfo():dynamicMetadata():get("chancery.consumer") or {}
  local told = read_form(found.about or "")
  if (found.labels or "") ~= "" then told.labels = read_form(found.labels) end
  told.username, told.consumer_name = name, name
  told.credential_id = headers:get("x-credential-identifier")
  return told
end

local function input(request, context)
  local headers, info = request:headers(), request:streamInfo()
  local path, query = headers:get(":path"):match("^([^?]*)%??(.*)$")
  local remote, remote_port = parted(info:downstreamRemoteAddress())
  local server, server_port = parted(info:downstreamLocalAddress())
  return {
    type = "http",
    request = {
      scheme = headers:get(":scheme"),
      method = headers:get(":method"),
      host = (headers:get(":authority") or ""):lower():gsub(":%d+$", ""),
      port = tonumber(server_port),
      path = path:gsub("%%(%x%x)", function(digits) return string.char(tonumber(digits, 16)) end),
      headers = seen(headers),
      query = read_form(query),
    },
    var = {
      server_addr = server,
      server_port = server_port,
      remote_addr = remote,
      remote_port = remote_port,
      timestamp = os.time(),
    },
    route = raw(context:get("route")),
    service = raw(context:get("service")),
    consumer = context:get("with_consumer") and consumer(request),
  }
end

-- The values of a header, as texts; none of those that no header can have.
local function values(value)
  local all = {}
  for _, one in ipairs(getmetatable(value) == LIST and value or { value }) do
    local text = type(one) ~= "table" and tostring(one)
    if text and not text:find(UNSAFE) then all[#all + 1] = text end
  end
  return all
end

local function fields(value) return type(value) == "table" and getmetatable(value) ~= LIST and value or {} end

local function denial(result)
  local answer, status = {}, result.status_code
  for name, value in pairs(fields(result.headers)) do
    local texts = values(value)
    local can_be = name:find("^[%w!#$%%&'*+.^_`|~-]+$") and not OF_ENVOY[name:lower()]
    if can_be and texts[1] then answer[name] = texts end
  end
  local is_status = type(status) == "number" and status >= 200 and status < 600
  answer[":status"] = ("%d"):format(is_status and status or 403)
  local reason = result.reason
  if not reason or reason == null then return answer end
  return answer, type(reason) == "table" and written(reason) or tostring(reason)
end

local function tell(headers, names, told)
  for _, name in ipairs(names or {}) do
    -- A client's own is none of the agent's.
    headers:remove(name)
    for _, value in ipairs(told[name] ~= nil and values(told[name]) or {}) do headers:add(name, value) end
  end
end

-- The headers of the answer, with its status, and its body; nothing where the request may pass.
local function asked(request)
  local context = request:filterContext()
  -- What the context holds cannot be asked for once the agent has been waited for.
  local cluster, timeout, names = context:get("cluster"), context:get("timeout"), context:get("upstream")
  local question = {
    [":method"] = "POST",
    [":path"] = context:get("path"),
    [":authority"] = context:get("host"),
    ["content-type"] = "application/json",
  }
  local done, answer, text = pcall(request.httpCall, request, cluster, question, written({ input = input(request, context) }), timeout)
  -- Envoy says how long an agent took that answered.
  if not done or not answer["x-envoy-upstream-service-time"] then return { [":status"] = "403" } end
  local read, decision = pcall(read_json, #(text or "") <= LARGEST and text or "")
  local result = read and type(decision) == "table" and decision.result
  if not result or result == null then return { [":status"] = "503" } end
  if not result.allow or result.allow == null then return denial(result) end
  tell(request:headers(), names, fields(result.headers))
end

function envoy_on_request(request)
  -- Where the script fails, Envoy would let the request through.
  local done, headers, body = pcall(asked, request)
  if not done then headers, body = { [":status"] = "500" }, "" end
  if headers and not pcall(request.respond, request, headers, body) then request:respond({ [":status"] = "500" }, "") end
end
