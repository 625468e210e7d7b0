//! `chancery collect`: what tells of a running Chancery, in one archive that can be handed on. Everything in it is as a
//! reader is shown it, whoever asks.

mod archive;
mod readme;

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Result, anyhow, bail};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::remote::{Client, Server};
use super::web::Web;
use crate::api::{json, pb, redact};
use crate::editing::masked;
use crate::store::writer::Held;
use archive::Archive;

/// What `collect` takes.
#[derive(Debug, clap::Args)]
pub struct Collect {
    /// The archive to write, which is not there yet [default: chancery-TIME.tar.gz in this folder]
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// How long each part of it may take
    #[arg(long, default_value = "30s", value_parser = humantime::parse_duration, value_name = "TIME")]
    timeout: Duration,
    #[command(flatten)]
    server: Server,
}

/// A file of the archive that is an answer of the admin port as it comes.
struct Part {
    file: &'static str,
    path: &'static [&'static str],
    /// Statuses, beside 200, of an answer that tells something.
    also: &'static [u16],
    says: &'static str,
}

#[rustfmt::skip]
const PARTS: &[Part] = &[
    Part { file: "ready.json", path: &["readyz"], also: &[503], says: "whether it serves, its gateways, and how its sources fare" },
    Part { file: "metrics.txt", path: &["metrics"], also: &[], says: "its metrics" },
    Part { file: NODES, path: &["v1", "nodes"], also: &[], says: "the proxies that are connected, what each has, and the other replicas" },
    Part { file: "problems.json", path: &["v1", "problems"], also: &[], says: "which documents are not in force, and why" },
    Part { file: "documents.json", path: &["v1", "documents"], also: &[], says: "every document, and what became of it" },
    Part { file: "services.json", path: &["v1", "services"], also: &[], says: "what registries answered for each service" },
    Part { file: "drains.json", path: &["v1", "drains"], also: &[], says: "the instances that are taken out" },
    Part { file: "history.json", path: &["v1", "history"], also: &[], says: "the last hundred changes of documents, without their texts" },
    Part { file: "audit.json", path: &["v1", "audit"], also: &[], says: "the last hundred records of the audit trail" },
    Part { file: SNAPSHOTS, path: &["v1", "snapshots"], also: &[], says: "the snapshots of gateways and cohorts, without resources" },
];
const NODES: &str = "nodes.json";
const SNAPSHOTS: &str = "snapshots.json";

/// What is in the archive, and what is not.
struct Bundle {
    archive: Archive,
    /// Files, or folders of them, and what they say.
    there: Vec<(String, String)>,
    /// What could not be had, and why.
    missing: Vec<(String, String)>,
    /// What this server has none of, and why.
    none: Vec<(String, String)>,
}

/// Why a part is not in the archive.
enum Lack {
    Failed(String),
    /// The server says that there is none.
    None(String),
}

pub async fn run(collect: Collect) -> Result<ExitCode> {
    let now = SystemTime::now();
    let time = humantime::format_rfc3339_seconds(now).to_string();
    let stem = format!("chancery-{}", time.replace(['-', ':'], ""));
    let given = collect.output;
    let file = given.unwrap_or_else(|| format!("{stem}.tar.gz").into());
    if fs::symlink_metadata(&file).is_ok() {
        bail!("{} is there already; give another -o FILE", file.display());
    }
    let within = collect.timeout;
    let web = collect.server.web(within)?;
    web.get(&["healthz"], &[]).await?;
    let seconds = now
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or_default();
    let mut bundle = Bundle {
        archive: Archive::new(&stem, seconds.as_secs()),
        there: Vec::new(),
        missing: Vec::new(),
        none: Vec::new(),
    };
    bundle.version(&web).await?;
    let mut nodes = None;
    let mut snapshots = None;
    for part in PARTS {
        let fetched = fetch(&web, part.path, &[], part.also).await;
        let value = || serde_json::from_str::<Value>(fetched.as_ref().ok()?).ok();
        match part.file {
            NODES => nodes = value(),
            SNAPSHOTS => snapshots = value(),
            _ => {}
        }
        bundle.put(part.file, part.says, fetched)?;
    }
    bundle.process(&web).await?;
    bundle.expected(&web, nodes).await?;
    bundle.texts(&web).await?;
    let client = collect.server.connect().await;
    bundle.snapshots(client, snapshots, within).await?;
    let text = readme::text(&web.place(), &time, &bundle);
    bundle.archive.add("README.txt", &text)?;
    bundle.archive.write(&file)?;
    say!(
        "{} tells of {}; its README.txt says what is in it",
        file.display(),
        web.place()
    );
    for (name, why) in &bundle.missing {
        eprintln!("chancery collect: without {name}: {why}");
    }
    Ok(if bundle.missing.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

impl Bundle {
    /// Takes a part in, or notes why it is not there.
    fn put(&mut self, file: &str, says: &str, text: Result<String, Lack>) -> Result<()> {
        match text {
            Ok(text) => {
                self.archive.add(file, &text)?;
                self.there.push((file.to_owned(), says.to_owned()));
            }
            Err(lack) => self.lacks(file, lack),
        }
        Ok(())
    }

    fn lacks(&mut self, file: &str, lack: Lack) {
        let (list, why) = match lack {
            Lack::Failed(why) => (&mut self.missing, why),
            Lack::None(why) => (&mut self.none, why),
        };
        list.push((file.to_owned(), why));
    }

    async fn version(&mut self, web: &Web) -> Result<()> {
        // Whatever is answered there, the header says who answers.
        let answer = web.get(&["apisix", "admin"], &[]).await;
        let text = match answer {
            Ok(answer) => Ok(
                json!({ "command": env!("CARGO_PKG_VERSION"), "server": answer.server })
                    .to_string(),
            ),
            Err(error) => Err(Lack::Failed(format!("{error:#}"))),
        };
        self.put(
            "version.json",
            "the versions of this command and of the server",
            text,
        )
    }

    /// The settings in force, and the last lines of the log.
    async fn process(&mut self, web: &Web) -> Result<()> {
        let fetched = fetch(web, &["v1", "process"], &[], &[]).await;
        let parts = fetched.and_then(|answer| {
            let report = json::read::<pb::ProcessReport>(answer.as_bytes());
            let report = report.map_err(|status| Lack::Failed(status.message().to_owned()))?;
            Ok((settings(&report), log(&report)))
        });
        let (settings, log) = match parts {
            Ok((settings, log)) => (Ok(settings), Ok(log)),
            Err(Lack::Failed(why)) => (Err(Lack::Failed(why.clone())), Err(Lack::Failed(why))),
            Err(Lack::None(why)) => (Err(Lack::None(why.clone())), Err(Lack::None(why))),
        };
        self.put(
            "settings.txt",
            "the settings that were given, and by whom: a flag, a variable or the file",
            settings,
        )?;
        self.put("log.txt", "the last lines of its log", log)
    }

    /// Who is expected to have what is published, and who has not.
    async fn expected(&mut self, web: &Web, nodes: Option<Value>) -> Result<()> {
        // 64 bits are a text in the JSON of protobuf.
        let revision = nodes.as_ref().and_then(|nodes| nodes["revision"].as_str());
        let text = match revision {
            None => Err(Lack::Failed(format!("it needs what {NODES} says"))),
            Some("0") => Err(Lack::None("nothing is published yet".to_owned())),
            Some(revision) => {
                let query = [("revision", revision), ("timeout", "0s")];
                fetch(web, &["v1", "wait"], &query, &[504]).await
            }
        };
        self.put(
            "expected.json",
            "how many proxies are expected to have the newest revision, and who has not",
            text,
        )
    }

    /// Documents, a file for each.
    async fn texts(&mut self, web: &Web) -> Result<()> {
        const FOLDER: &str = "documents/";
        let answer = match fetch(web, &["v1", "texts"], &[], &[]).await {
            Ok(answer) => answer,
            Err(lack) => {
                self.lacks(FOLDER, lack);
                return Ok(());
            }
        };
        let Ok(answer) = serde_json::from_str::<Value>(&answer) else {
            self.lacks(FOLDER, Lack::Failed("the answer is no JSON".to_owned()));
            return Ok(());
        };
        let texts = answer["texts"].as_array().into_iter().flatten();
        for text in texts {
            let path = text["document"].as_str().unwrap_or_default();
            // A caller who may write is shown the secrets.
            let held = Held {
                path: Arc::from(path),
                text: text["text"].as_str().unwrap_or_default().to_owned().into(),
                created: 0,
                modified: 0,
            };
            let shown = serde_json::to_string_pretty(&masked::shown(&held))?;
            self.archive.add(&format!("{FOLDER}{path}.json"), &shown)?;
        }
        let says = format!(
            "documents as they were last written; \"{}\" stands for a secret",
            masked::MARKER
        );
        self.there.push((FOLDER.to_owned(), says));
        Ok(())
    }

    /// What proxies are sent, a file for each cohort of each gateway.
    async fn snapshots(
        &mut self,
        client: Result<Client>,
        listed: Option<Value>,
        within: Duration,
    ) -> Result<()> {
        const FOLDER: &str = "snapshots/";
        let (mut client, listed) = match (client, listed) {
            (Ok(client), Some(listed)) => (client, listed),
            (Err(error), _) => {
                self.lacks(FOLDER, Lack::Failed(format!("{error:#}")));
                return Ok(());
            }
            (_, None) => {
                self.lacks(
                    FOLDER,
                    Lack::Failed(format!("it needs what {SNAPSHOTS} says")),
                );
                return Ok(());
            }
        };
        for listed in listed["snapshots"].as_array().into_iter().flatten() {
            let field = |name: &str| listed[name].as_str().unwrap_or_default().to_owned();
            let (gateway, cohort) = (field("gateway"), field("cohort"));
            let file = format!("{FOLDER}{}.json", file_name(&gateway, &cohort));
            let asked = pb::ReadSnapshotRequest {
                gateway,
                cohort,
                ..Default::default()
            };
            match timeout(within, snapshot(&mut client, asked)).await {
                Ok(Ok(text)) => self.archive.add(&file, &text)?,
                Ok(Err(error)) => self.lacks(&file, Lack::Failed(format!("{error:#}"))),
                Err(_) => {
                    let within = humantime::format_duration(within);
                    self.lacks(&file, Lack::Failed(format!("nothing within {within}")));
                }
            }
        }
        let says =
            "what proxies are sent; \"[redacted]\" stands for a secret, and for values of headers";
        self.there.push((FOLDER.to_owned(), says.to_owned()));
        Ok(())
    }
}

async fn snapshot(client: &mut Client, asked: pb::ReadSnapshotRequest) -> Result<String> {
    let answered = client.read_snapshot(asked).await;
    let hidden = answered.and_then(|answer| {
        let mut answer = answer.into_inner();
        redact::hide_headers(&mut answer)?;
        json::terse(&answer)
    });
    hidden.map_err(|status| anyhow!("{}", status.message()))
}

/// A line for each setting.
fn settings(report: &pb::ProcessReport) -> String {
    let lines = report.settings.iter();
    lines
        .map(|it| format!("{}: {}  ({})\n", it.name, it.value, it.from))
        .collect()
}

fn log(report: &pb::ProcessReport) -> String {
    let before = match report.lines_before {
        0 => String::new(),
        count => format!("({count} lines before these are not kept)\n"),
    };
    let lines = report.log.iter().map(|line| format!("{line}\n"));
    before + &lines.collect::<String>()
}

/// A name that is one everywhere.
fn file_name(gateway: &str, cohort: &str) -> String {
    let both = if cohort.is_empty() {
        gateway.to_owned()
    } else {
        format!("{gateway}-{cohort}")
    };
    both.replace(
        |letter: char| !letter.is_ascii_alphanumeric() && !"-._+".contains(letter),
        "-",
    )
}

/// The body of an answer that tells something.
async fn fetch(
    web: &Web,
    path: &[&str],
    query: &[(&str, &str)],
    also: &[u16],
) -> Result<String, Lack> {
    let answer = web.get(path, query).await;
    let answer = answer.map_err(|error| Lack::Failed(format!("{error:#}")))?;
    if answer.status == 200 || also.contains(&answer.status) {
        return Ok(answer.body);
    }
    let body = serde_json::from_str::<Value>(&answer.body).unwrap_or_default();
    let said = body["message"].as_str().unwrap_or("no reason is given");
    if answer.status == 501 {
        return Err(Lack::None(said.to_owned()));
    }
    Err(Lack::Failed(format!("status {}: {said}", answer.status)))
}
