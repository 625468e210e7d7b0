//! The dashboard's files, out of the binary: the page at `/`, and what it loads below `/assets/`, in a folder that is named by
//! the hash of all of them. So they are cached for ever, name each other by relative paths, and a new Chancery has new ones.
//! The page calls what any script could; nothing here knows what.

mod bundle;
#[cfg(test)]
mod tests;

use std::io::{self, Write};
use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::Compression;
use flate2::write::GzEncoder;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

const PAGE: &str = include_str!("../../web/index.html");
/// Where the page says that its files are; the hash is put in here.
const FOLDER: &str = "assets/";
/// The script that the page loads: its modules are in it.
const ROOT: &str = "app.js";
/// The modules that are loaded by themselves, when they are wanted.
const APART: [&str; 2] = ["vendor/", "words/"];

/// Files of `web/`, by their paths there.
macro_rules! files {
    ($($path:literal,)*) => {
        &[$(($path, include_str!(concat!("../../web/", $path)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "app.js",
    "core/api.js",
    "core/kinds.js",
    "core/live.js",
    "core/place.js",
    "core/text.js",
    "core/words.js",
    "icon.svg",
    "pages/changes.js",
    "pages/document.js",
    "pages/documents.js",
    "pages/look.js",
    "pages/overview.js",
    "pages/proxies.js",
    "pages/said.js",
    "pages/traffic.js",
    "parts/bar.js",
    "parts/basics.js",
    "parts/diff.js",
    "parts/table.js",
    "style.css",
    "vendor/preact.js",
    "words/en.js",
    "words/zh.js",
];

/// Nothing from elsewhere, nothing inline, in no other page's frame, and no text that becomes markup.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'";
const HEADERS: [(HeaderName, &str); 5] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::VARY, "accept-encoding"),
];

/// A file as it is sent.
struct Sent {
    path: &'static str,
    content_type: &'static str,
    plain: String,
    compressed: Option<Vec<u8>>,
    tag: String,
}

impl Sent {
    fn new(path: &'static str, plain: String) -> Self {
        let content_type = match path.rsplit_once('.') {
            Some((_, "js")) => "text/javascript; charset=utf-8",
            Some((_, "css")) => "text/css; charset=utf-8",
            Some((_, "svg")) => "image/svg+xml",
            _ => "text/html; charset=utf-8",
        };
        Self {
            path,
            content_type,
            compressed: compress(plain.as_bytes()).ok(),
            tag: format!("W/\"{:032x}\"", xxh3_128(plain.as_bytes())),
            plain,
        }
    }

    fn answer(&'static self, asked: &HeaderMap, cached: &'static str) -> Response {
        let mut headers = HeaderMap::new();
        for (name, value) in HEADERS {
            headers.insert(name, HeaderValue::from_static(value));
        }
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cached));
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(header::ETAG, tag);
        }
        let has = |name: HeaderName, value: &str| {
            let given = asked.get(name).and_then(|given| given.to_str().ok());
            given.is_some_and(|given| given.split(',').any(|one| one.trim() == value))
        };
        if has(header::IF_NONE_MATCH, &self.tag) {
            return (StatusCode::NOT_MODIFIED, headers).into_response();
        }
        let content_type = HeaderValue::from_static(self.content_type);
        headers.insert(header::CONTENT_TYPE, content_type);
        match &self.compressed {
            Some(compressed) if has(header::ACCEPT_ENCODING, "gzip") => {
                let encoding = HeaderValue::from_static("gzip");
                headers.insert(header::CONTENT_ENCODING, encoding);
                (headers, compressed.as_slice()).into_response()
            }
            _ => (headers, self.plain.as_str()).into_response(),
        }
    }
}

/// A script or a style sheet without what is for its readers only: comments, and blanks before lines.
fn lean(text: &str) -> String {
    let mut code = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("/*") {
        code.push_str(before);
        rest = after.split_once("*/").map_or("", |(_, rest)| rest);
    }
    code.push_str(rest);
    let lines = code.lines().map(str::trim);
    let lines = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}

fn compress(plain: &[u8]) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain)?;
    encoder.finish()
}

struct Site {
    page: Sent,
    files: Vec<Sent>,
    /// The hash of all files.
    version: String,
}

/// Made when the page is first asked for.
static SITE: LazyLock<Site> = LazyLock::new(|| {
    let mut hash = Xxh3::new();
    for (path, text) in FILES {
        hash.update(path.as_bytes());
        hash.update(text.as_bytes());
    }
    let version = format!("{:016x}", hash.digest());
    let page = PAGE.replace(FOLDER, &format!("{FOLDER}{version}/"));
    let is_module = |path: &str| {
        path.ends_with(".js") && path != ROOT && !APART.iter().any(|one| path.starts_with(one))
    };
    let files = FILES.iter().filter(|(path, _)| !is_module(path));
    let sent = files.map(|(path, text)| match *path {
        ROOT => Sent::new(path, lean(&bundle::bundle(ROOT, FILES))),
        path if path.starts_with("vendor/") => Sent::new(path, (*text).to_owned()),
        path => Sent::new(path, lean(text)),
    });
    Site {
        page: Sent::new("", page),
        files: sent.collect(),
        version,
    }
});

/// The page and its files. All may read them: there is nothing of anybody's in them.
pub fn router() -> Router {
    Router::new()
        .route("/", get(page))
        .route("/assets/{version}/{*path}", get(file))
}

async fn page(asked: HeaderMap) -> Response {
    SITE.page.answer(&asked, "no-cache")
}

async fn file(Path((version, path)): Path<(String, String)>, asked: HeaderMap) -> Response {
    let found = SITE.files.iter().find(|file| file.path == path);
    match found {
        // Of another Chancery, behind the same address: it is not to be kept as what it is not.
        Some(_) if version != SITE.version => StatusCode::NOT_FOUND.into_response(),
        Some(file) => file.answer(&asked, "public, max-age=31536000, immutable"),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
