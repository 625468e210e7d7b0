//! `plugins/<name>.md`: each plugin, and `plugins.md`, which lists them. What the code does not say is in `plugins.yaml`: examples
//! of what is refused, and other pages.

use std::collections::{BTreeMap, BTreeSet};

use chancery::documents::schema;
use chancery::plugin::{self, Difference};
use serde::Deserialize;
use serde_json::Value;

use super::fields::{Links, rows};
use super::page::{Page, code, sentence};
use super::{example, told};
use crate::golden::case::Case;

/// What is known of a plugin beside its code.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    /// What should be read before anything else.
    #[serde(default)]
    first: Option<String>,
    /// Pages about it: the text of each link, and where it leads from `docs`.
    #[serde(default)]
    see: BTreeMap<String, String>,
    /// Configurations that are accepted with a warning, beside those of the cases.
    #[serde(default)]
    warned: Vec<Value>,
    /// Configurations that are refused.
    #[serde(default)]
    refused: Vec<Value>,
}

/// Plugins that this version has, and those that it refuses by name with what to write instead.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Data {
    served: BTreeMap<String, Known>,
    instead: BTreeMap<String, String>,
}

pub fn pages() -> BTreeMap<String, String> {
    let data: Data =
        serde_saphyr::from_str(include_str!("plugins.yaml")).expect("what is known of plugins");
    let names: BTreeSet<&str> = plugin::names().collect();
    let known: BTreeSet<&str> = data.served.keys().map(String::as_str).collect();
    assert_eq!(
        known, names,
        "tests/reference/plugins.yaml has an entry for each plugin, and no other"
    );
    let refused: BTreeSet<&str> = plugin::NOT_IN_ENVOY.iter().map(|(name, _)| *name).collect();
    let instead: BTreeSet<&str> = data.instead.keys().map(String::as_str).collect();
    assert_eq!(
        instead, refused,
        "plugins that are refused by name, and those with something instead"
    );
    let cases = Case::all();
    let warnings = warnings(&cases);
    let mut pages = BTreeMap::from([("plugins.md".to_owned(), index(&data))]);
    for (name, known) in &data.served {
        let mut warned = warnings.get(name.as_str()).cloned().unwrap_or_default();
        for configuration in &known.warned {
            let more = told::warnings(name, configuration);
            assert!(
                !more.is_empty(),
                "{name} says nothing of {configuration}, which plugins.yaml says it warns of"
            );
            warned.extend(more);
        }
        pages.insert(
            format!("plugins/{name}.md"),
            page(name, known, warned, &cases),
        );
    }
    pages
}

/// What the documents of the cases are warned of, by plugin: the field within it, and what is said.
fn warnings(cases: &[Case]) -> BTreeMap<&'static str, BTreeSet<(String, String)>> {
    let mut found: BTreeMap<&str, BTreeSet<(String, String)>> = BTreeMap::new();
    for case in cases {
        let documents = case.values().into_iter().map(|(document, _, _)| document);
        let documents = told::read(documents.collect());
        for status in documents.statuses(0) {
            for warning in &status.warnings {
                for name in plugin::names() {
                    found
                        .entry(name)
                        .or_default()
                        .extend(told::about(name, warning));
                }
            }
        }
    }
    found
}

fn index(data: &Data) -> String {
    let mut page = Page::new("Plugins");
    page.paragraph(
        "Fields, defaults and meanings are APISIX's, and so is the order in which plugins run. What differs is a warning \
         on the document, or refused by name. A page per plugin has its fields, its warnings, what it refuses and what \
         it becomes in Envoy.",
    );
    for first in data
        .served
        .values()
        .filter_map(|known| known.first.as_deref())
        .collect::<BTreeSet<_>>()
    {
        page.paragraph(&format!("**{}**", first.replace("DOCS", "..")));
    }
    let rows = data.served.keys().map(|name| {
        let differs: Vec<_> = plugin::differences(name).iter().map(difference).collect();
        let differs = if differs.is_empty() {
            "Nothing.".to_owned()
        } else {
            sentence(&differs.join("; "))
        };
        [format!("[`{name}`](plugins/{name}.md)"), differs]
    });
    page.table(["plugin", "what differs from APISIX"], rows.collect());
    page.paragraph(
        "Every plugin has `_meta.disable`: `true` switches it off, also what documents further from the route say of it. \
         `_meta.filter` says which requests it is for, as `vars` of a route do, but not by their `remote_addr` or by answers. \
         `_meta.error_response`, a text or an object, is what clients are told whom it turns away; it is refused for plugins that let \
         Envoy answer in its own words. Other fields of `_meta` are refused. `chancery schema plugins/redirect` prints a plugin's JSON Schema.",
    );
    page.heading("The order in which they run");
    let names: Vec<_> = plugin::names().map(code).collect();
    page.paragraph(&format!("{}.", names.join(", ")));
    page.heading("Refused by name");
    let rows = plugin::NOT_IN_ENVOY.iter().map(|(name, why)| {
        let instead = data.instead[*name].replace("DOCS", "..");
        [code(name), sentence(why), sentence(&instead)]
    });
    page.table(["plugin", "why", "write instead"], rows.collect());
    page.paragraph("Any other plugin of APISIX is refused as one that this version does not have.");
    page.text()
}

fn page(name: &str, known: &Known, warned: BTreeSet<(String, String)>, cases: &[Case]) -> String {
    let schema = schema::of_plugin(name).expect("the schema of a plugin");
    let mut page = Page::new(name);
    if let Some(first) = &known.first {
        page.paragraph(&format!("**{}**", first.replace("DOCS", "../..")));
    }
    if let Some(said) = schema["description"].as_str() {
        page.paragraph(&sentence(said));
    }
    let see = known
        .see
        .iter()
        .map(|(text, path)| format!("[{text}](../../{path})"));
    let see: Vec<_> = see.collect();
    if !see.is_empty() {
        page.paragraph(&format!("See {}.", see.join(", ")));
    }
    page.heading("What differs from APISIX");
    let differs = plugin::differences(name);
    if differs.is_empty() {
        page.paragraph("Nothing.");
    } else {
        page.list(differs.iter().map(|one| sentence(&difference(one))));
    }
    page.heading("Fields");
    let links = Links {
        plugins: "../plugins.md",
        upstreams: "../documents/upstreams.md",
    };
    let fields = rows(&schema, &links, &|_| false);
    if fields.is_empty() {
        page.paragraph("It has none.");
    }
    for (field, _) in differs.iter().filter(|(field, _)| !field.is_empty()) {
        let is_there = fields.iter().any(|[name, ..]| *name == code(field));
        assert!(
            is_there,
            "{name} says of `{field}`, which it does not have, that it differs"
        );
    }
    let fields = fields.into_iter().map(|[field, kind, default, says]| {
        let differs = differs.iter().any(|(other, _)| code(other) == field);
        let as_there = if differs { "differs" } else { "same" };
        [field, kind, default, as_there.to_owned(), says]
    });
    page.table(
        ["field", "type", "default", "APISIX", "says"],
        fields.collect(),
    );
    if !warned.is_empty() {
        page.heading("Warnings");
        page.paragraph("A document with it is accepted, and says what Envoy does not do exactly:");
        let rows = warned.into_iter().map(|(field, said)| {
            let field = if field.is_empty() {
                "the whole".to_owned()
            } else {
                code(&field)
            };
            [field, sentence(&said)]
        });
        page.table(["field", "warning"], rows.collect());
    }
    refusals(&mut page, name, known);
    if let Some(example) = example::of(name, cases) {
        page.heading("Example");
        page.paragraph(&format!(
            "`{}` of the [golden case](../../../tests/golden) `{}`:",
            example.document, example.case
        ));
        page.block(example.language, &example.text);
        if example.becomes.is_empty() {
            page.paragraph("Envoy's configuration is the same without the plugin.");
        } else {
            page.paragraph("What Envoy has because of the plugin, in the route and its clusters:");
            page.block("yaml", &example.becomes);
        }
    }
    page.text()
}

/// Examples of what is refused, with the words of the refusal.
fn refusals(page: &mut Page, name: &str, known: &Known) {
    page.heading("Refused");
    page.paragraph(
        "A field or value that this version does not have is refused by name. The document then keeps its last good form:",
    );
    let fields = plugin::refused_fields(name).into_iter();
    page.table(
        ["field", "why it is refused"],
        fields
            .map(|(field, why)| [code(field), sentence(why)])
            .collect(),
    );
    let rows = known.refused.iter().map(|configuration| {
        let problem = told::refusal(name, configuration).unwrap_or_else(|| {
            panic!("{name} accepts {configuration}, which plugins.yaml says it refuses")
        });
        let (field, said) = told::about(name, &problem).unwrap_or_else(|| {
            panic!("{configuration} is refused for another reason than {name}: {problem}")
        });
        let said = if field.is_empty() {
            said
        } else {
            format!("`{field}`: {said}")
        };
        [code(&configuration.to_string()), said]
    });
    let rows: Vec<_> = rows.collect();
    assert!(
        !rows.is_empty(),
        "{name} has no example of what it refuses in plugins.yaml"
    );
    page.table(["configuration", "what is said"], rows);
}

/// `field`: how, or only how.
fn difference((field, how): &Difference) -> String {
    if field.is_empty() {
        (*how).to_owned()
    } else {
        format!("{}: {how}", code(field))
    }
}
