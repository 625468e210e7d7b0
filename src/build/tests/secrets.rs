//! Secrets and extension configs: what changes with them, and when they go.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;

use super::*;
use crate::model::Consumers;
use crate::snapshot::{Change, Child, Resource};
use crate::translate;

const SECRET: ResourceType = ResourceType::Secret;
const EXTENSION: ResourceType = ResourceType::ExtensionConfig;

fn secret(content: &str) -> Secret {
    Secret {
        name: content.into(),
        ..Secret::default()
    }
}

#[test]
fn a_secret_or_an_extension_changes_nothing_else() {
    let mut scene = Scene::new();
    scene.next();
    let (ssl, auth) = ("ssl/a".into(), "auth".into());
    scene.builder.named.want(SECRET, &ssl, &secret("1"));
    let config = TypedExtensionConfig::default();
    scene.builder.named.want(EXTENSION, &auth, &config);
    assert_eq!(scene.changes(), "secrets=+1~0-0 extensions=+1~0-0");
    scene.builder.named.want(SECRET, &ssl, &secret("1"));
    assert_eq!(scene.changes(), "nothing");
    scene.builder.named.want(SECRET, &ssl, &secret("2"));
    assert_eq!(scene.changes(), "secrets=~1");
    scene.builder.named.forget(SECRET, &ssl);
    scene.builder.named.forget(EXTENSION, &auth);
    assert_eq!(scene.changes(), "secrets=+0~0-1 extensions=+0~0-1");
}

#[test]
fn a_refused_secret_keeps_its_last_accepted_form_and_is_never_withdrawn() {
    let mut scene = Scene::new();
    scene.next();
    let ssl = "ssl/a".into();
    let version = |snapshot: &Snapshot| snapshot.set(SECRET).find("ssl/a").unwrap().version;
    scene.builder.named.want(SECRET, &ssl, &secret("1"));
    let good = scene.next().unwrap().0;
    said(&mut scene, SECRET, good.sequence, None);
    scene.builder.named.want(SECRET, &ssl, &secret("2"));
    let bad = scene.next().unwrap().0;
    said(&mut scene, SECRET, bad.sequence, Some("ssl/a is no good"));
    assert!(scene.builder.refused().contains_key("ssls/a"));
    assert_eq!(version(&scene.next().unwrap().0), version(&good));

    let other = "ssl/b".into();
    scene.builder.named.want(SECRET, &other, &secret("1"));
    let bad = scene.next().unwrap().0;
    said(&mut scene, SECRET, bad.sequence, Some("ssl/b is no good"));
    assert_eq!(scene.builder.withdrawn(), ["ssls/b"]);
    assert_eq!(scene.changes(), "nothing");
    scene.builder.named.forget(SECRET, &other);
    assert_eq!(scene.changes(), "secrets=+0~0-1");
}

#[test]
fn a_secret_goes_when_no_resource_in_force_names_it() {
    let mut scene = Scene::new();
    scene.next();
    let ssl: Arc<str> = "ssl/a".into();
    scene.builder.named.want(SECRET, &ssl, &secret("1"));
    scene.next();
    let parent = |children: Box<[Child]>| {
        let of = ResourceType::Cluster;
        let name: Arc<str> = "c".into();
        let resource = Some(Arc::new(Resource::new(of, &name, b"", children)));
        vec![Change {
            resource_type: of,
            name,
            resource,
        }]
    };
    let naming = parent([(ResourceType::Secret, ssl.clone())].into());
    let Builder { named, current, .. } = &mut scene.builder;
    named.forget(SECRET, &ssl);
    named.next(&mut Vec::new());
    assert!(named.leave(current, &naming).is_empty());
    *current = current.next(naming, 1).0;
    assert!(named.leave(current, &[]).is_empty());
    assert!(named.are_leaving());
    let unnamed = parent(Box::default());
    assert_eq!(named.leave(current, &unnamed).len(), 1);
    assert!(!named.are_leaving());
}

#[test]
fn consumers_are_translated_once_a_snapshot_however_often_they_change() {
    let mut scene = Scene::new();
    let mut extensions = Arc::<Extensions>::default();
    scene.builder.handle_consumers(&extensions);
    scene.next();
    let translated = || translate::CONSUMERS_TRANSLATED.get();
    let before = translated();
    for group in 0..100 {
        let mut consumers = Consumers::default();
        let group = Some(id(&group.to_string()));
        consumers.groups.insert("jack".into(), group);
        extensions = Arc::new(extensions.next(Arc::new(consumers)));
        scene.builder.handle_consumers(&extensions);
    }
    assert_eq!(scene.changes(), "extensions=~1");
    assert_eq!(translated(), before + 1);
    assert_eq!(scene.changes(), "nothing");
    assert_eq!(translated(), before + 1);
    // Other gateways and cohorts share them.
    let mut other = Scene::new();
    other.builder.handle_consumers(&extensions);
    assert!(other.changes().contains("extensions=+68"));
    assert_eq!(translated(), before + 1);
}
