//! `chancery validate`: what would become of documents, without serving them.

mod differences;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use clap::Args;
use serde::Serialize;
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use self::differences::Used;
use super::remote::Output;
use crate::cohort::Envoy;
use crate::config::{self, Settings};
use crate::documents::{Changes, DocumentStatus, Documents, Reader, schema};
use crate::model::document::Format;
use crate::model::key::{KeyError, Kind};
use crate::model::{Discovery, Document, Key, Problem};
use crate::store::replicas::Membership;
use crate::store::{Event, Told};
use crate::telemetry::{self, Source};

/// How long the store may take to list its documents.
const LISTING: Duration = Duration::from_secs(30);

/// What `validate` takes.
#[derive(Debug, Args)]
pub struct Validate {
    /// A folder with documents (DIR/<kind>/<id>.yaml), or one such file
    #[arg(
        short,
        long,
        value_name = "PATH",
        required_unless_present = "etcd",
        conflicts_with = "etcd"
    )]
    files: Option<PathBuf>,
    /// etcd's endpoints, separated by commas: every document there is checked
    #[arg(
        long,
        env = "CHANCERY_ETCD",
        value_name = "URL,…",
        value_delimiter = ','
    )]
    etcd: Option<Vec<String>>,
    /// The prefix of all keys [default: /chancery]
    #[arg(long, env = "CHANCERY_ETCD_PREFIX", value_name = "PREFIX")]
    etcd_prefix: Option<String>,
    /// The user to authenticate as
    #[arg(long, env = "CHANCERY_ETCD_USER", value_name = "NAME")]
    etcd_user: Option<String>,
    /// The user's password; prefer the variable to the flag
    #[arg(
        long,
        env = "CHANCERY_ETCD_PASSWORD",
        hide_env_values = true,
        value_name = "PASSWORD"
    )]
    etcd_password: Option<String>,
    /// The authorities that etcd's certificate may come from (PEM)
    #[arg(long, env = "CHANCERY_ETCD_CA", value_name = "FILE")]
    etcd_ca: Option<PathBuf>,
    /// The certificate to show to etcd (PEM)
    #[arg(long, env = "CHANCERY_ETCD_CERT", value_name = "FILE")]
    etcd_cert: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(long, env = "CHANCERY_ETCD_KEY", value_name = "FILE")]
    etcd_key: Option<PathBuf>,
    /// Keys of 16 or 32 bytes, separated by commas, that open what APISIX encrypted in documents; prefer the variable to the flag
    #[arg(
        long,
        env = "CHANCERY_DATA_ENCRYPTION_KEYRING",
        hide_env_values = true,
        value_name = "KEY,…",
        value_delimiter = ','
    )]
    data_encryption_keyring: Option<Vec<String>>,
    /// Variables of the environment that documents may name in place of secrets, as the server has them set
    #[arg(
        long,
        env = "CHANCERY_SECRETS_ENV",
        value_name = "NAME,…",
        value_delimiter = ','
    )]
    secrets_env: Option<Vec<String>>,
    /// Also tell what an Envoy of this release cannot serve, such as 1.38
    #[arg(long, value_name = "VERSION")]
    envoy: Option<Envoy>,
    /// How to show the result
    #[arg(
        short,
        long,
        value_enum,
        default_value = "table",
        value_name = "FORMAT"
    )]
    output: Output,
}

/// What would become of one document.
#[derive(Debug, Serialize)]
struct Verdict {
    /// `<kind>/<id>`
    document: String,
    /// `accepted`, `warned`, `off` or `rejected`; `not_served` by the Envoy that was asked for.
    state: &'static str,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
    /// What its kind's schema says of the field that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    schema: Option<String>,
    /// What Envoy does not do exactly.
    warnings: Vec<String>,
    /// What its plugins do otherwise than in APISIX.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    differs: Vec<String>,
}

pub async fn run(validate: Validate) -> Result<ExitCode> {
    let (output, envoy) = (validate.output, validate.envoy);
    let keyring = config::keyring(validate.data_encryption_keyring.as_deref())?;
    let lookup = config::lookup(validate.secrets_env.as_deref())?;
    let listed = match validate.files.as_deref() {
        Some(file) if file.is_file() => vec![one(file)?],
        _ => list(validate).await?,
    };
    let reader = Reader::new(Discovery::ALL.to_vec(), keyring, lookup);
    // Nobody is asked for secrets here.
    let mut documents = Documents::read_by(reader.trusting());
    documents.list(listed);
    let not_served = not_served(&documents.settle(), envoy);
    let statuses = documents.statuses(telemetry::now());
    let mut verdicts: Vec<_> = statuses.map(|one| verdict(one, &not_served)).collect();
    let used = Used::by(&documents);
    for verdict in &mut verdicts {
        verdict.differs = used.said(&verdict.document);
    }
    verdicts.sort_by(|a, b| a.document.cmp(&b.document));
    match output {
        Output::Json => say!("{}", serde_json::to_string(&verdicts)?),
        Output::Table => {
            print(&verdicts, envoy);
            used.print();
        }
    }
    let rejected = verdicts.iter().any(|verdict| verdict.reason.is_some());
    Ok(if rejected {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

/// The documents that an Envoy cannot serve, and why.
fn not_served(changes: &Changes, envoy: Option<Envoy>) -> BTreeMap<String, String> {
    let routes = changes.routes.iter();
    let routes = routes
        .filter(|(id, _)| !id.is_no_route())
        .filter_map(|(id, route)| {
            let lacking = route.as_ref()?.lacking(envoy?);
            (!lacking.is_empty()).then(|| (format!("routes/{id}"), lacking.join("; ")))
        });
    routes.collect()
}

/// The document in one file, `<kind>/<id>.yaml`.
fn one(file: &Path) -> Result<Document> {
    let part = |part: Option<&std::ffi::OsStr>| Some(part?.to_string_lossy().into_owned());
    let whole = std::path::absolute(file)?;
    let folder = part(whole.parent().and_then(Path::file_name));
    // A credential lies below its consumer.
    let consumer = part(whole.ancestors().nth(2).and_then(Path::file_name));
    let kind = match (folder.as_deref(), consumer) {
        (Some("credentials"), Some(consumer)) => Some(format!("consumers/{consumer}/credentials")),
        (Some(manager), Some(kind)) if kind == "secrets" => Some(format!("secrets/{manager}")),
        _ => folder,
    };
    let (Some(kind), Some(id)) = (kind, part(file.file_stem())) else {
        bail!(
            "{}: a document is a file <kind>/<id>.yaml or .json",
            file.display()
        );
    };
    let path = format!("{kind}/{id}");
    if let Err(KeyError::Unknown(kind)) = path.parse::<Key>() {
        bail!(
            "{}: the folder that a document lies in names its kind, and `{kind}` is none; put it into one of {}, as \
             routes/{id}.json",
            file.display(),
            Kind::names()
        );
    }
    let format = match file.extension().and_then(|extension| extension.to_str()) {
        Some("json") => Format::Json,
        Some("yaml" | "yml") => Format::Yaml,
        _ => bail!(
            "{}: a document ends in .yaml, .yml or .json",
            file.display()
        ),
    };
    let value = std::fs::read(file).with_context(|| file.display().to_string())?;
    Ok(Document {
        path: path.into(),
        source: file.to_string_lossy().into(),
        format,
        value: value.into(),
        revision: 1,
    })
}

/// All documents of a store, as the server would read them.
async fn list(validate: Validate) -> Result<Vec<Document>> {
    let settings = Settings {
        files: validate.files,
        etcd: validate.etcd,
        etcd_prefix: validate.etcd_prefix,
        etcd_user: validate.etcd_user,
        etcd_password: validate.etcd_password,
        etcd_ca: validate.etcd_ca,
        etcd_cert: validate.etcd_cert,
        etcd_key: validate.etcd_key,
        ..Settings::default()
    };
    let config = settings.check()?;
    let (events, mut told) = mpsc::channel(1);
    let (_earlier, asked) = mpsc::channel(1);
    let shutdown = CancellationToken::new();
    let _ends = shutdown.clone().drop_guard();
    let source = Source::new("the store");
    // Says nothing of itself, so that it is no replica to the others.
    let membership = Membership {
        id: config.replica,
        own: watch::channel(Bytes::new()).1,
        records: watch::Sender::default(),
    };
    tokio::spawn(config.store.watch(
        source.clone(),
        asked,
        events,
        membership,
        Told {
            journal: watch::Sender::default(),
            noticed: mpsc::channel(1).0,
            traces: false,
        },
        shutdown,
    ));
    match tokio::time::timeout(LISTING, told.recv()).await {
        Ok(Some(Event::Listed { documents, .. })) => Ok(documents),
        _ => match source.report().error {
            Some(error) => bail!("the documents cannot be listed: {error}"),
            None => bail!(
                "the documents cannot be listed within {} s",
                LISTING.as_secs()
            ),
        },
    }
}

fn verdict(status: DocumentStatus, not_served: &BTreeMap<String, String>) -> Verdict {
    let key = status.path.parse::<Key>();
    let problem = status.problem.as_ref();
    let not_served = not_served.get(&*status.path);
    let schema = key.ok().zip(problem).and_then(|(key, problem)| {
        let field = problem.field.as_str();
        (!field.is_empty()).then(|| schema::says(key.kind, field))?
    });
    Verdict {
        document: status.path.to_string(),
        state: match problem {
            Some(_) => "rejected",
            None if not_served.is_some() => "not_served",
            None if status.off => "off",
            None if status.warnings.is_empty() => "accepted",
            None => "warned",
        },
        reason: problem.map(Problem::said).or(not_served.cloned()),
        schema,
        warnings: status.warnings.iter().map(Problem::said).collect(),
        differs: Vec::new(),
    }
}

fn print(verdicts: &[Verdict], envoy: Option<Envoy>) {
    for verdict in verdicts {
        say!("{}  {}", verdict.document, verdict.state);
        let reason = verdict.reason.iter().map(|reason| ("wrong", reason));
        let schema = verdict.schema.iter().map(|said| ("the field", said));
        let warnings = verdict.warnings.iter().map(|said| ("warning", said));
        for (what, said) in reason.chain(schema).chain(warnings) {
            say!("    {what}: {said}");
        }
    }
    let count = |state: &str| verdicts.iter().filter(|one| one.state == state).count();
    let states = ["accepted", "warned", "off", "rejected"];
    let counts = states.map(|state| format!("{} {state}", count(state)));
    let by_envoy = envoy.map_or_else(String::new, |envoy| {
        let count = count("not_served");
        format!(", {count} not served by Envoy {}", envoy.as_str())
    });
    say!(
        "{} documents: {}{by_envoy}",
        verdicts.len(),
        counts.join(", ")
    );
}

#[cfg(test)]
mod tests;
