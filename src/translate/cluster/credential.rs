//! A cluster whose requests show a credential that nobody else sees: it is a secret of its own, so a changed one changes no cluster.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::filters::http::credential_injector::v3::CredentialInjector;
use envoy_types::pb::envoy::extensions::filters::http::upstream_codec::v3::UpstreamCodec;
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use envoy_types::pb::envoy::extensions::http::injected_credentials::generic::v3::Generic;

use super::check::filter;
use crate::envoy::any;
use crate::model::Cluster;
use crate::translate::secret::sds;

/// The filters of the cluster, in order.
pub(super) fn filters(cluster: &Cluster) -> Vec<HttpFilter> {
    let generic = Generic {
        credential: Some(sds(cluster.credential_name())),
        ..Generic::default()
    };
    let injector = CredentialInjector {
        overwrite: true,
        // Whoever is asked without it would say no, or worse.
        allow_request_without_credential: false,
        credential: Some(TypedExtensionConfig {
            name: "envoy.http.injected_credentials.generic".to_owned(),
            typed_config: Some(any(&generic)),
        }),
    };
    vec![
        filter("chancery.credential", any(&injector)),
        filter("envoy.filters.http.upstream_codec", any(&UpstreamCodec {})),
    ]
}
