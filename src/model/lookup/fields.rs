//! The fields of documents in which APISIX follows references, and these replaced by what they stand for.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Map, Value};

use super::provider::{self, Provider};
use super::{Found, Lookup, MANAGER, SecretName, Subject, begins};
use crate::model::Kind;
use crate::model::decode::shown;
use crate::model::problem::Remark;

/// References in one document. Each may stand for a text that is far longer.
const REFERENCES: usize = 64;
/// Bytes in a row that are no chance where a message has them of a value.
const TELLING: usize = 5;
/// What is said in place of what would show a value.
const NOT_SAID: &str = "is wrong with what a reference there stands for, which is not shown: see what the variable holds, and what this field \
                        allows";

/// What is said of a manager's token that is in a manager.
const OWN_TOKEN: &str = "refers to a secret manager, where what it is shown itself has to stand, allowed: the token, or `$env://NAME` for \
                         a variable of `secrets-env`";

/// The values that references of one document stand for.
#[derive(Default)]
pub struct Hidden(Vec<String>);

impl Hidden {
    /// A remark on the document, without any of the values: what would show one, or a part of it, is said in other words.
    pub(crate) fn censor(&self, remark: Remark) -> Remark {
        if self.0.iter().any(|value| has_part(&remark.message, value)) {
            return Remark::new(remark.field, NOT_SAID);
        }
        remark
    }
}

/// Whether a message has a telling part of a value.
fn has_part(message: &str, value: &str) -> bool {
    if value.len() < TELLING {
        return message.contains(value);
    }
    let said: HashSet<&[u8]> = message.as_bytes().windows(TELLING).collect();
    let mut parts = value.as_bytes().windows(TELLING);
    parts.any(|part| said.contains(part))
}

/// What became of the references of one document.
#[derive(Default)]
pub struct Resolved {
    /// What must not be shown.
    pub hidden: Hidden,
    /// The first that stands for nothing.
    pub(crate) wrong: Option<Remark>,
    /// Those that nobody has answered yet, with their fields; the references stay in these.
    pub(crate) waiting: Vec<(String, Subject)>,
    /// All that is asked for.
    pub(crate) names: BTreeSet<Subject>,
}

impl Resolved {
    /// What is said of a document that waits.
    pub(crate) fn waits(&self) -> Option<Remark> {
        let (field, name) = self.waiting.first()?;
        let more = match self.waiting.len() {
            1 => String::new(),
            count => format!(", and {} more references", count - 1),
        };
        let message = format!("refers to {name}, which has not been answered yet{more}");
        Some(Remark::new(field.clone(), message))
    }

    /// Whether a field is one of those that wait, or within one, or right around one.
    pub(crate) fn concerns(&self, field: &str) -> bool {
        let parts = |text: &str| -> Vec<String> {
            let steps = text.split(['.', '[']).filter(|step| !step.is_empty());
            steps.map(ToOwned::to_owned).collect()
        };
        let field = parts(field);
        self.waiting.iter().any(|(one, _)| {
            let one = parts(one);
            let is_around = one.starts_with(&field) && one.len() <= field.len() + 1;
            is_around || field.starts_with(&one)
        })
    }
}

impl Lookup {
    /// Puts what references stand for in their place.
    pub(crate) fn resolve_in(&self, kind: Kind, document: &mut Map<String, Value>) -> Resolved {
        let mut all = Resolved::default();
        for (name, value) in document {
            match (kind, name.as_str()) {
                (Kind::Ssl, "cert" | "key" | "certs" | "keys") => {
                    self.resolve(value, &mut vec![Step::Name(name)], &mut all);
                }
                (Kind::Secret, "token") => self.resolve_token(value, &mut all),
                (_, "plugins") => {
                    for (plugin, value) in value.as_object_mut().into_iter().flatten() {
                        self.resolve_plugin(
                            value,
                            &[Step::Name(name), Step::Name(plugin)],
                            &mut all,
                        );
                    }
                }
                _ => {}
            }
        }
        all
    }

    /// All of a plugin but what says when it runs.
    fn resolve_plugin(&self, plugin: &mut Value, place: &[Step<'_>; 2], all: &mut Resolved) {
        let Value::Object(fields) = plugin else {
            return;
        };
        // As it is written: what a provider says is never taken for a reference.
        let is_openid = matches!(place, [_, Step::Name(provider::PLUGIN)]);
        let asked = is_openid.then(|| Provider::asked_by(fields)).flatten();
        for (name, value) in fields.iter_mut() {
            let is_asked = asked.is_some() && name == provider::FIELD;
            if name != "_meta" && !is_asked {
                let mut place = place.to_vec();
                place.push(Step::Name(name));
                self.resolve(value, &mut place, all);
            }
        }
        if let Some(asked) = asked {
            self.resolve_provider(asked, fields, place, all);
        }
    }

    /// What a provider has said stands in the place of where it is asked.
    fn resolve_provider(
        &self,
        asked: Result<Provider, String>,
        fields: &mut Map<String, Value>,
        place: &[Step<'_>; 2],
        all: &mut Resolved,
    ) {
        let field = field(&[place[0], place[1], Step::Name(provider::FIELD)]);
        let found = asked.and_then(|provider| {
            let subject = Subject::Provider(provider);
            all.names.insert(subject.clone());
            self.answers.find(subject)
        });
        match found {
            Ok(Found::Text(said)) => drop(fields.insert(provider::FIELD.to_owned(), said.into())),
            Ok(Found::Waits(subject)) => all.waiting.push((field, subject)),
            Err(message) => {
                all.wrong.get_or_insert_with(|| Remark::new(field, message));
            }
        }
    }

    /// What a manager is shown is had without one.
    fn resolve_token(&self, value: &mut Value, all: &mut Resolved) {
        let Value::String(text) = value else { return };
        let found = match begins(text, MANAGER) {
            true => Some(Err(OWN_TOKEN.to_owned())),
            false => self.find_variable(text),
        };
        match found {
            None => {}
            Some(Ok(found)) => all.take(text, found),
            Some(Err(message)) => all.wrong = Some(Remark::new("token", message)),
        }
    }

    fn resolve<'a>(&self, value: &'a mut Value, place: &mut Vec<Step<'a>>, all: &mut Resolved) {
        match value {
            Value::String(text) => self.resolve_text(text, place, all),
            Value::Array(items) => {
                for (at, item) in items.iter_mut().enumerate() {
                    place.push(Step::Item(at));
                    self.resolve(item, place, all);
                    place.pop();
                }
            }
            Value::Object(fields) => {
                for (name, value) in fields {
                    place.push(Step::Name(name));
                    self.resolve(value, place, all);
                    place.pop();
                }
            }
            _ => {}
        }
    }

    fn resolve_text(&self, text: &mut String, place: &[Step<'_>], all: &mut Resolved) {
        let Some(found) = self.find(text) else {
            return;
        };
        let found = if all.hidden.0.len() + all.waiting.len() < REFERENCES {
            found
        } else {
            Err(format!(
                "is one reference more than there may be in a document, allowed: {REFERENCES}"
            ))
        };
        match found {
            Ok(Found::Text(found)) => {
                if let Some(Ok(name)) = text.strip_prefix(MANAGER).map(SecretName::read) {
                    all.names.insert(Subject::Secret(name));
                }
                all.take(text, found);
            }
            Ok(Found::Waits(name)) => {
                all.names.insert(name.clone());
                all.waiting.push((field(place), name));
            }
            Err(message) => {
                // What is not there now may be another time.
                if let Some(Ok(name)) = text.strip_prefix(MANAGER).map(SecretName::read)
                    && all.names.len() < REFERENCES
                {
                    all.names.insert(Subject::Secret(name));
                }
                let remark = || Remark::new(field(place), message);
                all.wrong.get_or_insert_with(remark);
            }
        }
    }
}

impl Resolved {
    fn take(&mut self, text: &mut String, found: String) {
        self.hidden.0.push(found.clone());
        *text = found;
    }
}

/// A step on the way to a field.
#[derive(Clone, Copy)]
enum Step<'a> {
    Name(&'a str),
    Item(usize),
}

/// A field, as a path.
fn field(place: &[Step<'_>]) -> String {
    let steps = place.iter().rev();
    let remark = steps.fold(Remark::whole(""), |remark, step| match step {
        Step::Name(name) => remark.under(&shown(name)),
        Step::Item(at) => remark.under(&format!("[{at}]")),
    });
    remark.field
}
