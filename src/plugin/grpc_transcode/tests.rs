use envoy_types::pb::envoy::config::route::v3::RouteAction;
use envoy_types::pb::envoy::r#type::matcher::v3::RegexMatchAndSubstitute;
use prost::Message;

use super::*;
use crate::envoy::filter::of_rules;
use crate::plugin::Plugins;
use crate::plugin::http_filters as chain;

const PROTO: &str = "syntax = \"proto3\"; package p; service S { rpc M (A) returns (B); rpc Wide (A) returns (C); } \
                     message A { string name = 1; } message B {} message C { int64 big = 1; }";

fn protos() -> Arc<Protos> {
    let key = "protos/a".parse().unwrap();
    Arc::new(crate::model::protos::read(&key, &json!({ "content": PROTO })).unwrap())
}

fn resolved(mut configuration: Value) -> Result<Plugins, Remark> {
    let mut whole = json!({ "proto_id": 1, "service": "p.S", "method": "M" });
    let fields = whole.as_object_mut().unwrap();
    fields.append(configuration.as_object_mut().unwrap());
    let key = "routes/a".parse().unwrap();
    let plugins = json!({ "grpc-transcode": whole });
    let plugins = Plugins::read(&key, Some(&plugins), &mut Vec::new())?;
    plugins.with_protos(|id| {
        assert_eq!(id.as_str(), "1");
        Ok(protos())
    })
}

fn route(configuration: Value) -> Route {
    let rewrite = RegexMatchAndSubstitute::default();
    let action = RouteAction {
        regex_rewrite: Some(rewrite),
        path_rewrite: "/other".to_owned(),
        ..RouteAction::default()
    };
    let route = Route {
        action: Some(Action::Route(action)),
        ..Route::default()
    };
    let plugins = resolved(configuration).unwrap();
    plugins.apply(route, |_| RouteAction::default()).remove(0)
}

fn transcoder(route: &Route) -> GrpcJsonTranscoder {
    let config = &route.typed_per_filter_config[FILTER];
    GrpcJsonTranscoder::decode(config.value.as_slice()).unwrap()
}

#[test]
fn a_route_has_the_method_alone() {
    let route = route(json!({}));
    let transcoder = transcoder(&route);
    let method = protos().method("p.S", "M", None).unwrap();
    let bin = DescriptorSet::ProtoDescriptorBin(method.descriptors);
    assert_eq!(transcoder.descriptor_set, Some(bin));
    assert_eq!(transcoder.services, ["p.S"]);
    assert!(transcoder.match_incoming_request_route && !transcoder.convert_grpc_status);
    assert!(route.typed_per_filter_config.contains_key(TRANSCODES));
    assert_eq!(route.request_headers_to_add, []);
    // Its path is none of another plugin's.
    let Some(Action::Route(action)) = &route.action else {
        panic!("{route:?}");
    };
    assert_eq!(*action, RouteAction::default());
}

#[test]
fn answers_are_written_as_the_options_say() {
    let printed = |options: &[&str]| {
        let configuration = match options {
            [] => json!({}),
            some => json!({ "pb_option": some }),
        };
        let print = transcoder(&route(configuration)).print_options.unwrap();
        assert!(print.preserve_proto_field_names);
        (
            print.always_print_enums_as_ints,
            print.always_print_primitive_fields,
        )
    };
    assert_eq!(printed(&[]), (false, true));
    let usual = [
        "enum_as_name",
        "int64_as_number",
        "auto_default_values",
        "disable_hooks",
    ];
    assert_eq!(printed(&usual), (false, true));
    assert_eq!(
        printed(&["enum_as_value", "no_default_values"]),
        (true, false)
    );
    assert_eq!(printed(&["enum_as_value", "enum_as_name"]), (false, true));
    for refused in [
        "int64_as_hexstring",
        "use_default_values",
        "use_default_metatable",
        "enable_hooks",
    ] {
        let remark = resolved(json!({ "pb_option": [refused] })).unwrap_err();
        assert_eq!(remark.field, "plugins.grpc-transcode.pb_option[0]");
        assert!(
            remark.message.contains(refused) && remark.message.contains("allowed"),
            "{}",
            remark.message
        );
    }
}

#[test]
fn what_json_has_no_numbers_for_is_a_text_only_where_that_is_written() {
    for options in [
        json!(["int64_as_number"]),
        json!(["int64_as_string", "int64_as_number"]),
    ] {
        let remark = resolved(json!({ "method": "Wide", "pb_option": options })).unwrap_err();
        assert_eq!(remark.field, "plugins.grpc-transcode.pb_option");
        assert!(remark.message.contains("`p.C.big`"), "{}", remark.message);
    }
    assert!(resolved(json!({ "method": "Wide" })).is_err());
    resolved(json!({ "method": "Wide", "pb_option": ["int64_as_string"] })).unwrap();
}

#[test]
fn a_deadline_is_told() {
    let route = route(json!({ "deadline": 250 }));
    let header = route.request_headers_to_add[0].header.clone().unwrap();
    assert_eq!(
        (header.key.as_str(), header.value.as_str()),
        ("grpc-timeout", "250m")
    );
    for deadline in [json!(100_000_000), json!(-1), json!(1.5)] {
        let remark = resolved(json!({ "deadline": deadline })).unwrap_err();
        assert!(
            remark.message.contains("allowed: 0–99999999"),
            "{}",
            remark.message
        );
    }
}

#[test]
fn errors_are_in_the_body_where_that_is_asked_for() {
    let route = route(json!({ "show_status_in_body": true, "status_detail_type": "p.C" }));
    let transcoder = transcoder(&route);
    assert!(transcoder.convert_grpc_status);
    let method = protos().method("p.S", "M", Some("p.C")).unwrap();
    let bin = DescriptorSet::ProtoDescriptorBin(method.descriptors);
    assert_eq!(transcoder.descriptor_set, Some(bin));
    let remark =
        resolved(json!({ "show_status_in_body": true, "status_detail_type": "p.D" })).unwrap_err();
    assert_eq!(remark.field, "plugins.grpc-transcode.status_detail_type");
    // Without the body nobody asks for it.
    resolved(json!({ "status_detail_type": "p.D" })).unwrap();
}

#[test]
fn all_other_filters_see_json() {
    let names: Vec<String> = chain().into_iter().map(|filter| filter.name).collect();
    let own = [
        of_rules(TRANSCODES),
        of_rules(FILTER),
        TRANSCODES.to_owned(),
        FILTER.to_owned(),
    ];
    assert_eq!(names[names.len() - 4..], own);
    assert!(
        names[..names.len() - 4]
            .iter()
            .all(|name| !own.contains(name))
    );
}

#[test]
fn only_an_upstream_of_grpc_is_called() {
    use crate::model::upstream::Scheme;
    let plugins = resolved(json!({})).unwrap();
    for scheme in [Scheme::Grpc, Scheme::Grpcs] {
        plugins.check_scheme(scheme).unwrap();
    }
    let remark = plugins.check_scheme(Scheme::Https).unwrap_err();
    assert_eq!(remark.field, "plugins.grpc-transcode");
    assert!(
        remark.message.contains("found") || remark.message.contains("\"https\""),
        "{}",
        remark.message
    );
    Plugins::default().check_scheme(Scheme::Http).unwrap();
}
