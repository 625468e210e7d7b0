//! Several limits of a request that tell clients by the same headers: the last has the word, as in APISIX. The filters of two would add
//! their headers both, so those before the last tell only whom they turn away.

use std::collections::BTreeSet;

use envoy_types::pb::envoy::config::common::mutation_rules::v3::{
    HeaderMutation, header_mutation::Action,
};
use envoy_types::pb::envoy::config::route::v3::Route;
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutationPerRoute;
use prost::{Message, Name};

use super::{SLOTS, bucket_header};
use crate::envoy::any;
use crate::model::shared_limit::Told;

/// Has the limits in Redis that a route is under already give way to one behind them, where it has headers of these prefixes.
pub fn give_way(route: &mut Route, prefixes: &BTreeSet<&str>) {
    for config in route.typed_per_filter_config.values_mut() {
        if config.type_url != HeaderMutationPerRoute::type_url() {
            continue;
        }
        let Ok(mut said) = HeaderMutationPerRoute::decode(&*config.value) else {
            continue;
        };
        let steps = said.mutations.iter_mut();
        let limits = steps.flat_map(|all| all.request_mutations.iter_mut().filter_map(limit));
        let mut is_other = false;
        for limit in limits {
            let mut prefixes = prefixes.iter();
            if let Some(other) = prefixes.find_map(|it| Told::of_those_beyond(limit, it)) {
                *limit = other;
                is_other = true;
            }
        }
        if is_other {
            *config = any(&said);
        }
    }
}

/// What a step says which limit a request is under.
fn limit(step: &mut HeaderMutation) -> Option<&mut String> {
    let Some(Action::Append(option)) = &mut step.action else {
        return None;
    };
    let header = option.header.as_mut()?;
    let is_one = (1..=SLOTS).any(|slot| header.key == bucket_header(slot));
    is_one.then_some(&mut header.value)
}
