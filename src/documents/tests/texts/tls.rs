//! ssl documents and stream routes: what is refused, what is said, and who answers to a name.

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::{deleted, json as document, no_documents, problem_of, refused, settled};
use crate::documents::{Changes, Documents};
use crate::model::Gateway;
use crate::model::document::Change;
use crate::model::ssl::Versions;

/// A certificate for these names, and its key.
fn pair(names: &[&str]) -> (String, String) {
    let key = KeyPair::generate().unwrap();
    let owned: Vec<_> = names.iter().map(|&name| name.to_owned()).collect();
    let certificate = CertificateParams::new(owned)
        .unwrap()
        .self_signed(&key)
        .unwrap();
    (certificate.pem(), key.serialize_pem())
}

/// An ssl document for `sni` with these fields too.
fn ssl(sni: &str, more: &Value) -> Value {
    let (cert, key) = pair(&[sni]);
    let mut ssl = json!({ "sni": sni, "cert": cert, "key": key });
    for (field, value) in more.as_object().unwrap() {
        ssl[field] = value.clone();
    }
    ssl
}

fn put(documents: &mut Documents, path: &str, value: &Value) -> Changes {
    documents.apply(Change::Put(document(path, &value.to_string())));
    documents.settle()
}

fn warnings(changes: &Changes) -> Vec<String> {
    changes.warnings.iter().map(ToString::to_string).collect()
}

/// The gateway `default` as these changes have it.
fn gateway(changes: &Changes) -> &Gateway {
    let found = changes
        .gateways
        .iter()
        .find(|(id, _)| id.as_str() == "default");
    found.unwrap().1.as_deref().unwrap()
}

/// The names that each document answers to, in order.
fn names(changes: &Changes) -> Vec<String> {
    let ssls = gateway(changes).ssls.iter();
    ssls.map(|ssl| {
        let names: Vec<_> = ssl.names.iter().map(ToString::to_string).collect();
        let any = if ssl.any_name { " and any" } else { "" };
        format!("{}: {}{any}", ssl.id, names.join(" "))
    })
    .collect()
}

#[test]
fn what_an_ssl_cannot_be() {
    let (cert, key) = pair(&["a.example.com"]);
    let (_, other) = pair(&["b.example.com"]);
    let said = |more: Value| {
        let mut ssl = json!({ "sni": "a.example.com", "cert": cert, "key": key });
        for (field, value) in more.as_object().unwrap() {
            match value {
                Value::Null => ssl.as_object_mut().unwrap().remove(field),
                value => ssl
                    .as_object_mut()
                    .unwrap()
                    .insert(field.clone(), value.clone()),
            };
        }
        let problem = problem_of(document("ssls/a", &ssl.to_string())).unwrap();
        assert!(
            !problem.contains("BEGIN") && !problem.contains("MI"),
            "{problem}"
        );
        problem
            .strip_prefix("/chancery/ssls/a: ")
            .unwrap()
            .to_owned()
    };
    for (fields, begins) in [
        (
            json!({ "key": other }),
            "key: is not the key of the certificate beside it",
        ),
        (
            json!({ "key": "AbCd" }),
            "key: cannot be read, allowed: a private key (RSA, ECDSA) as PEM; APISIX stores",
        ),
        (
            json!({ "key": "$secret://vault/1" }),
            "key: refers to `vault/1`, allowed: the manager, the id of its document, a key and a field",
        ),
        (
            json!({ "cert": "$env://CERT" }),
            "cert: refers to the variable `CERT`, which documents may not name",
        ),
        (json!({ "keys": key }), "keys: "),
        (json!({ "status": key }), "status: "),
        (
            json!({ "certs": [cert] }),
            "keys: found 0 beside 1 `certs`, allowed: one for each",
        ),
        (
            json!({ "certs": [cert], "keys": [other] }),
            "keys[0]: is not the key",
        ),
        (
            json!({ "sni": null }),
            "sni: is missing, and `snis` is as well",
        ),
        (json!({ "snis": ["b"] }), "snis: found beside `sni`"),
        (
            json!({ "sni": "a*b" }),
            r#"sni: found "a*b", allowed: a name such as "www.example.com", "*.example.com", or "*""#,
        ),
        (
            json!({ "sni": null, "snis": ["b", "B"] }),
            "snis[1]: found a second time",
        ),
        (
            json!({ "ssl_protocols": ["TLSv1.1"] }),
            "ssl_protocols: leaves no safe version",
        ),
        (json!({ "ssl_protocols": ["SSLv3"] }), "ssl_protocols[0]: "),
        (
            json!({ "client": { "ca": cert, "skip_mtls_uri_regex": ["/a"] } }),
            "client.skip_mtls_uri_regex: is not served: Envoy asks for the client's certificate",
        ),
        (
            json!({ "type": "client" }),
            "sni: found in a document of `type: client`",
        ),
    ] {
        let problem = said(fields.clone());
        assert!(problem.starts_with(begins), "{problem}");
    }
}

#[test]
fn what_an_ssl_is_warned_of() {
    let mut documents = no_documents();
    let (cert, key) = pair(&["*.example.com", "www.example.org"]);
    let ssl = json!({
        "snis": ["www.example.com", "a.b.example.com", "*.example.com", "www.example.org", "*.example.org"],
        "cert": cert, "key": key, "ssl_protocols": ["TLSv1.1", "TLSv1.3"],
    });
    let changes = put(&mut documents, "ssls/a", &ssl);
    let uncovered = "stands in no certificate of the document: clients that verify refuse it";
    assert_eq!(
        warnings(&changes),
        [
            // One line, however many there are.
            format!("/chancery/ssls/a: snis[1]: {uncovered}, and 1 more of the names"),
            "/chancery/ssls/a: ssl_protocols: TLSv1.1 is not spoken, as it is not safe; the others are".to_owned(),
        ]
    );
    assert_eq!(gateway(&changes).ssls[0].versions, Versions::Only13);
    let ended = |now: i64| {
        let status = documents.statuses(now).next().unwrap();
        status
            .warnings
            .iter()
            .any(|warning| warning.said().starts_with("cert: has ended"))
    };
    assert!(!ended(0) && ended(i64::MAX));
}

#[test]
fn a_name_has_one_certificate() {
    let mut documents = no_documents();
    put(&mut documents, "ssls/b", &ssl("*", &json!({})));
    let changes = put(
        &mut documents,
        "ssls/c",
        &ssl("www.example.com", &json!({})),
    );
    assert_eq!(names(&changes), ["b:  and any", "c: www.example.com"]);
    let mut both = ssl("www.example.com", &json!({ "gateways": ["default"] }));
    both.as_object_mut().unwrap().remove("sni");
    both["snis"] = json!(["WWW.example.com", "*"]);
    let changes = put(&mut documents, "ssls/a", &both);
    assert_eq!(names(&changes), ["a: www.example.com and any"]);
    assert_eq!(
        warnings(&changes),
        [
            "/chancery/ssls/b: snis: `*` is answered with the certificate of `ssls/a`, whose id comes first",
            "/chancery/ssls/c: snis: `www.example.com` is answered with the certificate of `ssls/a`, whose id comes first",
        ]
    );
    let mut more = both.clone();
    more["snis"] = json!(["www.example.com", "*", "other.example.com"]);
    let changes = put(&mut documents, "ssls/d", &more);
    assert_eq!(
        warnings(&changes)[1],
        "/chancery/ssls/d: snis: `www.example.com` is answered with the certificate of `ssls/a`, whose id comes first; so it is \
         with 1 more of the names"
    );
    documents.apply(deleted("ssls/d"));
    documents.settle();
    both["gateways"] = json!(["inner"]);
    let changes = put(&mut documents, "ssls/a", &both);
    assert_eq!(names(&changes), ["b:  and any", "c: www.example.com"]);
    both["status"] = json!(0);
    put(&mut documents, "ssls/a", &both);
    assert!(
        documents
            .statuses(0)
            .all(|status| status.warnings.is_empty())
    );
}

#[test]
fn what_a_client_cert_id_refers_to() {
    let mut documents = no_documents();
    let upstream = json!({ "scheme": "https", "nodes": {}, "tls": { "client_cert_id": "mine" } });
    let route = json!({ "uri": "/a", "upstream_id": "u" });
    put(&mut documents, "upstreams/u", &upstream);
    put(&mut documents, "routes/r", &route);
    let problems = |documents: &Documents| -> Vec<String> {
        documents.problems().map(ToString::to_string).collect()
    };
    assert_eq!(
        problems(&documents),
        [
            "/chancery/routes/r: upstream_id: `tls.client_cert_id` of `upstreams/u` refers to `ssls/mine`, which does not exist",
            "/chancery/upstreams/u: tls.client_cert_id: refers to `ssls/mine`, which does not exist",
        ]
    );
    put(
        &mut documents,
        "ssls/mine",
        &ssl("a.example.com", &json!({})),
    );
    assert!(
        problems(&documents)[1].ends_with("refers to `ssls/mine`, which is not of `type: client`")
    );
    let (cert, key) = pair(&["me"]);
    let client = json!({ "type": "client", "cert": cert, "key": key });
    let changes = put(&mut documents, "ssls/mine", &client);
    assert_eq!(problems(&documents), [""; 0]);
    let in_force = changes.routes[0].1.as_ref().unwrap();
    let tls = in_force
        .cluster
        .as_ref()
        .unwrap()
        .upstream
        .tls
        .as_ref()
        .unwrap();
    assert_eq!(tls.identity.as_ref().unwrap().certificates.pem(), cert);
}

const STREAMS: &str = r#"{"listeners":[{"name":"tcp","port":9100,"protocol":"tcp"},{"name":"tls","port":9101,"protocol":"tls"}]}"#;

#[test]
fn what_a_stream_route_cannot_be() {
    refused(&[
        ("stream_routes/s", "{}", "has nowhere to send bytes: …"),
        (
            "stream_routes/s",
            r#"{"plugins":{"limit-conn":{}},"upstream_id":"u"}"#,
            "plugins.limit-conn: is not served for stream routes, allowed: ip-restriction, prometheus; `remote_addr` says whose connections they take",
        ),
        (
            "stream_routes/s",
            r#"{"protocol":{"name":"redis"},"upstream_id":"u"}"#,
            "protocol: `protocol` is not served: Envoy does not run the protocols of APISIX's xRPC",
        ),
        (
            "stream_routes/s",
            r#"{"remote_addr":"here","upstream_id":"u"}"#,
            r#"remote_addr: found "here", allowed: an IP address or a range such as "10.0.0.0/8""#,
        ),
        (
            "stream_routes/s",
            r#"{"upstream_id":"u"}"#,
            "upstream_id: refers to `upstreams/u`, …",
        ),
        (
            "stream_routes/s",
            r#"{"upstream":{"nodes":{},"scheme":"grpc"}}"#,
            r#"upstream.scheme: found "grpc", which is for routes, allowed: tcp, tls"#,
        ),
        (
            "stream_routes/s",
            r#"{"sni":"a.b","upstream":{"nodes":{},"scheme":"tls","tls":{}}}"#,
            r#"upstream.scheme: found "tls" beside `sni`, allowed: tcp, …"#,
        ),
        (
            "stream_routes/s",
            r#"{"upstream":{"nodes":{},"type":"chash","key":"uri"}}"#,
            "upstream.key: needs a request, which a stream has none of, allowed: remote_addr",
        ),
        (
            "stream_routes/s",
            r#"{"server_port":9100,"upstream":{"nodes":{}}}"#,
            "server_port: found 9100: no listener of gateway `default` has this port and `protocol: tcp` or `tls`",
        ),
    ]);
}

#[test]
fn a_stream_route_waits_for_its_listener_and_keeps_its_form() {
    let mut documents = no_documents();
    let route = json!({ "server_port": 9101, "sni": "A.example.com", "upstream": { "nodes": {} } });
    put(&mut documents, "stream_routes/s", &route);
    assert_eq!(documents.rejected(), 1);
    documents.apply(Change::Put(document("gateways/default", STREAMS)));
    let changes = documents.settle();
    assert_eq!(documents.rejected(), 0);
    let found = &gateway(&changes).stream_routes[0];
    assert_eq!(
        found.matching.sni.as_ref().unwrap().to_string(),
        "a.example.com"
    );
    assert_eq!(&*found.cluster.name, "stream_route/s");
    let mut wrong = route.clone();
    wrong["server_port"] = json!(9100);
    let changes = put(&mut documents, "stream_routes/s", &wrong);
    assert_eq!(
        changes.problems[0].to_string(),
        "/chancery/stream_routes/s: server_port: found 9100: no listener of gateway `default` has this port and `protocol: tls`"
    );
    assert!(changes.gateways.is_empty(), "its last good form stays");
    documents.apply(super::deleted("stream_routes/s"));
    assert!(gateway(&documents.settle()).stream_routes.is_empty());
}

#[test]
fn plugins_of_a_service_have_no_effect_on_streams() {
    let mut documents = no_documents();
    documents.apply(Change::Put(document("gateways/default", STREAMS)));
    let plugins = json!({ "redirect": { "http_to_https": true } });
    let service = json!({ "upstream": { "nodes": {} }, "plugins": plugins });
    put(&mut documents, "services/s", &service);
    let changes = put(
        &mut documents,
        "stream_routes/s",
        &json!({ "service_id": "s" }),
    );
    assert_eq!(
        warnings(&changes),
        [
            "/chancery/stream_routes/s: service_id: the plugins of `services/s` have no effect on streams"
        ]
    );
}

#[test]
fn services_of_stream_routes_are_watched() {
    let mut documents = no_documents();
    documents.apply(Change::Put(document("gateways/default", STREAMS)));
    let upstream = json!({ "discovery_type": "consul", "service_name": "echo", "scheme": "tcp" });
    let changes = put(
        &mut documents,
        "stream_routes/s",
        &json!({ "upstream": upstream }),
    );
    assert_eq!(changes.services_added.len(), 1);
    documents.apply(super::deleted("stream_routes/s"));
    assert_eq!(documents.settle().services_removed.len(), 1);
    let text = r#"{"upstream":{"discovery_type":"consul","service_name":"echo","scheme":"tcp"}}"#;
    assert_eq!(settled(document("stream_routes/x", text)).problems.len(), 1);
}

#[test]
fn when_certificates_end_is_told_of_those_that_end_first() {
    let ending = |years: i32| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(["*.example.com".to_owned()]).unwrap();
        params.not_after = rcgen::date_time_ymd(1970 + years, 1, 1);
        let pem = params.self_signed(&key).unwrap().pem();
        json!({ "sni": "www.example.com", "cert": pem, "key": key.serialize_pem() })
    };
    let mut documents = no_documents();
    documents.settle();
    assert_eq!(documents.take_ends(2), None);
    put(&mut documents, "ssls/late", &ending(70));
    put(&mut documents, "ssls/early", &ending(60));
    // Of several, the first that ends.
    let (mut both, other) = (ending(80), ending(65));
    both["certs"] = json!([other["cert"]]);
    both["keys"] = json!([other["key"]]);
    put(&mut documents, "ssls/both", &both);
    let ends = |documents: &mut Documents| {
        let ends = documents.take_ends(2)?.into_iter();
        let years = |end: i64| end / (365 * 24 * 3600);
        let ends = ends.map(|(path, end)| (path.to_string(), years(end)));
        Some(ends.collect::<Vec<_>>())
    };
    let two = [("ssls/early".into(), 60), ("ssls/both".into(), 65)];
    assert_eq!(ends(&mut documents), Some(two.to_vec()));
    assert_eq!(ends(&mut documents), None);
    // Nobody uses what is off.
    let mut off = ending(60);
    off["status"] = 0.into();
    put(&mut documents, "ssls/early", &off);
    let mut client = ending(50);
    client["type"] = "client".into();
    client.as_object_mut().unwrap().remove("sni");
    put(&mut documents, "ssls/client", &client);
    let two = [("ssls/client".into(), 50), ("ssls/both".into(), 65)];
    assert_eq!(ends(&mut documents), Some(two.to_vec()));
    documents.apply(deleted("ssls/client"));
    documents.settle();
    let two = [("ssls/both".into(), 65), ("ssls/late".into(), 70)];
    assert_eq!(ends(&mut documents), Some(two.to_vec()));
}
