-- Takes apart what a consumer was found as, `name/credential/id` or the name alone, and tells upstreams each in a header of its own;
-- then has the route be chosen anew where consumers have plugins.
function envoy_on_request(request)
  local headers = request:headers()
  local found = headers:get("x-consumer-username")
  if not found then return end
  local name, credential, id = found:match("^([^/]*)/([^/]*)/(.*)$")
  local function tell(header, value)
    if value and value ~= "" then headers:replace(header, value) else headers:remove(header) end
  end
  if name then headers:replace("x-consumer-username", name) end
  tell("x-credential-identifier", credential)
  tell("x-consumer-custom-id", id)
  if request:filterContext():get("anew") then request:clearRouteCache() end
end
