//! `openid-connect`, of bearer tokens that a key verifies: of the document, or of the provider, which Chancery asks. A script does, by
//! Envoy's own cryptography: the filter of Envoy's for tokens knows keys of its listener only, not of a route, and a key that is
//! replaced would touch listeners. Where the document has the provider asked about each token, the script asks; the cluster shows the
//! secret, which stands in no configuration of a route.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::asked::VERIFIES;
use super::shared::script;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::{Cluster, Target};

mod form;

use form::Form;

pub(super) const ENTRY: Definition = Definition {
    name: "openid-connect",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "bearer_only",
            "`true` alone: nobody is logged in, and the fields about logins have no effect",
        ),
        (
            "public_key",
            "verifies every token: of RSA (RS256 to RS512), or on a curve (ES256 to ES512)",
        ),
        (
            "use_jwks",
            "keys are asked for every 30 s, not when a token names an unknown one; keys on a curve verify too",
        ),
        (
            "discovery",
            "is asked by Chancery, not by Envoy: before it has ever been answered, the document waits",
        ),
        (
            "introspection_endpoint",
            "is asked about each request, with `client_id` and `client_secret` as `Basic` alone, not in the body as well; nothing is kept",
        ),
        (
            "client_secret",
            "is read for `introspection_endpoint` alone, and not empty",
        ),
        (
            "set_access_token_header",
            "`X-Access-Token` is the token that was verified, also where the client sent another",
        ),
        (
            "set_userinfo_header",
            "`X-Userinfo` has the claims as they were signed, or the provider's answer as it came, not written anew",
        ),
        (
            "",
            "a token above 16 KiB, or with a name twice in an object, is none; so are two `Authorization`: 400",
        ),
    ],
    http_filters: || vec![script::discovered(VERIFIES)],
};

#[derive(Debug)]
struct OpenidConnect {
    /// What the script goes by, but the cluster.
    told: Map<String, Value>,
    /// The provider, where it is asked about each token.
    asked: Option<Target>,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read_unquoted(value)?;
    form.check()?;
    let endpoint = form.endpoint()?;
    let patience = endpoint.as_ref().map(|_| form.patience()).transpose()?;
    let said = form.said();
    let said = said.as_ref();
    reading.warnings.extend(form.doubts(said));
    let told = [
        ("challenge", Some(json!(form.realm.challenge("Bearer")))),
        ("keys", Some(json!(form.keys(said)?))),
        ("named", Some(json!(form.are_named()))),
        ("issuers", Some(json!(form.issuers(said)))),
        ("slack", Some(json!(form.iat_slack.0))),
        (
            "scopes",
            form.required_scopes.as_ref().map(|all| json!(all)),
        ),
        ("no_scopes", form.without_scopes().map(Value::from)),
        ("audience", Some(json!(form.audience().claim))),
        ("audience_required", Some(json!(form.audience().required))),
        ("client", form.client().map(Value::from)),
        ("token_header", Some(json!(form.tells_token()))),
        ("userinfo", Some(json!(form.set_userinfo_header))),
        ("host", endpoint.as_ref().map(|uri| json!(uri.authority))),
        ("path", endpoint.as_ref().map(|uri| json!(uri.path))),
        ("timeout", patience.map(Value::from)),
    ];
    let told = told.into_iter();
    let told = told.filter_map(|(name, value)| Some((name.to_owned(), value?)));
    let asked = endpoint
        .map(|uri| form.provider(&uri, reading))
        .transpose()?;
    Ok(Arc::new(OpenidConnect {
        told: told.collect(),
        asked,
    }))
}

impl Plugin for OpenidConnect {
    fn runs(&self) -> Vec<&'static str> {
        vec![VERIFIES]
    }

    fn targets(&self) -> &[Target] {
        self.asked.as_slice()
    }

    fn apply(&self, route: &mut Route, clusters: &[Arc<Cluster>]) {
        let mut told = self.told.clone();
        if self.asked.is_some() {
            // There is none where it is only asked what it says to filters.
            let cluster = clusters.first().map_or("", |cluster| &*cluster.name);
            told.insert("cluster".to_owned(), json!(cluster));
        }
        script::enable(route, VERIFIES, &told);
    }
}

#[cfg(test)]
mod tests;
