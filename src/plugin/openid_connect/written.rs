//! What a document says of logins, read and checked.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::form::Form;
use crate::model::consumer::Secret;
use crate::model::decode::quoted;
use crate::model::problem::Remark;

/// Characters that keep a session.
const SHORTEST: usize = 16;
/// Characters of all parameters of a login, escaped.
const LONGEST: usize = 4096;
/// Seconds that an access token is good for if the provider does not say.
const LIFETIME: u32 = 3600;
/// Parameters that Envoy writes itself.
const OWN: [&str; 7] = [
    "client_id",
    "code_challenge",
    "code_challenge_method",
    "redirect_uri",
    "response_type",
    "scope",
    "state",
];
/// How a client may show its secret.
const METHODS: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// What sessions are.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Session {
    /// What keeps them from being forged: at least 16 characters.
    secret: Secret,
    /// No other than `cookie`.
    storage: Option<String>,
}

/// What becomes of who has not logged in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unauthorized {
    /// Is sent to the provider.
    Auth,
    /// Gets 401.
    Deny,
    /// Passes, as nobody.
    Pass,
}

/// Where the provider sends people back.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Redirect {
    /// A path behind that of their request.
    Own,
    /// A path at the host of their request.
    Path(String),
    Whole {
        address: String,
        path: String,
    },
}

#[derive(Debug)]
pub(super) struct Written {
    pub session: Secret,
    pub scopes: Vec<String>,
    pub redirect: Redirect,
    pub logout: String,
    pub post_logout: Option<String>,
    pub parameters: BTreeMap<String, String>,
    pub unauthorized: Unauthorized,
    pub method: Option<String>,
    /// Whether a token is renewed that has expired.
    pub renews: bool,
    /// How long a token is good for of which the provider does not say.
    pub lifetime: Duration,
}

impl Written {
    pub fn read(form: &Form) -> Result<Self, Remark> {
        never(form)?;
        client(&form.client_id)?;
        let lifetime = form.access_token_expires_in.map_or(LIFETIME, |one| one.0);
        Ok(Self {
            session: session(form.session.as_ref())?,
            scopes: scopes(form.scope.as_deref())?,
            redirect: redirect(form.redirect_uri.as_deref())?,
            logout: logout(form.logout_path.as_deref())?,
            post_logout: post_logout(form.post_logout_redirect_uri.as_deref())?,
            parameters: parameters(form.authorization_params.as_ref())?,
            unauthorized: unauthorized(form.unauth_action.as_deref())?,
            method: method(form.token_endpoint_auth_method.as_deref())?,
            renews: form.renew_access_token_on_expiry.unwrap_or(true),
            lifetime: Duration::from_secs(lifetime.into()),
        })
    }
}

/// Refuses what Envoy does not do in a login.
fn never(form: &Form) -> Result<(), Remark> {
    let never = [
        (
            "use_nonce",
            form.use_nonce,
            "a code is bound to its login by PKCE",
        ),
        (
            "force_reauthorize",
            form.force_reauthorize,
            "a token is renewed, or people log in anew",
        ),
        (
            "set_refresh_token_header",
            form.set_refresh_token_header,
            "Envoy takes the refresh token off a request before anything could tell it",
        ),
        (
            "revoke_tokens_on_logout",
            form.revoke_tokens_on_logout,
            "Envoy takes the cookies away, and tells the provider of the session's end alone",
        ),
    ];
    for (field, value, why) in never {
        if value == Some(true) {
            let message = format!("found true, allowed in a login: false; {why}");
            return Err(Remark::new(field, message));
        }
    }
    match form.access_token_expires_leeway {
        Some(leeway) if leeway.0 > 0 => {
            let found = leeway.0;
            let message = format!(
                "found {found}, allowed in a login: 0; a token is renewed when it has expired"
            );
            Err(Remark::new("access_token_expires_leeway", message))
        }
        _ => Ok(()),
    }
}

/// It stands in an address as it is written.
fn client(id: &str) -> Result<(), Remark> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/@".contains(&byte);
    if !id.is_empty() && id.bytes().all(is_plain) {
        return Ok(());
    }
    let found = quoted(id);
    let message = format!("found {found}, allowed in a login: letters, digits and `-._~:/@`");
    Err(Remark::new("client_id", message))
}

fn session(session: Option<&Session>) -> Result<Secret, Remark> {
    let Some(session) = session else {
        let message = format!(
            "is missing, allowed: an object with `secret`, of at least {SHORTEST} characters, where people log in; or `bearer_only` as \
             `true`, where nobody does"
        );
        return Err(Remark::new("session", message));
    };
    if let Some(other) = session.storage.as_deref().filter(|one| *one != "cookie") {
        let found = quoted(other);
        let message = format!("found {found}, allowed: cookie; Envoy keeps sessions nowhere else");
        return Err(Remark::new("session.storage", message));
    }
    let length = session.secret.reveal().chars().count();
    if length < SHORTEST {
        let message = format!("found {length} characters, allowed: at least {SHORTEST}");
        return Err(Remark::new("session.secret", message));
    }
    Ok(session.secret.clone())
}

fn scopes(text: Option<&str>) -> Result<Vec<String>, Remark> {
    let text = text.unwrap_or("openid");
    let scopes: Vec<String> = text.split_whitespace().map(ToOwned::to_owned).collect();
    let is_plain = text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if is_plain && scopes.iter().any(|scope| scope == "openid") {
        return Ok(scopes);
    }
    let found = quoted(text);
    let message =
        format!("found {found}, allowed: scopes with spaces between them, `openid` one of them");
    Err(Remark::new("scope", message))
}

fn is_printable(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn redirect(text: Option<&str>) -> Result<Redirect, Remark> {
    let Some(text) = text else {
        return Ok(Redirect::Own);
    };
    let is_plain = is_printable(text) && !text.contains(['?', '#']);
    if is_plain && text.starts_with('/') {
        return Ok(Redirect::Path(text.to_owned()));
    }
    let url = Url::parse(text).ok();
    let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    match url {
        Some(url) if is_plain && url.username().is_empty() && url.password().is_none() => {
            Ok(Redirect::Whole {
                address: text.to_owned(),
                path: url.path().to_owned(),
            })
        }
        _ => {
            let found = quoted(text);
            let message = format!(
                "found {found}, allowed: an address without a query, such as https://shop.example.com/callback, or a path"
            );
            Err(Remark::new("redirect_uri", message))
        }
    }
}

fn logout(text: Option<&str>) -> Result<String, Remark> {
    let text = text.unwrap_or("/logout");
    if text.starts_with('/') && is_printable(text) && !text.contains(['?', '#']) {
        return Ok(text.to_owned());
    }
    let found = quoted(text);
    let message = format!("found {found}, allowed: a path, such as /logout");
    Err(Remark::new("logout_path", message))
}

fn post_logout(text: Option<&str>) -> Result<Option<String>, Remark> {
    match text {
        Some(text) if text.is_empty() || !is_printable(text) => {
            let found = quoted(text);
            let message =
                format!("found {found}, allowed: an address such as https://example.com/");
            Err(Remark::new("post_logout_redirect_uri", message))
        }
        text => Ok(text.map(ToOwned::to_owned)),
    }
}

fn parameters(
    written: Option<&BTreeMap<String, String>>,
) -> Result<BTreeMap<String, String>, Remark> {
    let wrong = |message: String| Err(Remark::new("authorization_params", message));
    let all = written.cloned().unwrap_or_default();
    if let Some(own) = all.keys().find(|name| OWN.contains(&name.as_str())) {
        return wrong(format!(
            "found {}, allowed: other parameters, as Envoy writes this one",
            quoted(own)
        ));
    }
    let length = |text: &String| super::form::escaped(text).len();
    let length: usize = all
        .iter()
        .map(|(name, value)| length(name) + length(value) + 2)
        .sum();
    if length > LONGEST {
        return wrong(format!(
            "found {length} characters of parameters, allowed: at most {LONGEST}"
        ));
    }
    Ok(all)
}

fn unauthorized(text: Option<&str>) -> Result<Unauthorized, Remark> {
    match text {
        None | Some("auth") => Ok(Unauthorized::Auth),
        Some("deny") => Ok(Unauthorized::Deny),
        Some("pass") => Ok(Unauthorized::Pass),
        Some(other) => {
            let found = quoted(other);
            let message = format!("found {found}, allowed: auth, deny, pass");
            Err(Remark::new("unauth_action", message))
        }
    }
}

fn method(text: Option<&str>) -> Result<Option<String>, Remark> {
    match text {
        Some(other) if !METHODS.contains(&other) => {
            let (found, allowed) = (quoted(other), METHODS.join(", "));
            let message = format!("found {found}, allowed in a login: {allowed}");
            Err(Remark::new("token_endpoint_auth_method", message))
        }
        text => Ok(text.map(ToOwned::to_owned)),
    }
}
