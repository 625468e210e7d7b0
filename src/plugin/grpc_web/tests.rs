use envoy_types::pb::envoy::config::route::v3::route::Action;
use serde_json::json;

use crate::plugin::tests::{branched, forwarded, refusal};

#[test]
fn a_call_goes_on_and_the_rest_is_answered() {
    for (strip_path, rewritten) in [(false, Some("^/b//?")), (true, None)] {
        let routes = branched(json!({"grpc-web": {"strip_path": strip_path}}));
        let [preflight, call, other] = <[_; 3]>::try_from(routes).unwrap();
        for (route, status) in [(preflight, 204), (other, 400)] {
            let Some(Action::DirectResponse(answer)) = route.action else {
                panic!("not answered: {route:?}");
            };
            assert_eq!(answer.status, status);
        }
        let rewrite = forwarded(call).regex_rewrite;
        let pattern = rewrite.and_then(|rewrite| rewrite.pattern);
        assert_eq!(pattern.map(|pattern| pattern.regex).as_deref(), rewritten);
    }
}

#[test]
fn a_preflight_is_told_which_headers_pages_may_send() {
    let allowed = |configuration| {
        let preflight = branched(json!({ "grpc-web": configuration })).remove(0);
        let headers = preflight.response_headers_to_add.into_iter();
        let mut headers = headers.filter_map(|option| option.header);
        let found = headers.find(|header| header.key == "access-control-allow-headers");
        found.unwrap().value
    };
    assert_eq!(
        allowed(json!({})),
        "content-type,x-grpc-web,x-user-agent,grpc-accept-encoding"
    );
    assert_eq!(allowed(json!({"cors_allow_headers": "x-%"})), "x-%%");
    assert_eq!(
        refusal("grpc-web", r#"{"cors_allow_headers":""}"#),
        "cors_allow_headers: found an empty value, allowed: at least one character"
    );
}
