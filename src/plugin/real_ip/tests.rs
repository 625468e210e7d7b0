use serde_json::{Value, json};

use crate::model::gateway::RealIp;
use crate::model::gateway::real_ip::By;
use crate::model::problem::Remark;
use crate::plugin::Plugins;
use crate::plugin::tests::refusal;

fn of_rule(fields: Value) -> (Result<Option<RealIp>, Remark>, Vec<Remark>) {
    let key = "global_rules/1".parse().unwrap();
    let mut warnings = Vec::new();
    let plugins = Plugins::read(&key, Some(&json!({ "real-ip": fields })), &mut warnings);
    (plugins.map(|read| read.client().cloned()), warnings)
}

fn client(fields: Value) -> RealIp {
    of_rule(fields).0.unwrap().unwrap()
}

fn refused(fields: Value) -> String {
    let Remark { field, message } = of_rule(fields).0.unwrap_err();
    format!("{field}: {message}")
}

#[test]
fn a_route_cannot_say_it_and_is_told_who_can() {
    let said = refusal("real-ip", r#"{"source":"http_x_forwarded_for"}"#);
    let end = "write it in a global rule, or `real_ip` of the gateway";
    assert!(said.ends_with(end), "{said}");
}

#[test]
fn a_rule_says_where_the_address_stands() {
    let proxies = json!(["10.1.2.3/8", "::1", "10.0.0.0/8"]);
    let by = |source: &str, recursive: bool| {
        client(json!({ "source": source, "trusted_addresses": proxies, "recursive": recursive }))
    };
    let last = by("http_x_forwarded_for", false);
    let shown: Vec<_> = last
        .trusted_addresses
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(shown, ["10.0.0.0/8", "::1/128"]);
    assert_eq!(last.by, By::Last);
    assert_eq!(by("http_x_forwarded_for", true).by, By::TrustedAddresses);
    // As APISIX has it, the others hold one address.
    let header = By::Header("cf-connecting-ip".into());
    assert_eq!(by("http_cf_connecting_ip", true).by, header);
}

#[test]
fn it_warns_where_everybody_can_be_anybody() {
    let (read, warnings) = of_rule(json!({ "source": "http_x_forwarded_for", "recursive": true }));
    let everybody = RealIp {
        trusted_addresses: Vec::new(),
        by: By::Last,
    };
    assert_eq!(read.unwrap().unwrap(), everybody);
    let field = "plugins.real-ip.trusted_addresses";
    let [warning] = warnings.as_slice() else {
        panic!("{warnings:?}")
    };
    assert_eq!(warning.field, field);
}

#[test]
fn what_envoy_cannot_look_at_is_refused() {
    for source in ["arg_client", "cookie_a", "remote_addr", "http_", "http_X-A"] {
        let said = refused(json!({ "source": source }));
        let start = format!("plugins.real-ip.source: found \"{source}\", allowed: `http_x_forw");
        assert!(said.starts_with(&start), "{said}");
    }
    let none = refused(json!({ "source": "http_a", "trusted_addresses": [] }));
    assert!(
        none.contains("trusted_addresses: found an empty list"),
        "{none}"
    );
    let filter = json!({ "source": "http_a", "_meta": { "filter": [["uri", "==", "/a"]] } });
    assert!(refused(filter).contains("all requests of a gateway"));
    let (read, _) = of_rule(json!({ "source": "http_a", "_meta": { "disable": true } }));
    assert_eq!(read.unwrap(), None);
}
