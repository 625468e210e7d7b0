//! What a sequence of changes leaves in force, and what is told of it.

mod bounds;
mod encrypted;
mod gateways;
mod incremental;
mod limiters;
mod loggers;
mod looked_up;
mod managed;
mod metadata;
mod plugins;
mod provided;
mod real_ip;
mod shown;
mod texts;

use super::{Changes, Documents};
use crate::model::document::Change;
use crate::model::{Discovery, Document};
use texts::{deleted, json, no_documents, put};

const ROUTE: &str = r#"{"uri":"/a","upstream":{"nodes":{"a:80":1}}}"#;
const REFERRING: &str = r#"{"uri":"/a","upstream_id":"u"}"#;
const UPSTREAM: &str = r#"{"nodes":{"a:80":1}}"#;
const CONSUL: &str = r#"{"service_name":"echo","discovery_type":"consul"}"#;
const BAD: &str = r#"{"uri":1}"#;

/// What is told, on one line: `+` came or changed, `-` went.
fn told(changes: &Changes) -> String {
    let sign = |there: bool| if there { '+' } else { '-' };
    let mut told = Vec::new();
    for (id, route) in &changes.routes {
        let cluster = route.as_ref().and_then(|route| route.cluster.clone());
        let to = cluster.map_or(String::new(), |cluster| format!(" to {}", cluster.name));
        told.push(format!("{}routes/{id}{to}", sign(route.is_some())));
    }
    for (id, gateway) in &changes.gateways {
        told.push(format!("{}gateways/{id}", sign(gateway.is_some())));
    }
    for service in &changes.services_added {
        told.push(format!("+{service}"));
    }
    for service in &changes.services_removed {
        told.push(format!("-{service}"));
    }
    for problem in &changes.problems {
        told.push(format!("bad {}", problem.source));
    }
    for source in &changes.mended {
        told.push(format!("mended {source}"));
    }
    for document in &changes.formless {
        told.push(format!("wanted {}@{}", document.path, document.revision));
    }
    told.join(", ")
}

/// Plays changes, each with what is to be told after it.
fn play(steps: &[(Change, &str)]) -> Documents {
    let mut documents = no_documents();
    assert_eq!(told(&documents.settle()), "+gateways/default");
    for (at, (change, expected)) in steps.iter().enumerate() {
        documents.apply(change.clone());
        assert_eq!(told(&documents.settle()), *expected, "after step {at}");
    }
    documents
}

fn at(revision: i64, path: &str, text: &str) -> Document {
    Document {
        revision,
        ..json(path, text)
    }
}

#[test]
fn a_route_comes_changes_and_goes() {
    play(&[
        (put("routes/r", ROUTE), "+routes/r to route/r"),
        (put("routes/r", ROUTE), ""),
        (
            put("routes/r", &ROUTE.replace("/a", "/b")),
            "+routes/r to route/r",
        ),
        (deleted("routes/r"), "-routes/r"),
        (deleted("routes/r"), ""),
    ]);
}

#[test]
fn status_0_is_as_if_deleted() {
    let off = ROUTE.replace("{\"uri\"", "{\"status\":0,\"uri\"");
    play(&[
        (put("routes/r", &off), ""),
        (put("routes/r", ROUTE), "+routes/r to route/r"),
        (put("routes/r", &off), "-routes/r"),
        // What it refers to does not matter while it is off.
        (
            put("routes/r", r#"{"status":0,"uri":"/a","upstream_id":"u"}"#),
            "",
        ),
    ]);
}

#[test]
fn a_bad_document_keeps_its_last_good_form() {
    let documents = play(&[
        (put("routes/r", ROUTE), "+routes/r to route/r"),
        (put("routes/r", BAD), "bad /chancery/routes/r"),
        (put("routes/r", BAD), ""),
        (put("routes/r", "not JSON"), "bad /chancery/routes/r"),
    ]);
    assert_eq!(documents.rejected(), 1);
    let problems: Vec<_> = documents.problems().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        ["/chancery/routes/r: cannot be read as JSON: expected ident at line 1 column 2"]
    );
}

#[test]
fn a_bad_document_that_is_written_well_is_mended() {
    play(&[
        (put("routes/r", ROUTE), "+routes/r to route/r"),
        (put("routes/r", BAD), "bad /chancery/routes/r"),
        (
            put("routes/r", ROUTE),
            "+routes/r to route/r, mended /chancery/routes/r",
        ),
    ]);
}

#[test]
fn of_a_deleted_document_nothing_is_left() {
    let documents = play(&[
        (put("routes/r", ROUTE), "+routes/r to route/r"),
        (put("routes/r", BAD), "bad /chancery/routes/r"),
        (deleted("routes/r"), "-routes/r"),
        (
            put("routes/r", BAD),
            "bad /chancery/routes/r, wanted routes/r@1",
        ),
        (deleted("routes/r"), ""),
    ]);
    assert_eq!(documents.rejected(), 0);
}

#[test]
fn deleted_and_written_at_once_is_another_document() {
    let mut documents = play(&[
        (put("upstreams/u", UPSTREAM), ""),
        (put("routes/r", REFERRING), "+routes/r to upstream/u"),
    ]);
    documents.apply(deleted("routes/r"));
    documents.apply(put("routes/r", r#"{"uri":"/a","upstream_id":"other"}"#));
    assert_eq!(
        told(&documents.settle()),
        "-routes/r, bad /chancery/routes/r"
    );
}

#[test]
fn a_route_waits_for_its_upstream() {
    play(&[
        (put("routes/r", REFERRING), "bad /chancery/routes/r"),
        (
            put("upstreams/u", UPSTREAM),
            "+routes/r to upstream/u, mended /chancery/routes/r",
        ),
    ]);
}

#[test]
fn a_route_keeps_the_upstream_that_was_deleted_and_its_instances() {
    play(&[
        (put("upstreams/u", CONSUL), "+consul/echo"),
        (put("routes/r", REFERRING), "+routes/r to upstream/u"),
        (deleted("upstreams/u"), "bad /chancery/routes/r"),
        (
            put("upstreams/u", UPSTREAM),
            "+routes/r to upstream/u, -consul/echo, mended /chancery/routes/r",
        ),
    ]);
}

#[test]
fn a_bad_upstream_changes_no_route() {
    play(&[
        (put("upstreams/u", UPSTREAM), ""),
        (put("routes/r", REFERRING), "+routes/r to upstream/u"),
        (put("upstreams/u", "{}"), "bad /chancery/upstreams/u"),
        (
            put("upstreams/u", r#"{"nodes":{"b:80":1}}"#),
            "+routes/r to upstream/u, mended /chancery/upstreams/u",
        ),
    ]);
}

#[test]
fn a_change_reaches_through_a_service() {
    let by_service = r#"{"uri":"/a","service_id":"s"}"#;
    let documents = play(&[
        (put("routes/r", by_service), "bad /chancery/routes/r"),
        (
            put("services/s", r#"{"upstream_id":"u"}"#),
            "bad /chancery/routes/r, bad /chancery/services/s",
        ),
        (
            put("upstreams/u", UPSTREAM),
            "+routes/r to upstream/u, mended /chancery/routes/r, mended /chancery/services/s",
        ),
        (
            put("services/s", r#"{"upstream":{"nodes":{}}}"#),
            "+routes/r to service/s",
        ),
        (put("services/s", "{}"), "bad /chancery/routes/r"),
        (deleted("upstreams/u"), ""),
    ]);
    let problems: Vec<_> = documents.problems().map(ToString::to_string).collect();
    assert_eq!(
        problems,
        [
            "/chancery/routes/r: service_id: `services/s` has no upstream, and neither has this route"
        ]
    );
}

#[test]
fn a_services_plugin_must_fit_the_routes_paths() {
    let documents = play(&[
        (
            put(
                "services/s",
                r#"{"upstream":{"nodes":{"a:80":1}},"plugins":{"grpc-web":{}}}"#,
            ),
            "",
        ),
        (
            put("routes/r", r#"{"uri":"/a","service_id":"s"}"#),
            "bad /chancery/routes/r",
        ),
    ]);
    let problem = documents.problems().next().unwrap().to_string();
    assert!(
        problem.starts_with(
            "/chancery/routes/r: service_id: `plugins.grpc-web` of `services/s` is for routes with a prefix"
        ),
        "{problem}"
    );
}

#[test]
fn a_service_of_the_registry_is_named_by_many() {
    let inline = format!(r#"{{"uri":"/a","upstream":{CONSUL}}}"#);
    play(&[
        (put("upstreams/u", CONSUL), "+consul/echo"),
        (put("routes/r", &inline), "+routes/r to route/r"),
        (deleted("upstreams/u"), ""),
        (
            put("services/s", &format!(r#"{{"upstream":{CONSUL}}}"#)),
            "",
        ),
        (deleted("routes/r"), "-routes/r"),
        (deleted("services/s"), "-consul/echo"),
    ]);
}

#[test]
fn what_is_not_listed_is_gone() {
    let mut documents = play(&[
        (put("routes/a", ROUTE), "+routes/a to route/a"),
        (put("routes/b", ROUTE), "+routes/b to route/b"),
        (
            put("routes/c", BAD),
            "bad /chancery/routes/c, wanted routes/c@1",
        ),
    ]);
    documents.list(vec![json("routes/a", ROUTE), json("routes/d", ROUTE)]);
    assert_eq!(told(&documents.settle()), "-routes/b, +routes/d to route/d");
    assert_eq!(documents.rejected(), 0);
}

#[test]
fn what_apisix_writes_for_itself_is_no_document() {
    let mut documents = no_documents();
    documents.list(vec![
        json("ssls/", "init_dir"),
        json("routes/", "{}"),
        json("routes", "init_dir"),
        json("data_plane/server_info/1", r#"{"version":"3.9.0"}"#),
    ]);
    assert_eq!(told(&documents.settle()), "+gateways/default");
}

#[test]
fn an_earlier_form_is_wanted_until_one_is_good() {
    let mut documents = no_documents();
    documents.list(vec![at(9, "routes/r", BAD)]);
    let first = told(&documents.settle());
    assert_eq!(
        first,
        "+gateways/default, bad /chancery/routes/r, wanted routes/r@9"
    );
    documents.earlier(at(7, "routes/r", "worse"));
    assert_eq!(told(&documents.settle()), "wanted routes/r@7");
    documents.earlier(at(7, "routes/r", "worse"));
    assert_eq!(told(&documents.settle()), "", "asked for once");
    documents.earlier(at(3, "routes/r", ROUTE));
    assert_eq!(told(&documents.settle()), "+routes/r to route/r");
    assert_eq!(documents.rejected(), 1, "its text is still bad");
    documents.earlier(at(2, "routes/r", &ROUTE.replace("/a", "/b")));
    assert_eq!(told(&documents.settle()), "", "it has a good form by now");
}

#[test]
fn an_earlier_form_comes_too_late_for_a_deleted_document() {
    let mut documents = play(&[(
        put("routes/r", BAD),
        "bad /chancery/routes/r, wanted routes/r@1",
    )]);
    documents.apply(deleted("routes/r"));
    documents.settle();
    documents.earlier(at(0, "routes/r", ROUTE));
    assert_eq!(told(&documents.settle()), "");
}

#[test]
fn a_kind_that_is_not_served_has_no_earlier_form() {
    play(&[(put("secrets/jack", "{}"), "bad /chancery/secrets/jack")]);
}

#[test]
fn a_registry_that_is_not_configured_is_refused() {
    let table = [
        (
            vec![Discovery::File],
            "found \"consul\", which is not configured, allowed: file",
        ),
        (
            vec![],
            "found \"consul\", allowed: `nodes` only, as no registry is configured",
        ),
    ];
    for (registries, said) in table {
        let mut documents = Documents::new(registries);
        documents.apply(put("upstreams/u", CONSUL));
        documents.apply(put(
            "routes/r",
            &format!(r#"{{"uri":"/a","upstream":{CONSUL}}}"#),
        ));
        let changes = documents.settle();
        assert!(changes.services_added.is_empty());
        let problems: Vec<_> = documents.problems().map(ToString::to_string).collect();
        assert_eq!(
            problems,
            [
                format!("/chancery/routes/r: upstream.discovery_type: {said}"),
                format!("/chancery/upstreams/u: discovery_type: {said}"),
            ]
        );
    }
}
