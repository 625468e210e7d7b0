//! `openid-connect`, of bearer tokens that a key verifies: of the document, or of the provider, which Chancery asks. A script does, by
//! Envoy's own cryptography: the filter of Envoy's for tokens knows keys of its listener only, not of a route, and a key that is
//! replaced would touch listeners. Where the document has the provider asked about each token, the script asks; the cluster shows the
//! secret, which stands in no configuration of a route. Who has no token logs in by a filter of Envoy's, unless the document is about
//! tokens alone.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use serde_json::{Map, Value, json};

use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::shared::asked::{TELLS, VERIFIES};
use super::shared::server::Uri;
use super::shared::{login, script};
use crate::cohort::Ability;
use crate::model::ProviderSaid;
use crate::model::decode;
use crate::model::problem::Remark;
use crate::model::upstream::{Cluster, Target};

mod form;
mod session;
mod written;

use form::Form;
use session::Login;
use written::Written;

pub(super) const ENTRY: Definition = Definition {
    name: "openid-connect",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
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
        ("client_secret", "is not empty"),
        (
            "session",
            "is required where people log in. A session is in cookies, and lasts as long as the access token and what renews it; one of another client or provider is none, also with the same secret. Cookies are for https alone (browsers make an exception of http://localhost), and one holds 4 KB: whose tokens are longer never ends to log in",
        ),
        ("scope", "has to have `openid`"),
        ("use_pkce", "always, with S256"),
        (
            "unauth_action",
            "`deny` says \"OAuth flow failed.\"; with `pass`, upstreams are told nobody's token, also where the client sent one",
        ),
        (
            "logout_path",
            "where the provider names no `end_session_endpoint`, people go to `post_logout_redirect_uri`, or to `/`",
        ),
        (
            "set_access_token_header",
            "`X-Access-Token` is the token that was verified, or that of the login, also where the client sent another; `Authorization` of who has logged in does not reach upstreams, but for `access_token_in_authorization_header`",
        ),
        (
            "set_userinfo_header",
            "`X-Userinfo` has the claims as they were signed, or the provider's answer as it came, not written anew; of who has logged in, the claims of the ID token, which is taken as the provider gave it",
        ),
        (
            "set_id_token_header",
            "`X-ID-Token` has the claims as they were signed",
        ),
        (
            "",
            "a token above 16 KiB, or with a name twice in an object, is none; so are two `Authorization`: 400. A login whose state or code is wrong is answered with 401, not 500",
        ),
    ],
    http_filters: || {
        vec![
            script::discovered(VERIFIES),
            login::filter(),
            script::discovered(TELLS),
        ]
    },
};

#[derive(Debug)]
struct OpenidConnect {
    /// What the script goes by, but the cluster.
    told: Map<String, Value>,
    /// The provider, where it is asked about each token, and where people log in.
    targets: Vec<Target>,
    /// Whether it is asked about each token.
    asks: bool,
    /// Whether people log in.
    logs_in: bool,
    /// How; nothing before the provider has said where.
    login: Option<Login>,
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read_unquoted(value)?;
    form.check()?;
    let written = form.logs_in().then(|| Written::read(&form)).transpose()?;
    let said = form.said();
    let said = said.as_ref();
    reading.warnings.extend(form.doubts(said));
    let endpoint = form.endpoint()?;
    let mut told = told(&form, said, endpoint.as_ref())?;
    let asked = endpoint
        .map(|uri| form.provider(&uri, reading))
        .transpose()?;
    let asks = asked.is_some();
    let place = said.and_then(|said| Some((said, said.login.as_ref()?)));
    let login = written.as_ref().zip(place);
    let login = login
        .map(|(written, (said, place))| Login::read(&form, written, said, place, reading))
        .transpose()?;
    let (login, provider) = login.unzip();
    if written.is_some() {
        told.insert("login".to_owned(), json!(true));
        told.insert("verifies".to_owned(), json!(form.verifies()));
        // Nobody has a way in, so nobody passes.
        told.insert("closed".to_owned(), json!(login.is_none()));
    }
    Ok(Arc::new(OpenidConnect {
        told,
        targets: asked.into_iter().chain(provider).collect(),
        asks,
        logs_in: written.is_some(),
        login,
    }))
}

/// What the script goes by that looks at tokens.
fn told(
    form: &Form,
    said: Option<&ProviderSaid>,
    endpoint: Option<&Uri>,
) -> Result<Map<String, Value>, Remark> {
    let patience = endpoint.map(|_| form.patience()).transpose()?;
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
        ("host", endpoint.map(|uri| json!(uri.authority))),
        ("path", endpoint.map(|uri| json!(uri.path))),
        ("timeout", patience.map(Value::from)),
    ];
    let told = told.into_iter();
    Ok(told
        .filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect())
}

impl Plugin for OpenidConnect {
    fn runs(&self) -> Vec<&'static str> {
        let tells = self.login.as_ref().map(|_| TELLS);
        std::iter::once(VERIFIES).chain(tells).collect()
    }

    fn needs(&self) -> Vec<Ability> {
        self.logs_in
            .then_some(Ability::Logins)
            .into_iter()
            .collect()
    }

    fn targets(&self) -> &[Target] {
        &self.targets
    }

    fn apply(&self, route: &mut Route, clusters: &[Arc<Cluster>]) {
        let mut told = self.told.clone();
        if self.asks {
            // There is none where it is only asked what it says to filters.
            let cluster = clusters.first().map_or("", |cluster| &*cluster.name);
            told.insert("cluster".to_owned(), json!(cluster));
        }
        script::enable(route, VERIFIES, &told);
        if let Some(login) = &self.login {
            login.apply(route, clusters.get(usize::from(self.asks)));
        }
    }
}

#[cfg(test)]
mod tests;
