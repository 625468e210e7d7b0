//! Secrets and extension configs: what changes with them, and when they go.

use envoy_types::pb::envoy::config::core::v3::TypedExtensionConfig;
use envoy_types::pb::envoy::extensions::transport_sockets::tls::v3::Secret;

use super::*;

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
    scene.builder.handle_secret(&ssl, Some(&secret("1")));
    let config = TypedExtensionConfig::default();
    scene.builder.handle_extension(&auth, Some(&config));
    assert_eq!(scene.changes(), "secrets=+1~0-0 extensions=+1~0-0");
    scene.builder.handle_secret(&ssl, Some(&secret("1")));
    assert_eq!(scene.changes(), "nothing");
    scene.builder.handle_secret(&ssl, Some(&secret("2")));
    assert_eq!(scene.changes(), "secrets=~1");
    scene.builder.handle_secret(&ssl, None);
    scene.builder.handle_extension(&auth, None);
    assert_eq!(scene.changes(), "secrets=+0~0-1 extensions=+0~0-1");
}

#[test]
fn a_refused_secret_keeps_its_last_accepted_form_and_is_never_withdrawn() {
    const SECRET: ResourceType = ResourceType::Secret;
    let mut scene = Scene::new();
    scene.next();
    let ssl = "ssl/a".into();
    let version = |snapshot: &Snapshot| snapshot.set(SECRET).find("ssl/a").unwrap().version;
    scene.builder.handle_secret(&ssl, Some(&secret("1")));
    let good = scene.next().unwrap().0;
    said(&mut scene, SECRET, good.sequence, None);
    scene.builder.handle_secret(&ssl, Some(&secret("2")));
    let bad = scene.next().unwrap().0;
    said(&mut scene, SECRET, bad.sequence, Some("ssl/a is no good"));
    assert!(scene.builder.refused().contains_key("ssls/a"));
    assert_eq!(version(&scene.next().unwrap().0), version(&good));

    let other = "ssl/b".into();
    scene.builder.handle_secret(&other, Some(&secret("1")));
    let bad = scene.next().unwrap().0;
    said(&mut scene, SECRET, bad.sequence, Some("ssl/b is no good"));
    assert_eq!(scene.builder.withdrawn(), ["ssls/b"]);
    assert_eq!(scene.changes(), "nothing");
    scene.builder.handle_secret(&other, None);
    assert_eq!(scene.changes(), "secrets=+0~0-1");
}

#[test]
fn a_secret_goes_when_no_resource_in_force_names_it() {
    let mut scene = Scene::new();
    scene.next();
    let ssl: Arc<str> = "ssl/a".into();
    scene.builder.handle_secret(&ssl, Some(&secret("1")));
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
    scene.builder.leaving.insert((ResourceType::Secret, ssl));
    assert!(scene.builder.leave(&naming).is_empty());
    scene.builder.current = scene.builder.current.next(naming, 1).0;
    assert!(scene.builder.leave(&[]).is_empty());
    assert_eq!(scene.builder.leave(&parent(Box::default())).len(), 1);
    assert!(scene.builder.leaving.is_empty());
}
