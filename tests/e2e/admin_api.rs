//! Documents over HTTP, with the calls of APISIX's Admin API.

use serde_json::{Value, json};

use crate::support::admin::Admin;
use crate::support::chancery::Chancery;
use crate::support::etcd::Etcd;
use crate::support::own_address;

mod callers;
mod collect;
mod commands;
mod documents;
mod encrypted;
mod history;
mod lists;
mod missed;
mod openapi;
mod refused;
mod users;
mod writers;

/// An etcd and a Chancery on it, without proxies.
struct Desk {
    admin: Admin,
    chancery: Chancery,
    etcd: Etcd,
    _folder: tempfile::TempDir,
}

impl Desk {
    async fn set() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = own_address();
        let etcd = Etcd::start(address, folder.path()).await;
        let mut chancery = Chancery::serve_etcd(address, &etcd.url(), folder.path());
        chancery.ready().await;
        Self {
            admin: Admin::new(&chancery.url()),
            chancery,
            etcd,
            _folder: folder,
        }
    }
}

fn nodes() -> Value {
    json!({ "type": "roundrobin", "nodes": { "127.0.0.1:1980": 1 } })
}

fn route(uri: &str) -> Value {
    json!({ "uri": uri, "upstream": nodes() })
}
