//! `metrics.md`: what `/metrics` exposes.

use chancery::telemetry::metrics::{Gauges, LogMetrics, Metrics, Process};

use super::page::{Page, code, sentence};

pub fn page() -> String {
    let mut page = Page::new("Metrics");
    page.paragraph(
        "`/metrics` on the admin port exposes these as OpenMetrics text. [Observing](../how-to/observe.md) says which of \
         them deserve an alert. Those that `chancery logs` counts are at its own port instead, beside those of its process. Envoy's own statistics are at `/stats/prometheus` of its admin port.",
    );
    page.paragraph(
        "A metric with labels has a sample once there is something to count. What is about a gateway that is \
         gone is gone as well.",
    );
    let all = Gauges::ALL.iter().chain(Metrics::ALL).chain(Process::ALL);
    let all = all.chain(LogMetrics::ALL);
    let mut rows: Vec<_> = all.map(row).collect();
    rows.sort();
    page.table(["metric", "type", "labels", "says"], rows);
    page.text()
}

fn row((name, kept_in, help): &(&str, &str, &str)) -> [String; 4] {
    let kept_in: String = kept_in.split_whitespace().collect();
    let kept_in = match &*kept_in {
        "ChangeSeconds" => "Family<Gateway,Histogram>",
        kept_in => kept_in,
    };
    let family = kept_in.strip_prefix("Family<");
    let (labels, kind) = family
        .and_then(|family| family.trim_end_matches('>').split_once(','))
        .unwrap_or(("", kept_in));
    let (kind, names) = match kind {
        "Counter" | "CountedSeconds" => ("counter", vec![format!("{name}_total")]),
        "Gauge" | "Seconds" => ("gauge", vec![(*name).to_owned()]),
        "Histogram" => {
            let ends = ["_bucket", "_sum", "_count"].into_iter();
            let names = ends.map(|end| format!("{name}{end}"));
            ("histogram", names.collect())
        }
        other => panic!("{name} is a metric of a type without a word for it: {other}"),
    };
    let names: Vec<_> = names.iter().map(|name| code(name)).collect();
    [
        names.join(", "),
        kind.to_owned(),
        named(labels),
        sentence(help),
    ]
}

/// The labels that a set of labels is called after: `GatewayType` has `gateway` and `type`.
fn named(set: &str) -> String {
    let mut names: Vec<String> = Vec::new();
    for letter in set.chars() {
        if letter.is_uppercase() {
            names.push(String::new());
        }
        if let Some(name) = names.last_mut() {
            name.extend(letter.to_lowercase());
        }
    }
    if names.is_empty() {
        return "none".to_owned();
    }
    let names: Vec<_> = names.iter().map(|name| code(name)).collect();
    names.join(", ")
}

/// What the names of sets of labels say, they have.
#[test]
fn labels_are_called_what_the_page_says() {
    use chancery::telemetry::metrics::{
        Gateway, GatewayType, Name, Protocol, Reason, RouteMethod, RouteMethodStatus, Source, Ssl,
        Type, VersionProfile,
    };
    let gauges = Gauges::default();
    let gateway = || "a".to_owned();
    let both = GatewayType {
        gateway: gateway(),
        r#type: "routes",
    };
    let _ = gauges.resources.get_or_create(&both);
    let _ = gauges.nodes.get_or_create(&Gateway { gateway: gateway() });
    let _ = gauges.source_up.get_or_create(&Source { source: "etcd" });
    let metrics = Metrics::default();
    let _ = metrics.acks.get_or_create(&Type { r#type: "routes" });
    let _ = metrics
        .streams
        .get_or_create(&Protocol { protocol: "sotw" });
    let _ = metrics
        .requests_refused
        .get_or_create(&Reason { reason: "rate" });
    let name = "other";
    let _ = metrics.unserved.get_or_create(&Name { name });
    let ssl = "a".to_owned();
    let _ = gauges.certificate_expiry.get_or_create(&Ssl { ssl });
    let program = VersionProfile {
        version: "1.2.3",
        profile: "debug",
    };
    let _ = gauges.build.get_or_create(&program);
    let (route, method) = ("/x".to_owned(), "GET");
    let of = RouteMethodStatus {
        route: route.clone(),
        method,
        status: 200,
    };
    let _ = metrics.http_requests.get_or_create(&of);
    let of = RouteMethod { route, method };
    let _ = metrics.http_request_seconds.get_or_create(&of);
    let process = Process::default();
    let text = metrics.encode(&gauges, &process).expect("a text");
    for sample in [
        r#"chancery_resources{gateway="a",type="routes"} 0"#,
        r#"chancery_nodes{gateway="a"} 0"#,
        r#"chancery_source_up{source="etcd"} 0"#,
        r#"chancery_xds_acks_total{type="routes"} 0"#,
        r#"chancery_xds_streams{protocol="sotw"} 0"#,
        r#"chancery_xds_refused_total{reason="rate"} 0"#,
        r#"chancery_xds_unserved_total{name="other"} 0"#,
        r#"chancery_certificate_expiry_seconds{ssl="a"} 0"#,
        r#"chancery_build_info{version="1.2.3",profile="debug"} 0"#,
        r#"chancery_http_requests_total{route="/x",method="GET",status="200"} 0"#,
        r#"chancery_http_request_seconds_count{route="/x",method="GET"} 0"#,
        "process_cpu_seconds_total 0.0",
        "process_open_fds 0",
    ] {
        assert!(text.contains(sample), "{sample} is not in {text}");
    }
}
