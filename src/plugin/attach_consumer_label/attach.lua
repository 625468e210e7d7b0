-- Tells upstreams labels of the consumer, as they were found with it: `name=value`, with `&` between, escaped as in URLs.
function envoy_on_request(request)
  local found = request:streamInfo():dynamicMetadata():get("chancery.consumer") or {}
  local labels = {}
  local function plain(text)
    return (text:gsub("%+", " "):gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
  end
  for name, value in (found.labels or ""):gmatch("([^=&]*)=([^&]*)") do labels[plain(name)] = plain(value) end
  local headers = request:headers()
  for _, told in ipairs(request:filterContext():get("headers")) do
    local value = labels[told.label]
    if value then headers:replace(told.header, value) else headers:remove(told.header) end
  end
end
