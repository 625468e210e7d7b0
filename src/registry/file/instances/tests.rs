use super::read;
use crate::model::Instance;
use crate::model::document::Format;
use crate::model::instance::Status;

fn yaml(text: &str) -> Result<Vec<Instance>, String> {
    read(Format::Yaml, text.as_bytes())
}

fn json(text: &str) -> Result<Vec<Instance>, String> {
    read(Format::Json, text.as_bytes())
}

#[test]
fn what_is_not_written_has_its_default() {
    let found = yaml("instances:\n- { address: 10.0.0.1, port: 80 }\n").unwrap();
    let expected = Instance::new("10.0.0.1:80", "10.0.0.1".parse().unwrap(), 80);
    assert_eq!(found, [expected]);
}

#[test]
fn yaml_and_json_say_the_same() {
    let one = yaml(
        "instances:\n- { id: a, address: '::1', port: 80, weight: 0, healthy: true, metadata: { version: v2 } }",
    );
    let other = json(
        r#"{"instances": [{"id": "a", "address": "::1", "port": 80, "weight": 0, "metadata": {"version": "v2"}}]}"#,
    );
    assert_eq!(one, other);
    let instance = &one.unwrap()[0];
    assert_eq!(&*instance.id, "a");
    assert_eq!(instance.weight, 0);
    assert_eq!(instance.metadata["version"], "v2");
}

#[test]
fn an_unhealthy_instance_is_critical() {
    let text = "instances:\n- { id: a, address: 10.0.0.1, port: 80, healthy: false }\n- { id: b, address: 10.0.0.2, port: 80 }";
    let found = yaml(text).unwrap();
    let statuses: Vec<_> = found.iter().map(|found| found.status).collect();
    assert_eq!(statuses, [Status::Critical, Status::Passing]);
}

#[test]
fn an_empty_list_is_an_answer_and_an_empty_file_is_none() {
    assert_eq!(yaml("instances: []").unwrap(), []);
    assert_eq!(json(r#"{"instances": []}"#).unwrap(), []);
    for text in ["", "{}", "[]", "instances: []\n---\ninstances: []"] {
        yaml(text).unwrap_err();
    }
    for text in [
        "",
        "{}",
        "[]",
        r#"{"instances": null}"#,
        r#"{"instances": []} x"#,
    ] {
        json(text).unwrap_err();
    }
}

#[test]
fn an_error_names_the_field_the_place_and_what_is_allowed() {
    let cases: [(&str, &[&str]); 8] = [
        (
            "address: 10.0.0.1, port: 80, colour: red",
            &["instances[1].colour", "expected one of", "weight", "line 3"],
        ),
        (
            "address: db.example, port: 80",
            &[
                "instances[1].address",
                "`db.example`",
                "IP address",
                "line 3",
            ],
        ),
        (
            "address: 10.0.0.1, port: 0",
            &["instances[1].port", "found 0", "1 to 65535", "line 3"],
        ),
        (
            "address: 10.0.0.1, port: 70000",
            &["instances[1].port", "line 3"],
        ),
        (
            "address: 10.0.0.1, port: http",
            &["instances[1].port", "u16", "line 3"],
        ),
        (
            "address: 10.0.0.1",
            &["instances[1]", "missing field `port`", "line 3"],
        ),
        (
            "address: 10.0.0.1, port: 80, healthy: yes",
            &["instances[1].healthy", "true/false", "line 3"],
        ),
        (
            "address: 10.0.0.9, port: 80",
            &["instances[1].id", "`10.0.0.9:80`", "twice"],
        ),
    ];
    for (entry, words) in cases {
        let text = format!("instances:\n- {{ address: 10.0.0.9, port: 80 }}\n- {{ {entry} }}\n");
        let error = yaml(&text).unwrap_err();
        for word in words {
            assert!(error.contains(word), "`{word}` is not in `{error}`");
        }
    }
    let error = json(r#"{"instances": [{"address": "10.0.0.1", "port": 0}]}"#).unwrap_err();
    assert!(
        error.contains("instances[0].port") && error.contains("line 1"),
        "{error}"
    );
}

#[test]
fn what_is_no_list_of_instances_is_not_quoted() {
    for text in [
        "root:$6$secret:19000:0:99999:7:::\ndaemon:*:19000::::::\n",
        "secret",
        "\"secret\"",
        "- secret\n- other",
        "*secret",
        "!secret x",
        "&secret x",
        "secret: [",
        "secret: 'x",
        "secret: 1\nsecret: 2",
        "{secret",
        "%secret",
        "-----BEGIN secret-----\nMIIBsecret\n-----END secret-----\n",
        "instances: secret",
        "instances: {secret: 1}",
    ] {
        for format in [Format::Yaml, Format::Json] {
            let said = read(format, text.as_bytes()).unwrap_err();
            assert!(!said.contains("secret"), "{format:?} {text:?}: {said}");
        }
    }
}
