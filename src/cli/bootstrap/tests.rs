use clap::{CommandFactory, Parser};

use super::*;

#[derive(Parser)]
struct Asked {
    #[command(flatten)]
    bootstrap: Bootstrap,
}

fn asked(arguments: &[&str]) -> Result<Bootstrap, String> {
    let all = ["bootstrap"].iter().chain(arguments);
    let asked = Asked::try_parse_from(all).map_err(|error| error.to_string())?;
    Ok(asked.bootstrap)
}

fn printed(arguments: &[&str]) -> String {
    asked(arguments).unwrap().printed().unwrap()
}

fn value(text: &str) -> Value {
    serde_saphyr::from_str(text).unwrap()
}

const TLS: [&str; 6] = [
    "--cert",
    "/c/cert.pem",
    "--key",
    "/c/key.pem",
    "--ca",
    "/c/ca.pem",
];
const CLUSTER: &str = "/static_resources/clusters/0";

#[test]
fn without_anything_given_it_is_what_the_files_say() {
    assert_eq!(value(&printed(&[])), value(DELTA));
    assert_eq!(value(&printed(&["--sotw"])), value(SOTW));
    let text = printed(&[]);
    assert_eq!(
        text.matches("EDIT: ").count(),
        DELTA.matches("EDIT: ").count()
    );
    assert!(text.starts_with("# Envoy's bootstrap for Chancery, printed by chancery "));
    assert!(!text.contains("Copy it"), "{text}");
}

#[test]
fn mutual_tls_is_said_as_in_its_file_for_either_protocol() {
    for (protocol, file) in [(&[][..], DELTA), (&["--sotw"], SOTW)] {
        let mut expected = value(file);
        let mut socket = value(MTLS)
            .pointer(&format!("{CLUSTER}/transport_socket"))
            .unwrap()
            .clone();
        let context = &mut socket["typed_config"]["common_tls_context"];
        context["tls_certificates"][0]["certificate_chain"]["filename"] = json!("/c/cert.pem");
        context["tls_certificates"][0]["private_key"]["filename"] = json!("/c/key.pem");
        context["validation_context"]["trusted_ca"]["filename"] = json!("/c/ca.pem");
        expected["static_resources"]["clusters"][0]["transport_socket"] = socket;
        let text = printed(&[protocol, &TLS].concat());
        assert_eq!(value(&text), expected);
        assert!(text.contains("ADS over mutual TLS."), "{text}");
        assert!(text.contains("# Who this Envoy is."), "{text}");
    }
    let named = printed(&[&TLS[..], &["--server-name", "xds.example.com"]].concat());
    assert!(named.contains("exact: \"xds.example.com\" }"), "{named}");
}

#[test]
fn what_is_given_stands_in_its_place_and_is_no_longer_to_be_edited() {
    let given = [
        "--xds",
        "10.0.0.5:18000,chancery-2:18001",
        "--xds",
        "[::1]:18002",
        "--node",
        "1",
        "--gateway",
        "edge",
        "--envoy-admin",
        "127.0.0.2:9902",
        "--max-heap",
        "512MiB",
        "--max-connections",
        "1000",
    ];
    let mut expected = value(DELTA);
    expected["node"] = json!({ "id": "1", "cluster": "edge" });
    let endpoint = |address: &str, port: u16| json!({ "endpoint": { "address": { "socket_address": { "address": address, "port_value": port } } } });
    let assignment = &mut expected["static_resources"]["clusters"][0]["load_assignment"];
    assignment["endpoints"][0]["lb_endpoints"] = json!([
        endpoint("10.0.0.5", 18000),
        endpoint("chancery-2", 18001),
        endpoint("::1", 18002)
    ]);
    expected["admin"]["address"]["socket_address"] =
        json!({ "address": "127.0.0.2", "port_value": 9902 });
    let monitors = &mut expected["overload_manager"]["resource_monitors"];
    monitors[0]["typed_config"]["max_heap_size_bytes"] = json!(512 * 1024 * 1024);
    monitors[1]["typed_config"]["max_active_downstream_connections"] = json!(1000);
    let text = printed(&given);
    assert_eq!(value(&text), expected);
    assert!(!text.contains("EDIT: "), "{text}");
    assert!(text.contains("# Unique per Envoy, "), "{text}");
    assert!(!text.contains("2 GiB"), "{text}");
    let json = printed(&[&given[..], &["-o", "json"]].concat());
    assert_eq!(serde_json::from_str::<Value>(&json).unwrap(), expected);
}

#[test]
fn any_text_is_a_text_and_what_is_wrong_is_told() {
    let odd = "a: {b}, \"c\" # d\n'e'";
    let text = printed(&[&["--node", odd][..], &TLS[..5], &["/c/a, b }.pem"]].concat());
    let value = value(&text);
    assert_eq!(value["node"]["id"], odd);
    let context = format!("{CLUSTER}/transport_socket/typed_config/common_tls_context");
    let ca = value.pointer(&format!("{context}/validation_context/trusted_ca/filename"));
    assert_eq!(ca.unwrap(), "/c/a, b }.pem");
    for (arguments, said) in [
        (&["--envoy-admin", "0.0.0.0:9901"][..], "loopback"),
        (
            &["--xds", "http://chancery:18000"],
            "allowed is a host and a port",
        ),
        (&["--xds", "chancery"], "allowed is a host and a port"),
        (&["--xds", "::1:18000"], "allowed is a host and a port"),
        (&["--xds", "chancery:0"], "allowed is a host and a port"),
        (&["--gateway", "a/b"], "found the id `a/b`"),
        (&["--max-heap", "0"], "number above 0"),
        (&["--max-heap", "2GB"], "number above 0"),
        (&["--max-heap", "99999999999GiB"], "number above 0"),
        (&["--max-connections", "0"], "0 is not in"),
        (&["--cert", "a"], "--key"),
        (&["--ca", "a"], "--cert"),
    ] {
        let refused = asked(arguments).expect_err(&format!("{arguments:?}"));
        assert!(refused.contains(said), "{arguments:?}: {refused}");
    }
}

#[test]
fn the_defaults_that_help_tells_are_those_of_the_files() {
    let command = Asked::command();
    let helps = command.get_arguments().filter_map(clap::Arg::get_help);
    let helps: Vec<_> = helps.map(ToString::to_string).collect();
    let defaults = helps
        .iter()
        .filter_map(|help| help.split_once("[default: "));
    let defaults: Vec<_> = defaults
        .map(|(_, rest)| rest.trim_end_matches(']').to_owned())
        .collect();
    assert_eq!(defaults.len(), 7, "{defaults:?}");
    for default in defaults {
        let written = match (default.rsplit_once(':'), bytes(&default)) {
            (Some((host, port)), _) => format!("address: {host}, port_value: {port} "),
            (None, Ok(bytes)) => format!(": {bytes} "),
            (None, Err(_)) => format!(": {default}"),
        };
        assert!(MTLS.contains(&written), "{default}: {written}");
    }
}
