-- Gathers what the log of a request says beside what Envoy's own entry has: where it goes, and the headers of both sides.
local SPACE = "chancery.logs"

-- What is no text of UTF-8, or might be none, as URLs have it.
local function plain(text)
  return (text:gsub("[%%%c\128-\255]", function(character)
    return string.format("%%%02X", character:byte())
  end))
end

local function all(headers)
  local by_name = {}
  for name, value in pairs(headers) do
    -- What Chancery's filters tell each other may be a credential.
    if not name:find("^x%-chancery%-") then
      local values = by_name[name] or {}
      by_name[name], values[#values + 1] = values, plain(value)
    end
  end
  return by_name
end

-- Where it stands behind the filters that find the consumer, a filter before may have seen the request as it came.
function envoy_on_request(handle)
  local metadata, context = handle:streamInfo():dynamicMetadata(), handle:filterContext()
  local before, to = metadata:get(SPACE), context:get("to")
  if before and not context:get("whole") then to = before["to"] .. "\n" .. to end
  metadata:set(SPACE, "to", to)
  if not before then metadata:set(SPACE, "request", all(handle:headers())) end
end

function envoy_on_response(handle)
  handle:streamInfo():dynamicMetadata():set(SPACE, "response", all(handle:headers()))
end
