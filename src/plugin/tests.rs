//! What all plugins share.

use envoy_types::pb::envoy::config::common::mutation_rules::v3::header_mutation::Action as HeaderAction;
use envoy_types::pb::envoy::config::core::v3::data_source::Specifier;
use envoy_types::pb::envoy::config::rbac::v3::principal::{self, Identifier};
use envoy_types::pb::envoy::config::rbac::v3::{Principal, rbac};
use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::route::Action;
use envoy_types::pb::envoy::config::route::v3::route_match::PathSpecifier;
use envoy_types::pb::envoy::config::route::v3::{Route, RouteAction, RouteMatch};
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutationPerRoute;
use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::RbacPerRoute;
use envoy_types::pb::envoy::r#type::matcher::v3::StringMatcher;
use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::google::protobuf::value::Kind;
use prost::Message;
use serde_json::{Value, json};

use super::Plugins;
use super::shared::asked::Asked;
use super::shared::reply::BODIES;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

/// Reads a document's `plugins`.
pub(super) fn read(plugins: Value) -> Result<Plugins, Remark> {
    let key = "routes/r".parse().unwrap();
    Plugins::read(&key, Some(&plugins), &mut Vec::new())
}

/// Why a plugin's configuration is refused, the field as seen from within it.
pub(super) fn refusal(name: &str, configuration: &str) -> String {
    let value: Value = serde_json::from_str(configuration).unwrap();
    let refused = read(json!({ name: value }));
    let said = match refused {
        Ok(_) => "nothing".to_owned(),
        Err(Remark { field, message }) => format!("{field}: {message}"),
    };
    let place = format!("plugins.{name}");
    said.trim_start_matches(&place)
        .trim_start_matches(['.', ':', ' '])
        .to_owned()
}

/// What is told of a plugin's configuration that is accepted, the fields as seen from within it.
pub(super) fn warned(name: &str, configuration: Value) -> Vec<String> {
    let key = "routes/r".parse().unwrap();
    let mut warnings = Vec::new();
    let plugins = json!({ name: configuration });
    Plugins::read(&key, Some(&plugins), &mut warnings).unwrap();
    let place = format!("plugins.{name}");
    let field = |field: &str| {
        field
            .trim_start_matches(&place)
            .trim_start_matches('.')
            .to_owned()
    };
    let said = |remark: Remark| format!("{}: {}", field(&remark.field), remark.message);
    warnings.into_iter().map(said).collect()
}

/// The routes that plugins make of one with the prefix `/b/`, which goes to a cluster.
pub(super) fn branched(plugins: Value) -> Vec<Route> {
    let elsewhere = |_: &Cluster| RouteAction::default();
    read(plugins).unwrap().apply(forwarding(), elsewhere)
}

/// What plugins make of a route that goes to a cluster.
pub(super) fn applied(plugins: Value) -> Route {
    only(
        read(plugins)
            .unwrap()
            .apply(forwarding(), |_| RouteAction::default()),
    )
}

/// A route with the prefix `/b/` that goes to a cluster, before plugins.
fn forwarding() -> Route {
    Route {
        r#match: Some(RouteMatch {
            path_specifier: Some(PathSpecifier::Prefix("/b/".to_owned())),
            ..RouteMatch::default()
        }),
        action: Some(Action::Route(RouteAction::default())),
        ..Route::default()
    }
}

fn only(routes: Vec<Route>) -> Route {
    let [route] = <[Route; 1]>::try_from(routes).unwrap();
    route
}

/// Headers as `name: value`, those that are set with `=` for the colon.
pub(super) fn shown(
    headers: &[envoy_types::pb::envoy::config::core::v3::HeaderValueOption],
) -> Vec<String> {
    headers
        .iter()
        .map(|option| {
            let header = option.header.clone().unwrap_or_default();
            let sign = if option.append_action == 0 { ':' } else { '=' };
            format!("{}{sign} {}", header.key, header.value)
        })
        .collect()
}

/// The action of a route that goes to a cluster.
pub(super) fn forwarded(route: Route) -> RouteAction {
    match route.action {
        Some(Action::Route(action)) => action,
        other => panic!("not forwarded: {other:?}"),
    }
}

/// The body that a route has for answers of Envoy's own.
pub(super) fn body(route: &Route, name: &str) -> String {
    let bodies = &route.metadata.as_ref().unwrap().filter_metadata[BODIES];
    match &bodies.fields[name].kind {
        Some(Kind::StringValue(body)) => body.clone(),
        other => panic!("not a text: {other:?}"),
    }
}

/// Whom the filter `name` denies, by the name of its policy.
pub(super) fn denied(route: &Route, name: &str) -> Value {
    let config = &route.typed_per_filter_config[name].value;
    let rbac = RbacPerRoute::decode(config.as_slice()).unwrap().rbac;
    let rules = rbac.unwrap().rules.unwrap();
    assert_eq!(rules.action, rbac::Action::Deny as i32);
    let policies = rules.policies.iter();
    policies
        .map(|(name, policy)| (name.clone(), principal(&policy.principals[0])))
        .collect()
}

fn principal(of: &Principal) -> Value {
    let each = |set: &principal::Set| set.ids.iter().map(principal).collect::<Value>();
    match of.identifier.as_ref().unwrap() {
        Identifier::AndIds(set) => json!({ "all": each(set) }),
        Identifier::OrIds(set) => json!({ "any": each(set) }),
        Identifier::NotId(of) => json!({ "not": principal(of) }),
        Identifier::RemoteIp(net) => {
            let length = net.prefix_len.unwrap().value;
            json!({ "remote": format!("{}/{length}", net.address_prefix) })
        }
        Identifier::Header(header) => match header.header_match_specifier.as_ref().unwrap() {
            HeaderMatchSpecifier::PresentMatch(true) => json!({ "present": header.name }),
            HeaderMatchSpecifier::StringMatch(matcher) => json!({ &header.name: text(matcher) }),
            other => panic!("not one of ours: {other:?}"),
        },
        other => panic!("not one of ours: {other:?}"),
    }
}

/// What a text is matched with.
pub(super) fn text(matcher: &StringMatcher) -> String {
    let case = if matcher.ignore_case {
        " in any case"
    } else {
        ""
    };
    match matcher.match_pattern.as_ref().unwrap() {
        MatchPattern::Contains(text) => format!("contains {text}{case}"),
        MatchPattern::SafeRegex(regex) => regex.regex.clone(),
        other => panic!("not one of ours: {other:?}"),
    }
}

#[test]
fn plugins_are_refused_by_name_and_in_their_fields() {
    let table = [
        (json!([]), "plugins: found a list, allowed: an object"),
        (
            json!({"no-such": {}}),
            &format!(
                "plugins: this version does not have the plugin \"no-such\"; it has {}",
                super::names().collect::<Vec<_>>().join(", ")
            ),
        ),
        (
            json!({"hmac-auth": {}}),
            "plugins.hmac-auth: is not served: Envoy does not verify these signatures; let a service of yours do it, with \
             forward-auth",
        ),
        (
            json!({"redirect": true}),
            "plugins.redirect: found true, allowed: an object",
        ),
        (
            json!({"redirect": {"uri": "/b", "_meta": {"priority": 1}}}),
            "plugins.redirect._meta.priority: `priority` is not served: plugins run in the order of APISIX's own priorities on all \
             routes; leave it out where that order will do",
        ),
        (
            json!({"prometheus": {"_meta": {"filter": [["arg_a", "==", "1"]]}}}),
            "plugins.prometheus._meta.filter: is not served for this plugin: what it does is for all requests of a route",
        ),
        (
            json!({"redirect": {"uri": "/b", "_meta": {"filter": [["status", "==", 1]]}}}),
            "plugins.redirect._meta.filter[0][0]: found the variable \"status\", allowed: arg_NAME, http_NAME, cookie_NAME, request_method, uri, host, scheme, remote_addr, server_port",
        ),
        (
            json!({"gzip": {"_meta": {"error_response": "a"}}}),
            "plugins.gzip._meta.error_response: is not served for this plugin: Envoy answers in words of its own",
        ),
        (
            json!({"ip-restriction": {"blacklist": ["10.0.0.0/8"], "_meta": {"error_response": 1}}}),
            "plugins.ip-restriction._meta.error_response: found 1, allowed: a text or an object, of at most 8192 bytes",
        ),
        (
            json!({"redirect": {"uri": "/b", "_meta": {"disable": 1}}}),
            "plugins.redirect._meta.disable: found 1, allowed: true, false",
        ),
        (
            json!({"redirect": {"uri": "/b", "_meta": {"disabled": true}}}),
            "plugins.redirect._meta.disabled: unknown field `disabled`, did you mean `disable`? allowed: disable, filter, error_response",
        ),
    ];
    for (plugins, said) in table {
        let Remark { field, message } = read(plugins.clone()).unwrap_err();
        assert_eq!(format!("{field}: {message}"), said, "of {plugins}");
    }
}

#[test]
fn no_plugin_touches_the_headers_that_frame_messages() {
    for name in [
        "Content-Length",
        "transfer-encoding",
        "Connection",
        "Upgrade",
        "TE",
        "trailer",
    ] {
        let line = format!("{name}: 1");
        let value = json!({ name: "1" });
        let table = [
            ("proxy-rewrite", json!({"headers": value})),
            ("proxy-rewrite", json!({"headers": {"set": value}})),
            ("proxy-rewrite", json!({"headers": {"add": value}})),
            ("proxy-rewrite", json!({"headers": {"remove": [name]}})),
            ("response-rewrite", json!({"headers": value})),
            ("response-rewrite", json!({"headers": {"set": value}})),
            ("response-rewrite", json!({"headers": {"add": [line]}})),
            ("response-rewrite", json!({"headers": {"remove": [name]}})),
            (
                "forward-auth",
                json!({"uri": "http://a", "extra_headers": value}),
            ),
            (
                "forward-auth",
                json!({"uri": "http://a", "request_headers": [name]}),
            ),
            (
                "forward-auth",
                json!({"uri": "http://a", "upstream_headers": [name]}),
            ),
            (
                "forward-auth",
                json!({"uri": "http://a", "client_headers": [name]}),
            ),
            (
                "fault-injection",
                json!({"abort": {"http_status": 500, "headers": value}}),
            ),
            (
                "mocking",
                json!({"response_example": "a", "response_headers": value}),
            ),
            ("request-id", json!({"header_name": name})),
            ("key-auth", json!({"header": name})),
            ("jwt-auth", json!({"header": name})),
        ];
        for (plugin, configuration) in table {
            let said = refusal(plugin, &configuration.to_string());
            let expected = format!("found the name \"{}\", which", name.to_lowercase());
            assert!(said.contains(&expected), "{plugin} {configuration}: {said}");
        }
    }
}

#[test]
fn only_the_field_for_it_says_which_host_is_asked() {
    let table = [
        ("proxy-rewrite", json!({"headers": {"Host": "a"}})),
        ("proxy-rewrite", json!({"headers": {"remove": ["host"]}})),
        (
            "forward-auth",
            json!({"uri": "http://a", "extra_headers": {"Host": "a"}}),
        ),
        (
            "forward-auth",
            json!({"uri": "http://a", "upstream_headers": ["Host"]}),
        ),
        ("request-id", json!({"header_name": "Host"})),
    ];
    for (plugin, configuration) in table {
        let said = refusal(plugin, &configuration.to_string());
        assert!(
            said.contains("\"host\""),
            "{plugin} {configuration}: {said}"
        );
    }
}

#[test]
fn a_plugin_that_is_switched_off_does_nothing() {
    let off = json!({"redirect": {"uri": "/b", "_meta": {"disable": true}}});
    assert!(!read(off.clone()).unwrap().answers(&[]));
    assert_eq!(forwarded(applied(off)), RouteAction::default());
}

#[test]
fn where_a_plugin_answers_the_ones_after_it_never_run() {
    let route = applied(json!({
        "redirect": {"uri": "/elsewhere"},
        "mocking": {"response_example": "here"},
    }));
    let Some(Action::DirectResponse(answer)) = route.action else {
        panic!("not answered: {route:?}");
    };
    assert_eq!(answer.status, 200);
    let location = shown(&route.response_headers_to_add);
    assert!(
        !location.iter().any(|header| header.contains("location")),
        "{location:?}"
    );
}

#[test]
fn a_routes_plugin_wins_over_its_services_by_name() {
    let service = read(json!({
        "redirect": {"uri": "/of-the-service"},
        "proxy-rewrite": {"host": "of-the-service"},
    }))
    .unwrap();
    let route = read(json!({
        "redirect": {"uri": "/of-the-route", "_meta": {"disable": true}},
    }))
    .unwrap();
    let both = route.over(&service);
    assert!(!both.answers(&[]), "the route switched the redirect off");
    let applied = only(both.apply(forwarding(), |_| RouteAction::default()));
    assert!(forwarded(applied).host_rewrite_specifier.is_some());
}

/// What tells the filters of a plugin that counts what to count: headers, each with its value.
pub(super) fn counted(route: &Route, plugin: &str) -> Vec<(String, String)> {
    let keys = format!("chancery.{plugin}.keys");
    let config = &route.typed_per_filter_config[&keys].value;
    let config = HeaderMutationPerRoute::decode(config.as_slice()).unwrap();
    let mutations = config.mutations.unwrap().request_mutations.into_iter();
    let headers = mutations.map(|mutation| match mutation.action {
        Some(HeaderAction::Append(option)) => option.header.unwrap(),
        other => panic!("not a header: {other:?}"),
    });
    headers.map(|header| (header.key, header.value)).collect()
}

/// The names of the limits that plugins ask filters for.
pub(super) fn limits(plugins: &Plugins) -> Vec<String> {
    let asked = plugins.asked();
    let names = asked.filter_map(|one| match one {
        Asked::Limit(bucket) => Some(bucket.name()),
        _ => None,
    });
    names.collect()
}

#[test]
fn a_plugin_with_a_filter_is_for_the_requests_that_it_means() {
    let rule = |plugin: &str| {
        json!({
            "_meta": {"filter": [["arg_a", "==", "1"]]}, (plugin): ["10.0.0.0/8"],
        })
    };
    let routes = branched(json!({
        "ip-restriction": rule("blacklist"), "response-rewrite": {"headers": {"x-a": "b"}},
    }));
    let enabled = |route: &Route| {
        let filters = route.typed_per_filter_config.keys();
        filters
            .filter(|name| !name.starts_with("chancery."))
            .count()
    };
    assert_eq!(routes.iter().map(enabled).collect::<Vec<_>>(), [1, 0]);
    assert_eq!(
        read(json!({"ip-restriction": rule("blacklist")}))
            .unwrap()
            .routes(),
        2
    );
    // What answers only some needs somebody for the others.
    let mocking = json!({"mocking": {"_meta": {"filter": [["arg_a", "==", "1"]]}}});
    assert!(!read(mocking).unwrap().answers(&[]));
}

#[test]
fn what_clients_are_told_of_an_error_is_the_documents() {
    for (written, told) in [
        (json!({"message": "mine"}), r#"{"message":"mine"}"#),
        (json!("mine"), "mine"),
    ] {
        let route = applied(json!({"ip-restriction": {
            "blacklist": ["10.0.0.0/8"], "_meta": {"error_response": written},
        }}));
        assert_eq!(body(&route, "ip-restriction"), told);
    }
    let route =
        applied(json!({"mocking": {"response_status": 404, "_meta": {"error_response": "mine"}}}));
    let Some(Action::DirectResponse(answer)) = route.action else {
        panic!("no answer")
    };
    assert_eq!(
        answer.body.unwrap().specifier,
        Some(Specifier::InlineString("mine".into()))
    );
}
