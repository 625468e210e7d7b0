-- Says that a request is counted, and has its route be chosen anew.
function envoy_on_request(request)
  request:headers():replace("x-chancery-counted", "1")
  request:clearRouteCache()
end
