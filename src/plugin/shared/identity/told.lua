-- Takes apart what a consumer was found as, `name/credential/labels/about/id` or the name alone, and tells upstreams each in a header of
-- its own; the labels are for `attach-consumer-label`, and what it is about beside for `opa`. Then has the route be chosen anew where
-- consumers have plugins.
local function told(request)
  local headers = request:headers()
  local found = headers:get("x-consumer-username")
  if not found then return end
  local name, credential, labels, about, id = found:match("^([^/]*)/([^/]*)/([^/]*)/([^/]*)/(.*)$")
  local function tell(header, value)
    if value and value ~= "" then headers:replace(header, value) else headers:remove(header) end
  end
  if name then headers:replace("x-consumer-username", name) end
  tell("x-credential-identifier", credential)
  tell("x-consumer-custom-id", id)
  local data = request:streamInfo():dynamicMetadata()
  if (labels or "") .. (about or "") ~= "" or data:get("chancery.consumer") then
    data:set("chancery.consumer", "labels", labels or "")
    data:set("chancery.consumer", "about", about or "")
  end
  if request:filterContext():get("anew") then request:clearRouteCache() end
end

-- Where it fails, Envoy would let the request through as somebody whom nobody knows.
function envoy_on_request(request)
  if not pcall(told, request) then request:respond({ [":status"] = "500" }, "") end
end
