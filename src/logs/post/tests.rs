use super::*;

#[test]
fn what_servers_are_shown_is_read_by_lines() {
    let all =
        read("# collectors\n\nhttp://a/b?c=d Basic planted\nhttps://e  Bearer f g\n").unwrap();
    assert_eq!(all.len(), 2);
    assert_eq!(all["http://a/b?c=d"], "Basic planted");
    assert_eq!(all["https://e"], "Bearer f g");
    let shown = format!("{all:?}");
    assert!(!shown.contains("planted"), "{shown}");
    for (lines, number) in [("http://a", 1), ("\nhttp://a b\u{1}c", 2)] {
        let said = read(lines).unwrap_err().to_string();
        assert!(said.starts_with(&format!("line {number}: ")), "{said}");
        assert!(!said.contains('b'.to_string().repeat(2).as_str()), "{said}");
    }
}
