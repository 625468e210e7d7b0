-- Gives what an instance answers another status, and puts other texts in the place of some.
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

function envoy_on_response(response)
  local context = response:filterContext()
  local status, filters = context:get("status"), context:get("filters")
  if status then response:headers():replace(":status", status) end
  -- What is compressed has other letters.
  if not filters or response:headers():get("content-encoding") then return end
  local body = response:body(true)
  local text = body:getBytes(0, body:length())
  for _, filter in ipairs(filters) do
    text = replaced(text, filter.find, filter.replace, filter.once, filter.ignores_case)
  end
  response:headers():replace("content-length", tostring(body:setBytes(text)))
end
