-- Gives a request another method, and a path that has a query of its own. The route that was chosen for the ones it came with stays.
function envoy_on_request(request)
  local headers, method = request:headers(), request:filterContext():get("method")
  if method then headers:replace(":method", method) end
  local path = headers:get("x-chancery-path")
  if not path then return end
  headers:remove("x-chancery-path")
  local query = headers:get(":path"):match("^[^?]*%?(.+)$")
  if query then path = path .. (path:find("?", 1, true) and "&" or "?") .. query end
  headers:replace(":path", path)
end
