//! Documents that ask an identity provider: they wait for what it says of itself, follow it, and lose nothing by it.

use std::sync::Arc;

use super::texts::json as document;
use crate::documents::{Changes, Documents};
use crate::model::{Document, Provider, Subject, Verdict};

fn provider(address: &str) -> Provider {
    Provider {
        address: address.into(),
        verify: false,
        keys: true,
        login: false,
    }
}

fn route(id: &str, address: &str) -> Document {
    let plugin = format!(
        r#"{{"client_id":"a","client_secret":"b","bearer_only":true,"use_jwks":true,"discovery":"{address}"}}"#
    );
    let text = format!(
        r#"{{"uri":"/{id}","plugins":{{"openid-connect":{plugin}}},"upstream":{{"nodes":{{"10.0.0.1:80":1}}}}}}"#
    );
    document(&format!("routes/{id}"), &text)
}

fn answered(documents: &mut Documents, verdict: Verdict) -> Changes {
    documents.answer([(Subject::Provider(provider("http://a/d")), verdict)]);
    documents.settle()
}

fn keys(kid: &str) -> Verdict {
    Verdict::Value(format!(
        r#"{{"issuer":"me","keys":[{{"kid":"{kid}","key":"00","algorithms":["RS256"]}}]}}"#
    ))
}

fn problems(documents: &Documents) -> Vec<String> {
    documents.problems().map(|one| one.said()).collect()
}

#[test]
fn a_route_waits_for_its_provider_and_follows_its_keys() {
    let mut documents = Documents::new(Vec::new());
    documents.list(vec![route("r", "http://a/d")]);
    let changes = documents.settle();
    assert!(changes.routes.is_empty() && changes.others_wait);
    assert_eq!(
        changes.secrets.unwrap().providers,
        [provider("http://a/d")].into()
    );
    let waiting: Vec<_> = documents.waiting().map(|(_, why)| why.said()).collect();
    let said = "plugins.openid-connect.discovery: refers to the provider of `http://a/d`, which has not been answered yet";
    assert_eq!(waiting, [said]);
    for kid in ["one", "two"] {
        let changes = answered(&mut documents, keys(kid));
        assert_eq!(changes.routes.len(), 1, "{kid}");
        assert!(changes.secrets.is_none() && documents.waiting().next().is_none());
        // The same again is no change.
        assert!(answered(&mut documents, keys(kid)).routes.is_empty());
    }
    // A provider that has nothing to say any more takes nothing away.
    let changes = answered(
        &mut documents,
        Verdict::Nothing("which is not there (404)".to_owned()),
    );
    assert!(changes.routes.is_empty());
    let said = "plugins.openid-connect.discovery: refers to the provider of `http://a/d`, which is not there (404)";
    assert_eq!(problems(&documents), [said]);
    answered(&mut documents, keys("two"));
    assert!(problems(&documents).is_empty());
}

#[test]
fn more_providers_than_are_asked_are_said() {
    let mut documents = Documents::new(Vec::new());
    let all = (0..257).map(|number| route(&format!("r{number}"), &format!("http://a/{number}")));
    documents.list(all.collect());
    let changes = documents.settle();
    let asked: Arc<_> = changes.secrets.unwrap();
    assert_eq!(asked.providers.len(), 256);
    let said = problems(&documents);
    assert!(
        said.len() == 1 && said[0].contains("beyond what providers are asked, allowed: 256"),
        "{said:?}"
    );
}
