//! Passwords, tokens, certificates.

use std::path::Path;
use std::time::Duration;

use chancery::store::etcd::Settings;
use etcd_client::Permission;

use crate::cable::Cable;
use crate::certificates::Authority;
use crate::etcd::Etcd;
use crate::store::{Store, documents, put, settings};

/// An etcd that asks for a password; `reader` may read our prefix only.
async fn guarded(flags: &[&str]) -> Etcd {
    let etcd = Etcd::start(flags).await;
    let mut client = etcd.client().await;
    client.put("/chancery/routes/a", "1", None).await.unwrap();
    client.user_add("root", "toor", None).await.unwrap();
    client.user_grant_role("root", "root").await.unwrap();
    client
        .user_add("reader", "open sesame", None)
        .await
        .unwrap();
    client.role_add("reader").await.unwrap();
    let read = Permission::read("/chancery/").with_prefix();
    client.role_grant_permission("reader", read).await.unwrap();
    client.user_grant_role("reader", "reader").await.unwrap();
    client.auth_enable().await.unwrap();
    etcd
}

fn as_reader(endpoint: String, password: &str) -> Store {
    let mut settings = settings(endpoint);
    settings.user = Some(("reader".into(), password.into()));
    Store::with(settings)
}

#[tokio::test]
async fn a_wrong_password_is_said_without_saying_it() {
    let etcd = guarded(&[]).await;
    let error = as_reader(etcd.url(), "abracadabra").fails().await;
    assert!(error.contains("authentication failed"), "{error}");
    assert!(!error.contains("abracadabra"), "{error}");

    let error = Store::at(etcd.url()).fails().await;
    assert!(error.contains("user name is empty"), "{error}");
}

#[tokio::test]
async fn a_token_that_expires_ends_nothing() {
    let etcd = guarded(&["--auth-token-ttl=1"]).await;
    let cable = Cable::to(etcd.port).await;
    let mut store = as_reader(cable.url(), "open sesame");
    assert_eq!(store.listed().await, documents(&[("routes/a", "1")]));

    let mut root = etcd.client_of(Some(("root", "toor"))).await;
    for value in ["2", "3"] {
        tokio::time::sleep(Duration::from_secs(3)).await;
        root.refresh_token().await.unwrap();
        let written = root.put("/chancery/routes/a", value, None).await.unwrap();
        let revision = written.header().unwrap().revision();
        assert_eq!(
            store.changed().await,
            (revision, vec![put("routes/a", value)])
        );
        assert!(store.earlier("routes/a", revision).await.is_some());
        assert_eq!(store.error(), None);
        cable.cut();
        store.fails().await;
        cable.plug();
    }
}

#[tokio::test]
async fn certificates_are_shown_and_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let files =
        |names: &[&str], name| authority.write(&authority.identity(names), folder.path(), name);
    let (own, client) = (files(&["127.0.0.1"], "etcd"), files(&["reader"], "client"));
    let flag = |name: &str, file: &Path| format!("--{name}={}", file.display());
    let mut etcd = Etcd::prepare(&[
        &flag("cert-file", &own.cert),
        &flag("key-file", &own.key),
        &flag("trusted-ca-file", &own.ca),
        "--client-cert-auth",
    ]);
    etcd.run_with_tls();

    let mut settings = settings(etcd.url());
    let says = async |settings: &Settings, words: &str| {
        let store = Store::with(settings.clone());
        store.fails_with(words).await;
    };
    says(&settings, "https needs the authority").await;
    settings.ca = Some(folder.path().join("none.pem"));
    says(&settings, "none.pem: No such file").await;
    settings.ca = Some(client.ca);
    settings.cert = Some(client.cert.clone());
    says(&settings, "both its certificate and its key").await;
    settings.cert = None;
    says(&settings, "fatal alert").await;
    settings.cert = Some(client.cert);
    settings.key = Some(client.key);
    assert_eq!(Store::with(settings).listed().await, documents(&[]));
}
