use envoy_types::pb::envoy::config::route::v3::route::Action;
use serde_json::json;

use crate::plugin::tests::{branched, forwarded};

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
