//! `openid-connect` as it is written.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::written::Session;
use crate::model::bounds::{KEY, LongText};
use crate::model::consumer::Secret;
use crate::model::decode::{self, quoted};
use crate::model::problem::Remark;
use crate::model::public_key::PublicKey;
use crate::model::scalar::{Count, Quantity};
use crate::model::upstream::{Cluster, Target};
use crate::model::{ProviderKey, ProviderSaid};
use crate::plugin::contract::Reading;
use crate::plugin::shared::identity::Realm;
use crate::plugin::shared::server::{Server, Uri};

/// Lets requests pass whose bearer token a key verifies, which the document has or the identity provider tells, and has others log in.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Form {
    /// Who logs people in, and who tokens are for where `match_with_client_id` says so.
    pub client_id: String,
    /// What the provider is shown with `client_id` where people log in, or it is asked about tokens.
    pub client_secret: Secret,
    /// Where the identity provider says who it is, where its keys are and where people log in; asked by Chancery, where the document leaves that open.
    discovery: LongText<SAID>,
    /// Whether nobody logs in: then the fields about logins have no effect.
    #[serde(default)]
    bearer_only: bool,
    /// What verifies tokens, as PEM; the provider's keys do if it is not written.
    public_key: Option<LongText<KEY>>,
    /// Whether the provider's keys verify tokens.
    #[serde(default)]
    use_jwks: bool,
    /// The one algorithm that tokens are signed with; any that fits the key if not written.
    token_signing_alg_values_expected: Option<String>,
    /// What the token has to say.
    #[serde(default)]
    claim_validator: Validator,
    /// The scopes that a token needs, all of them; others are answered with 403.
    pub required_scopes: Option<Vec<String>>,
    /// What clients are told that tokens are for.
    #[serde(default = "realm")]
    pub realm: Realm,
    /// Seconds that clocks may differ.
    #[serde(default = "two_minutes")]
    pub iat_slack: Count,
    /// Whether the upstream is told the token as `X-Access-Token`.
    #[serde(default = "yes")]
    set_access_token_header: bool,
    /// Whether `Authorization` tells it instead.
    #[serde(default)]
    access_token_in_authorization_header: bool,
    /// Whether the upstream is told the claims, as `X-Userinfo`.
    #[serde(default = "yes")]
    pub set_userinfo_header: bool,
    /// No other than `false`.
    #[serde(default)]
    accept_none_alg: bool,
    /// No effect: what cannot be verified does not pass.
    #[serde(rename = "accept_unsupported_alg")]
    _accept_unsupported_alg: Option<bool>,
    /// What a login asks for, with spaces between; `openid` if not written.
    pub scope: Option<String>,
    /// Whether the provider's certificate has to be good, for the machine that asks.
    #[serde(default)]
    ssl_verify: bool,
    /// Seconds that the provider has when it is asked about a token; 3 if not written. Chancery gives it 5 s.
    timeout: Option<Quantity>,
    /// The path at which people log out; `/logout` if not written.
    pub logout_path: Option<String>,
    /// What becomes of who has not logged in: `auth` sends them to the provider, `deny` answers with 401, and `pass` lets them pass; `auth` if not written.
    pub unauth_action: Option<String>,
    /// No effect: every login has it.
    #[serde(rename = "use_pkce")]
    _use_pkce: Option<bool>,
    /// No other than `false` where people log in.
    pub use_nonce: Option<bool>,
    /// Whether the upstream is told what the ID token of a login says, as `X-ID-Token`.
    #[serde(default = "yes")]
    pub set_id_token_header: bool,
    /// No other than `false` where people log in.
    pub set_refresh_token_header: Option<bool>,
    /// Whether a session goes on when its token has expired, by a refresh token; `true` if not written.
    pub renew_access_token_on_expiry: Option<bool>,
    /// No other than 0 where people log in.
    pub access_token_expires_leeway: Option<Count>,
    /// No other than `false` where people log in.
    pub force_reauthorize: Option<bool>,
    /// No other than `false` where people log in.
    pub revoke_tokens_on_logout: Option<bool>,
    /// How the provider is shown the secret in a login: `client_secret_basic` or `client_secret_post`; the first that the provider names if not written.
    pub token_endpoint_auth_method: Option<String>,
    /// No effect: nothing is signed for the provider.
    #[serde(rename = "client_jwt_assertion_expires_in")]
    _client_jwt_assertion_expires_in: Option<Quantity>,
    /// What sessions are, where people log in.
    pub session: Option<Session>,
    /// Where the provider sends people back, without a query: an address, or a path; if not written, `/.apisix/redirect` behind the path
    /// of their request.
    pub redirect_uri: Option<String>,
    /// Where people go once they have logged out.
    pub post_logout_redirect_uri: Option<String>,
    /// Further parameters of the address to which people are sent to log in.
    pub authorization_params: Option<BTreeMap<String, String>>,
    /// Seconds that a token is good for if the provider does not say; 3600 if not written.
    pub access_token_expires_in: Option<Quantity>,
    /// Where the provider says whether a token is good (RFC 7662), where no key verifies: by `public_key` or `use_jwks`.
    introspection_endpoint: Option<String>,
    /// No other than `client_secret_basic`.
    introspection_endpoint_auth_method: Option<String>,
    /// No effect: the provider is asked about each request.
    #[serde(rename = "introspection_interval")]
    _introspection_interval: Option<Count>,
    /// No effect: the provider is asked about each request.
    #[serde(rename = "introspection_expiry_claim")]
    _introspection_expiry_claim: Option<String>,
    /// No effect: keys are asked for every 30 s.
    #[serde(rename = "jwk_expires_in")]
    _jwk_expires_in: Option<Quantity>,
    /// No effect: each token is verified.
    #[serde(rename = "jwt_verification_cache_ignore")]
    _jwt_verification_cache_ignore: Option<bool>,
}

/// Characters of what a provider has said, where that stands in the place of its address.
const SAID: usize = 64 * 1024;

/// How tokens may be signed.
const ALGORITHMS: [&str; 6] = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512"];

const ENDPOINT: &str = "introspection_endpoint";
/// Seconds that a provider may take.
const LONGEST: u32 = 60;

const SIGNED: &str = "Envoy shows the provider the secret; see `token_endpoint_auth_method`";
const KEPT: &str = "of `session`: Envoy keeps sessions in cookies";

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[
        (
            "refresh_session_interval",
            "a session lasts as long as its token, and the provider is asked when that has expired",
        ),
        ("client_rsa_private_key", SIGNED),
        ("client_rsa_private_key_id", SIGNED),
        (
            "cookie",
            "of `session`: its cookies last as long as the access token, see `renew_access_token_on_expiry`",
        ),
        ("redis", KEPT),
    ];
    const NOT_SERVED: &'static [&'static str] = &[
        "claim_schema",
        "introspection_addon_headers",
        "proxy_opts",
        "cache_segment",
    ];
}

/// What a token has to say.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Validator {
    /// Who it has to be from.
    #[serde(default)]
    issuer: Issuer,
    /// Who it has to be for.
    #[serde(default)]
    audience: Audience,
}

/// Who a token has to be from.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Issuer {
    /// One of these, in its claim `iss`; what the provider calls itself if not written.
    valid_issuers: Option<Vec<String>>,
}

/// Who a token has to be for.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Audience {
    /// The claim that says it.
    #[serde(default = "aud")]
    pub claim: String,
    /// Whether it has to be there.
    #[serde(default)]
    pub required: bool,
    /// Whether it has to be, or to list, `client_id`.
    #[serde(default)]
    match_with_client_id: bool,
}

impl Default for Audience {
    fn default() -> Self {
        Self {
            claim: aud(),
            required: false,
            match_with_client_id: false,
        }
    }
}

fn aud() -> String {
    "aud".to_owned()
}

fn realm() -> Realm {
    Realm::new("apisix")
}

fn two_minutes() -> Count {
    Count(120)
}

fn yes() -> bool {
    true
}

impl Form {
    /// Refuses what would be open, or would show a secret.
    pub fn check(&self) -> Result<(), Remark> {
        let wrong = |field: &str, message: &str| Err(Remark::new(field, message));
        let method = self.introspection_endpoint_auth_method.as_deref();
        if let Some(other) = method.filter(|method| *method != "client_secret_basic") {
            let found = quoted(other);
            let message = format!(
                "found {found}, allowed: client_secret_basic; in a body the secret would be shown by Envoy"
            );
            return wrong("introspection_endpoint_auth_method", &message);
        }
        if self.accept_none_alg {
            let message = "found true, allowed: false; a token that nobody signed would pass";
            return wrong("accept_none_alg", message);
        }
        Ok(())
    }

    /// Whether people log in.
    pub fn logs_in(&self) -> bool {
        !self.bearer_only
    }

    /// Whether tokens that requests have are verified: where people log in, they need not be.
    pub fn verifies(&self) -> bool {
        let asked = self.introspection_endpoint.is_some();
        self.bearer_only || self.public_key.is_some() || self.use_jwks || asked
    }

    /// What the provider has said, which stands in the place of where it is asked; nothing before it has.
    pub fn said(&self) -> Option<ProviderSaid> {
        serde_json::from_str(&self.discovery.0).ok()
    }

    /// What is warned of.
    pub fn doubts(&self, said: Option<&ProviderSaid>) -> Vec<Remark> {
        let is_asked = self.use_jwks && self.public_key.is_none();
        let none = "names no key that verifies tokens (of RSA, or on the curve P-256, P-384 or P-521): none passes";
        let unverified = "is not `true`: whoever stands between Chancery and the provider can answer with keys of their own";
        let has_no_key = is_asked && said.is_some_and(|said| said.keys.is_empty());
        let is_open = is_asked && !self.ssl_verify;
        let logged_in =
            "is not `true`: whoever stands between Envoy and the provider can log in as anybody";
        let is_open_to_logins = self.logs_in() && !self.ssl_verify;
        [
            has_no_key.then(|| Remark::new("discovery", none)),
            is_open.then(|| Remark::new("ssl_verify", unverified)),
            is_open_to_logins.then(|| Remark::new("ssl_verify", logged_in)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// The keys that verify, of which tokens name one if they are the provider's.
    pub fn keys(&self, said: Option<&ProviderSaid>) -> Result<Vec<ProviderKey>, Remark> {
        match &self.public_key {
            Some(LongText(pem)) => {
                let key = PublicKey::of_pem(pem);
                let key = key.map_err(|said| Remark::new("public_key", said))?;
                Ok(vec![ProviderKey {
                    kid: None,
                    key: key.hexadecimal(),
                    algorithms: self.algorithms(&key)?,
                }])
            }
            None if self.use_jwks => {
                let keys = said.iter().flat_map(|said| &said.keys).cloned();
                self.expected(keys).map(Iterator::collect)
            }
            None if !self.verifies() || self.introspection_endpoint.is_some() => Ok(Vec::new()),
            None => {
                let message = "is missing, allowed: a public key as PEM, or `use_jwks` as `true` for those of the provider, or \
                               `introspection_endpoint`";
                Err(Remark::new("public_key", message))
            }
        }
    }

    /// Where the provider is asked about tokens; nothing where keys verify them.
    pub fn endpoint(&self) -> Result<Option<Uri>, Remark> {
        let written = self.introspection_endpoint.as_ref();
        let asked = written.filter(|_| self.public_key.is_none() && !self.use_jwks);
        let uri = asked.map(|text| Uri::read(text)).transpose();
        uri.map_err(|said| Remark::new(ENDPOINT, said))
    }

    /// The provider, as it is asked about tokens.
    pub fn provider(&self, uri: &Uri, reading: &mut Reading) -> Result<Target, Remark> {
        let target = self.server()?.target(ENDPOINT, uri, reading)?;
        let Target::Inline(cluster) = target else {
            return Ok(target);
        };
        let shown = format!(
            "{}:{}",
            escaped(&self.client_id),
            escaped(self.client_secret.reveal())
        );
        let credential = format!("Basic {}", STANDARD.encode(shown));
        Ok(Target::Inline(Arc::new(Cluster {
            credential: Some(credential.into()),
            ..Cluster::clone(&cluster)
        })))
    }

    /// How the provider is reached.
    pub fn server(&self) -> Result<Server, Remark> {
        let seconds = self.timeout.map_or(3, |seconds| seconds.0);
        if seconds > LONGEST {
            let message = format!("found {seconds}, allowed: 1–{LONGEST}");
            return Err(Remark::new("timeout", message));
        }
        Ok(Server {
            verify: self.ssl_verify,
            timeout: Some(Quantity(seconds * 1000)),
            keepalive: true,
            keepalive_timeout: None,
            keepalive_pool: None,
        })
    }

    /// Milliseconds that it has.
    pub fn patience(&self) -> Result<u64, Remark> {
        let timeout = self.server()?.timeout()?;
        Ok(u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX))
    }

    /// Whether a token says which of the keys verifies it.
    pub fn are_named(&self) -> bool {
        self.public_key.is_none()
    }

    /// Keys, each for the algorithm alone that is expected.
    fn expected(
        &self,
        keys: impl Iterator<Item = ProviderKey>,
    ) -> Result<impl Iterator<Item = ProviderKey>, Remark> {
        let expected = self.token_signing_alg_values_expected.clone();
        if let Some(expected) = expected.as_deref().filter(|one| !ALGORITHMS.contains(one)) {
            let message = format!(
                "found {}, allowed: {}",
                quoted(expected),
                ALGORITHMS.join(", ")
            );
            return Err(Remark::new("token_signing_alg_values_expected", message));
        }
        Ok(keys.map(move |mut key| {
            key.algorithms
                .retain(|one| expected.as_ref().is_none_or(|expected| expected == one));
            key
        }))
    }

    /// How tokens may be signed.
    fn algorithms(&self, key: &PublicKey) -> Result<Vec<String>, Remark> {
        let all = key.algorithms.iter().copied();
        let Some(expected) = &self.token_signing_alg_values_expected else {
            return Ok(all.map(ToOwned::to_owned).collect());
        };
        let one = all.clone().find(|one| one == expected);
        one.map(|one| vec![one.to_owned()]).ok_or_else(|| {
            let fitting = all.collect::<Vec<_>>().join(", ");
            let message = format!(
                "found {}, allowed with this key: {fitting}",
                quoted(expected)
            );
            Remark::new("token_signing_alg_values_expected", message)
        })
    }

    /// Who a token may be from: nobody, before the provider has said who it is.
    pub fn issuers(&self, said: Option<&ProviderSaid>) -> Vec<String> {
        let issuers = self.claim_validator.issuer.valid_issuers.as_deref();
        match issuers.filter(|all| !all.is_empty()) {
            Some(written) => written.to_vec(),
            None => said.iter().map(|said| said.issuer.clone()).collect(),
        }
    }

    pub fn audience(&self) -> &Audience {
        &self.claim_validator.audience
    }

    /// Who a token has to be for.
    pub fn client(&self) -> Option<&str> {
        let audience = self.audience();
        audience.match_with_client_id.then_some(&*self.client_id)
    }

    /// Whether the upstream is told the token in another header than the one that it came in.
    pub fn tells_token(&self) -> bool {
        self.set_access_token_header && !self.access_token_in_authorization_header
    }

    /// Whether the upstream is told the token of a login as `Authorization`.
    pub fn tells_authorization(&self) -> bool {
        self.set_access_token_header && self.access_token_in_authorization_header
    }

    /// What clients are told whose token lacks a scope.
    pub fn without_scopes(&self) -> Option<String> {
        let scopes = self.required_scopes.as_ref()?.join(", ");
        let error = format!("required scopes {scopes} not present");
        Some(json!({ "error": error }).to_string())
    }
}

/// A text as credentials of clients have it (RFC 6749, 2.3.1), and parameters of addresses.
pub(super) fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut escaped, byte| {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                escaped.push(byte.into());
            }
            other => drop(write!(escaped, "%{other:02X}")),
        }
        escaped
    })
}
