//! Routes among which one is chosen anew once it is known who sends a request: one for each consumer with plugins, before that of
//! all others. What a client says of itself was taken off before the first choice, so that is always the last of them.
//!
//! Which filters run is settled by the first choice, and what they do by the second. So each of these routes has a configuration
//! for every filter that one of them enables.

use std::collections::BTreeMap;

use envoy_types::pb::envoy::config::route::v3::header_matcher::HeaderMatchSpecifier;
use envoy_types::pb::envoy::config::route::v3::{FilterConfig, HeaderMatcher, Route};
use envoy_types::pb::envoy::extensions::filters::http::csrf::v3::CsrfPolicy;
use envoy_types::pb::envoy::extensions::filters::http::ext_authz::v3::{
    ExtAuthzPerRoute, ext_authz_per_route,
};
use envoy_types::pb::envoy::extensions::filters::http::fault::v3::HttpFault;
use envoy_types::pb::envoy::extensions::filters::http::grpc_json_transcoder::v3::{
    GrpcJsonTranscoder, grpc_json_transcoder::DescriptorSet,
};
use envoy_types::pb::envoy::extensions::filters::http::header_mutation::v3::HeaderMutationPerRoute;
use envoy_types::pb::envoy::extensions::filters::http::lua::v3::{LuaPerRoute, lua_per_route};
use envoy_types::pb::envoy::extensions::filters::http::rbac::v3::RbacPerRoute;
use envoy_types::pb::envoy::extensions::filters::http::set_filter_state::v3::Config as SetFilterState;
use envoy_types::pb::envoy::r#type::matcher::v3::{StringMatcher, string_matcher::MatchPattern};
use envoy_types::pb::google::protobuf::Any;
use prost::Name;

use super::asked::ANSWERS;
use super::identity::{self, CONSUMER};
use super::{limit, logged, share};
use crate::envoy::any;
use crate::envoy::filter::of_rules;
use crate::plugin::response_rewrite;

/// The route for requests of one consumer.
pub fn narrowed(route: &Route, consumer: &str) -> Route {
    let mut narrowed = route.clone();
    let is_consumer = StringMatcher {
        match_pattern: Some(MatchPattern::Exact(consumer.to_owned())),
        ..StringMatcher::default()
    };
    let asked = HeaderMatcher {
        name: CONSUMER.to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::StringMatch(is_consumer)),
        ..HeaderMatcher::default()
    };
    let rule = narrowed.r#match.get_or_insert_with(Default::default);
    rule.headers.push(asked);
    narrowed
}

/// Has one of these be chosen anew, and each have something to say to every filter of all.
pub fn choose(of_consumers: &mut [Route], of_others: &mut [Route]) {
    response_rewrite::settle(of_consumers, of_others);
    logged::settle(of_consumers, of_others);
    let mut idle: BTreeMap<String, Any> = BTreeMap::new();
    for route in of_consumers.iter().chain(&*of_others) {
        let filters = route.typed_per_filter_config.iter();
        let filters =
            filters.filter_map(|(filter, said)| Some((filter.clone(), nothing(filter, said)?)));
        idle.extend(filters);
    }
    for route in of_consumers.iter_mut().chain(of_others) {
        for (filter, nothing) in &idle {
            let configs = &mut route.typed_per_filter_config;
            configs
                .entry(filter.clone())
                .or_insert_with(|| nothing.clone());
        }
        identity::choose_anew(route);
    }
}

/// What has a filter do nothing that is told such things.
fn nothing(filter: &str, said: &Any) -> Option<Any> {
    let idle = [
        any(&HeaderMutationPerRoute::default()),
        any(&RbacPerRoute::default()),
        any(&LuaPerRoute {
            r#override: Some(lua_per_route::Override::Disabled(true)),
            ..LuaPerRoute::default()
        }),
        any(&HttpFault::default()),
        any(&SetFilterState::default()),
        any(&CsrfPolicy {
            filter_enabled: Some(share::fixed(0)),
            ..CsrfPolicy::default()
        }),
        // It is asked for no service.
        any(&GrpcJsonTranscoder {
            descriptor_set: Some(DescriptorSet::ProtoDescriptorBin(Vec::new())),
            ..GrpcJsonTranscoder::default()
        }),
        any(&ExtAuthzPerRoute {
            r#override: Some(ext_authz_per_route::Override::Disabled(true)),
        }),
    ];
    let nothing = idle.into_iter().find(|one| one.type_url == said.type_url);
    nothing.or_else(|| {
        // A filter that counts or knows answers, as it is: it does by what requests say. Those that ask who it is do it wherever
        // they are enabled.
        let as_it_is = limit::counts(filter) || filter == ANSWERS || filter == of_rules(ANSWERS);
        (as_it_is && said.type_url == FilterConfig::type_url()).then(|| said.clone())
    })
}
