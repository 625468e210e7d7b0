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

/// As an identity provider: its issuer is below `/v1/identity/oidc`.
impl OpenBao {
    /// Has tokens signed by a key for a client: key and role have the same name.
    pub async fn issue(&self, name: &str, algorithm: &str, client: &str) {
        let key = json!({ "algorithm": algorithm, "allowed_client_ids": ["*"] });
        let role = json!({ "key": name, "client_id": client, "ttl": "1h" });
        for (path, body) in [("key", &key), ("role", &role)] {
            let path = format!("identity/oidc/{path}/{name}");
            self.call(Method::POST, &path, body).await.unwrap();
        }
    }

    /// A token of a role, for somebody who has logged in.
    pub async fn token(&self, role: &str) -> String {
        let own = self.ann().await;
        let url = format!("{}/v1/identity/oidc/token/{role}", self.url());
        let answer = self
            .client
            .get(url)
            .header("X-Vault-Token", own)
            .send()
            .await
            .unwrap();
        let answer: Value = answer.json().await.unwrap();
        answer["data"]["token"].as_str().unwrap().to_owned()
    }

    /// Somebody logs in at the provider: what they show it from then on.
    async fn ann(&self) -> String {
        let policy = json!({ "policy": r#"path "identity/oidc/*" { capabilities = ["read"] }"# });
        let ann = json!({ "password": "of-the-scene", "policies": ["tokens"] });
        // There already, the second time.
        let _ = self
            .call(
                Method::POST,
                "sys/auth/userpass",
                &json!({ "type": "userpass" }),
            )
            .await;
        for (path, body) in [
            ("sys/policies/acl/tokens", &policy),
            ("auth/userpass/users/ann", &ann),
        ] {
            self.call(Method::POST, path, body).await.unwrap();
        }
        let url = format!("{}/v1/auth/userpass/login/ann", self.url());
        let login = self.client.post(url).json(&ann).send().await.unwrap();
        let login: Value = login.json().await.unwrap();
        login["auth"]["client_token"].as_str().unwrap().to_owned()
    }

    /// Makes a client for logins, with tokens that are good for a time: its name there, and its secret.
    pub async fn client(&self, name: &str, ttl: &str, redirects: &[String]) -> (String, String) {
        let path = format!("identity/oidc/client/{name}");
        let body = json!({ "redirect_uris": redirects, "assignments": ["allow_all"], "access_token_ttl": ttl });
        self.call(Method::POST, &path, &body).await.unwrap();
        let url = format!("{}/v1/{path}", self.url());
        let answer = self.client.get(url).header("X-Vault-Token", ROOT);
        let answer: Value = answer.send().await.unwrap().json().await.unwrap();
        let text = |name: &str| answer["data"][name].as_str().unwrap().to_owned();
        (text("client_id"), text("client_secret"))
    }

    /// Does what the provider's page does for somebody who was sent there with this query, and logs in: the query to come back with.
    pub async fn authorize(&self, query: &str) -> String {
        let url = format!(
            "{}/v1/identity/oidc/provider/default/authorize?{query}",
            self.url()
        );
        let request = self
            .client
            .get(url)
            .header("X-Vault-Token", self.ann().await);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        let text = |name: &str| answer[name].as_str().unwrap_or_else(|| panic!("{answer}"));
        format!("code={}&state={}", text("code"), text("state"))
    }

    /// Has another key sign; tokens of the one before are good for a day.
    pub async fn rotate(&self, name: &str) {
        let path = format!("identity/oidc/key/{name}/rotate");
        self.call(Method::POST, &path, &json!({})).await.unwrap();
    }

    /// Takes a key away, with its role.
    pub async fn withdraw(&self, name: &str) {
        for path in ["role", "key"] {
            self.delete(&format!("identity/oidc/{path}/{name}")).await;
        }
    }
}
