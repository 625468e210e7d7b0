use super::*;
use crate::documents::Documents;
use crate::model::Document;
use crate::model::document::Format;

/// The routes of some documents, by id, in force.
fn routes(documents: &[(&str, &str)]) -> Vec<Arc<Route>> {
    let mut model = Documents::new(Vec::new());
    model.list(
        documents
            .iter()
            .map(|(id, text)| Document {
                path: format!("routes/{id}").into(),
                source: format!("routes/{id}").into(),
                format: Format::Json,
                value: format!(r#"{{{text},"plugins":{{"mocking":{{}}}}}}"#).into(),
                revision: 1,
            })
            .collect(),
    );
    let changes = model.settle();
    assert_eq!(changes.problems, []);
    changes
        .routes
        .into_iter()
        .filter_map(|(_, route)| route)
        .collect()
}

fn get(path: &str) -> Request {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    Request {
        method: "GET".into(),
        scheme: "http".into(),
        authority: "www.test:9080".into(),
        path: path.into(),
        query: query.into(),
        headers: vec![("x-a".into(), "1".into())],
        address: [10, 0, 0, 1].into(),
        port: 9080,
    }
}

fn told(documents: &[(&str, &str)], request: &Request) -> Vec<String> {
    let routes = routes(documents);
    let explanation = explain(&routes, request);
    let told = |one: &Candidate| format!("{} {} {:?}", one.route.id, one.path, one.verdict);
    explanation.candidates.iter().map(told).collect()
}

#[test]
fn each_reason_has_its_words() {
    let told = told(
        &[
            ("post", r#""uri":"/a","methods":["POST"]"#),
            ("far", r#""uri":"/a","remote_addr":"192.168.0.0/16""#),
            (
                "old",
                r#""uri":"/a","vars":[["http_x_a","==","1"],["arg_v",">",3]]"#,
            ),
            ("rest", r#""uri":"/*""#),
            ("short", r#""uri":"*","priority":-1"#),
            ("else", r#""uri":"/b""#),
        ],
        &get("/a?v=2"),
    );
    assert_eq!(
        told,
        [
            "far `/a` Address",
            r#"old `/a` Vars("arg_v >= 4 (found: \"2\")")"#,
            "post `/a` Method",
            "rest `/*` Wins",
            "short `/*` Later",
        ]
    );
}

#[test]
fn parameters_stand_for_segments_that_are_not_empty() {
    for (uri, path, fit) in [
        ("/user/:id", "/user/1", true),
        ("/user/:id", "/user/", false),
        ("/user/:id", "/user/1/", false),
        ("/user/:id/", "/user/1/", true),
        ("/user/:id/posts/:post", "/user/1/posts/2", true),
        ("/user/:id/posts/:post", "/user/1/post/2", false),
        ("/user/:id/*", "/user/1/", true),
        ("/user/:id/*", "/user/1/2/3", true),
        ("/user/:id/*", "/user/1", false),
        ("/user/:id/*", "/user//1", false),
    ] {
        let routes = routes(&[("r", &format!(r#""uri":"{uri}""#))]);
        assert_eq!(winner(&routes, &get(path)).is_some(), fit, "{uri} {path}");
    }
}

#[test]
fn a_path_with_parameters_ranks_by_what_stands_before_them() {
    let documents = [
        ("exact", r#""uri":"/user/me""#),
        ("id", r#""uri":"/user/:id""#),
        ("rest", r#""uri":"/user/*""#),
        ("low", r#""uri":"/user/:id","priority":-1"#),
        ("all", r#""uri":"/*","priority":9"#),
    ];
    let told = told(&documents, &get("/user/me"));
    let names: Vec<_> = told
        .iter()
        .map(|one| one.split(' ').next().unwrap())
        .collect();
    assert_eq!(names, ["exact", "id", "rest", "low", "all"]);
}
