-- Answers OPTIONS, and tells browsers which pages may read an answer.
local function allowed(origins, origin)
  if origins == "*" then return "*" end
  if origins == "**" then return origin or "*" end
  return origins and origin and origins[origin] and origin
end

function envoy_on_request(request)
  local headers = request:headers()
  local data = request:streamInfo():dynamicMetadata()
  -- Plugins behind may change both.
  data:set("chancery.cors", "origin", headers:get("origin") or "")
  data:set("chancery.cors", "headers", headers:get("access-control-request-headers") or "")
  if headers:get(":method") == "OPTIONS" then request:respond({[":status"] = "200"}, "") end
end

function envoy_on_response(response)
  local context, headers = response:filterContext(), response:headers()
  -- An answer of a filter before has asked nothing.
  local asked = response:streamInfo():dynamicMetadata():get("chancery.cors") or {}
  local function told(name)
    local text = asked[name]
    return text ~= "" and text or nil
  end
  local function set(name, value)
    if value then headers:replace(name, value) end
  end
  local origin = told("origin")
  if context:get("vary") then headers:add("vary", "Origin") end
  local page = allowed(context:get("origins"), origin)
  if page then
    set("access-control-allow-origin", page)
    set("access-control-allow-methods", context:get("methods"))
    set("access-control-max-age", context:get("max_age"))
    set("access-control-expose-headers", context:get("expose"))
    set("access-control-allow-headers", context:get("headers") or told("headers"))
    set("access-control-allow-credentials", context:get("credentials"))
  end
  set("timing-allow-origin", allowed(context:get("timing"), origin))
end
