//! Certificates that are withdrawn while a stream is open, and connections that are old: each client is told why it ends.

use std::fs;
use std::time::{Duration, SystemTime};

use anyhow::ensure;
use chancery::xds::{Clients, Limits};
use tonic::{Code, Status};

use crate::mtls::{EDGE, connect, is_served, open, open_with};
use crate::port::{CLUSTERS, Port, SOTW, Sotw, assert_code, wish};
use crate::support::certificates::{Authority, Identity};
use crate::support::eventually;

/// A stream of a client with that certificate that has been served.
async fn served(port: &Port, trusted: &Authority, identity: &Identity) -> Sotw {
    let channel = connect(port, trusted, Some(identity)).await.unwrap();
    let mut client = Sotw::open(&channel, SOTW).await;
    client.send(wish(CLUSTERS)).await;
    client.next().await.unwrap().expect("an answer");
    client
}

fn assert_withdrawn(status: &Status, why: &str) {
    assert_code(status, Code::Unauthenticated);
    assert!(status.message().contains(why), "{status:?}");
}

#[tokio::test]
async fn a_client_whose_certificate_ends_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let (port, _) = open(&authority, Clients::default(), folder.path()).await;
    // Time enough to connect on a machine that is busy.
    let end = SystemTime::now() + Duration::from_secs(15);
    let short = authority.identity_until(&[EDGE], end);
    let mut short = served(&port, &authority, &short).await;
    let mut long = served(&port, &authority, &authority.identity(&[EDGE])).await;
    let status = short.ends().await;
    assert!(SystemTime::now() > end);
    assert_withdrawn(&status, "has ended");
    assert_eq!(port.refused("certificate"), 1);
    assert!(long.is_silent(Duration::from_secs(1)).await);
}

#[tokio::test]
async fn clients_of_an_authority_that_is_taken_out_are_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let (own, other) = (Authority::new(), Authority::new());
    let (port, files) = open(&own, Clients::default(), folder.path()).await;
    let authorities = files.client_ca.unwrap();
    fs::write(&authorities, [own.pem(), other.pem()].concat()).unwrap();
    let stranger = other.identity(&[EDGE]);
    eventually(async || {
        let channel = connect(&port, &own, Some(&stranger)).await?;
        ensure!(is_served(&channel).await, "not let in yet");
        Ok(())
    })
    .await;
    let mut leaves = served(&port, &own, &stranger).await;
    let mut stays = served(&port, &own, &own.identity(&[EDGE])).await;
    let before = port.refused("certificate");
    fs::write(&authorities, own.pem()).unwrap();
    assert_withdrawn(&leaves.ends().await, "authority");
    assert!(port.refused("certificate") > before);
    assert!(stays.is_silent(Duration::from_secs(1)).await);
}

#[tokio::test]
async fn a_client_whose_certificate_is_revoked_is_cut_off_and_not_let_in_again() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new();
    let none = authority.revocations(&[]);
    let limits = Limits::default();
    let clients = Clients::default();
    let (port, files) = open_with(&authority, clients, limits, Some(&none), folder.path()).await;
    let lost = authority.identity(&[EDGE]);
    let mut leaves = served(&port, &authority, &lost).await;
    let mut stays = served(&port, &authority, &authority.identity(&[EDGE])).await;
    fs::write(files.client_crl.unwrap(), authority.revocations(&[&lost])).unwrap();
    assert_withdrawn(&leaves.ends().await, "revoked");
    assert!(stays.is_silent(Duration::from_secs(1)).await);
    assert_eq!(port.refused("certificate"), 1);
    // In TLS 1.3 a client learns only with its first answer that it is refused.
    if let Ok(channel) = connect(&port, &authority, Some(&lost)).await {
        assert!(!is_served(&channel).await);
    }
}

#[tokio::test]
async fn an_old_connection_ends_and_its_client_connects_again() {
    let port = Port::with_one_of_each(Limits {
        connection_age: Some(Duration::from_millis(500)),
        ..Limits::default()
    })
    .await;
    let channel = port.channel().await;
    for _ in 0..2 {
        let mut client = Sotw::open(&channel, SOTW).await;
        client.send(wish(CLUSTERS)).await;
        let status = client.ends().await;
        assert_code(&status, Code::Unavailable);
        assert!(
            status.message().contains("--max-connection-age"),
            "{status:?}"
        );
        // The old connection is closed; the client makes another.
        eventually(async || {
            let client = Sotw::try_open(&channel, SOTW).await?;
            client.send(wish(CLUSTERS)).await;
            let mut client = client;
            ensure!(client.next().await?.is_some(), "no answer");
            Ok(())
        })
        .await;
    }
}
