//! Asks secret managers that speak Vault's API (HashiCorp Vault, OpenBao) for what documents refer to, again and again. What is not
//! answered is told to nobody but operators: whoever has an answer keeps it.

mod answer;
mod client;
mod fares;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::model::{Asked, Manager, SecretName, Verdict};
use crate::telemetry::Source;

use client::Client;
use fares::Fares;

/// What it is called among the sources.
pub const NAME: &str = "vault";

/// How long an answer is not asked for again, give or take a tenth.
const AGAIN: Duration = Duration::from_secs(30);
/// The same where there was nothing: somebody may be about to write it.
const MISSING: Duration = Duration::from_secs(5);
/// How soon one that did not come is asked for again, and how late after many times.
const SOON: Duration = Duration::from_millis(500);
const LATE: Duration = Duration::from_secs(15);
/// Requests at a time, to all managers.
const AT_ONCE: usize = 8;

/// What one request asks for: all fields of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Question {
    /// The path of the manager's document.
    of: Arc<str>,
    manager: Arc<Manager>,
    key: Arc<str>,
}

/// What all questions share.
#[derive(Debug)]
struct Asking {
    client: Client,
    turns: Semaphore,
    fares: Fares,
    told: mpsc::Sender<Vec<(SecretName, Verdict)>>,
}

/// Asks for what is wanted, until `shutdown`.
pub async fn watch(
    source: Source,
    mut wanted: watch::Receiver<Arc<Asked>>,
    told: mpsc::Sender<Vec<(SecretName, Verdict)>>,
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
    let mut running = BTreeMap::new();
    let mut tasks = JoinSet::new();
    loop {
        let asked = wanted.borrow_and_update().clone();
        source.asked(!asked.is_empty());
        let questions = questions(&asked);
        asking.fares.keep(questions.keys().map(|one| &one.of));
        // What is as it was goes on as it does; all else is asked at once.
        running.retain(
            |question, (names, task): &mut (_, tokio::task::AbortHandle)| {
                let stays = questions.get(question) == Some(names);
                if !stays {
                    task.abort();
                }
                stays
            },
        );
        for (question, names) in questions {
            let asked = (asking.clone(), question.clone());
            running.entry(question).or_insert_with(|| {
                let task = tasks.spawn(ask(asked.0, asked.1, names.clone()));
                (names, task)
            });
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

fn questions(asked: &Asked) -> BTreeMap<Question, BTreeSet<SecretName>> {
    let mut questions: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for (name, manager) in asked {
        let question = Question {
            of: name.manager.clone(),
            manager: manager.clone(),
            key: name.key.clone(),
        };
        questions.entry(question).or_default().insert(name.clone());
    }
    questions
}

/// Asks one question for as long as it is polled.
async fn ask(asking: Arc<Asking>, question: Question, names: BTreeSet<SecretName>) {
    let mut pause = SOON;
    loop {
        let answer = {
            // Nobody closes it.
            let _turn = asking.turns.acquire().await;
            asking.client.read(&question.manager, &question.key).await
        };
        let answer = match &answer {
            Ok(answer) => answer::verdicts(answer, &names),
            Err(error) => Err(error.to_string()),
        };
        asking.fares.note(&question, answer.as_ref().err());
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
