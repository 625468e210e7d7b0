//! The real OpenBao, which speaks the API of HashiCorp's Vault.

use std::net::Ipv4Addr;
use std::path::Path;

use anyhow::ensure;
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::process::Process;
use super::tools::tool;
use super::{eventually, http};

/// What may do everything.
const ROOT: &str = "r00t-of-the-scene";

/// An OpenBao that keeps all in memory, on port 8200 of the address: `kv` is an engine of version 1, and `secret` one of version 2.
pub struct OpenBao {
    pub process: Process,
    address: Ipv4Addr,
    client: Client,
}

impl OpenBao {
    pub async fn start(address: Ipv4Addr, folder: &Path) -> Self {
        let home = format!("HOME={}", folder.display());
        let program = tool("bao").display().to_string();
        let root = format!("-dev-root-token-id={ROOT}");
        let listen = format!("-dev-listen-address={address}:8200");
        let arguments = [
            &*home,
            &*program,
            "server",
            "-dev",
            "-dev-no-store-token",
            &*root,
            &*listen,
        ];
        let process = Process::start("openbao", Path::new("/usr/bin/env"), arguments, folder);
        let client = http::client();
        let bao = Self {
            process,
            address,
            client,
        };
        eventually(async || {
            bao.call(Method::POST, "sys/mounts/kv", &json!({ "type": "kv" }))
                .await
        })
        .await;
        let policy = json!({ "policy": r#"path "*" { capabilities = ["read"] }"# });
        bao.call(Method::PUT, "sys/policies/acl/reads", &policy)
            .await
            .unwrap();
        bao
    }

    pub fn url(&self) -> String {
        format!("http://{}:8200", self.address)
    }

    async fn call(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<()> {
        let request = self
            .client
            .request(method, format!("{}/v1/{path}", self.url()));
        let answer = request
            .header("X-Vault-Token", ROOT)
            .json(body)
            .send()
            .await?;
        ensure!(answer.status().is_success(), "{path}: {answer:?}");
        Ok(())
    }

    /// Writes what is under a key, `kv/shop/jack`.
    pub async fn write(&self, key: &str, fields: &Value) {
        self.call(Method::PUT, key, fields).await.unwrap();
    }

    pub async fn delete(&self, key: &str) {
        self.call(Method::DELETE, key, &Value::Null).await.unwrap();
    }

    /// Lets somebody read everything who shows this.
    pub async fn allow(&self, token: &str) {
        let body = json!({ "id": token, "policies": ["reads"], "no_parent": true });
        self.call(Method::POST, "auth/token/create", &body)
            .await
            .unwrap();
    }

    pub async fn revoke(&self, token: &str) {
        let body = json!({ "token": token });
        self.call(Method::POST, "auth/token/revoke", &body)
            .await
            .unwrap();
    }
}
