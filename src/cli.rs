//! The command line: one file per command.

/// Prints a line; a reader that has seen enough, as `head` has, ends the command.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::cli::print(format_args!($($text)*))
    };
}

mod accept;
mod apply;
mod audit;
mod beside;
mod bootstrap;
mod collect;
mod delete;
mod demo;
mod diff;
mod documents;
mod drain;
mod drains;
mod echo;
mod explain;
mod export;
mod get;
mod health;
mod history;
mod logs;
mod man;
mod nodes;
mod place;
mod problems;
mod prolong;
mod ratelimit;
mod release;
mod remote;
mod rollback;
mod schema;
mod serve;
mod services;
mod snapshot;
mod texts;
mod undrain;
mod validate;
mod wait;
mod watch;
mod web;

use std::io::Write;
use std::path::PathBuf;
use std::pin::Pin;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

use crate::config::Settings;

/// An xDS control plane for Envoy: routes are documents in etcd, instances are whoever Consul says is healthy.
#[derive(Debug, Parser)]
#[command(name = "chancery", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Read documents and instances, and serve them to proxies over ADS
    #[command(after_help = SERVE_EXAMPLES)]
    Serve(Box<Serve>),
    /// Tell what would become of documents, without serving them; exit status 1 when any is rejected
    #[command(after_help = VALIDATE_EXAMPLES)]
    Validate(Box<validate::Validate>),
    /// Print the JSON Schema of a kind of documents, or of a plugin
    #[command(after_help = SCHEMA_EXAMPLES)]
    Schema(schema::Schema),
    /// Play with it: Chancery on example files, two instances and a real Envoy, all in one
    #[command(after_help = DEMO_EXAMPLES)]
    Demo(demo::Demo),
    /// Run an instance that answers every request with what it received
    #[command(after_help = ECHO_EXAMPLES)]
    Echo(echo::Echo),
    /// Count requests in Redis, for all proxies of a gateway together
    #[command(after_help = RATELIMIT_EXAMPLES)]
    Ratelimit(Box<ratelimit::RateLimit>),
    /// Hand on what proxies write down of requests, for documents with http-logger or another logger over the network
    #[command(after_help = LOGS_EXAMPLES)]
    Logs(Box<logs::Logs>),
    /// Print the bootstrap of an Envoy, filled in: what `envoy -c` takes
    #[command(after_help = BOOTSTRAP_EXAMPLES)]
    Bootstrap(Box<bootstrap::Bootstrap>),
    /// Tell whether a Chancery serves; exit status 1, with one line that says why, when it does not
    #[command(after_help = HEALTH_EXAMPLES)]
    Health(health::Health),
    /// Show which proxies are connected and what each has; exit status 1 when any is behind
    #[command(after_help = NODES_EXAMPLES)]
    Nodes(nodes::Nodes),
    /// Show which documents are not in force and why, and which gateways have a route table that hurts; exit status 1 when a document is not in force
    #[command(after_help = PROBLEMS_EXAMPLES)]
    Problems(problems::Problems),
    /// Let a document out again that proxies refuse; exit status 1 when none does
    #[command(after_help = RELEASE_EXAMPLES)]
    Release(release::Release),
    /// Show what registries answered for each service; exit status 1 when one has not been answered yet
    #[command(after_help = SERVICES_EXAMPLES)]
    Services(services::Services),
    /// Show every document and what became of it; exit status 1 when any is not in force
    #[command(after_help = DOCUMENTS_EXAMPLES)]
    Documents(documents::Documents),
    /// Show documents as they were last written
    #[command(after_help = GET_EXAMPLES)]
    Get(get::Get),
    /// Write documents out as files, which `apply` takes
    #[command(after_help = EXPORT_EXAMPLES)]
    Export(export::Export),
    /// Show what `apply` would change; exit status 2 when anything would
    #[command(after_help = DIFF_EXAMPLES)]
    Diff(diff::Diff),
    /// Write the documents of files: shows what changes, asks, and waits for every proxy where it is told to; exit status 2 when a
    /// dry run finds that anything would change
    #[command(after_help = APPLY_EXAMPLES)]
    Apply(apply::Apply),
    /// Delete a document that no other names
    #[command(after_help = DELETE_EXAMPLES)]
    Delete(delete::Delete),
    /// Show who changed documents, when, and what they were before
    #[command(after_help = HISTORY_EXAMPLES)]
    History(history::History),
    /// Make documents what they were: shows what changes, asks, and waits for every proxy where it is told to; exit status 2 when a dry
    /// run finds that anything would change
    #[command(after_help = ROLLBACK_EXAMPLES)]
    Rollback(rollback::Rollback),
    /// Give up what sources took away and what stays in force all the same: documents that the store has lost since its revision
    /// went back, and what emptied folders held
    #[command(after_help = ACCEPT_EXAMPLES)]
    Accept(accept::Accept),
    /// Take folders for empty that had files and have none: what they held stays in force until then
    #[command(after_help = FILES_EXAMPLES)]
    Files(accept::Files),
    /// Show which route gets a request, which others were considered, and why they lost; exit status 1 when none gets it
    #[command(after_help = EXPLAIN_EXAMPLES)]
    Explain(explain::Explain),
    /// Show what proxies are sent
    #[command(after_help = SNAPSHOT_EXAMPLES)]
    Snapshot(snapshot::Snapshot),
    /// Print a line for every published snapshot, and for every ACK and NACK
    #[command(after_help = WATCH_EXAMPLES)]
    Watch(watch::Watch),
    /// Wait until every connected proxy of every live replica has accepted a revision; exit status 1 when the time is over
    #[command(after_help = WAIT_EXAMPLES)]
    Wait(wait::Wait),
    /// Take an instance out before it is stopped; exit status 1 when not every proxy has confirmed it
    #[command(after_help = DRAIN_EXAMPLES)]
    Drain(drain::Drain),
    /// Put an instance back
    #[command(after_help = UNDRAIN_EXAMPLES)]
    Undrain(undrain::Undrain),
    /// Have a drain last longer
    #[command(after_help = PROLONG_EXAMPLES)]
    Prolong(prolong::Prolong),
    /// Show which instances are taken out
    Drains(drains::Drains),
    /// Show who took which instance out, and which calls were refused
    #[command(after_help = AUDIT_EXAMPLES)]
    Audit(audit::Audit),
    /// Put what tells of a running Chancery into one archive, without secrets; exit status 1 when not all could be had
    #[command(after_help = COLLECT_EXAMPLES)]
    Collect(collect::Collect),
    /// Print the completion script of a shell
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write a manual page for each command
    #[command(after_help = MAN_EXAMPLES)]
    Man(man::Man),
}

/// What `serve` takes.
#[derive(Debug, clap::Args)]
struct Serve {
    /// A YAML file with settings: the flags' names as keys. Flags and variables win over it
    #[arg(long, env = "CHANCERY_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    settings: Settings,
}

const SERVE_EXAMPLES: &str = "\
Examples:
  chancery serve --etcd http://127.0.0.1:2379 --consul http://127.0.0.1:8500
  chancery serve --files examples/files
  chancery serve --etcd http://10.0.0.5:2379 --etcd-prefix /apisix --log-format json
  CHANCERY_CONSUL_TOKEN=… chancery serve --config chancery.yaml";

const VALIDATE_EXAMPLES: &str = "\
Examples:
  chancery validate -f examples/files
  chancery validate -f examples/etcd/routes/echo.json
  chancery validate --etcd http://127.0.0.1:2379 --etcd-prefix /apisix -o json | jq '.[] | select(.state == \"rejected\")'";

const SCHEMA_EXAMPLES: &str = "\
Examples:
  chancery schema routes > route.schema.json
  chancery schema plugins/redirect";

const DEMO_EXAMPLES: &str = "\
Examples:
  chancery demo                       # an Envoy from the PATH
  chancery demo --etcd etcd --consul consul   # with both, and two Envoys: what the dashboard writes is kept in etcd
  chancery demo --envoy ./envoy --check && echo it works";

const ECHO_EXAMPLES: &str = "\
Example:
  chancery echo --listen 127.0.0.1:8081 --name echo-v1";

const RATELIMIT_EXAMPLES: &str = "\
Examples:
  chancery ratelimit --redis redis://127.0.0.1:6379
  CHANCERY_REDIS=rediss://limits:…@redis.internal:6380/1 chancery ratelimit --listen 10.0.0.5:18090 --insecure
  chancery ratelimit --redis-cluster limits=redis://10.0.0.6:6379,redis://10.0.0.7:6379";

const LOGS_EXAMPLES: &str = "\
Examples:
  chancery logs
  chancery logs --listen 10.0.0.5:18091 --insecure --authorization /etc/chancery/collectors
  chancery logs --cert logs.pem --key logs.key --client-ca proxies.pem --listen 10.0.0.5:18091";

const BOOTSTRAP_EXAMPLES: &str = "\
Examples:
  chancery bootstrap > bootstrap.yaml && envoy -c bootstrap.yaml --service-node \"$(hostname)\"
  chancery bootstrap --node edge-1 --gateway edge --xds chancery-1:18000,chancery-2:18000
  chancery bootstrap --cert /etc/envoy/xds.pem --key /etc/envoy/xds.key --ca /etc/envoy/xds-ca.pem --max-heap 1GiB";

const HEALTH_EXAMPLES: &str = "\
Examples:
  chancery health
  chancery health --alive --timeout 500ms --admin http://10.0.0.8:9180";

const NODES_EXAMPLES: &str = "\
Examples:
  chancery nodes
  chancery nodes -o json | jq '.nodes[] | select(.synced | not)'";

const PROBLEMS_EXAMPLES: &str = "\
Examples:
  chancery problems
  chancery problems -o json | jq -r '.problems[] | select(.kind == \"refused\") | .document'";

const RELEASE_EXAMPLES: &str = "\
Examples:
  chancery release routes/hello
  chancery problems -o json | jq -r '.problems[] | select(.kind == \"refused\") | .document' | xargs -n1 chancery release";

const DOCUMENTS_EXAMPLES: &str = "\
Examples:
  chancery documents
  chancery documents --kind routes --state warned
  chancery documents -o json | jq -r '.documents[] | select(.state == \"rejected\") | .source'";

const SERVICES_EXAMPLES: &str = "\
Examples:
  chancery services
  chancery services echo -o json | jq '.services[].instances[] | select(.leftOut != {})'";

const EXPLAIN_EXAMPLES: &str = "\
Examples:
  chancery explain GET http://www.example.com/cart?v=2
  chancery explain POST /cart -H 'Host: www.example.com' -H 'Cookie: beta=1' --from 10.0.0.7
  chancery explain GET /cart -o json | jq -r '.destinations[].instances[]'";

const SNAPSHOT_EXAMPLES: &str = "\
Examples:
  chancery snapshot                                  # all gateways
  chancery snapshot default --type clusters
  chancery snapshot default --cohort 'envoy 1.38' --type routes
  chancery snapshot default --type routes -o json";

const WATCH_EXAMPLES: &str = "\
Examples:
  chancery watch
  chancery watch -o json | jq 'select(.answer.error != \"\")'";

const WAIT_EXAMPLES: &str = "\
Example:
  revision=$(etcdctl put /chancery/routes/hello \"$(cat hello.json)\" -w json | jq .header.revision)
  chancery wait --revision $revision --timeout 30s";

const DRAIN_EXAMPLES: &str = "\
Examples:
  chancery drain 10.0.0.7:8080 --reason 'release 42' && systemctl stop echo
  id=$(chancery drain 10.0.0.7 --ttl 10m -o json | jq -r .drain.id)";

const UNDRAIN_EXAMPLES: &str = "\
Example:
  chancery undrain $id";

const PROLONG_EXAMPLES: &str = "\
Example:
  chancery prolong $id --ttl 2h";

const ACCEPT_EXAMPLES: &str = "\
Examples:
  chancery accept --dry-run
  chancery accept --admin http://10.0.0.8:9180";

const GET_EXAMPLES: &str = "\
Examples:
  chancery get routes
  chancery get routes/echo
  chancery get upstreams -o json | jq '.[].nodes'";

const EXPORT_EXAMPLES: &str = "\
Examples:
  chancery export > documents.yaml
  chancery export -d documents               # a file for each: documents/routes/echo.yaml
  chancery export --set shop -d shop";

const DIFF_EXAMPLES: &str = "\
Examples:
  chancery diff -f documents
  chancery diff -f shop --prune --set shop";

const HISTORY_EXAMPLES: &str = "\
Examples:
  chancery history
  chancery history routes/echo --patch
  chancery history -n 1000 -o json | jq '.entries[] | select(.from == \"etcd\")'";

const ROLLBACK_EXAMPLES: &str = "\
Examples:
  chancery rollback --change 4711                    # undo one change
  chancery rollback --to 4700 --dry-run
  chancery rollback --to 4700 routes/echo --reason 'release 42' --wait 30s";

const APPLY_EXAMPLES: &str = "\
Examples:
  chancery apply -f documents --dry-run
  chancery apply -f documents/routes/echo.yaml --wait 30s
  chancery apply -f shop --prune --set shop --yes
  chancery export | chancery apply -f - --yes";

const DELETE_EXAMPLES: &str = "\
Examples:
  chancery delete routes/echo
  chancery delete upstreams/echo --force";

const FILES_EXAMPLES: &str = "\
Examples:
  chancery files accept-empty --dry-run
  chancery files accept-empty";

const AUDIT_EXAMPLES: &str = "\
Examples:
  chancery audit
  chancery audit --limit 1000 -o json | jq '.records[] | select(.result == \"refused\")'";

const COLLECT_EXAMPLES: &str = "\
Examples:
  chancery collect
  chancery collect -o trouble.tar.gz && tar -xzOf trouble.tar.gz --wildcards '*/README.txt'";

const COMPLETION_EXAMPLES: &str = "\
Example:
  source <(chancery completion bash)";

const MAN_EXAMPLES: &str = "\
Example:
  chancery man -o /usr/local/share/man/man1 && man chancery-apply";

/// The exit status of a command that was called wrongly.
const USAGE: u8 = 2;

/// The commands with their arguments and flags, as the command line is parsed.
pub fn command() -> clap::Command {
    Cli::command()
}

/// Parses the command line and runs the command.
pub fn run() -> ExitCode {
    crate::tls::install();
    let matches = command().get_matches();
    // What clap has parsed is read by its own code: this never fails.
    let parsed = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match parsed.command {
        Command::Serve(serve) => block_on(async move {
            let variables = serve::variables(&matches);
            match serve::prepare(serve.config, serve.settings, variables) {
                Ok(prepared) => serve::run(prepared).await,
                Err(error) => {
                    eprintln!(
                        "chancery: {error}\nFor more information, try 'chancery serve --help'."
                    );
                    ExitCode::from(USAGE)
                }
            }
        }),
        Command::Validate(validate) => ask("validate", validate::run(*validate)),
        Command::Schema(asked) => schema::run(&asked),
        Command::Demo(demo) => block_on(demo::run(demo)),
        Command::Echo(echo) => block_on(echo::run(echo)),
        Command::Ratelimit(asked) => block_on(ratelimit::run(*asked)),
        Command::Logs(asked) => block_on(logs::run(*asked)),
        Command::Bootstrap(asked) => bootstrap::run(&asked),
        Command::Health(health) => ask("health", health::run(health)),
        Command::Nodes(nodes) => ask("nodes", nodes::run(nodes)),
        Command::Problems(problems) => ask("problems", problems::run(problems)),
        Command::Release(release) => ask("release", release::run(release)),
        Command::Services(services) => ask("services", services::run(services)),
        Command::Documents(documents) => ask("documents", documents::run(documents)),
        Command::Get(get) => ask("get", get::run(get)),
        Command::Export(export) => ask("export", export::run(export)),
        Command::Diff(diff) => ask("diff", diff::run(diff)),
        Command::Apply(apply) => ask("apply", apply::run(apply)),
        Command::Delete(delete) => ask("delete", delete::run(delete)),
        Command::History(history) => ask("history", history::run(history)),
        Command::Rollback(rollback) => ask("rollback", rollback::run(rollback)),
        Command::Accept(accept) => ask("accept", accept::run(accept)),
        Command::Files(files) => ask("files", accept::run_files(files)),
        Command::Explain(explain) => ask("explain", explain::run(explain)),
        Command::Snapshot(snapshot) => ask("snapshot", snapshot::run(snapshot)),
        Command::Watch(watch) => ask("watch", watch::run(watch)),
        Command::Wait(wait) => ask("wait", wait::run(wait)),
        Command::Drain(drain) => ask("drain", drain::run(drain)),
        Command::Undrain(undrain) => ask("undrain", undrain::run(undrain)),
        Command::Prolong(prolong) => ask("prolong", prolong::run(prolong)),
        Command::Drains(drains) => ask("drains", drains::run(drains)),
        Command::Audit(audit) => ask("audit", audit::run(audit)),
        Command::Collect(collect) => ask("collect", collect::run(collect)),
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut command(), "chancery", &mut std::io::stdout());
            ExitCode::SUCCESS
        }
        Command::Man(asked) => man::run(&asked),
    }
}

/// Runs a command that asks a running Chancery.
fn ask(
    name: &'static str,
    command: impl Future<Output = anyhow::Result<ExitCode>> + 'static,
) -> ExitCode {
    block_on(async { remote::exit(name, command.await) })
}

fn block_on(command: impl Future<Output = ExitCode> + 'static) -> ExitCode {
    // One type for all commands: the runtime's loop is compiled once.
    let boxed: Pin<Box<dyn Future<Output = ExitCode>>> = Box::pin(command);
    match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => {
            let code = runtime.block_on(boxed);
            runtime.shutdown_timeout(crate::run::GRACE);
            code
        }
        Err(error) => {
            eprintln!("chancery: cannot start the runtime: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(text: std::fmt::Arguments) {
    if writeln!(std::io::stdout(), "{text}").is_err() {
        std::process::exit(0);
    }
}

/// Waits for SIGTERM or SIGINT, and tells which.
async fn terminated() -> &'static str {
    let (Ok(mut terminate), Ok(mut interrupt)) = (
        signal(SignalKind::terminate()),
        signal(SignalKind::interrupt()),
    ) else {
        tracing::error!("cannot watch signals; only SIGKILL will end this process");
        return std::future::pending().await;
    };
    tokio::select! {
        _ = terminate.recv() => "SIGTERM",
        _ = interrupt.recv() => "SIGINT",
    }
}
