use super::*;
use crate::model::log_target::{Tcp, Udp};

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
    let batch = batch(to, &entries, most);
    assert_eq!(batch.large, 0);
    let [piece] = &batch.pieces[..] else {
        panic!("not one piece: {batch:?}");
    };
    String::from_utf8(piece.to_vec()).unwrap()
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

#[test]
fn a_datagram_has_no_more_than_it_can() {
    let to = To::Udp(Udp {
        host: "a".to_owned(),
        port: 1,
        millis: 1,
    });
    assert_eq!(together(&to, &[r#"{"a":1}"#], 1), r#"{"a":1}"#);
    assert_eq!(together(&to, &["1", "2"], 1000), "[1,2]");
    let most = "a".repeat(65_507);
    assert_eq!(together(&to, &[&most], 1), most);
    for (entries, most) in [
        (vec![format!("{most}a")], 1),
        (vec![most, String::new()], 2),
    ] {
        let large = entries.len();
        let lost = Batch {
            pieces: Vec::new(),
            large,
        };
        assert_eq!(batch(&to, &entries, most), lost);
    }
}
