//! Documents that refer to secrets: read as if they had them, and told of without them.

use rcgen::{CertificateParams, KeyPair};
use serde_json::{Value, json};

use super::texts::{json as document, put};
use crate::documents::{Documents, Reader};
use crate::model::{Document, Lookup};

/// No other text has it.
const PLANTED: &str = "pl4nted-s3cret";

fn documents(variables: &[(&str, &str)]) -> Documents {
    let of = |(name, value): &(&str, &str)| (name.to_string(), value.to_string());
    let lookup = Lookup::new(&["SHOP_*".to_owned()], variables.iter().map(of)).unwrap();
    Documents::read_by(Reader::new(Vec::new(), Default::default(), lookup))
}

fn jack(key: &str) -> Value {
    json!({"username": "jack", "plugins": {"key-auth": {"key": key}}})
}

fn problem(documents: &mut Documents, of: Document) -> String {
    documents.list(vec![of]);
    let settled = documents.settle();
    let said = settled.problems.first().map(|problem| problem.said());
    said.unwrap_or_default()
}

#[test]
fn credentials_and_certificates_are_what_variables_hold() {
    let key = KeyPair::generate().unwrap();
    let names = CertificateParams::new(vec!["a.example.com".to_owned()]).unwrap();
    let cert = names.self_signed(&key).unwrap().pem();
    let all = json!({"cert": cert, "key": key.serialize_pem()}).to_string();
    let mut documents = documents(&[("SHOP_KEY", PLANTED), ("SHOP_TLS", &all)]);
    let ssl = json!({"sni": "a.example.com", "cert": "$env://SHOP_TLS/cert", "key": "$env://SHOP_TLS/key"});
    documents.list(vec![
        document("consumers/jack", &jack("$env://SHOP_KEY").to_string()),
        document("ssls/a", &ssl.to_string()),
    ]);
    let settled = documents.settle();
    assert!(settled.problems.is_empty(), "{:?}", settled.problems);
    let consumers = settled.consumers.unwrap();
    let keys: Vec<_> = consumers.keys.keys().map(|key| key.reveal()).collect();
    assert_eq!(keys, [PLANTED]);
    let (_, gateway) = settled.gateways.into_iter().next().unwrap();
    let identity = gateway.unwrap().ssls[0].identities[0].clone();
    assert_eq!(identity.key.pem(), key.serialize_pem());
    // What is saved and shown of them is what was written.
    for (text, _) in documents.texts() {
        let text = String::from_utf8(text.value.to_vec()).unwrap();
        assert!(text.contains("$env://"), "{text}");
    }
}

#[test]
fn what_cannot_be_found_leaves_the_form_before_in_force() {
    let mut documents = documents(&[("SHOP_KEY", PLANTED)]);
    documents.list(vec![document(
        "consumers/jack",
        &jack("$env://SHOP_KEY").to_string(),
    )]);
    documents.settle();
    documents.apply(put("consumers/jack", &jack("$env://SHOP_NO").to_string()));
    let settled = documents.settle();
    assert_eq!(
        settled.problems[0].said(),
        "plugins.key-auth.key: refers to the variable `SHOP_NO`, which is not set where Chancery runs"
    );
    assert!(settled.consumers.is_none());
}

#[test]
fn what_is_wrong_with_a_value_is_told_without_it() {
    let mut of = documents(&[
        ("SHOP_KEY", PLANTED),
        ("SHOP_SPACE", "pl4nted s3cret"),
        ("SHOP_SHORT", "q"),
    ]);
    let route = |plugins: Value| {
        let upstream = json!({"nodes": {"a:80": 1}});
        document(
            "routes/a",
            &json!({"uri": "/", "upstream": upstream, "plugins": plugins}).to_string(),
        )
    };
    let shown_nowhere = |said: &str| {
        assert!(
            !said.contains("pl4nted") && !said.contains("s3cret"),
            "{said}"
        );
        assert!(!said.contains("\"q\""), "{said}");
        said.to_owned()
    };
    let hidden = "is wrong with what a reference there stands for, which is not shown";
    for (plugins, field) in [
        (
            json!({"limit-count": {"count": "$env://SHOP_KEY", "time_window": 1}}),
            "plugins.limit-count.count",
        ),
        (
            json!({"proxy-rewrite": {"method": "$env://SHOP_SHORT"}}),
            "plugins.proxy-rewrite.method",
        ),
        (
            json!({"redirect": {"uri": "$env://SHOP_SPACE", "ret_code": 301}}),
            "plugins.redirect.uri",
        ),
    ] {
        let said = shown_nowhere(&problem(&mut of, route(plugins)));
        assert!(
            said.starts_with(&format!("{field}: {hidden}")),
            "{field}: {said}"
        );
    }
    // Words that say nothing of the value stay.
    let text = jack("$env://SHOP_SPACE").to_string();
    let said = shown_nowhere(&problem(&mut of, document("consumers/jack", &text)));
    assert!(
        said.starts_with("plugins.key-auth.key: holds something else, allowed:"),
        "{said}"
    );
}

#[test]
fn what_a_proxy_says_of_a_value_is_not_repeated() {
    let mut documents = documents(&[("SHOP_KEY", PLANTED)]);
    let plugins = json!({"proxy-rewrite": {"headers": {"set": {"x-a": "$env://SHOP_KEY"}}}});
    let route = json!({"uri": "/", "upstream": {"nodes": {"a:80": 1}}, "plugins": plugins});
    documents.list(vec![document("routes/a", &route.to_string())]);
    documents.settle();
    documents.refuse("routes/a", &format!("bad header value {PLANTED}"));
    let _ = documents.settle();
    documents.apply(put("routes/a", r#"{"uri":1}"#));
    let told: Vec<_> = documents
        .statuses(0)
        .map(|one| format!("{one:?}"))
        .collect();
    assert!(!told.concat().contains(PLANTED), "{told:?}");
}
