//! What references to secrets in documents stand for: `$env://NAME`, and `$env://NAME/key` for a text in the JSON of that variable;
//! `$secret://vault/1/key/field` for what a manager answers. Only variables that the operator lists may be named, or whoever writes
//! documents could read Chancery's own secrets.

mod answers;
mod fields;
mod name;
mod provider;
mod subject;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::decode::{quoted, shown};

pub use answers::{Answers, Standing, Verdict};
pub use fields::Resolved;
pub use name::{SecretName, steps};
pub use provider::{Provider, ProviderKey, ProviderLogin, ProviderSaid, address};
pub use subject::Subject;

/// What a reference to a variable begins with, in any case of letters, as in APISIX.
const ENVIRONMENT: &str = "$env://";
/// What a reference to a secret manager begins with.
const MANAGER: &str = "$secret://";
/// What is said where APISIX would take the reference itself.
const SMALL: &str = "is no reference to a secret manager, allowed: `$secret://` in small letters";

/// How the names of variables begin that are Chancery's own settings, and hold its secrets.
const OWN: [&str; 2] = ["CHANCERY_", "OTEL_"];
/// Bytes of a variable: a certificate with all that signed it.
const VARIABLE: usize = 64 * 1024;
/// Shorter values are looked for as a whole where they must not be shown: parts of them are anywhere.
const PART: usize = 6;

/// The variables that documents may name, with their values, and what managers have answered. Cheap to clone.
#[derive(Clone, Default)]
pub struct Lookup {
    names: Arc<[Name]>,
    values: Arc<BTreeMap<String, String>>,
    /// The values, and the texts of the JSON in them: what must not be shown.
    secrets: Arc<[String]>,
    answers: Answers,
}

/// What a text stands for.
enum Found {
    Text(String),
    /// What nobody has answered yet.
    Waits(Subject),
}

/// A name that documents may write, or how all such names begin.
#[derive(Clone, PartialEq, Eq)]
enum Name {
    Whole(String),
    Begins(String),
}

impl Name {
    fn read(text: &str) -> Result<Self, String> {
        let (name, is_whole) = match text.strip_suffix('*') {
            Some(name) => (name, false),
            None => (text, true),
        };
        let allowed = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        if !(1..=256).contains(&name.len()) || !name.bytes().all(allowed) {
            return Err(format!(
                "found {}, allowed: names of variables (letters, digits, `_`), or how such names begin with a `*` behind, as `SHOP_*`",
                quoted(text)
            ));
        }
        if let Some(own) = OWN.iter().find(|own| name.starts_with(**own)) {
            return Err(format!(
                "found {}, allowed: other names than {own}…, which are Chancery's own settings",
                quoted(text)
            ));
        }
        let name = name.to_owned();
        Ok(if is_whole {
            Self::Whole(name)
        } else {
            Self::Begins(name)
        })
    }

    fn fits(&self, name: &str) -> bool {
        match self {
            Self::Whole(whole) => whole == name,
            Self::Begins(start) => {
                name.starts_with(start) && !OWN.iter().any(|own| name.starts_with(own))
            }
        }
    }
}

impl Lookup {
    /// Documents may name these of the `variables`: by whole names, or by how they begin with a `*` behind.
    pub fn new(
        names: &[String],
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, String> {
        let names: Arc<[Name]> = names
            .iter()
            .map(|name| Name::read(name))
            .collect::<Result<_, _>>()?;
        let listed = |(name, _): &(String, String)| names.iter().any(|one| one.fits(name));
        let values: BTreeMap<_, _> = variables.into_iter().filter(listed).collect();
        let secrets = values.values().flat_map(|value| texts(value)).collect();
        Ok(Self {
            values: Arc::new(values),
            names,
            secrets,
            answers: Answers::default(),
        })
    }

    /// What managers have answered.
    pub fn answers(&self) -> &Answers {
        &self.answers
    }

    /// Whether there is nothing that must not be shown.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.answers.is_empty()
    }

    /// Whether a text has in it what must not be shown: a value, or a text of the JSON in one.
    pub fn is_in(&self, text: &str) -> bool {
        self.secrets.iter().any(|secret| shows(text, secret)) || self.answers.is_in(text)
    }

    /// What a text stands for; nothing when it is no reference. What is wrong is said without any value.
    fn find(&self, text: &str) -> Option<Result<Found, String>> {
        if begins(text, MANAGER) {
            return Some(match text.strip_prefix(MANAGER) {
                Some(path) => {
                    SecretName::read(path).and_then(|name| self.answers.find(Subject::Secret(name)))
                }
                None => Err(SMALL.to_owned()),
            });
        }
        let found = self.find_variable(text)?;
        Some(found.map(Found::Text))
    }

    fn find_variable(&self, text: &str) -> Option<Result<String, String>> {
        begins(text, ENVIRONMENT).then(|| {
            let path = &text[ENVIRONMENT.len()..];
            match path.split_once('/') {
                None | Some((_, "")) => self.variable(path.trim_end_matches('/')).cloned(),
                Some((name, key)) => self.text_in(name, key),
            }
        })
    }

    fn variable(&self, name: &str) -> Result<&String, String> {
        let told = shown(name);
        if !self.names.iter().any(|one| one.fits(name)) {
            return Err(format!(
                "refers to the variable `{told}`, which documents may not name: list it in `secrets-env` of Chancery's settings, or \
                 write the secret itself"
            ));
        }
        match self.values.get(name) {
            None => Err(format!(
                "refers to the variable `{told}`, which is not set where Chancery runs"
            )),
            Some(value) if value.is_empty() => {
                Err(format!("refers to the variable `{told}`, which is empty"))
            }
            Some(value) if value.len() > VARIABLE => Err(format!(
                "refers to the variable `{told}`, which has {} bytes, allowed: at most {VARIABLE}",
                value.len()
            )),
            Some(value) => Ok(value),
        }
    }

    fn text_in(&self, name: &str, key: &str) -> Result<String, String> {
        let value = self.variable(name)?;
        let (name, key) = (shown(name), (key, shown(key)));
        let Ok(Value::Object(fields)) = serde_json::from_str(value) else {
            return Err(format!(
                "asks for `{}` in the variable `{name}`, which holds no JSON object",
                key.1
            ));
        };
        match fields.get(key.0) {
            Some(Value::String(text)) if !text.is_empty() => Ok(text.clone()),
            Some(_) => Err(format!(
                "asks for `{}` in the JSON of the variable `{name}`, which is no text there, or an empty one",
                key.1
            )),
            None => Err(format!(
                "asks for `{}` in the JSON of the variable `{name}`, which has no such field",
                key.1
            )),
        }
    }
}

/// Whether a text has a secret in it.
fn shows(text: &str, secret: &str) -> bool {
    match secret.len() {
        0..PART => text == secret,
        _ => text.contains(secret),
    }
}

/// What references may name in a variable: its value, and texts where it holds a JSON object.
fn texts(value: &str) -> Vec<String> {
    let fields = serde_json::from_str::<BTreeMap<String, Value>>(value);
    let fields = fields.into_iter().flat_map(BTreeMap::into_values);
    let texts = fields.filter_map(|value| value.as_str().map(ToOwned::to_owned));
    let all = texts.chain([value.to_owned()]);
    all.filter(|text| !text.is_empty()).collect()
}

fn begins(text: &str, with: &str) -> bool {
    let start = text.get(..with.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(with))
}

impl fmt::Debug for Lookup {
    /// Without the values.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lookup({})", self.values.len())
    }
}

#[cfg(test)]
mod tests;
