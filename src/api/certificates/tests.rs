use rcgen::{CertificateParams, KeyPair, date_time_ymd};
use serde_json::json;

use super::*;
use crate::documents::DocumentStatus;
use crate::model::document::Format;

fn pem(year: i32, names: &[&str]) -> String {
    let names: Vec<_> = names.iter().map(ToString::to_string).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.not_after = date_time_ymd(year, 6, 1);
    let key = KeyPair::generate().unwrap();
    params.self_signed(&key).unwrap().pem()
}

#[test]
fn of_each_certificate_is_told_for_whom_until_when_and_who_shows_it() {
    let document = |path: &str, text: Value| Document {
        path: path.into(),
        source: path.into(),
        format: Format::Json,
        value: text.to_string().into(),
        revision: 1,
    };
    let newest = [
        document(
            "ssls/two",
            json!({"snis": ["a.com"], "cert": pem(2040, &["a.com"]), "certs": [pem(2035, &["a.com"])], "key": "planted", "gateways": ["edge"]}),
        ),
        document(
            "ssls/client",
            json!({"type": "client", "cert": pem(2030, &["c.com"]), "key": "planted"}),
        ),
        document("ssls/odd", json!({"cert": 5})),
        document("ssls/none", json!(null)),
        document("gateways/edge", json!({})),
        document("upstreams/u", json!({"tls": {"client_cert_id": "client"}})),
    ];
    let fared = Fared {
        status: DocumentStatus {
            path: "ssls/two".into(),
            source: "ssls/two".into(),
            revision: 1,
            holds: Some(1),
            off: true,
            problem: None,
            warnings: Vec::new(),
        },
        beyond: None,
    };
    let found = found(vec![fared], &newest);
    let told = |one: &pb::Certificate| {
        let years = one
            .not_after
            .map_or(0, |end| 1970 + end.seconds / 31_556_952);
        format!(
            "{} {} {} {years} {} {}",
            one.document,
            one.r#type,
            one.names.join(","),
            one.state,
            one.used_by.join(",")
        )
    };
    assert_eq!(
        found.iter().map(told).collect::<Vec<_>>(),
        [
            "ssls/client client c.com 2030  upstreams/u",
            "ssls/two server a.com 2035 off gateways/edge",
            "ssls/none server  0  gateways/default,gateways/edge",
            "ssls/odd server  0  gateways/default,gateways/edge",
        ]
    );
    assert!(!format!("{found:?}").contains("planted"));
}
