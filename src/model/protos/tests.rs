use std::fmt::Write as _;

use proptest::prelude::*;
use prost_reflect::DescriptorPool;
use serde_json::json;

use super::*;

const ECHO: &str = r#"
syntax = "proto3";
package echo.v1;
import "google/protobuf/timestamp.proto";
import "google/protobuf/duration.proto";
service Other { rpc Say (Unused) returns (Told); }
service Echo {
  rpc Say (Ask) returns (Told);
  rpc Count (Ask) returns (Counted);
  rpc Watch (Ask) returns (stream Told);
}
message Ask { string name = 1; Outer.Inner inner = 2; map<int64, Color> colors = 3; google.protobuf.Timestamp at = 4; }
message Outer { message Inner { Outer outer = 1; } enum Unused { NONE = 0; } }
message Told { string text = 1; map<int64, string> by_number = 2; }
message Counted { Deep deep = 1; }
message Deep { repeated fixed64 big = 1; }
message Unused { google.protobuf.Duration long = 1; }
enum Color { RED = 0; }
"#;

fn set(content: &str) -> FileDescriptorSet {
    FileDescriptorSet {
        file: of(content).unwrap().files,
    }
}

fn base64(set: &FileDescriptorSet) -> String {
    STANDARD.encode(set.encode_to_vec())
}

fn refusal(content: &str) -> String {
    of(content).unwrap_err()
}

#[test]
fn a_method_is_cut_out_with_what_it_needs() {
    let method = of(ECHO)
        .unwrap()
        .method("echo.v1.Echo", "Say", None)
        .unwrap();
    assert_eq!(method.wide, None);
    // Another reader of descriptors finds nothing missing.
    let pool = DescriptorPool::decode(method.descriptors.as_slice()).unwrap();
    let names: Vec<_> = pool.files().map(|file| file.name().to_owned()).collect();
    assert_eq!(names, ["google/protobuf/timestamp.proto", "content"]);
    let messages = pool.all_messages().map(|one| one.full_name().to_owned());
    let mut messages: Vec<_> = messages.filter(|name| !name.ends_with("Entry")).collect();
    messages.sort();
    let kept = [
        "echo.v1.Ask",
        "echo.v1.Outer",
        "echo.v1.Outer.Inner",
        "echo.v1.Told",
    ];
    assert_eq!(messages[..4], kept);
    assert_eq!(messages[4..], ["google.protobuf.Timestamp"]);
    let services: Vec<_> = pool.services().collect();
    assert_eq!(services.len(), 1);
    let methods: Vec<_> = services[0]
        .methods()
        .map(|one| one.name().to_owned())
        .collect();
    assert_eq!(methods, ["Say"]);
}

#[test]
fn every_request_is_a_call() {
    let method = of(ECHO)
        .unwrap()
        .method("echo.v1.Echo", "Say", None)
        .unwrap();
    // The field 72295728 as protobuf writes it, a message.
    let tag = [0x82, 0xd3, 0xe4, 0x93, 0x02];
    let mut windows = method.descriptors.windows(tag.len());
    let at = windows
        .position(|window| window == tag)
        .expect("the annotation");
    let rule = &method.descriptors[at + tag.len() + 1..];
    let custom = b"\x42\x08\x0a\x01*\x12\x03/**";
    let bodies: Vec<u8> = [0x22_u8, 0x1a, 0x32]
        .into_iter()
        .flat_map(|field| [&[0x5a, 8, field, 3][..], b"/**", &[0x3a, 1], b"*"].concat())
        .collect();
    assert_eq!(rule, [&custom[..], &bodies].concat());
}

#[test]
fn texts_and_sets_of_descriptors_are_the_same() {
    let protos = of(ECHO).unwrap();
    let method = |protos: &Protos| protos.method("echo.v1.Echo", "Say", None).unwrap();
    let first = method(&protos);
    let binary = base64(&set(ECHO));
    assert_eq!(method(&of(&binary).unwrap()), first);
    let mut lines = String::new();
    for line in binary.as_bytes().chunks(76) {
        writeln!(lines, "{}", String::from_utf8_lossy(line)).unwrap();
    }
    assert_eq!(method(&of(&lines).unwrap()), first);
    // In any order, and without what is known anyway.
    let mut turned = set(ECHO);
    turned
        .file
        .retain(|file| !file.name().starts_with("google/"));
    turned.file.reverse();
    assert_eq!(method(&of(&base64(&turned)).unwrap()), first);
    assert_eq!(method(&of(ECHO).unwrap()), first);
}

#[test]
fn integers_that_json_lacks_are_found() {
    let protos = of(ECHO).unwrap();
    let wide = |method| protos.method("echo.v1.Echo", method, None).unwrap().wide;
    assert_eq!(wide("Count").as_deref(), Some("echo.v1.Deep.big"));
    // A map's keys are texts anyway.
    assert_eq!(wide("Say"), None);
}

#[test]
fn a_detail_of_errors_is_kept() {
    let protos = of(ECHO).unwrap();
    let with = protos.method("echo.v1.Echo", "Say", Some("echo.v1.Unused"));
    let pool = DescriptorPool::decode(with.unwrap().descriptors.as_slice()).unwrap();
    assert!(pool.get_message_by_name("echo.v1.Unused").is_some());
    assert!(
        pool.get_message_by_name("google.protobuf.Duration")
            .is_some()
    );
    let remark = protos
        .method("echo.v1.Echo", "Say", Some("Unused"))
        .unwrap_err();
    assert_eq!(remark.field, "status_detail_type");
    assert!(
        remark.message.contains("found \"Unused\""),
        "{}",
        remark.message
    );
}

#[test]
fn what_is_not_there_is_named_with_what_is() {
    let protos = of(ECHO).unwrap();
    for (service, method, field, message) in [
        (
            "Echo",
            "Say",
            "service",
            "found \"Echo\", which the document does not have, allowed: echo.v1.Other, echo.v1.Echo",
        ),
        (
            "echo.v1.Echo",
            "say",
            "method",
            "found \"say\", which `echo.v1.Echo` does not have, allowed: Say, Count, Watch",
        ),
        (
            "echo.v1.Echo",
            "Watch",
            "method",
            "found \"Watch\", which is a stream of messages, allowed: a method with one request and one answer",
        ),
    ] {
        let remark = protos.method(service, method, None).unwrap_err();
        assert_eq!(
            (remark.field.as_str(), remark.message.as_str()),
            (field, message)
        );
    }
    let many: String = (0..30).fold(String::new(), |mut all, at| {
        let _ = write!(all, "service S{at} {{}} ");
        all
    });
    let remark = of(&many).unwrap().method("S", "M", None).unwrap_err();
    assert!(
        remark.message.ends_with("S18, S19, …"),
        "{}",
        remark.message
    );
}

#[test]
fn what_is_wrong_is_said_with_its_place() {
    for (content, said) in [
        (
            "syntax = \"proto3\"; message A {\n  B b = 1;\n}",
            "is wrong in line 2: ",
        ),
        (
            "message A {\n  string b 1;\n}",
            "is no .proto file: line 2:",
        ),
        ("syntax = \"proto4\";", "is no .proto file: "),
        (
            "import \"google/api/annotations.proto\";",
            "imports \"google/api/annotations.proto\", allowed: google/protobuf/*.proto; ",
        ),
        ("AAAA", "is base64 of no set of descriptors ("),
        (
            "message A { optional string a = 1; optional string b = 1; }",
            "is wrong in line 1: ",
        ),
    ] {
        let found = refusal(content);
        assert!(found.starts_with(said), "{content}: {found}");
        assert!(!found.contains('\n'), "{found}");
    }
    let mut twice = set(ECHO);
    let own = twice.file.last().unwrap().clone();
    twice.file.push(own);
    assert_eq!(refusal(&base64(&twice)), "has the file \"content\" twice");
    let mut edition = set(ECHO);
    edition.file.last_mut().unwrap().syntax = Some("editions".to_owned());
    assert_eq!(
        refusal(&base64(&edition)),
        "has the syntax \"editions\" in \"content\", allowed: \"proto2\", \"proto3\""
    );
    let file = |name: &str, import: &str| FileDescriptorProto {
        name: Some(name.to_owned()),
        dependency: vec![import.to_owned()],
        ..FileDescriptorProto::default()
    };
    let circle = FileDescriptorSet {
        file: vec![file("a", "b"), file("b", "a")],
    };
    assert_eq!(
        refusal(&base64(&circle)),
        "has files that import each other in a circle, \"a\" among them"
    );
}

#[test]
fn nothing_within_a_text_ends_the_stack() {
    let deep = |levels: usize| format!("{}{}", "message A { ".repeat(levels), "}".repeat(levels));
    of(&deep(64)).unwrap();
    assert_eq!(
        refusal(&deep(65)),
        "has more than 64 blocks within each other, allowed: at most 64"
    );
    let said = refusal(&deep(100_000));
    assert!(said.contains("more than 64"), "{said}");
    let lists = format!("option a = {};", "[".repeat(500_000));
    assert!(refusal(&lists).contains("more than 64"));
    // What is said in passing is no block.
    let said = "// {{ it's\n/* \" {{ */ ".repeat(100);
    of(&format!(
        "{said} message A {{ optional string a = 1 [json_name = '{{\\'{{']; }}"
    ))
    .unwrap();
}

#[test]
fn a_document_is_bounded() {
    let key: Key = "protos/a".parse().unwrap();
    let content = format!("{}{}", ECHO, "/".repeat(CONTENT));
    let remark = read(&key, &json!({ "content": content })).unwrap_err();
    assert_eq!(remark.field, "content");
    assert!(
        remark.message.contains("allowed: at most 1048576"),
        "{}",
        remark.message
    );
    read(&key, &json!({ "id": "a", "desc": "Echo", "content": ECHO })).unwrap();
    let remark = read(&key, &json!({})).unwrap_err();
    assert_eq!(remark.message, "`content` is missing");
}

#[test]
fn what_each_field_is_held_against_is_bounded() {
    let ranges =
        |many: usize| (1..=many).fold(String::new(), |all, at| format!("{all}reserved {at};"));
    for (kind, first) in [("message", ""), ("enum", "Z = 0;")] {
        let within = |many| {
            format!(
                "syntax = \"proto3\"; message M {{ {kind} A {{ {first} {} }} }}",
                ranges(many)
            )
        };
        of(&within(512)).unwrap();
        assert_eq!(
            refusal(&within(513)),
            "has 513 ranges of numbers that \"A\" reserves or leaves to others, allowed: at most 512"
        );
    }
}

#[test]
fn a_long_text_is_read_and_its_faults_are_told_without_lines() {
    let long = |field: &str| {
        let enums = (0..4000).fold(String::new(), |all, at| {
            format!("{all}enum E{at} {{ Z{at} = 0; }}\n")
        });
        format!("{ECHO}{enums}message Last {{ {field} a = 1; }}")
    };
    let of_short = of(ECHO).unwrap().method("echo.v1.Echo", "Say", None);
    assert_eq!(
        of(&long("Ask"))
            .unwrap()
            .method("echo.v1.Echo", "Say", None),
        of_short
    );
    assert_eq!(
        refusal(&long("Asked")),
        "is wrong: name 'Asked' is not defined"
    );
}

proptest! {
    /// Whatever is written, and whatever a good set of descriptors becomes by accident.
    #[test]
    fn no_content_is_fatal(text in ".{0,200}", at in any::<prop::sample::Index>(), byte: u8, cut in any::<prop::sample::Index>()) {
        let _ = of(&text);
        let _ = of(&format!("{}{text}", &ECHO[..cut.index(ECHO.len())]));
        let mut bytes = set(ECHO).encode_to_vec();
        let length = bytes.len();
        bytes[at.index(length)] = byte;
        if let Ok(protos) = of(&STANDARD.encode(&bytes)) {
            let _ = protos.method("echo.v1.Echo", "Count", None);
            let _ = protos.method("echo.v1.Echo", "Say", Some("echo.v1.Deep"));
        }
    }
}
