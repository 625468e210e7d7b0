//! APISIX's dashboard at `/ui/`, where an operator has a build of it: files of a folder, as they are, and nothing beyond it.
//! What it does, it does by the Admin API, with the key of whoever uses it.

use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use axum::Router;
use axum::extract::{self, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::telemetry::metrics::Template;

/// The page that every path leads to which is no file: the dashboard has paths of its own.
const INDEX: &str = "index.html";
/// Where its build has what pages load, under names that are never used again for something else.
const ASSETS: &str = "assets/";
/// How large a file may be: each is read as a whole.
const LARGEST: u64 = 32 << 20;

/// Serves the folder, or without one nothing.
pub fn router(folder: Option<PathBuf>) -> Router {
    let Some(folder) = folder else {
        return Router::new();
    };
    let moved = async || (StatusCode::MOVED_PERMANENTLY, [(header::LOCATION, "/ui/")]);
    Router::new()
        .route("/ui", get(moved))
        .route("/ui/", get(index))
        .route("/ui/{*path}", get(file))
        .with_state(Arc::new(folder))
}

async fn index(State(folder): State<Arc<PathBuf>>) -> Response {
    answer(&folder, INDEX).await
}

async fn file(
    State(folder): State<Arc<PathBuf>>,
    extract::Path(path): extract::Path<String>,
) -> Response {
    answer(&folder, path.trim_end_matches('/')).await
}

async fn answer(folder: &Path, path: &str) -> Response {
    let mut response = match read(folder, path).await {
        Ok((name, content)) => {
            // The page names what it loads, so it is asked for anew each time.
            let caching = if name.starts_with(ASSETS) {
                "public, max-age=31536000, immutable"
            } else {
                "no-cache"
            };
            let headers = [
                (header::CONTENT_TYPE, content_type(name)),
                (header::CACHE_CONTROL, caching),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                // No page of somebody else's shows it in a frame, and has people click there.
                (header::CONTENT_SECURITY_POLICY, "frame-ancestors 'none'"),
            ];
            (headers, content).into_response()
        }
        Err(why) => (StatusCode::NOT_FOUND, why).into_response(),
    };
    response
        .extensions_mut()
        .insert(Template("/ui/".to_owned()));
    response
}

/// The file that a path means, by its name below the folder, and what is in it.
async fn read<'a>(folder: &Path, path: &'a str) -> Result<(&'a str, Vec<u8>), &'static str> {
    if !is_below(path) {
        return Err("no such file\n");
    }
    match content(folder, path).await {
        Ok(content) => Ok((path, content)),
        Err(Unread::Refused) => Err("the file is not served\n"),
        Err(Unread::Missing) if path.starts_with(ASSETS) => Err("no such file\n"),
        Err(Unread::Missing) => match content(folder, INDEX).await {
            Ok(content) => Ok((INDEX, content)),
            Err(_) => Err("the folder of apisix-dashboard has no index.html that can be read\n"),
        },
    }
}

/// Whether a path can only lead further down: each of its parts is a name, and none is hidden.
fn is_below(path: &str) -> bool {
    let is_name = |part: Component| matches!(part, Component::Normal(_));
    Path::new(path).components().all(is_name)
        && path
            .split('/')
            .all(|part| !part.is_empty() && !part.starts_with('.'))
        && !path.contains(['\\', '\0'])
}

enum Unread {
    /// No file is there.
    Missing,
    /// One is, and it is not in the folder, too large, or not to be read.
    Refused,
}

async fn content(folder: &Path, path: &str) -> Result<Vec<u8>, Unread> {
    let missing = |_| Unread::Missing;
    let refused = |_| Unread::Refused;
    let folder = tokio::fs::canonicalize(folder).await.map_err(missing)?;
    // Links are followed here, and where they lead is looked at.
    let file = tokio::fs::canonicalize(folder.join(path)).await;
    let file = file.map_err(missing)?;
    if !file.starts_with(&folder) {
        return Err(Unread::Refused);
    }
    let about = tokio::fs::metadata(&file).await.map_err(missing)?;
    if about.is_dir() {
        return Err(Unread::Missing);
    }
    if !about.is_file() || about.len() > LARGEST {
        return Err(Unread::Refused);
    }
    tokio::fs::read(&file).await.map_err(refused)
}

/// What browsers have to be told of a file, by the end of its name.
fn content_type(name: &str) -> &'static str {
    let end = name.rsplit_once('.').map_or("", |(_, end)| end);
    match end.to_ascii_lowercase().as_str() {
        "html" => "text/html; charset=utf-8",
        "js" | "mjs" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "json" | "map" => "application/json",
        "webmanifest" => "application/manifest+json",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "webp" => "image/webp",
        "ico" => "image/x-icon",
        "woff" => "font/woff",
        "woff2" => "font/woff2",
        "ttf" => "font/ttf",
        "wasm" => "application/wasm",
        "txt" => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests;
