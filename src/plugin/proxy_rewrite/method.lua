-- Gives a request another method. The route that was chosen for the one it came with stays.
function envoy_on_request(request)
  request:headers():replace(":method", request:filterContext():get("method"))
end
