//! The dashboard's scripts as one: what is written as modules is loaded with one request, and compresses as one text. Each
//! module keeps a scope of its own, so no name has to differ from another module's.

use std::collections::BTreeSet;

/// The script of other people, which stays a file of its own.
const VENDORED: &str = "vendor/preact.js";

/// The modules that `root` needs, each behind what it imports, as one module. Imports and exports are such as stand alone in
/// their lines: `import { a, b } from "./c.js";`, `export function d() {`.
pub fn bundle(root: &str, files: &[(&str, &str)]) -> String {
    let mut bundle = format!("import * as {} from \"./{VENDORED}\";\n", name(VENDORED));
    add(root, files, &mut BTreeSet::new(), &mut bundle);
    bundle
}

fn add(path: &str, files: &[(&str, &str)], done: &mut BTreeSet<String>, bundle: &mut String) {
    if path == VENDORED || !done.insert(path.to_owned()) {
        return;
    }
    let found = files.iter().find(|(found, _)| *found == path);
    let (mut body, mut exported) = (String::new(), Vec::new());
    for line in found.map_or("", |(_, text)| text).lines() {
        if let Some((names, from)) = imported(line) {
            let from = resolved(path, from);
            add(&from, files, done, bundle);
            body.push_str(&format!("const {{{names}}} = {};\n", name(&from)));
            continue;
        }
        let own = line.strip_prefix("export ").unwrap_or(line);
        if own.len() < line.len() {
            exported.extend(declared(own));
        }
        // The bundle lies where the root is.
        body.push_str(&own.replace("import(\"../", "import(\"./"));
        body.push('\n');
    }
    let (name, exported) = (name(path), exported.join(", "));
    bundle.push_str(&format!(
        "const {name} = await (async () => {{\n{body}return {{ {exported} }};\n}})();\n"
    ));
}

/// What a line imports, and from where.
fn imported(line: &str) -> Option<(&str, &str)> {
    let (names, from) = line.strip_prefix("import {")?.split_once("} from \"")?;
    Some((names, from.strip_suffix("\";")?))
}

/// What a line declares: `async function a() {`, `const a = 1;`, `class A {`.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_prefix("async ").unwrap_or(line);
    let (_, rest) = line.split_once(' ')?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '$');
    Some(&rest[..end.unwrap_or(rest.len())])
}

/// The path that a module means, from where it lies: folders are one deep.
fn resolved(path: &str, from: &str) -> String {
    let folder = path.split_once('/').map(|(folder, _)| folder);
    match (from.strip_prefix("../"), from.strip_prefix("./"), folder) {
        (Some(up), ..) => up.to_owned(),
        (_, Some(beside), Some(folder)) => format!("{folder}/{beside}"),
        (_, beside, _) => beside.unwrap_or(from).to_owned(),
    }
}

/// What a module is called in the bundle.
fn name(path: &str) -> String {
    let known = |c: char| if c.is_alphanumeric() { c } else { '_' };
    format!("${}", path.chars().map(known).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_module_stands_once_behind_what_it_imports_and_keeps_its_names() {
        let files = [
            (
                "app.js",
                "import { h } from \"./vendor/preact.js\";\nimport { a } from \"./core/a.js\";\nimport { b } from \"./core/b.js\";\na(b, h);\n",
            ),
            (
                "core/a.js",
                "const x = 1;\nexport function a() {\n}\nexport class Away extends Error {}\n",
            ),
            (
                "core/b.js",
                "import { a } from \"./a.js\";\nconst x = 2;\nexport const b = () => import(\"../words/en.js\");\nexport async function c() {}\n",
            ),
        ];
        assert_eq!(
            bundle("app.js", &files),
            "import * as $vendor_preact_js from \"./vendor/preact.js\";\n\
             const $core_a_js = await (async () => {\nconst x = 1;\nfunction a() {\n}\nclass Away extends Error {}\n\
             return { a, Away };\n})();\n\
             const $core_b_js = await (async () => {\nconst { a } = $core_a_js;\nconst x = 2;\n\
             const b = () => import(\"./words/en.js\");\nasync function c() {}\nreturn { b, c };\n})();\n\
             const $app_js = await (async () => {\nconst { h } = $vendor_preact_js;\nconst { a } = $core_a_js;\n\
             const { b } = $core_b_js;\na(b, h);\nreturn {  };\n})();\n"
        );
    }
}
