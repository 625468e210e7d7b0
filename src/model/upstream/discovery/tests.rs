//! What `discovery_args` mean, how load assignments are called, and who is selected.

use serde_json::{Value, json};

use super::{Discovered, LeftOut, Selection};
use crate::model::drain::Mode;
use crate::model::instance::Status;
use crate::model::problem::Remark;
use crate::model::upstream::form;
use crate::model::{Cluster, Instance, Key, Members};

fn read(arguments: Value) -> Result<(Cluster, Vec<Remark>), Remark> {
    of("consul", arguments)
}

fn of(discovery: &str, arguments: Value) -> Result<(Cluster, Vec<Remark>), Remark> {
    let key: Key = "upstreams/u".parse().unwrap();
    let document = json!({
        "service_name": "echo", "discovery_type": discovery, "discovery_args": arguments,
    });
    let mut warnings = Vec::new();
    let cluster = form::read(&key, &document, &mut warnings)?;
    Ok((cluster, warnings))
}

fn discovered(arguments: Value) -> Discovered {
    match &read(arguments).unwrap().0.upstream.members {
        Members::Service(discovered) => discovered.clone(),
        Members::Nodes(_) => panic!("nodes"),
    }
}

#[test]
fn a_load_assignment_is_called_after_what_it_selects() {
    let table = [
        (json!({}), "consul/echo"),
        (json!({"passing_only": true}), "consul/echo"),
        (json!({"tag": "v2"}), "consul/echo?tag=v2"),
        (
            json!({"tags": ["v2", "green"], "tag": "v2"}),
            "consul/echo?tag=green&tag=v2",
        ),
        (
            json!({"meta": {"canary": "yes&no"}}),
            "consul/echo?meta.canary=yes%26no",
        ),
        (
            json!({"failover": ["dc3", "dc2"], "datacenter": "dc1", "passing_only": false}),
            "consul/echo?datacenter=dc1&passing_only=false&failover=dc3&failover=dc2",
        ),
        (
            json!({"partition": "p", "namespace": "n", "near": "_agent", "tagged_address": "wan"}),
            "consul/echo?near=_agent&namespace=n&partition=p&tagged_address=wan",
        ),
    ];
    for (arguments, expected) in table {
        let (cluster, _) = read(arguments).unwrap();
        assert_eq!(&*cluster.load_assignment(), expected);
    }
}

#[test]
fn what_selects_shares_a_watch_and_what_asks_something_else_does_not() {
    let plain = discovered(json!({}));
    let tagged = discovered(json!({"tags": ["v2"], "meta": {"a": "b"}, "passing_only": false}));
    assert_eq!(plain.service, tagged.service);
    for other in [
        json!({"datacenter": "dc2"}),
        json!({"near": "_agent"}),
        json!({"namespace": "n"}),
        json!({"partition": "p"}),
    ] {
        assert_ne!(discovered(other).service, plain.service);
    }
    let over = discovered(json!({"failover": ["dc2", "dc3"], "namespace": "n"}));
    let watches: Vec<_> = over.services().map(ToString::to_string).collect();
    assert_eq!(
        watches,
        [
            "consul/echo?namespace=n",
            "consul/echo?datacenter=dc2&namespace=n",
            "consul/echo?datacenter=dc3&namespace=n"
        ]
    );
}

#[test]
fn near_is_sent_with_a_warning() {
    let (_, warnings) = read(json!({"near": "_agent"})).unwrap();
    assert_eq!(warnings[0].field, "discovery_args.near");
    assert_eq!(read(json!({})).unwrap().1, []);
}

#[test]
fn what_is_wrong_is_named() {
    let table = [
        (json!({"dc": "a"}), "discovery_args", "unknown field `dc`"),
        (json!({"tags": "v2"}), "discovery_args.tags", "\"v2\""),
        (
            json!({"tags": ["a", "a"]}),
            "discovery_args.tags[1]",
            "second time",
        ),
        (json!({"tag": ""}), "discovery_args.tag", "1 to 512"),
        (
            json!({"datacenter": "a\nb"}),
            "discovery_args.datacenter",
            "control",
        ),
        (json!({"meta": {"a": 1}}), "discovery_args.meta.a", "1"),
        (
            json!({"datacenter": "dc1", "failover": ["dc2", "dc1"]}),
            "discovery_args.failover[1]",
            "take over from",
        ),
        (json!([]), "discovery_args", "allowed: an object"),
    ];
    for (arguments, field, words) in table {
        let remark = read(arguments).unwrap_err();
        assert!(remark.field.starts_with(field), "{remark:?}");
        assert!(remark.message.contains(words), "{remark:?}");
    }
}

#[test]
fn another_registry_is_named_rather_than_its_arguments() {
    let remark = of("nacos", json!({"group_name": "g"})).unwrap_err();
    assert_eq!(remark.field, "discovery_type");
    assert!(remark.message.contains("allowed: consul, dns, file"));
}

#[test]
fn files_know_meta_and_nothing_else() {
    let (cluster, _) = of("file", json!({"meta": {"version": "2"}})).unwrap();
    assert_eq!(&*cluster.load_assignment(), "file/echo?meta.version=2");
    let remark = of("file", json!({"tag": "v2"})).unwrap_err();
    assert_eq!(remark.field, "discovery_args.tag");
}

#[test]
fn who_is_selected_and_why_the_others_are_not() {
    let instance = Instance {
        tags: ["v2".into(), "green".into()].into(),
        metadata: [("canary".to_owned(), "yes".to_owned())].into(),
        ..Instance::new("a", [10, 0, 0, 1].into(), 80)
    };
    let why = |arguments: Value, change: fn(&mut Instance)| {
        let mut instance = instance.clone();
        change(&mut instance);
        discovered(arguments).selection.leaves_out(&instance, None)
    };
    assert_eq!(why(json!({"tags": ["v2", "green"]}), |_| ()), None);
    assert_eq!(why(json!({"meta": {"canary": "yes"}}), |_| ()), None);
    let tag = LeftOut::Tag("blue".into());
    assert_eq!(why(json!({"tags": ["v2", "blue"]}), |_| ()), Some(tag));
    let meta = LeftOut::Meta("canary".into(), "no".into());
    assert_eq!(why(json!({"meta": {"canary": "no"}}), |_| ()), Some(meta));
    let weight = Some(LeftOut::Weight);
    assert_eq!(why(json!({}), |instance| instance.weight = 0), weight);

    let warning = |instance: &mut Instance| instance.status = Status::Warning;
    let left_out = Some(LeftOut::Status(Status::Warning));
    assert_eq!(why(json!({}), warning), left_out);
    assert_eq!(why(json!({"passing_only": false}), warning), None);
    for status in [Status::Critical, Status::Maintenance] {
        let instance = Instance {
            status,
            ..instance.clone()
        };
        let selection = Selection {
            warning: true,
            ..Selection::default()
        };
        let left_out = Some(LeftOut::Status(status));
        assert_eq!(selection.leaves_out(&instance, None), left_out);
    }
}

#[test]
fn one_that_is_drained_is_left_out_for_that_and_not_for_its_maintenance() {
    let mut instance = Instance::new("a", [10, 0, 0, 1].into(), 80);
    instance.status = Status::Maintenance;
    let plain = Selection::default();
    let drained = Some(Mode::Leave);
    let why = plain.leaves_out(&instance, drained);
    assert_eq!(why, Some(LeftOut::Drained(Mode::Leave)));
    // It would get none without the drain either.
    let tagged = discovered(json!({"tag": "v2"})).selection;
    let why = tagged.leaves_out(&instance, drained);
    assert_eq!(why, Some(LeftOut::Tag("v2".into())));
}

#[test]
fn a_tagged_address_is_used_where_there_is_one() {
    let wan = discovered(json!({"tagged_address": "wan"})).selection;
    let mut instance = Instance::new("a", [10, 0, 0, 1].into(), 80);
    assert_eq!(wan.address(&instance).to_string(), "10.0.0.1:80");
    let elsewhere = "192.0.2.1:8080".parse().unwrap();
    instance.tagged.insert("wan".into(), elsewhere);
    assert_eq!(wan.address(&instance), elsewhere);
    let own = Selection::default().address(&instance);
    assert_eq!(own.to_string(), "10.0.0.1:80");
}
