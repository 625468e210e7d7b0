//! Being let in: a token that Consul does not know, one that changes, certificates.

use std::process::Command;

use serde_json::json;

use crate::process::{self, Consul, own_address};
use crate::{Settings, Watch, settings};

#[tokio::test]
async fn a_token_that_consul_does_not_know_is_no_empty_answer() {
    let consul = Consul::configured(
        own_address(),
        r#"acl { enabled = true, default_policy = "deny" }"#,
    )
    .await;
    let unknown = Settings {
        token: Some("5e8ab7a2-unknown".to_owned()),
        ..settings(&consul.url())
    };
    let mut watch = Watch::start(unknown, &["echo"]);
    let error = watch.is_lost().await;
    assert!(error.contains("service:read"), "{error}");
    assert!(!error.contains("5e8ab7a2"), "{error}");
    watch.assert_quiet();
}

#[tokio::test]
async fn consul_behind_tls_asks_for_a_certificate_and_gets_one() {
    let address = own_address();
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let server = format!("cert create -server -additional-ipaddress {address}");
    for arguments in ["ca create", &server, "cert create -client"] {
        let mut tls = Command::new(process::program());
        tls.current_dir(folder.path())
            .arg("tls")
            .args(arguments.split(' '));
        let made = tls.output().unwrap();
        assert!(made.status.success(), "{made:?}");
    }
    let https = format!(
        "ports {{ https = 8501 }} verify_incoming_https = true \
         ca_file = {:?} cert_file = {:?} key_file = {:?}",
        file("consul-agent-ca.pem"),
        file("dc1-server-consul-0.pem"),
        file("dc1-server-consul-0-key.pem"),
    );
    let consul = Consul::configured(address, &https).await;
    consul.register("echo", 8081).await;
    let url = format!("https://{address}:8501");

    let stranger = Watch::start(settings(&url), &["echo"]);
    let error = stranger.is_lost().await;
    assert!(error.contains("certificate"), "{error}");

    let without = Settings {
        ca: Some(file("consul-agent-ca.pem")),
        ..settings(&url)
    };
    let error = Watch::start(without.clone(), &["echo"]).is_lost().await;
    assert!(error.contains("unreachable"), "{error}");

    let known = Settings {
        cert: Some(file("dc1-client-consul-0.pem")),
        key: Some(file("dc1-client-consul-0-key.pem")),
        ..without
    };
    let mut watch = Watch::start(known, &["echo"]);
    watch.comes_to(&[8081]).await;
    consul.register("echo", 8082).await;
    watch.comes_to(&[8081, 8082]).await;
}

#[tokio::test]
async fn a_token_in_a_file_is_read_again_when_it_changes() {
    let secret = "b1a6f2f0-5a3f-4d2c-9c1e-0a4a6d1f7c55";
    let acl = format!(
        r#"acl {{ enabled = true, default_policy = "deny", tokens {{ master = "{secret}" }} }}"#
    );
    let consul = Consul::configured(own_address(), &acl).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "5e8ab7a2-unknown\n").unwrap();
    let by_file = Settings {
        token_file: Some(file.clone()),
        ..settings(&consul.url())
    };
    let mut watch = Watch::start(by_file, &["echo"]);
    let error = watch.is_lost().await;
    assert!(!error.contains("5e8ab7a2"), "{error}");
    watch.assert_quiet();
    let echo = json!({
        "Node": "node-2", "Address": "10.0.0.2", "Service": {"Service": "echo", "Port": 8081},
    });
    consul
        .put(&format!("catalog/register?token={secret}"), echo)
        .await;
    std::fs::write(&file, secret).unwrap();
    watch.comes_to(&[8081]).await;
    watch.is_well().await;
    // An empty file is no token: the one before it stays.
    std::fs::write(&file, "").unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    assert_eq!(watch.source.report().error, None);
}
