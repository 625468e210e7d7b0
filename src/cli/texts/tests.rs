//! What is written out is what is read back.

use std::fs;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

fn any_text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        ".{0,8}",
        "[a-z\n \t:#'\"|>\\-]{0,12}",
        proptest::sample::select(vec![
            "",
            "no",
            "~",
            "null",
            "true",
            "0x1f",
            "1e3",
            "007",
            ".5",
            "1_000",
            "2026-11-28",
            "- a",
            "a: b",
            "# a",
            "&a",
            "*a",
            "!a",
            "---\na",
            "a\n",
            "a\n\n",
            "\n",
            " a ",
            "<<",
            "=",
            "\u{feff}a",
            "\u{85}",
            "\u{2028}",
            "\u{1}",
        ])
        .prop_map(str::to_owned),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let plain = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-1e6..1e6_f64).prop_map(Value::from),
        any_text().prop_map(Value::from),
    ];
    plain.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(any_text(), inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// Documents as the store holds them.
fn any_texts() -> impl Strategy<Value = Texts> {
    let fields = btree_map("[a-z_]{2,8}", any_value(), 0..5);
    let kinds = proptest::sample::select(vec!["routes", "upstreams", "consumers/jack/credentials"]);
    let document = (kinds, "[a-zA-Z0-9_.-]{1,12}", fields);
    vec(document, 1..6).prop_map(|documents| {
        let all = documents.into_iter().filter_map(|(kind, id, fields)| {
            let path = format!("{kind}/{id}");
            path.parse::<Key>().ok()?;
            let mut fields: Map<String, Value> = fields.into_iter().collect();
            fields.remove("id");
            strip(&path, &mut fields);
            Some((path, fields))
        });
        all.collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn what_is_exported_changes_nothing_when_it_is_applied(texts in any_texts()) {
        prop_assume!(!texts.is_empty());
        let stored: BTreeMap<_, _> = texts
            .iter()
            .map(|(path, fields)| (path.clone(), Stored { fields: fields.clone(), modified: 1 }))
            .collect();
        for (format, ending) in [(Format::Yaml, "yaml"), (Format::Json, "json")] {
            let one = tempfile::tempdir().unwrap();
            let file = one.path().join(format!("all.{ending}"));
            fs::write(&file, whole(&texts, format).unwrap()).unwrap();
            let each = tempfile::tempdir().unwrap();
            for (path, text) in as_files(texts.clone(), format).unwrap() {
                let file = each.path().join(path);
                fs::create_dir_all(file.parent().unwrap()).unwrap();
                fs::write(file, text).unwrap();
            }
            for folder in [one.path(), each.path()] {
                let read = files::read(&[folder.to_owned()]).unwrap();
                prop_assert_eq!(&read, &texts);
                let plan = plan::Plan::new(read, &stored, None, false);
                prop_assert!(plan.steps.is_empty());
            }
        }
    }
}
