//! What the dashboard is held to: its size, its words, its calls, and that it is safe.

use std::collections::BTreeSet;
use std::fs;

use axum::body::{Body, to_bytes};
use axum::http::Request;
use regex::Regex;
use tower::ServiceExt;

use super::*;

const RAW: usize = 200 * 1024;
const COMPRESSED: usize = 60 * 1024;
const WORDS: [&str; 2] = ["words/en.js", "words/zh.js"];

async fn get(path: &str, headers: &[(&str, &str)]) -> Response {
    let mut request = Request::builder().uri(path);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::empty()).unwrap();
    super::router().oneshot(request).await.unwrap()
}

async fn text(response: Response) -> String {
    let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
    String::from_utf8(body.to_vec()).unwrap()
}

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap())
}

/// Every file but the page, as it is written; those of others aside.
fn own() -> impl Iterator<Item = (&'static str, &'static str)> {
    let files = FILES.iter().copied();
    files.filter(|(path, _)| !path.starts_with("vendor/"))
}

/// All that a pattern's first group finds in scripts.
fn found(pattern: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    let scripts = own().filter(|(path, _)| path.ends_with(".js") && !WORDS.contains(path));
    let all = scripts.flat_map(|(_, text)| {
        let found = pattern.captures_iter(text);
        found.map(|it| it[1].to_owned()).collect::<Vec<_>>()
    });
    all.collect()
}

#[test]
fn every_file_of_the_folder_is_served_and_no_other() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/web");
    let folders = ["", "core", "pages", "parts", "vendor", "words"];
    let mut there = BTreeSet::new();
    for folder in folders {
        for entry in fs::read_dir(format!("{root}/{folder}")).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            if entry.file_type().unwrap().is_dir() {
                assert!(folders.contains(&&*name), "{name}");
                continue;
            }
            there.insert(
                format!("{folder}/{name}")
                    .trim_start_matches('/')
                    .to_owned(),
            );
        }
    }
    // For whoever works on it.
    for aside in [
        "index.html",
        "tsconfig.json",
        "vendor/LICENCES",
        "vendor/preact.d.ts",
        "vendor/make",
        "vendor/preact.js.sha256",
    ] {
        assert!(there.remove(aside), "{aside}");
    }
    let served: BTreeSet<_> = FILES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(there, served);
}

#[test]
fn the_script_has_every_module_and_imports_only_what_is_apart() {
    let mut sent = SITE.files.iter();
    let script = &sent.find(|file| file.path == ROOT).unwrap().plain;
    let modules = own().filter(|(path, _)| path.ends_with(".js") && !WORDS.contains(path));
    for (path, _) in modules {
        let begins = format!("const ${} = await", path.replace(['/', '.'], "_"));
        assert_eq!(script.matches(&begins).count(), 1, "{path}");
        assert!(
            path == ROOT || SITE.files.iter().all(|file| file.path != path),
            "{path}"
        );
    }
    // What is written otherwise than the bundle reads it would be left as it is.
    let lines = script
        .lines()
        .filter(|line| line.starts_with("import") || line.starts_with("export"));
    assert_eq!(
        lines.collect::<Vec<_>>(),
        ["import * as $vendor_preact_js from \"./vendor/preact.js\";"]
    );
    let later = Regex::new(r#"import\("\./([^"]+)"\)"#).unwrap();
    let later: BTreeSet<_> = later
        .captures_iter(script)
        .map(|it| it[1].to_owned())
        .collect();
    assert_eq!(later, WORDS.map(ToOwned::to_owned).into());
}

#[test]
fn what_a_reader_loads_is_small() {
    for language in WORDS {
        let files = SITE.files.iter();
        let loaded = files.filter(|file| !WORDS.contains(&file.path) || file.path == language);
        let (mut raw, mut compressed) = (0, 0);
        for file in loaded.chain([&SITE.page]) {
            raw += file.plain.len();
            compressed += file.compressed.as_ref().unwrap().len();
        }
        assert!(raw <= RAW, "{language}: {raw} bytes");
        assert!(
            compressed <= COMPRESSED,
            "{language}: {compressed} bytes compressed"
        );
    }
}

#[test]
fn nothing_of_it_makes_markup_of_text_or_asks_another_origin() {
    for (path, text) in own().chain([("index.html", PAGE)]) {
        for never in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "new Function",
            "style=\"",
        ] {
            assert!(!text.contains(never), "{path}: {never}");
        }
        let strange = text
            .replace("http://www.w3.org/2000/svg", "")
            .replace("http://www.example.com", "")
            .replace("http://127.0.0.1:9180", "")
            .replace("https://vault.example.com:8200", "")
            .replace("$secret://", "")
            .replace("$env://", "")
            .replace("http://${host", "");
        assert!(!strange.contains("://"), "{path} names another origin");
        let network = [
            "fetch(",
            "XMLHttpRequest",
            "WebSocket",
            "EventSource",
            "sendBeacon",
        ];
        let speaks = network.iter().any(|one| text.contains(one));
        assert!(
            !speaks || path == "core/api.js",
            "{path} speaks to the network"
        );
        assert!(
            !text.contains("localStorage.setItem(KEY"),
            "{path} keeps a key"
        );
    }
    let (_, vendored) = FILES
        .iter()
        .find(|(path, _)| *path == "vendor/preact.js")
        .unwrap();
    assert!(!vendored.contains(".innerHTML") && !vendored.contains("eval("));
    assert!(!PAGE.contains("<style") && !PAGE.contains("<script>") && !PAGE.contains(" on"));
}

#[test]
fn what_others_made_is_what_was_vendored() {
    let (_, vendored) = FILES
        .iter()
        .find(|(path, _)| *path == "vendor/preact.js")
        .unwrap();
    let digest = ring::digest::digest(&ring::digest::SHA256, vendored.as_bytes());
    let hex: String = digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let noted = include_str!("../../../web/vendor/preact.js.sha256");
    assert_eq!(noted.split(' ').next(), Some(hex.as_str()));
}

#[test]
fn both_languages_have_the_same_words_and_all_that_are_used() {
    let entry = Regex::new(r#"(?m)^  "([^"]+)": "(.*)",$"#).unwrap();
    let words = |wanted: &str| {
        let (_, text) = FILES.iter().find(|(path, _)| *path == wanted).unwrap();
        let found = entry.captures_iter(text);
        let of: Vec<_> = found
            .map(|it| (it[1].to_owned(), it[2].to_owned()))
            .collect();
        assert_eq!(of.len(), text.matches("\": \"").count(), "{wanted}");
        of
    };
    let [english, chinese] = WORDS.map(words);
    let values = Regex::new(r"\{\w+\}").unwrap();
    let in_text = |text: &str| {
        values
            .find_iter(text)
            .map(|it| it.as_str().to_owned())
            .collect::<BTreeSet<_>>()
    };
    for ((key, text), (other, same)) in english.iter().zip(&chinese) {
        assert_eq!(key, other);
        assert_eq!(in_text(text), in_text(same), "{key}");
        assert!(!same.is_empty(), "{key}");
    }
    assert_eq!(english.len(), chinese.len());
    let keys: BTreeSet<_> = english.into_iter().map(|(key, _)| key).collect();
    let mut used = found(r#"\bt\("([\w.-]+)""#);
    used.extend(found(r#"\bt\([^"`\n]*\? "([\w.-]+)" : ""#));
    used.extend(found(r#"\bt\([^"`\n]*\? "[\w.-]+" : "([\w.-]+)""#));
    for key in &used {
        assert!(keys.contains(key), "{key} is in no language");
    }
    let literals = found(r#""([\w.-]+)""#);
    let begun = found(r"\bt\(`([\w.-]+)\$\{");
    for begin in &begun {
        assert!(keys.iter().any(|key| key.starts_with(begin)), "{begin}");
    }
    for key in keys {
        let made = begun.iter().any(|begin| key.starts_with(begin));
        assert!(made || literals.contains(&key), "{key} is used nowhere");
    }
}

#[tokio::test]
async fn the_page_loads_its_own_files_only_and_all_are_cached_for_ever() {
    let page = get("/", &[]).await;
    assert_eq!(header(&page, "cache-control"), "no-cache");
    assert!(
        header(&page, "content-security-policy")
            .starts_with("default-src 'none'; script-src 'self';")
    );
    assert_eq!(header(&page, "x-frame-options"), "DENY");
    assert_eq!(header(&page, "x-content-type-options"), "nosniff");
    assert_eq!(header(&page, "referrer-policy"), "no-referrer");
    let tag = header(&page, "etag").to_owned();
    let page = text(page).await;
    let loads = Regex::new(r#"(?:src|href)="([^"]+)""#).unwrap();
    let mut folder = String::new();
    for load in loads.captures_iter(&page) {
        let path = format!("/{}", &load[1]);
        let file = get(&path, &[("accept-encoding", "gzip, br")]).await;
        assert_eq!(file.status(), StatusCode::OK, "{path}");
        assert_eq!(header(&file, "content-encoding"), "gzip");
        assert!(header(&file, "cache-control").ends_with("immutable"));
        folder = path.rsplit_once('/').unwrap().0.to_owned();
    }
    let again = get("/", &[("if-none-match", &tag)]).await;
    assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
    for absent in [
        format!("{folder}/vendor/make"),
        "/assets/0/app.js".to_owned(),
        format!("{folder}/../index.html"),
    ] {
        assert_eq!(
            get(&absent, &[]).await.status(),
            StatusCode::NOT_FOUND,
            "{absent}"
        );
    }
}

#[test]
fn files_lose_only_what_is_for_readers() {
    let script = "// @ts-check\n/**\n * What.\n * @param {string} a\n */\nexport function f(a) {\n  // Why.\n  return /** @type {any} */ (a) + \"// b\";\n}\n";
    assert_eq!(
        lean(script),
        "export function f(a) {\nreturn  (a) + \"// b\";\n}\n"
    );
}
