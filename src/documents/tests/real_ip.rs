//! Where the client's address stands, as a global rule says and gateways do.

use super::texts::{deleted, no_documents, put};
use super::told;
use crate::documents::Documents;
use crate::model::document::Change;
use crate::model::gateway::real_ip::By;

/// A rule that names a header.
fn rule(header: &str) -> String {
    format!(
        r#"{{"plugins":{{"real-ip":{{"source":"http_{header}","trusted_addresses":["10.0.0.0/8"]}}}}}}"#
    )
}

fn gateway(header: Option<&str>) -> String {
    let own = header.map(|name| {
        format!(r#","real_ip":{{"header":"{name}","trusted_addresses":["10.0.0.0/8"]}}"#)
    });
    let own = own.unwrap_or_default();
    format!(r#"{{"listeners":[{{"name":"http","port":80}}]{own}}}"#)
}

/// What is told of a change, and which header each gateway goes by.
fn changed(documents: &mut Documents, change: Change) -> (String, String) {
    documents.apply(change);
    let said = told(&documents.settle());
    let said = said.split(", ").filter(|part| !part.contains("no-route"));
    let gateways = documents.in_force.gateways.values();
    let mut by: Vec<_> = gateways
        .map(|gateway| match gateway.trusted().map(|one| &one.by) {
            Some(By::Header(name)) => format!("{} {name}", gateway.id),
            other => format!("{} {other:?}", gateway.id),
        })
        .collect();
    by.sort();
    (said.collect::<Vec<_>>().join(", "), by.join(", "))
}

#[test]
fn a_rule_says_it_for_every_gateway_that_does_not_say_it_itself() {
    let mut documents = no_documents();
    let mut play = |change, said: &str, by: &str| {
        let (told, goes_by) = changed(&mut documents, change);
        assert_eq!((&*told, &*goes_by), (said, by));
    };
    play(
        put("global_rules/2", &rule("two")),
        "+gateways/default",
        "default two",
    );
    play(
        put("gateways/edge", &gateway(None)),
        "+gateways/edge",
        "default two, edge two",
    );
    // The gateway's own word holds, and whoever wrote the rule learns of it.
    play(
        put("gateways/edge", &gateway(Some("One"))),
        "+gateways/edge, bad /chancery/global_rules/2",
        "default two, edge one",
    );
    play(
        put("gateways/edge", &gateway(Some("Two"))),
        "+gateways/edge, mended /chancery/global_rules/2",
        "default two, edge two",
    );
    // So does the first of two rules.
    play(
        put("global_rules/1", &rule("one")),
        "+gateways/default, +gateways/edge, bad /chancery/global_rules/1, bad /chancery/global_rules/2",
        "default one, edge two",
    );
    play(deleted("global_rules/2"), "", "default one, edge two");
    play(
        deleted("gateways/edge"),
        "-gateways/edge, mended /chancery/global_rules/1",
        "default one",
    );
    play(
        deleted("global_rules/1"),
        "+gateways/default",
        "default None",
    );
}
