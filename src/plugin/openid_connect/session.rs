//! Logins of `openid-connect`: what a route tells the filter of Envoy's that does them, and the script behind it.

use std::collections::BTreeMap;
use std::sync::Arc;

use envoy_types::pb::envoy::config::core::v3::{HttpUri, http_uri::HttpUpstreamType};
use envoy_types::pb::envoy::config::route::v3::{
    HeaderMatcher, Route, header_matcher::HeaderMatchSpecifier,
};
use envoy_types::pb::envoy::extensions::filters::http::oauth2::v3::cookie_config::SameSite;
use envoy_types::pb::envoy::extensions::filters::http::oauth2::v3::o_auth2_config::AuthType;
use envoy_types::pb::envoy::extensions::filters::http::oauth2::v3::o_auth2_credentials::{
    CookieNames, TokenFormation,
};
use envoy_types::pb::envoy::extensions::filters::http::oauth2::v3::{
    CookieConfig, CookieConfigs, OAuth2Config, OAuth2Credentials,
};
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::SdsSecretConfig;
use envoy_types::pb::envoy::r#type::matcher::v3::{
    PathMatcher, StringMatcher, path_matcher::Rule, string_matcher::MatchPattern,
};
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

use super::form::Form;
use super::written::{Redirect, Unauthorized, Written};
use crate::envoy::proto::{ads, boolean, exactly};
use crate::model::problem::Remark;
use crate::model::upstream::{Cluster, Login as Secrets, Target};
use crate::model::{ProviderLogin, ProviderSaid};
use crate::plugin::contract::Reading;
use crate::plugin::shared::asked::TELLS;
use crate::plugin::shared::server::Uri;
use crate::plugin::shared::{login, script};

/// What the path behind which the provider sends people back ends with, if the document does not say where.
const SUFFIX: &str = "/.apisix/redirect";
/// The header in which the script in front says where that is.
const CALLBACK: &str = "x-chancery-callback";
/// The header by which it says that a token has let the request pass.
const PASSED: &str = "x-chancery-token-verified";
/// What the addresses of people's own requests begin with.
const ORIGIN: &str = "%REQ(:scheme)%://%REQ(:authority)%";

#[derive(Debug)]
pub(super) struct Login {
    /// What the filter is told, but whom it asks and with which secrets.
    config: OAuth2Config,
    /// What the script behind it is told.
    told: Map<String, Value>,
}

impl Login {
    /// How people log in, and the provider that tokens are asked of.
    pub fn read(
        form: &Form,
        written: &Written,
        said: &ProviderSaid,
        login: &ProviderLogin,
        reading: &mut Reading,
    ) -> Result<(Self, Target), Remark> {
        let uri = Uri::read(&login.token).map_err(|said| Remark::new("discovery", said))?;
        let target = form.server()?.target("discovery", &uri, reading)?;
        let of = format!("{}\n{}", form.client_id, said.issuer);
        let target = match target {
            Target::Inline(cluster) => Target::Inline(Arc::new(Cluster {
                login: Some(Secrets {
                    client: form.client_secret.clone(),
                    // A session of one client is none of another's, whoever has the secret of both.
                    session: format!("{}\n{of}", written.session.reveal()).into(),
                }),
                ..Cluster::clone(&cluster)
            })),
            reference @ Target::Reference(_) => reference,
        };
        let cookies = format!("{:016x}", xxh3_64(of.as_bytes()));
        let config = config(form, written, login, &cookies)?;
        let told = told(form, written, &config, &cookies);
        Ok((Self { config, told }, target))
    }

    /// `cluster` is there but where it is only asked what it says to filters.
    pub fn apply(&self, route: &mut Route, cluster: Option<&Arc<Cluster>>) {
        let mut config = self.config.clone();
        let name = cluster.map_or("", |cluster| &*cluster.name);
        if let Some(endpoint) = &mut config.token_endpoint {
            endpoint.http_upstream_type = Some(HttpUpstreamType::Cluster(name.to_owned()));
        }
        let secret = |name: fn(&Cluster) -> String| SdsSecretConfig {
            name: cluster.map_or_else(String::new, |cluster| name(cluster)),
            sds_config: Some(ads()),
        };
        if let Some(credentials) = &mut config.credentials {
            credentials.token_secret = Some(secret(Cluster::credential_name));
            let session = secret(Cluster::session_name);
            credentials.token_formation = Some(TokenFormation::HmacSecret(session));
        }
        login::enable(route, config);
        script::enable(route, TELLS, &self.told);
    }
}

fn config(
    form: &Form,
    written: &Written,
    login: &ProviderLogin,
    cookies: &str,
) -> Result<OAuth2Config, Remark> {
    let (redirect_uri, callback) = callback(&written.redirect);
    let any = || vec![present(":path")];
    let none = Vec::new;
    let (deny_redirect_matcher, allow_failed_matcher) = match written.unauthorized {
        Unauthorized::Auth => (none(), none()),
        Unauthorized::Deny => (any(), none()),
        Unauthorized::Pass => (none(), any()),
    };
    Ok(OAuth2Config {
        token_endpoint: Some(HttpUri {
            uri: login.token.clone(),
            timeout: Some(exactly(form.server()?.timeout()?)),
            ..HttpUri::default()
        }),
        authorization_endpoint: with_parameters(&login.authorization, &written.parameters),
        // Where there is none, the script has people sent there at once.
        end_session_endpoint: (login.end_session.clone())
            .or_else(|| written.post_logout.clone())
            .unwrap_or_default(),
        credentials: Some(OAuth2Credentials {
            client_id: form.client_id.clone(),
            cookie_names: Some(names(cookies)),
            ..OAuth2Credentials::default()
        }),
        redirect_uri,
        redirect_path_matcher: Some(path(callback)),
        signout_path: Some(path(MatchPattern::Exact(written.logout.clone()))),
        forward_bearer_token: true,
        pass_through_matcher: form
            .verifies()
            .then(|| present(PASSED))
            .into_iter()
            .collect(),
        auth_scopes: written.scopes.clone(),
        auth_type: method(written, login).into(),
        use_refresh_token: Some(boolean(written.renews)),
        default_expires_in: Some(exactly(written.lifetime)),
        deny_redirect_matcher,
        allow_failed_matcher,
        cookie_configs: Some(lax()),
        ..OAuth2Config::default()
    })
}

/// What the script behind the filter goes by.
fn told(
    form: &Form,
    written: &Written,
    config: &OAuth2Config,
    cookies: &str,
) -> Map<String, Value> {
    let ends = Some(&config.end_session_endpoint).filter(|ends| !ends.is_empty());
    let after = written.post_logout.as_ref();
    let is_provider = ends.is_some_and(|ends| after != Some(ends));
    let told = [
        ("cookies", Some(json!(cookies))),
        ("token_header", Some(json!(form.tells_token()))),
        ("authorization", Some(json!(form.tells_authorization()))),
        ("userinfo", Some(json!(form.set_userinfo_header))),
        ("id_token", Some(json!(form.set_id_token_header))),
        ("ends", ends.map(|ends| json!(ends))),
        ("is_provider", Some(json!(is_provider))),
        (
            "after",
            after
                .filter(|_| is_provider)
                .map(|after| json!(super::form::escaped(after))),
        ),
    ];
    let told = told.into_iter();
    told.filter_map(|(name, value)| Some((name.to_owned(), value?)))
        .collect()
}

/// Where the provider sends people back: as Envoy tells it, and as it knows it again.
fn callback(redirect: &Redirect) -> (String, MatchPattern) {
    let literal = |text: &str| text.replace('%', "%%");
    match redirect {
        Redirect::Own => (
            format!("{ORIGIN}%REQ({CALLBACK})%"),
            MatchPattern::Suffix(SUFFIX.to_owned()),
        ),
        Redirect::Path(path) => (
            format!("{ORIGIN}{}", literal(path)),
            MatchPattern::Exact(path.clone()),
        ),
        Redirect::Whole { address, path } => (literal(address), MatchPattern::Exact(path.clone())),
    }
}

/// The address with these parameters beside its own.
fn with_parameters(address: &str, parameters: &BTreeMap<String, String>) -> String {
    let mut sign = if address.contains('?') { '&' } else { '?' };
    let mut whole = address.to_owned();
    for (name, value) in parameters {
        let (name, value) = (super::form::escaped(name), super::form::escaped(value));
        whole += &format!("{sign}{name}={value}");
        sign = '&';
    }
    whole
}

/// How the provider is shown the secret: as the document says, or as the provider likes best.
fn method(written: &Written, login: &ProviderLogin) -> AuthType {
    let method = written.method.as_ref().or(login.methods.first());
    match method.map(String::as_str) {
        Some("client_secret_post") => AuthType::UrlEncodedBody,
        _ => AuthType::BasicAuth,
    }
}

fn names(cookies: &str) -> CookieNames {
    let name = |of: &str| format!("chancery_{of}_{cookies}");
    CookieNames {
        bearer_token: name("access"),
        oauth_hmac: name("hmac"),
        oauth_expires: name("expires"),
        id_token: name("id"),
        refresh_token: name("refresh"),
        oauth_nonce: name("nonce"),
        code_verifier: name("verifier"),
    }
}

/// Cookies that other sites' requests do not have, but for people that come from there.
fn lax() -> CookieConfigs {
    let one = || {
        Some(CookieConfig {
            same_site: SameSite::Lax.into(),
            ..CookieConfig::default()
        })
    };
    CookieConfigs {
        bearer_token_cookie_config: one(),
        oauth_hmac_cookie_config: one(),
        oauth_expires_cookie_config: one(),
        id_token_cookie_config: one(),
        refresh_token_cookie_config: one(),
        oauth_nonce_cookie_config: one(),
        code_verifier_cookie_config: one(),
    }
}

fn path(pattern: MatchPattern) -> PathMatcher {
    let text = StringMatcher {
        match_pattern: Some(pattern),
        ..StringMatcher::default()
    };
    PathMatcher {
        rule: Some(Rule::Path(text)),
    }
}

fn present(header: &str) -> HeaderMatcher {
    HeaderMatcher {
        name: header.to_owned(),
        header_match_specifier: Some(HeaderMatchSpecifier::PresentMatch(true)),
        ..HeaderMatcher::default()
    }
}
