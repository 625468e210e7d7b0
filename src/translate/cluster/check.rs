//! A cluster whose requests ask whether another request may pass. Envoy asks with the client's method and Host, takes only
//! a 200 for a yes, and leaves what the client sent where the answer has no such header. What is meant instead is a small
//! script of the cluster's own, since no other filter of a cluster may change these.

use envoy_types::pb::envoy::config::core::v3::{DataSource, data_source::Specifier};
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::Lua;
use envoy_types::pb::envoy::extensions::filters::http::upstream_codec::v3::UpstreamCodec;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::{
    HttpFilter, http_filter::ConfigType,
};
use envoy_types::pb::google::protobuf::Any;

use crate::envoy::any;
use crate::model::upstream::Check;

/// The filters of the cluster, in order.
pub(super) fn filters(check: &Check) -> Vec<HttpFilter> {
    let lua = Lua {
        default_source_code: Some(DataSource {
            specifier: Some(Specifier::InlineString(script(check))),
            ..DataSource::default()
        }),
        ..Lua::default()
    };
    vec![
        filter("chancery.check", any(&lua)),
        filter("envoy.filters.http.upstream_codec", any(&UpstreamCodec {})),
    ]
}

pub(super) fn filter(name: &str, config: Any) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        config_type: Some(ConfigType::TypedConfig(config)),
        ..HttpFilter::default()
    }
}

/// Hosts and names of headers have no character that means anything in a text of Lua.
fn script(check: &Check) -> String {
    let list = |names: &[String]| {
        let quoted: Vec<_> = names.iter().map(|name| format!("\"{name}\"")).collect();
        quoted.join(", ")
    };
    format!(
        r#"local replaced = {{{replaced}}}
local hidden = {{{hidden}}}
function envoy_on_request(handle)
  handle:headers():replace(":method", "{method}")
  handle:headers():replace(":authority", "{host}")
end
function envoy_on_response(handle)
  local headers = handle:headers()
  headers:remove("x-envoy-auth-headers-to-remove")
  local status = tonumber(headers:get(":status"))
  if status < 300 then
    headers:replace(":status", "200")
    local absent = {{}}
    for _, name in ipairs(replaced) do
      if headers:get(name) == nil then table.insert(absent, name) end
    end
    if #absent > 0 then headers:add("x-envoy-auth-headers-to-remove", table.concat(absent, ",")) end
  else
    for _, name in ipairs(hidden) do headers:remove(name) end
  end
end
"#,
        replaced = list(&check.replaced),
        hidden = list(&check.hidden),
        method = check.method,
        host = check.host,
    )
}
