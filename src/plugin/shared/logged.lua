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
    local values = by_name[name]
    if values == nil then
      by_name[name] = { plain(value) }
    else
      values[#values + 1] = plain(value)
    end
  end
  return by_name
end

function envoy_on_request(handle)
  local metadata = handle:streamInfo():dynamicMetadata()
  local of_rule = metadata:get(SPACE)
  local before = of_rule and of_rule["to"] .. "\n" or ""
  metadata:set(SPACE, "to", before .. handle:filterContext():get("to"))
  metadata:set(SPACE, "request", all(handle:headers()))
end

function envoy_on_response(handle)
  handle:streamInfo():dynamicMetadata():set(SPACE, "response", all(handle:headers()))
end
