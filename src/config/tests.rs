use std::time::Duration;

use super::*;

/// Settings as a file of these lines has them, besides a folder of documents.
fn settings(lines: &str) -> Result<Config, Error> {
    let text = format!("files: documents\n{lines}");
    serde_saphyr::from_str::<Settings>(&text).unwrap().check()
}

fn refusal(lines: &str) -> String {
    settings(lines).unwrap_err().to_string()
}

const CERTIFICATE: &str = "xds-cert: c.pem\nxds-key: c.key\n";
const MUTUAL: &str = "xds-cert: c.pem\nxds-key: c.key\nxds-client-ca: ca.pem\n";

#[test]
fn other_machines_reach_the_xds_port_only_where_it_knows_them() {
    let exposed = "xds: 0.0.0.0:18000\n";
    for unknown in ["", CERTIFICATE] {
        let text = refusal(&format!("{exposed}{unknown}"));
        assert!(text.contains("xds-client-ca"), "{text}");
        assert!(settings(&format!("{exposed}{unknown}insecure: true\n")).is_ok());
    }
    assert!(settings(&format!("{exposed}{MUTUAL}")).is_ok());
    let text = refusal(&format!("admin: 0.0.0.0:9180\n{MUTUAL}"));
    assert!(text.contains("--admin"), "{text}");
}

#[test]
fn certificates_come_complete() {
    for (lines, missing) in [
        ("xds-cert: c.pem\n", "xds-cert and xds-key go together"),
        ("xds-client-ca: ca.pem\n", "give xds-cert and xds-key too"),
        (
            &format!("{CERTIFICATE}xds-clients: {{ a: [b] }}\n"),
            "give xds-client-ca too",
        ),
    ] {
        let text = refusal(lines);
        assert!(text.contains(missing), "{text}");
    }
}

#[test]
fn limits_are_settable_and_not_zero() {
    let config = settings("max-streams: 5\nslow-reader: 7\n").unwrap();
    assert_eq!(config.xds.limits.streams, 5);
    assert_eq!(config.xds.limits.slow_reader, Duration::from_secs(7));
    let default = Limits::default().connection_rate;
    assert_eq!(config.xds.limits.connection_rate, default);
    for flag in [
        "max-streams",
        "max-connection-rate",
        "max-request-rate",
        "slow-reader",
    ] {
        let text = refusal(&format!("{flag}: 0\n"));
        assert!(text.contains(flag), "{text}");
    }
}

#[test]
fn the_rule_of_clients_is_read() {
    let lines = "xds-clients: { 'spiffe://example.com/edge': [default, edge] }\n";
    let config = settings(&format!("{MUTUAL}{lines}")).unwrap();
    let Clients(rules) = config.xds.clients;
    assert_eq!(rules["spiffe://example.com/edge"], ["default", "edge"]);
}
