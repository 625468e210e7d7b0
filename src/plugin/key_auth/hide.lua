-- Takes a key off a request once it was read: its header, or else the argument of the query that it came in.
function envoy_on_request(request)
  local headers, route = request:headers(), request:filterContext()
  local header = headers:get(route:get("header"))
  if header and header ~= "" then
    headers:remove(route:get("header"))
    return
  end
  local path, query = headers:get(":path"):match("^([^?]*)%?(.*)$")
  if not query then return end
  local rest, found = {}, false
  for pair in query:gmatch("[^&]+") do
    if pair:match("^[^=]*") == route:get("query") then found = true else rest[#rest + 1] = pair end
  end
  if found then
    headers:replace(":path", #rest == 0 and path or path .. "?" .. table.concat(rest, "&"))
  end
end
