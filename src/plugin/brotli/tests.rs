use crate::plugin::tests::refusal;

#[test]
fn what_is_refused() {
    let table = [
        (
            r#"{"comp_level":12}"#,
            "comp_level: found 12, allowed: 0–11",
        ),
        (r#"{"mode":3}"#, "mode: found 3, allowed: 0–2"),
        (r#"{"lgwin":9}"#, "lgwin: found 9, allowed: 0, 10–24"),
        (r#"{"lgblock":25}"#, "lgblock: found 25, allowed: 0, 16–24"),
    ];
    for (configuration, said) in table {
        assert_eq!(refusal("brotli", configuration), said, "of {configuration}");
    }
}
