use std::fs;
use std::os::unix::fs::symlink;

use axum::body::Body;
use axum::http::{Method, Request};
use tower::ServiceExt;

use super::*;

const PAGE: &str = "<!doctype html><script type=module src=/ui/assets/index-4f2a.js></script>";

/// A build as the dashboard's is laid out, beside a file that is nobody's business.
struct Scene {
    _outer: tempfile::TempDir,
    build: PathBuf,
    router: Router,
}

impl Scene {
    fn new() -> Self {
        let outer = tempfile::tempdir().unwrap();
        fs::write(outer.path().join("secret.txt"), "secret").unwrap();
        let build = outer.path().join("dist");
        fs::create_dir_all(build.join("assets")).unwrap();
        fs::write(build.join("index.html"), PAGE).unwrap();
        fs::write(build.join("favicon.ico"), [0, 1]).unwrap();
        fs::write(build.join("assets/index-4f2a.js"), "go()").unwrap();
        fs::write(build.join("assets/style-11.CSS"), "a{}").unwrap();
        fs::write(build.join(".env"), "secret").unwrap();
        Self {
            router: router(Some(build.clone())),
            build,
            _outer: outer,
        }
    }

    async fn ask(&self, method: Method, path: &str) -> Response {
        let request = Request::builder().method(method).uri(path);
        let request = request.body(Body::empty()).unwrap();
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Status, content type and text.
    async fn get(&self, path: &str) -> (u16, String, String) {
        let answer = self.ask(Method::GET, path).await;
        let status = answer.status().as_u16();
        let content_type = header_of(&answer, "content-type");
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await;
        let text = String::from_utf8_lossy(&body.unwrap()).into_owned();
        (status, content_type, text)
    }
}

fn header_of(answer: &Response, name: &str) -> String {
    let value = answer.headers().get(name);
    value.map_or("", |value| value.to_str().unwrap()).to_owned()
}

#[tokio::test]
async fn a_build_is_served_as_it_is() {
    let scene = Scene::new();
    let moved = scene.ask(Method::GET, "/ui").await;
    assert_eq!(moved.status(), 301);
    assert_eq!(header_of(&moved, "location"), "/ui/");
    for (path, content_type, text) in [
        ("/ui/", "text/html; charset=utf-8", PAGE),
        ("/ui/index.html", "text/html; charset=utf-8", PAGE),
        (
            "/ui/assets/index-4f2a.js",
            "text/javascript; charset=utf-8",
            "go()",
        ),
        (
            "/ui/assets/index-4f2a.js?v=1",
            "text/javascript; charset=utf-8",
            "go()",
        ),
        ("/ui/assets/style-11.CSS", "text/css; charset=utf-8", "a{}"),
        ("/ui/favicon.ico", "image/x-icon", "\0\u{1}"),
        // Its own paths, of which there are no files.
        (
            "/ui/routes/detail/my.route",
            "text/html; charset=utf-8",
            PAGE,
        ),
        ("/ui/routes/", "text/html; charset=utf-8", PAGE),
        ("/ui/assets", "text/html; charset=utf-8", PAGE),
    ] {
        let (status, found, body) = scene.get(path).await;
        assert_eq!(
            (status, &*found, &*body),
            (200, content_type, text),
            "{path}"
        );
    }
    // A page that is older than the build does not take the page for its script.
    assert_eq!(scene.get("/ui/assets/index-0000.js").await.0, 404);
    let page = scene.ask(Method::GET, "/ui/").await;
    assert_eq!(header_of(&page, "cache-control"), "no-cache");
    assert_eq!(header_of(&page, "x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn only_reading_is_known() {
    let scene = Scene::new();
    let head = scene.ask(Method::HEAD, "/ui/").await;
    assert_eq!(head.status(), 200);
    assert_eq!(header_of(&head, "content-length"), PAGE.len().to_string());
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        for path in ["/ui", "/ui/", "/ui/index.html"] {
            assert_eq!(scene.ask(method.clone(), path).await.status(), 405);
        }
    }
}

#[tokio::test]
async fn nothing_leaves_the_folder() {
    let scene = Scene::new();
    symlink("../secret.txt", scene.build.join("linked.txt")).unwrap();
    symlink("..", scene.build.join("up")).unwrap();
    symlink("/etc", scene.build.join("assets/etc")).unwrap();
    symlink("index.html", scene.build.join("within.html")).unwrap();
    for path in [
        "/ui/../secret.txt",
        "/ui/%2e%2e/secret.txt",
        "/ui/..%2fsecret.txt",
        "/ui/%2e%2e%2fsecret.txt",
        "/ui/..%5csecret.txt",
        "/ui/assets/../../secret.txt",
        "/ui/assets/..%2f..%2fsecret.txt",
        "/ui//etc/passwd",
        "/ui/%2fetc/passwd",
        "/ui/./index.html",
        "/ui/index.html%00.js",
        "/ui/.env",
        "/ui/linked.txt",
        "/ui/up/secret.txt",
        "/ui/assets/etc/passwd",
    ] {
        let (status, _, body) = scene.get(path).await;
        assert_eq!(status, 404, "{path}: {body}");
        assert!(
            !body.contains("secret") && !body.contains("root:"),
            "{path}: {body}"
        );
    }
    assert_eq!(scene.get("/ui/within.html").await.2, PAGE);
}

#[tokio::test]
async fn what_is_missing_or_no_file_is_said() {
    let scene = Scene::new();
    fs::remove_file(scene.build.join("index.html")).unwrap();
    let (status, _, said) = scene.get("/ui/").await;
    assert_eq!(status, 404);
    assert!(
        said.contains("apisix-dashboard has no index.html"),
        "{said}"
    );
    let large = fs::File::create(scene.build.join("large.js")).unwrap();
    large.set_len(LARGEST + 1).unwrap();
    assert_eq!(scene.get("/ui/large.js").await.0, 404);
    let without = router(None);
    let request = Request::get("/ui/").body(Body::empty()).unwrap();
    assert_eq!(without.oneshot(request).await.unwrap().status(), 404);
}
