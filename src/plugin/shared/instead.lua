-- Gives an answer of Envoy's own another status, body and headers. The listener says in a header that it is the one that is meant.
function envoy_on_response(response)
  local context, headers = response:filterContext(), response:headers()
  local reason = context:get("reason")
  if not headers:get(reason) then return end
  headers:remove(reason)
  headers:replace(":status", context:get("status"))
  for _, header in ipairs(context:get("headers") or {}) do headers:replace(header.name, header.value) end
  local text, body = context:get("body"), response:body()
  -- An answer to HEAD has none.
  if text and body then response:headers():replace("content-length", tostring(body:setBytes(text))) end
end
