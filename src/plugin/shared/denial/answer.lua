-- Turns away whom the filter before would deny, with an answer of the route's: that filter has one status only.
function envoy_on_request(request)
  local route = request:filterContext()
  local said = request:streamInfo():dynamicMetadata():get("envoy.filters.http.rbac")
  if not said or said[route:get("prefix") .. "shadow_engine_result"] ~= "denied" then return end
  request:respond({
    [":status"] = route:get("status"),
    ["content-type"] = "application/json",
  }, route:get("body"))
end
