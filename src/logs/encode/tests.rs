use super::*;
use crate::model::log_target::Tcp;

fn http(lines: bool) -> To {
    To::Http {
        uri: "http://a".to_owned(),
        timeout: 1,
        verify: false,
        lines,
    }
}

fn together(to: &To, entries: &[&str], most: u32) -> String {
    let entries: Vec<_> = entries.iter().map(|entry| (*entry).to_owned()).collect();
    String::from_utf8(batch(to, &entries, most).to_vec()).unwrap()
}

#[test]
fn a_post_has_an_object_an_array_or_lines() {
    for (lines, entries, most, body) in [
        (false, &[r#"{"a":1}"#][..], 1, r#"{"a":1}"#),
        (true, &[r#"{"a":1}"#], 1, r#"{"a":1}"#),
        (false, &[r#"{"a":1}"#], 2, r#"[{"a":1}]"#),
        (true, &[r#"{"a":1}"#], 2, r#"{"a":1}"#),
        (false, &["1", "2"], 2, "[1,2]"),
        (true, &["1", "2"], 2, "1\n2"),
    ] {
        assert_eq!(together(&http(lines), entries, most), body);
    }
}

#[test]
fn a_connection_has_an_object_or_an_array_and_no_line_end() {
    let to = To::Tcp(Tcp {
        host: "a".to_owned(),
        port: 1,
        millis: 1,
        tls: None,
    });
    assert_eq!(together(&to, &[r#"{"a":1}"#], 1), r#"{"a":1}"#);
    assert_eq!(together(&to, &["1", "2"], 1000), "[1,2]");
}
