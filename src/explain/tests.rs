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

#[test]
fn a_route_is_hidden_where_others_come_first_for_all_that_it_is_for() {
    let hidden = |documents: &[(&str, &str)]| -> Vec<String> {
        let routes = routes(documents);
        let hidden = shadowed(routes.iter()).into_iter();
        hidden.map(|(id, by)| format!("{id} by {by}")).collect()
    };
    let first = ("a", r#""uri":"/a""#);
    assert_eq!(hidden(&[first, ("b", r#""uri":"/a""#)]), ["b by a"]);
    let before = ("b", r#""uri":"/a","priority":1"#);
    assert_eq!(hidden(&[first, before]), ["a by b"]);
    for (hidden_by_a, second) in [
        (true, r#""uri":"/a","methods":["GET"]"#),
        (true, r#""uri":"/a","vars":[["arg_a","==","1"]]"#),
        (false, r#""uris":["/a","/b"]"#),
        (false, r#""uri":"/a","host":"b.test""#),
        (false, r#""uri":"/a*""#),
    ] {
        let expected: &[&str] = if hidden_by_a { &["b by a"] } else { &[] };
        assert_eq!(hidden(&[first, ("b", second)]), expected, "{second}");
    }
    for (hidden_by_a, a, b) in [
        (true, r#""methods":["GET","POST"]"#, r#""methods":["GET"]"#),
        (false, r#""methods":["GET"]"#, r#""methods":["GET","POST"]"#),
        (false, r#""methods":["GET"]"#, r#""priority":0"#),
        (false, r#""remote_addr":"10.0.0.1""#, r#""priority":0"#),
        (
            true,
            r#""vars":[["arg_a","==","1"]]"#,
            r#""vars":[["arg_a","==","1"]]"#,
        ),
        (
            false,
            r#""vars":[["arg_a","==","1"]]"#,
            r#""vars":[["arg_a","==","2"]]"#,
        ),
    ] {
        let both = [a, b].map(|more| format!(r#""uri":"/a",{more}"#));
        let expected: &[&str] = if hidden_by_a { &["b by a"] } else { &[] };
        assert_eq!(
            hidden(&[("a", &both[0]), ("b", &both[1])]),
            expected,
            "{both:?}"
        );
    }
    let parts = [
        ("a", r#""uri":"/a""#),
        ("b", r#""uri":"/b""#),
        ("c", r#""uris":["/a","/b"]"#),
    ];
    assert_eq!(hidden(&parts), ["c by a"]);
}
