//! The metrics that `/metrics` shows, in OpenMetrics text.

use std::fmt;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::{EncodeLabelSet, text};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::Registry;

/// Labels of metrics by type of resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Type {
    /// `clusters`, `endpoints`, …
    pub r#type: &'static str,
}

/// Labels of metrics by protocol.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Protocol {
    /// `sotw` or `delta`.
    pub protocol: &'static str,
}

/// Labels of metrics by reason.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Reason {
    pub reason: &'static str,
}

/// Labels of metrics by what was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Name {
    /// The name of a service or a type, of a list that is fixed; `other` for all others.
    pub name: &'static str,
}

/// Labels of metrics by gateway.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Gateway {
    pub gateway: String,
}

/// Labels of metrics by gateway and type of resource.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct GatewayType {
    pub gateway: String,
    /// `clusters`, `endpoints`, …
    pub r#type: &'static str,
}

/// Labels of what is said of the program.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct VersionProfile {
    pub version: &'static str,
    /// `release` or `debug`.
    pub profile: &'static str,
}

/// Labels of metrics by certificate.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Ssl {
    /// The id of the document.
    pub ssl: String,
}

/// Labels of metrics by call over HTTP.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteMethod {
    /// The template of its path; `other` for paths that no call has.
    pub route: String,
    /// One of HTTP's own; `other` for all others.
    pub method: &'static str,
}

/// Labels of metrics by call over HTTP, and by what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RouteMethodStatus {
    pub route: String,
    pub method: &'static str,
    /// As HTTP has it.
    pub status: u16,
}

/// The template of the path that an answer is to: on answers, for those who count them.
#[derive(Debug, Clone)]
pub struct Template(pub String);

/// Labels of metrics by source.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct Source {
    /// `etcd`, `consul`, `files`.
    pub source: &'static str,
}

type Seconds = Gauge<f64, AtomicU64>;

type CountedSeconds = Counter<f64, AtomicU64>;

/// How long changes take, by gateway.
pub type ChangeSeconds = Family<Gateway, Histogram>;

/// Declares a set of metrics: a field each, registered under its name, behind the prefix of the set, with its help text.
macro_rules! metrics {
    ($(#[$doc:meta])* $set:ident $prefix:literal $($field:ident: $kind:ty = $make:expr, $name:literal, $help:literal;)*) => {
        $(#[$doc])*
        pub struct $set {
            registry: Registry,
            $(#[doc = $help] pub $field: $kind,)*
        }

        impl $set {
            /// What there is: the name of each, the type that it is kept in, and its help text.
            pub const ALL: &[(&str, &str, &str)] =
                &[$((concat!($prefix, "_", $name), stringify!($kind), $help)),*];
        }

        impl Default for $set {
            fn default() -> Self {
                let mut registry = Registry::with_prefix($prefix);
                $(
                    let $field: $kind = $make;
                    registry.register($name, $help, $field.clone());
                )*
                Self { registry, $($field,)* }
            }
        }

        impl fmt::Debug for $set {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_struct(stringify!($set)).finish_non_exhaustive()
            }
        }
    };
}

metrics! {
    /// What is counted where it happens, for the life of the process.
    Metrics "chancery"
    snapshots: Family<Gateway, Counter> = Family::default(), "snapshots", "Snapshots published";
    change_seconds: ChangeSeconds = change_seconds(), "change_seconds", "From the first that a source told of a change until the last proxy that it concerns had accepted it";
    documents_rejected: Gauge = Gauge::default(), "documents_rejected", "Documents that are bad now; the last good form of each is in force";
    documents_refused: Gauge = Gauge::default(), "documents_refused", "Documents that a proxy refused; they are rolled back to what it accepted last";
    document_rejections: Counter = Counter::default(), "document_rejections", "Documents found bad since the start";
    routes_waiting: Gauge = Gauge::default(), "routes_waiting", "Routes that wait for the first answer of their service";
    documents_missing: Gauge = Gauge::default(), "documents_missing", "Documents that stay in force though the store, whose revision went back, does not have them; `chancery accept` gives them up";
    instances_kept: Gauge = Gauge::default(), "instances_kept", "Instances that stay for a while though Consul took away all healthy ones of their service at once";
    drains: Gauge = Gauge::default(), "drains", "Instances that drains take out";
    drain_end: Gauge = Gauge::default(), "drain_end_seconds", "When the drain that ends first puts its instance back by itself, in seconds since 1970; 0 while there is none";
    source_events: Family<Source, Counter> = Family::default(), "source_events", "Times that a source told something: changes of documents, answers about services";
    streams: Family<Protocol, Gauge> = Family::default(), "xds_streams", "Open xDS streams";
    requests_refused: Family<Reason, Counter> = Family::default(), "xds_refused", "xDS streams ended because of what the client did";
    unserved: Family<Name, Counter> = Family::default(), "xds_unserved", "Calls of services, and types on streams, that proxies asked for and that are not served";
    documents_not_served: Gauge = Gauge::default(), "documents_not_served", "Documents that some proxies are not served, as they are too old for them";
    responses: Family<Type, Counter> = Family::default(), "xds_responses", "xDS responses sent";
    response_bytes: Family<Type, Counter> = Family::default(), "xds_response_bytes", "Bytes of xDS responses sent";
    acks: Family<Type, Counter> = Family::default(), "xds_acks", "Responses that clients accepted";
    nacks: Family<Type, Counter> = Family::default(), "xds_nacks", "Responses that clients refused";
    expired_nonces: Family<Type, Counter> = Family::default(), "xds_expired_nonces", "Requests that answered a response which was not the last one any more; they say what the client wants, and accept nothing";
    ack_seconds: Family<Type, Histogram> = Family::new_with_constructor(ack_histogram), "xds_ack_seconds", "From the hand-out of a response to the client's answer";
    http_requests: Family<RouteMethodStatus, Counter> = Family::default(), "http_requests", "Requests to the admin port that were answered";
    http_request_seconds: Family<RouteMethod, Histogram> = Family::new_with_constructor(request_histogram), "http_request_seconds", "From the head of a request to the admin port until the head of its answer; what waits for proxies is as long as they take";
    trace_spans_dropped: Family<Reason, Counter> = Family::default(), "trace_spans_dropped", "Spans that no collector has: `collector` did not take them, `queue` had no room for them, or they are of more changes at once than are traced (`changes`, each counted once)";
    state_write_failures: Counter = Counter::default(), "state_write_failures", "Times that the state could not be saved";
}

metrics! {
    /// What is read off the rooms for one scrape, and is that scrape's own: scrapers at once do not meet, and what is gone
    /// is in no later one.
    Gauges "chancery"
    build: Family<VersionProfile, Gauge> = Family::default(), "build_info", "1, with the version of Chancery, and whether it was built for use (`release`) or not (`debug`)";
    snapshot_revision: Family<Gateway, Gauge> = Family::default(), "snapshot_revision", "The store's revision that the newest snapshot includes";
    resources: Family<GatewayType, Gauge> = Family::default(), "resources", "Resources in the newest snapshot";
    route_table_bytes: Family<Gateway, Gauge> = Family::default(), "route_table_bytes", "Bytes of the route table in the newest snapshot, of the largest where they are divided: what a changed route sends to each proxy";
    nodes_behind: Family<Gateway, Gauge> = Family::default(), "nodes_behind", "Connected nodes that have not accepted the newest snapshot";
    nodes_foreign: Family<Gateway, Gauge> = Family::default(), "nodes_foreign", "Connected nodes that do not say which Envoy they are; they are served what every Envoy can do";
    nodes: Family<Gateway, Gauge> = Family::default(), "nodes", "Connected nodes";
    source_age: Family<Source, Seconds> = Family::default(), "source_age_seconds", "Since a source last answered; -1 when it never has";
    serving_saved_state: Family<Source, Gauge> = Family::default(), "serving_saved_state", "1 while what an earlier process saved is served in place of a source that has not answered yet";
    state_age: Family<Source, Seconds> = Family::default(), "state_age_seconds", "How old the saved state is that is served in place of a source; 0 when none is";
    certificate_expiry: Family<Ssl, Gauge> = Family::default(), "certificate_expiry_seconds", "When the first certificate of an ssl in force ends, in seconds since 1970; of the 100 that end first";
    replicas: Gauge = Gauge::default(), "replicas", "Live replicas on the same store, this one too; 0 while that is not known, as etcd is away";
    source_up: Family<Source, Gauge> = Family::default(), "source_up", "1 when the last call of a source succeeded, 0 when it failed; nothing before the first, as of a registry that no document names";
}

metrics! {
    /// What the system says of the process, named as every Prometheus client names it. A scrape's own too.
    Process "process"
    resident_memory: Gauge = Gauge::default(), "resident_memory_bytes", "Memory that the process has in use";
    cpu: CountedSeconds = CountedSeconds::default(), "cpu_seconds", "Processor time that the process has spent";
    open_fds: Gauge = Gauge::default(), "open_fds", "Files and sockets that the process has open";
    max_fds: Gauge = Gauge::default(), "max_fds", "How many of these the system allows it";
    start_time: Seconds = Seconds::default(), "start_time_seconds", "When the process began, in seconds since 1970";
}

metrics! {
    /// What `chancery logs` counts, which shows them on its own port.
    LogMetrics "chancery_logs"
    entries: Counter = Counter::default(), "entries", "Requests that proxies told of";
    sent: Counter = Counter::default(), "sent", "Entries that a target has taken; a request has one for each of its targets";
    lost: Family<Reason, Counter> = Family::default(), "lost", "Entries that no target has: its buffer was `full`, it `refused` them, all retries included, they are too `large` for a datagram, there are too many `targets`, the target is `unknown` to this version, or they waited at the `end` of the process";
    failures: Counter = Counter::default(), "failures", "Times that a target did not take a batch; it is sent again as often as its document says";
    waiting: Gauge = Gauge::default(), "waiting", "Entries that wait for their targets, with those on their way";
    targets: Gauge = Gauge::default(), "targets", "Targets that entries came for in the last ten minutes";
}

impl LogMetrics {
    /// All of them, as OpenMetrics text.
    pub fn encode(&self, process: &Process) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode_registry(&mut out, &process.registry)?;
        text::encode_registry(&mut out, &self.registry)?;
        text::encode_eof(&mut out)?;
        Ok(out)
    }
}

/// Of nobody's changes yet.
pub fn change_seconds() -> ChangeSeconds {
    Family::new_with_constructor(|| {
        Histogram::new([
            0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0,
        ])
    })
}

fn request_histogram() -> Histogram {
    Histogram::new([0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 30.0])
}

fn ack_histogram() -> Histogram {
    Histogram::new([
        0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 15.0,
    ])
}

impl Metrics {
    /// All of them and a scrape's own, as OpenMetrics text.
    pub fn encode(&self, gauges: &Gauges, process: &Process) -> Result<String, fmt::Error> {
        let mut out = String::new();
        text::encode_registry(&mut out, &process.registry)?;
        text::encode_registry(&mut out, &gauges.registry)?;
        text::encode_registry(&mut out, &self.registry)?;
        text::encode_eof(&mut out)?;
        Ok(out)
    }
}
