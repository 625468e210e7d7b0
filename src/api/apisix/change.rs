//! Calls that write, and whether every proxy has what they wrote.

use std::time::Duration;

use axum::http::{HeaderName, Method, StatusCode};
use axum::response::Response;
use serde_json::{Map, Value, json};
use tokio::time::Instant;

use crate::api::{foreseen, wait};
use crate::drain::audit::Deed;
use crate::editing::{self, Changed, Done, Editor, Refused, Wish, spoken};
use crate::model::{Id, Key, Kind};
use crate::xds::gateways::Cause;

use super::Call;
use super::answer::{self, Refusal};
use super::target::{can_patch, can_post};

const REVISION: HeaderName = HeaderName::from_static("x-chancery-revision");
/// What a document is given as it is written.
const ADDED: [&str; 3] = ["id", "create_time", "update_time"];
const BEHIND: HeaderName = HeaderName::from_static("chancery-behind");

impl Call {
    /// Writes a document whose id is not in the path.
    pub async fn write_below(&self, kind: Kind, folder: &str) -> Result<Response, Refusal> {
        let is_new = self.method == Method::POST && can_post(kind);
        if !is_new && self.method != Method::PUT {
            return Err(Refusal::method(
                self.method.as_str(),
                &spoken(kind.as_str()),
            ));
        }
        let document = self.document()?;
        if !is_new {
            let key = key_below(kind, folder, &document)?;
            return self.put(&key, document).await;
        }
        if document.contains_key("id") {
            let said = format!("wrong {} id, do not need it", spoken(kind.as_str()));
            return Err(Refusal::bad(said));
        }
        let terms = self.terms()?;
        let author = self.author("post");
        let post = async |editor: &Editor| editor.post(kind, &document, terms, &author).await;
        self.done(post, "post", kind.as_str().to_owned()).await
    }

    /// Writes, changes or deletes a document.
    pub async fn write(&self, key: &Key, steps: &[&str]) -> Result<Response, Refusal> {
        let terms = self.terms()?;
        let what = key.to_string();
        match self.method {
            Method::PUT if steps.is_empty() => self.put(key, self.document()?).await,
            Method::PATCH if can_patch(key.kind) => {
                let change = self.change(steps)?;
                let steps = steps.iter().map(ToString::to_string).collect();
                let change = self.change_of(key, Wish::Patch { steps, change })?;
                let author = self.author("patch");
                let patch = async |editor: &Editor| editor.change(change, terms, &author).await;
                self.done(patch, "patch", what).await
            }
            Method::DELETE if steps.is_empty() => {
                let change = self.change_of(key, Wish::Delete)?;
                let author = self.author("delete");
                let delete = async |editor: &Editor| editor.change(change, terms, &author).await;
                self.done(delete, "delete", what).await
            }
            _ => Err(Refusal::method(
                self.method.as_str(),
                &spoken(key.kind.as_str()),
            )),
        }
    }

    async fn put(&self, key: &Key, document: Map<String, Value>) -> Result<Response, Refusal> {
        let terms = self.terms()?;
        if !terms.force {
            self.is_not_refused(key, &document).await?;
        }
        let change = self.change_of(key, Wish::Put(document))?;
        let author = self.author("put");
        let put = async |editor: &Editor| editor.change(change, terms, &author).await;
        self.done(put, "put", key.to_string()).await
    }

    /// Refuses what proxies refuse already in this very form.
    async fn is_not_refused(
        &self,
        key: &Key,
        document: &Map<String, Value>,
    ) -> Result<(), Refusal> {
        let path = key.to_string();
        let settled = self.api.gateways.settled().borrow().clone();
        let problem = settled.problems.get(&*path);
        let Some(problem) = problem.filter(|problem| problem.cause == Cause::Refused) else {
            return Ok(());
        };
        let now = self.editor()?.read(&path).await?;
        let is_same = now
            .and_then(|held| editing::fields(&held))
            .is_some_and(|now| {
                let says = |(name, _): &(&String, &Value)| !ADDED.contains(&name.as_str());
                now.iter().filter(says).eq(document.iter().filter(says))
            });
        if is_same {
            let said = format!(
                "proxies refuse this document in this very form: {}; change it, or write it all the same with `force=true`",
                problem.reason
            );
            return Err(Refusal::Said(StatusCode::CONFLICT, said));
        }
        Ok(())
    }

    /// Has a change made, notes it, and answers.
    async fn done(
        &self,
        change: impl AsyncFnOnce(&Editor) -> Result<Done, Refused>,
        action: &'static str,
        what: String,
    ) -> Result<Response, Refusal> {
        let began = Instant::now();
        let patience = self.patience()?;
        let editor = self.editor()?;
        // Whoever waits has a place before anything is written.
        let place = patience.map(|_| self.api.lasting.waits.take());
        let _place = place.transpose().map_err(|full| {
            Refusal::Said(StatusCode::TOO_MANY_REQUESTS, full.message().to_owned())
        })?;
        let changed = change(editor).await;
        let trail = &self.api.access.trail;
        let mut deed = Deed::new(trail, action, &self.caller.name, &self.caller.from);
        deed.what = what;
        let done = changed.inspect_err(|refused| deed.refused("document", began, refused))?;
        let Some(changed) = done.changed.first() else {
            return Err(Refused::Absent.into());
        };
        if done.revision == 0 {
            return self.would_be(&done, changed).await;
        }
        deed.what = changed.path.to_string();
        deed.step("document", began, None::<&Refused>);
        self.answer(done.revision, changed, patience).await
    }

    async fn answer(
        &self,
        revision: i64,
        changed: &Changed,
        patience: Option<Duration>,
    ) -> Result<Response, Refusal> {
        let key = self.key(&changed.path);
        let is_new = changed.before.is_none();
        let body = match self.after(changed, self.method == Method::PATCH) {
            Some(document) => json!({ "key": key, "value": document }),
            // A text, which clients read a number from.
            None => json!({ "key": key, "deleted": "1" }),
        };
        let behind = match patience {
            Some(patience) => self.wait(revision, patience).await?,
            None => None,
        };
        let status = match behind {
            Some(_) => StatusCode::ACCEPTED,
            None if is_new => StatusCode::CREATED,
            None => StatusCode::OK,
        };
        let mut answer = answer::json(status, &body);
        answer::tag(&mut answer, Some(revision));
        answer.headers_mut().insert(REVISION, revision.into());
        if let Some(count) = behind {
            answer.headers_mut().insert(BEHIND, count.into());
        }
        Ok(answer)
    }

    /// A document as it is now. What a PATCH or a look finds is not what the caller sent.
    fn after(&self, changed: &Changed, is_found: bool) -> Option<Map<String, Value>> {
        let mut document = changed.after.clone()?;
        let key = changed.path.parse::<Key>();
        if let (true, Ok(key)) = (is_found, key) {
            answer::without_keys(key.kind, &mut document);
        }
        Some(document)
    }

    /// Waits until every proxy that is expected has the revision; tells how many have not.
    async fn wait(&self, revision: i64, patience: Duration) -> Result<Option<u32>, Refusal> {
        let waited = wait::until(&self.api, revision, patience, false).await;
        let answer = waited.map_err(|status| {
            let why = status.message();
            let said = format!("revision {revision} is written, but not waited for: {why}");
            Refusal::Said(StatusCode::SERVICE_UNAVAILABLE, said)
        })?;
        let behind = answer.expected.saturating_sub(answer.accepted);
        Ok((!answer.confirmed).then_some(behind))
    }

    /// What a call would write that is to write nothing.
    async fn would_be(&self, done: &Done, changed: &Changed) -> Result<Response, Refusal> {
        let envoys = foreseen::foresee(&self.api, &done.changed).await;
        let envoys = envoys.map_err(|status| {
            Refusal::Said(StatusCode::SERVICE_UNAVAILABLE, status.message().to_owned())
        })?;
        let before = changed.before.as_ref();
        let warnings: Vec<_> = done.warnings.iter().map(|(_, said)| said).collect();
        let body = json!({
            "key": self.key(&changed.path),
            "dry_run": true,
            "before": before.map(|held| answer::shown(held, self.secrets())),
            "after": self.after(changed, true),
            "warnings": warnings,
            "envoys": foreseen::as_json(&envoys),
        });
        Ok(answer::json(StatusCode::OK, &body))
    }
}

/// The key of a document that says its id itself.
fn key_below(kind: Kind, folder: &str, document: &Map<String, Value>) -> Result<Key, Refusal> {
    let (field, what) = if kind == Kind::Consumer {
        ("username", "consumer name".to_owned())
    } else {
        ("id", format!("{} id", spoken(kind.as_str())))
    };
    let written = document.get(field).and_then(editing::id);
    let id = written.ok_or_else(|| Refusal::bad(format!("missing {what}")))?;
    if kind == Kind::Secret {
        // With the manager before it.
        let key = format!("{}/{id}", kind.as_str()).parse();
        return key.map_err(|error| Refusal::bad(format!("{field}: {error}")));
    }
    let parsed = id.parse::<Id>();
    let id = parsed.map_err(|error| Refusal::bad(format!("{field}: {error}")))?;
    // `consumers/jack/credentials/`
    let consumer = folder
        .split('/')
        .nth(1)
        .filter(|_| kind == Kind::Credential);
    let consumer = consumer.and_then(|name| name.parse().ok());
    Ok(Key { kind, id, consumer })
}
