//! What an identity provider's answers say: of itself (OpenID Connect Discovery), where people log in, and of its keys (RFC 7517).
//! Pure.

use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use super::client::Answer;
use crate::model::public_key::PublicKey;
use crate::model::{Provider, ProviderKey, ProviderLogin, ProviderSaid, Verdict, address};

/// Keys of one provider.
const KEYS: usize = 32;
/// How Envoy shows a client's secret.
const SHOWN: [&str; 2] = ["client_secret_basic", "client_secret_post"];

/// What is taken of a discovery document.
#[derive(Debug)]
pub struct Document {
    pub issuer: String,
    /// Where its keys are, if they are wanted.
    pub keys: Option<Url>,
    /// Where people log in, if they are to.
    pub login: Option<ProviderLogin>,
}

#[derive(Deserialize)]
struct Body {
    issuer: Option<String>,
    jwks_uri: Option<String>,
    authorization_endpoint: Option<String>,
    token_endpoint: Option<String>,
    end_session_endpoint: Option<String>,
    token_endpoint_auth_methods_supported: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct KeySet {
    keys: Vec<Map<String, Value>>,
}

/// What a provider says of itself, or that there is nothing of use; or why it is not known.
pub fn document(answer: &Answer, of: &Provider) -> Result<Result<Document, Verdict>, String> {
    let nothing = |why: String| Ok(Err(Verdict::Nothing(why)));
    if let Some(refused) = refused(answer, "which")? {
        return nothing(refused);
    }
    let mut body: Body = serde_json::from_slice(&answer.body)
        .map_err(|_| "answers with something else than a discovery document".to_owned())?;
    let Some(issuer) = body.issuer.take().filter(|issuer| !issuer.is_empty()) else {
        return nothing(
            "which names no `issuer`: write the address of a discovery document".to_owned(),
        );
    };
    Ok(body.wanted(of).map_or_else(
        |why| Err(Verdict::Nothing(why)),
        |(keys, login)| {
            Ok(Document {
                issuer,
                keys,
                login,
            })
        },
    ))
}

impl Body {
    /// What is wanted of it, or why there is nothing.
    fn wanted(self, of: &Provider) -> Result<(Option<Url>, Option<ProviderLogin>), String> {
        let keys = of.keys.then(|| match &self.jwks_uri {
            Some(keys) => place("jwks_uri", keys, of),
            None => Err("which names no `jwks_uri`: write the key as `public_key`".to_owned()),
        });
        let keys = keys.transpose()?;
        let login = of.login.then(|| self.login(of)).transpose()?;
        Ok((keys, login))
    }

    fn login(self, of: &Provider) -> Result<ProviderLogin, String> {
        let needed = |name: &str, text: Option<String>| {
            let text = text.ok_or_else(|| {
                format!("which names no `{name}`: nobody can log in there; write `bearer_only` as `true` for tokens alone")
            })?;
            place(name, &text, of).map(String::from)
        };
        let ends = self.end_session_endpoint;
        let ends = ends.map(|ends| place("end_session_endpoint", &ends, of));
        let methods = self.token_endpoint_auth_methods_supported;
        let methods = methods.unwrap_or_default().into_iter();
        Ok(ProviderLogin {
            authorization: needed("authorization_endpoint", self.authorization_endpoint)?,
            token: needed("token_endpoint", self.token_endpoint)?,
            end_session: ends.transpose()?.map(String::from),
            methods: methods.filter(|one| SHOWN.contains(&&**one)).collect(),
        })
    }
}

/// A place of the provider's. What decides who may pass is not asked for where others can answer, if the document is not.
fn place(name: &str, text: &str, of: &Provider) -> Result<Url, String> {
    let url = address(text).map_err(|said| format!("whose `{name}` is of no use: {said}"))?;
    if of.address.starts_with("https:") && url.scheme() != "https" {
        return Err(format!("whose `{name}` is not https, as it is itself"));
    }
    Ok(url)
}

/// What a provider says, with its keys; or why these are not known.
pub fn keys(answer: &Answer, document: Document) -> Result<Verdict, String> {
    if let Some(refused) = refused(answer, "whose key set")? {
        return Ok(Verdict::Nothing(refused));
    }
    let set: KeySet = serde_json::from_slice(&answer.body).map_err(|_| {
        "answers with something else than a key set, where its keys should be".to_owned()
    })?;
    if set.keys.len() > KEYS {
        let count = set.keys.len();
        return Ok(Verdict::Nothing(format!(
            "which has {count} keys, allowed: at most {KEYS}"
        )));
    }
    Ok(said(document, set.keys.iter().filter_map(key).collect()))
}

/// The same for the same, in whatever order it comes.
pub fn said(document: Document, mut keys: Vec<ProviderKey>) -> Verdict {
    keys.sort();
    let said = ProviderSaid {
        issuer: document.issuer,
        keys,
        login: document.login,
    };
    match serde_json::to_string(&said) {
        Ok(said) => Verdict::Value(said),
        Err(error) => Verdict::Nothing(format!("which cannot be kept: {error}")),
    }
}

/// Why there is nothing, if the answer is none; an error where that is not said.
fn refused(answer: &Answer, what: &str) -> Result<Option<String>, String> {
    let status = answer.status;
    match status.as_u16() {
        200 => Ok(None),
        408 | 425 | 429 => Err(format!("answers {status}")),
        code @ 400..500 => Ok(Some(format!(
            "{what} is not there ({code}): see `discovery`"
        ))),
        code @ 300..400 => Ok(Some(format!(
            "{what} is elsewhere ({code}), and redirects are not followed: write the address to which it leads"
        ))),
        _ => Err(format!("answers {status}")),
    }
}

/// A key that verifies tokens; nothing for any other.
fn key(jwk: &Map<String, Value>) -> Option<ProviderKey> {
    let member = |name: &str| jwk.get(name)?.as_str().map(ToOwned::to_owned);
    if member("use").is_some_and(|used| used != "sig") {
        return None;
    }
    let key = PublicKey::of_jwk(member)?;
    let only = member("alg");
    let algorithms = key.algorithms.iter().map(|one| (*one).to_owned());
    let algorithms: Vec<_> = algorithms
        .filter(|one| only.as_ref().is_none_or(|only| only == one))
        .collect();
    let is_name = |kid: &String| kid.len() <= 256;
    (!algorithms.is_empty() && member("kid").is_none_or(|kid| is_name(&kid))).then(|| ProviderKey {
        kid: member("kid"),
        key: key.hexadecimal(),
        algorithms,
    })
}

#[cfg(test)]
mod tests;
