//! A client of the admin port that writes documents.

use reqwest::{Client, Method};
use serde_json::Value;

use super::http;

/// What was answered.
#[derive(Debug)]
pub struct Answered {
    pub status: u16,
    pub headers: ::http::HeaderMap,
    pub body: Value,
}

impl Answered {
    /// A header that has to be there.
    pub fn header(&self, name: &str) -> &str {
        self.headers[name].to_str().unwrap()
    }

    /// What the answer says is wrong.
    pub fn error(&self) -> &str {
        self.body["error_msg"].as_str().unwrap_or_default()
    }
}

/// Calls below `/apisix/admin`.
#[derive(Clone)]
pub struct Admin {
    client: Client,
    root: String,
}

impl Admin {
    /// Of the Chancery whose admin port is at `url`.
    pub fn new(url: &str) -> Self {
        Self::with(http::client(), url)
    }

    /// The same, asked by a client of one's own.
    pub fn with(client: Client, url: &str) -> Self {
        Self {
            client,
            root: format!("{url}/apisix/admin"),
        }
    }

    /// Sends a request with these headers and this body.
    pub async fn send(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: impl Into<reqwest::Body>,
    ) -> anyhow::Result<Answered> {
        let method = Method::from_bytes(method.as_bytes())?;
        let mut request = self.client.request(method, format!("{}{path}", self.root));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.body(body).send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let text = response.text().await?;
        let body = serde_json::from_str(&text).unwrap_or(Value::String(text));
        Ok(Answered {
            status,
            headers,
            body,
        })
    }

    pub async fn call(&self, method: &str, path: &str, body: &Value) -> Answered {
        // As curl sends it.
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let sent = self.send(method, path, &form, body.to_string());
        sent.await.unwrap()
    }

    pub async fn put(&self, path: &str, body: &Value) -> Answered {
        self.call("PUT", path, body).await
    }

    pub async fn get(&self, path: &str) -> Answered {
        self.send("GET", path, &[], "").await.unwrap()
    }

    pub async fn delete(&self, path: &str) -> Answered {
        self.send("DELETE", path, &[], "").await.unwrap()
    }
}
