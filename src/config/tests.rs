use std::time::Duration;

use clap::FromArgMatches;

use super::*;
use crate::registry::consul;

/// Settings as a file of these lines has them, besides a folder of documents.
fn settings(lines: &str) -> Result<Config, Error> {
    let text = format!("files: documents\n{lines}");
    serde_saphyr::from_str::<Settings>(&text).unwrap().check()
}

fn consul(config: Config) -> consul::Settings {
    let mut registries = config.registries.into_iter();
    let found = registries.find_map(|registry| match registry {
        Registry::Consul(settings) => Some(settings),
        Registry::Files(_) => None,
    });
    found.unwrap()
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
        ("admin-key: c.key\n", "admin-cert and admin-key go together"),
        (
            "admin-client-ca: ca.pem\n",
            "give admin-cert and admin-key too",
        ),
        (
            &format!("{CERTIFICATE}xds-clients: {{ a: [b] }}\n"),
            "give xds-client-ca too",
        ),
        (
            &format!("{CERTIFICATE}xds-client-crl: revoked.pem\n"),
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
    assert_eq!(config.xds.limits.connection_age, None);
    let config = settings("max-connection-age: 12h\n").unwrap();
    let age = Duration::from_secs(12 * 3600);
    assert_eq!(config.xds.limits.connection_age, Some(age));
    let text = refusal("max-connection-age: 59s\n");
    assert!(
        text.contains("found \"59s\", allowed are times from 1m"),
        "{text}"
    );
    for flag in [
        "max-streams",
        "max-connections-per-address",
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

const HASH: &str = "sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";

#[test]
fn other_machines_reach_the_admin_port_only_where_it_knows_them() {
    let certificates = "admin-cert: c.pem\nadmin-key: c.key\n";
    let text = refusal(&format!("admin: 0.0.0.0:9180\n{certificates}"));
    assert!(text.contains("admin-client-ca"), "{text}");
    let mutual = format!("admin: 0.0.0.0:9180\n{certificates}admin-client-ca: ca.pem\n");
    assert!(settings(&mutual).unwrap().admin_tls.is_some());
    let key = format!("- {{ name: deploy, hash: '{HASH}', roles: [drain] }}\n");
    let exposed = "admin: 0.0.0.0:9180\n";
    let text = refusal(exposed);
    assert!(text.contains("set api-keys"), "{text}");
    let config = settings(&format!("{exposed}api-keys:\n{key}")).unwrap();
    assert_eq!(config.access.borrow().keys[0].name, "deploy");
    let text = refusal(&format!("api-keys:\n{key}{key}"));
    assert!(text.contains("api-keys[1].name"), "{text}");
    assert!(!config.access.borrow().parameter_refused);
    let config = settings("api-key-parameter: false\n").unwrap();
    assert!(config.access.borrow().parameter_refused);
}

#[test]
fn a_key_in_the_place_of_its_hash_is_refused_and_not_repeated() {
    let lines = "files: documents\napi-keys:\n- { name: deploy, hash: hunter2, roles: [drain] }\n";
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chancery.yaml");
    std::fs::write(&file, lines).unwrap();
    let text = Settings::from_file(&file).err().unwrap().to_string();
    assert!(
        text.contains("sha256:") && !text.contains("hunter2"),
        "{text}"
    );
}

#[test]
fn what_draining_needs_is_read() {
    let lines =
        "drain-networks: [10.0.0.0/8]\naudit-keep: 12h\nconsul-agent: 'http://{node}:8500/'\n";
    let config = settings(lines).unwrap();
    assert_eq!(config.access.borrow().networks.len(), 1);
    assert_eq!(config.audit_keep, Duration::from_secs(12 * 3600));
    assert_eq!(config.consul_agent.as_deref(), Some("http://{node}:8500"));
    for (line, named) in [
        ("audit-keep: 1s", "--audit-keep"),
        ("audit-keep: ever", "--audit-keep"),
        ("history-keep: 1000y", "--history-keep"),
        ("consul-agent: '{node}:8500'", "--consul-agent"),
    ] {
        let text = refusal(&format!("{line}\n"));
        assert!(text.contains(named), "{text}");
    }
}

#[test]
fn how_long_lost_instances_are_kept_is_read() {
    let kept = |lines: &str| settings(lines).unwrap().keep_lost;
    assert_eq!(kept(""), Duration::from_secs(60));
    assert_eq!(kept("keep-lost: 5m\n"), Duration::from_secs(300));
    assert_eq!(kept("keep-lost: '0'\n"), Duration::ZERO);
    let from = |lines: &str| settings(lines).unwrap().keep_lost_from;
    assert_eq!((from(""), from("keep-lost-from: 50\n")), (100, 50));
    for wrong in [0, 101] {
        let text = refusal(&format!("keep-lost-from: {wrong}\n"));
        assert!(text.contains("--keep-lost-from: found"), "{text}");
    }
    for wrong in ["25h", "ever", "-1s"] {
        let text = refusal(&format!("keep-lost: {wrong}\n"));
        assert!(text.contains("--keep-lost: found"), "{text}");
    }
}

#[test]
fn several_agents_of_consul_are_read_in_their_order() {
    let config = settings("consul: ['http://10.0.0.1:8500/', 'http://10.0.0.2:8500']\n").unwrap();
    let addresses = consul(config).addresses;
    assert_eq!(addresses, ["http://10.0.0.1:8500", "http://10.0.0.2:8500"]);
    let flags = [
        "chancery",
        "--files",
        "documents",
        "--consul",
        "http://a:8500,http://b:8500",
    ];
    let command = Settings::augment_args(clap::Command::new("chancery"));
    let matches = command.get_matches_from(flags);
    let config = Settings::from_arg_matches(&matches)
        .unwrap()
        .check()
        .unwrap();
    assert_eq!(consul(config).addresses, ["http://a:8500", "http://b:8500"]);
}

#[test]
fn where_consul_is_says_what_is_allowed_and_repeats_no_password() {
    let one = |url: &str| refusal(&format!("consul: ['http://10.0.0.1:8500', '{url}']\n"));
    for url in [
        "",
        "10.0.0.2:8500",
        "unix:///run/consul",
        "ftp://me:hunter2@consul",
    ] {
        let text = one(url);
        assert!(
            text.contains("--consul: found") && !text.contains("hunter2"),
            "{text}"
        );
    }
    let text = one("http://me:hunter2@consul:8500");
    assert!(
        text.contains("URL 2 of 2") && text.contains("--consul-token-file"),
        "{text}"
    );
    assert!(!text.contains("hunter2"), "{text}");
    // All of them, as the next one is asked with the same certificate.
    let text = refusal("consul: ['https://a:8501', 'http://b:8500']\nconsul-ca: ca.pem\n");
    assert!(
        text.contains("http://b:8500") && text.contains("https"),
        "{text}"
    );
}

#[test]
fn the_token_for_consul_comes_from_one_place() {
    let consul = "consul: ['http://127.0.0.1:8500']\n";
    let config = settings(&format!("{consul}consul-token-file: /run/token\n")).unwrap();
    let given = self::consul(config);
    assert_eq!(given.token_file.unwrap().to_str(), Some("/run/token"));
    assert_eq!(given.token, None);
    let both = format!("{consul}consul-token-file: /run/token\nconsul-token: hunter2\n");
    let text = refusal(&both);
    assert!(
        text.contains("give one") && !text.contains("hunter2"),
        "{text}"
    );
    for alone in ["consul-token-file: /run/token\n", "consul-token: hunter2\n"] {
        let text = refusal(alone);
        assert!(
            text.contains("--consul URL") && !text.contains("hunter2"),
            "{text}"
        );
    }
    let text = refusal("consul: ['https://a:8501']\nconsul-cert: c.pem\n");
    assert!(text.contains("consul-key"), "{text}");
}

#[test]
fn documents_learn_nothing_of_variables_that_are_not_listed() {
    let found = |lines: &str| settings(lines).map(|config| format!("{:?}", config.lookup));
    assert_eq!(found("").unwrap(), "Lookup(0)");
    assert_eq!(found("secrets-env: ['']\n").unwrap(), "Lookup(0)");
    // Cargo sets these for every test.
    assert_eq!(
        found("secrets-env: [CARGO_PKG_NAME]\n").unwrap(),
        "Lookup(1)"
    );
    assert_eq!(found("secrets-env: [NOWHERE_SET]\n").unwrap(), "Lookup(0)");
    let text = refusal("secrets-env: [CHANCERY_CONSUL_TOKEN]\n");
    assert_eq!(
        text,
        "--secrets-env: found \"CHANCERY_CONSUL_TOKEN\", allowed: other names than CHANCERY_…, which are Chancery's own settings"
    );
}

#[test]
fn a_keyring_has_keys_of_two_lengths_and_is_shown_nowhere() {
    let keys = |lines: &str| settings(lines).map(|config| format!("{:?}", config.keyring));
    assert_eq!(keys("").unwrap(), "Keyring(0)");
    assert_eq!(
        keys("data-encryption-keyring: ['']\n").unwrap(),
        "Keyring(0)"
    );
    let ring = "data-encryption-keyring: [edd1c9f0985e76a2, 0123456789abcdef0123456789abcdef]\n";
    assert_eq!(keys(ring).unwrap(), "Keyring(2)");
    // A number in YAML, and a text all the same.
    let digits = "data-encryption-keyring: [1234567890123456]\n";
    assert_eq!(keys(digits).unwrap(), "Keyring(1)");
    let text = refusal("data-encryption-keyring: [edd1c9f0985e76a2, hunter2]\n");
    assert_eq!(
        text,
        "--data-encryption-keyring: key 2 of 2 has 7 bytes, allowed: 16 or 32, as APISIX has it"
    );
    let given = |line: &[&str]| {
        let command = Settings::augment_args(clap::Command::new("chancery"));
        let matches = command.try_get_matches_from(line).unwrap();
        Settings::from_arg_matches(&matches).unwrap()
    };
    let ring = "edd1c9f0985e76a2,qeddd145sfvddff3";
    let flags = given(&[
        "chancery",
        "--files",
        "d",
        "--data-encryption-keyring",
        ring,
    ]);
    assert!(!format!("{flags:?}").contains("edd1"));
    let config = flags.check().unwrap();
    assert_eq!(format!("{:?}", config.keyring), "Keyring(2)");
}

#[test]
fn traces_go_to_a_collector_that_has_a_url() {
    assert_eq!(settings("").unwrap().traces, None);
    // As compose files have what is not set.
    assert_eq!(settings("otlp-traces: ''\n").unwrap().traces, None);
    let url = "otlp-traces: http://collector:4317\n";
    let protocol = |lines: &str| {
        let config = settings(&format!("{url}{lines}")).unwrap();
        config.traces.unwrap().protocol
    };
    assert_eq!(protocol(""), traces::Protocol::Grpc);
    assert_eq!(
        protocol("otlp-traces-protocol: http\n"),
        traces::Protocol::Http
    );
    let text = refusal("otlp-traces-protocol: http\n");
    assert!(text.contains("give otlp-traces"), "{text}");
    for wrong in ["collector:4317", "user:planted@collector", "ftp://c"] {
        let text = refusal(&format!("otlp-traces: {wrong}\n"));
        assert!(text.contains("http://127.0.0.1:4317"), "{text}");
        assert!(!text.contains("planted"), "{text}");
    }
}
