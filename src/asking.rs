//! Asks others for what documents refer to, again and again: secret managers that speak Vault's API (HashiCorp Vault, OpenBao), and
//! identity providers. What is not answered is told to nobody but operators: whoever has an answer keeps it.

mod client;
mod fares;
mod provider;
mod vault;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::model::{Asked, Manager, Provider, SecretName, Subject, Verdict, address};
use crate::telemetry::Source;

use client::Client;
use fares::Fares;

/// How long an answer is not asked for again, give or take a tenth.
const AGAIN: Duration = Duration::from_secs(30);
/// The same where there was nothing: somebody may be about to write it.
const MISSING: Duration = Duration::from_secs(5);
/// How soon one that did not come is asked for again, and how late after many times.
const SOON: Duration = Duration::from_millis(500);
const LATE: Duration = Duration::from_secs(15);
/// Requests at a time, to all of a kind.
const AT_ONCE: usize = 8;

/// Who is asked. Each kind fares as a source of its own, and holds up no other.
#[derive(Debug, Clone, Copy)]
pub enum Whom {
    Managers,
    Providers,
}

impl Whom {
    pub const ALL: [Self; 2] = [Self::Managers, Self::Providers];

    /// What it is called among the sources.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Managers => "vault",
            Self::Providers => "openid",
        }
    }

    fn questions(self, asked: &Asked) -> BTreeSet<Question> {
        match self {
            Self::Managers => keys(asked).collect(),
            Self::Providers => {
                let providers = asked.providers.iter().cloned();
                providers.map(Question::Provider).collect()
            }
        }
    }
}

/// What is asked at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Question {
    /// All fields of a key, of which these are wanted.
    Key {
        /// The path of the manager's document.
        of: Arc<str>,
        manager: Arc<Manager>,
        key: Arc<str>,
        names: BTreeSet<SecretName>,
    },
    /// What one says of itself, and its keys.
    Provider(Provider),
}

impl Question {
    /// Who is asked, as people read it.
    fn of(&self) -> &Arc<str> {
        match self {
            Self::Key { of, .. } => of,
            Self::Provider(provider) => &provider.address,
        }
    }
}

/// What all questions share.
#[derive(Debug)]
struct Asking {
    client: Client,
    turns: Semaphore,
    fares: Fares,
    told: mpsc::Sender<Vec<(Subject, Verdict)>>,
}

/// Asks those of a kind for what is wanted, until `shutdown`.
pub async fn watch(
    whom: Whom,
    source: Source,
    mut wanted: watch::Receiver<Arc<Asked>>,
    told: mpsc::Sender<Vec<(Subject, Verdict)>>,
    shutdown: CancellationToken,
) {
    let fares = Fares::new(source.clone());
    let client = match Client::new() {
        Ok(client) => client,
        Err(error) => {
            source.failed(&error);
            return shutdown.cancelled().await;
        }
    };
    let asking = Arc::new(Asking {
        client,
        turns: Semaphore::new(AT_ONCE),
        fares,
        told,
    });
    let mut running: BTreeMap<Question, AbortHandle> = BTreeMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let asked = wanted.borrow_and_update().clone();
        let questions = whom.questions(&asked);
        source.asked(!questions.is_empty());
        asking.fares.keep(questions.iter().map(Question::of));
        // What is as it was goes on as it does; all else is asked at once.
        running.retain(|question, task| {
            let stays = questions.contains(question);
            if !stays {
                task.abort();
            }
            stays
        });
        for question in questions {
            let (asking, own) = (asking.clone(), question.clone());
            running
                .entry(question)
                .or_insert_with(|| tasks.spawn(ask(asking, own)));
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() {
                break;
            },
            // Those that were given up.
            Some(_) = tasks.join_next() => {}
            () = shutdown.cancelled() => break,
        }
    }
    drop(tasks);
    shutdown.cancelled().await;
}

/// What managers are asked: each key once, whatever is wanted of it.
fn keys(asked: &Asked) -> impl Iterator<Item = Question> {
    let mut keys: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, manager) in &asked.secrets {
        let key = (name.manager.clone(), manager.clone(), name.key.clone());
        keys.entry(key).or_default().insert(name.clone());
    }
    keys.into_iter()
        .map(|((of, manager, key), names)| Question::Key {
            of,
            manager,
            key,
            names,
        })
}

impl Asking {
    /// What is said, or why nothing is.
    async fn answer(&self, question: &Question) -> Result<Vec<(Subject, Verdict)>, String> {
        let lost = |error: client::Error| error.to_string();
        match question {
            Question::Key {
                manager,
                key,
                names,
                ..
            } => {
                let (url, headers) = vault::request(manager, key)?;
                let answer = self.client.get(url, headers, true).await.map_err(lost)?;
                let verdicts = vault::verdicts(&answer, names)?.into_iter();
                Ok(verdicts
                    .map(|(name, verdict)| (Subject::Secret(name), verdict))
                    .collect())
            }
            Question::Provider(provider) => {
                let verdict = self.provider(provider).await?;
                Ok(vec![(Subject::Provider(provider.clone()), verdict)])
            }
        }
    }

    /// What a provider says: first of itself, then, if that is wanted, of its keys.
    async fn provider(&self, provider: &Provider) -> Result<Verdict, String> {
        let get = async |url| {
            let answer = self.client.get(url, HeaderMap::new(), provider.verify);
            answer.await.map_err(|error| error.to_string())
        };
        let url = address(&provider.address)?;
        let document = match provider::document(&get(url).await?, provider)? {
            Ok(document) => document,
            Err(verdict) => return Ok(verdict),
        };
        let Some(keys) = document.keys.clone() else {
            return Ok(provider::said(document, Vec::new()));
        };
        let keys = get(keys).await;
        provider::keys(
            &keys.map_err(|error| format!("its key set {error}"))?,
            document,
        )
    }
}

/// Asks one question for as long as it is polled.
async fn ask(asking: Arc<Asking>, question: Question) {
    let mut pause = SOON;
    loop {
        let answer = {
            // Nobody closes it.
            let _turn = asking.turns.acquire().await;
            asking.answer(&question).await
        };
        asking.fares.note(question.of(), answer.as_ref().err());
        match answer {
            Ok(verdicts) => {
                let is_nothing = |(_, verdict): &_| !matches!(verdict, Verdict::Value(_));
                let again = match verdicts.iter().any(is_nothing) {
                    true => MISSING,
                    false => AGAIN,
                };
                if asking.told.send(verdicts).await.is_err() {
                    return;
                }
                pause = SOON;
                sleep(jittered(again)).await;
            }
            Err(_) => {
                sleep(jittered(pause)).await;
                pause = LATE.min(pause * 2);
            }
        }
    }
}

/// Give or take a tenth, so that not all are asked at once.
fn jittered(time: Duration) -> Duration {
    time.mul_f64(0.9 + fastrand::f64() / 5.0)
}
