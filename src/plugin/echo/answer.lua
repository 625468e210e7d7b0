-- Puts texts before, behind or in the place of what an instance answers, and sets headers.
local SPACE = "chancery.echo"

-- These answers have no body, whatever stands in their headers.
local BODILESS = { ["204"] = true, ["304"] = true }

function envoy_on_request(request)
  if request:headers():get(":method") == "HEAD" then
    request:streamInfo():dynamicMetadata():set(SPACE, "head", true)
  end
end

function envoy_on_response(response)
  local context, headers = response:filterContext(), response:headers()
  local status = headers:get(":status")
  -- What stood there is true of another body.
  for _, name in ipairs({ "content-encoding", "etag", "last-modified" }) do headers:remove(name) end
  for _, header in ipairs(context:get("headers") or {}) do headers:replace(header.name, header.value) end
  local told = response:streamInfo():dynamicMetadata():get(SPACE)
  if BODILESS[status] then return end
  if told and told["head"] then
    headers:remove("content-length")
    return
  end
  local before, whole, after = context:get("before"), context:get("body"), context:get("after")
  -- What stands above is gone once the body came.
  local body = response:body(true)
  local text = (before or "") .. (whole or body:getBytes(0, body:length())) .. (after or "")
  response:headers():replace("content-length", tostring(body:setBytes(text)))
end
