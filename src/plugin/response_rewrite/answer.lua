-- Gives what an instance answers another status, other headers where the status decides about them, and puts other texts in
-- the place of some.
local function replaced(text, find, with, once, ignores_case)
  local searched = ignores_case and text:lower() or text
  local parts, from = {}, 1
  repeat
    local first, last = searched:find(find, from, true)
    if not first then break end
    parts[#parts + 1] = text:sub(from, first - 1)
    parts[#parts + 1] = with
    from = last + 1
  until once
  parts[#parts + 1] = text:sub(from)
  return table.concat(parts)
end

local function among(ranges, status)
  for _, range in ipairs(ranges) do
    if status >= range.from and status <= range.to then return true end
  end
end

local function changed(headers, context)
  for _, header in ipairs(context:get("add") or {}) do headers:add(header.name, header.value) end
  for _, header in ipairs(context:get("set") or {}) do headers:replace(header.name, header.value) end
  for _, name in ipairs(context:get("remove") or {}) do headers:remove(name) end
end

function envoy_on_response(response)
  local context, headers = response:filterContext(), response:headers()
  local status, filters, statuses = context:get("status"), context:get("filters"), context:get("statuses")
  if statuses and not among(statuses, tonumber(headers:get(":status"))) then return end
  if status then headers:replace(":status", status) end
  changed(headers, context)
  -- What is compressed has other letters.
  if not filters or headers:get("content-encoding") then return end
  local body = response:body(true)
  local text = body:getBytes(0, body:length())
  for _, filter in ipairs(filters) do
    text = replaced(text, filter.find, filter.replace, filter.once, filter.ignores_case)
  end
  -- Those of before the body came are none any more.
  response:headers():replace("content-length", tostring(body:setBytes(text)))
end
