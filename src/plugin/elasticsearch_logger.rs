//! `elasticsearch-logger`: what a route's requests were, and what became of them, posted to Elasticsearch. Envoy tells `chancery logs`,
//! which posts it.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused};
use super::shared::logger;
use crate::model::bounds::{List, LongText};
use crate::model::decode::{self, quoted};
use crate::model::log_target::{Elasticsearch, To};
use crate::model::problem::Remark;
use crate::model::scalar::Within;

pub(super) const ENTRY: Definition = Definition {
    name: "elasticsearch-logger",
    read,
    schema: logger::schema::<Form>,
    refused: refused::<Form>,
    differs: logger::differs![
        (
            "endpoint_addrs",
            "posted by `chancery logs`, which `logs` of the gateway names; refused without it",
        ),
        (
            "auth",
            "is for that process to know (`--authorization`), not for Envoy",
        ),
        (
            "headers",
            "`Authorization` is for that process to know (`--authorization`), not for Envoy; no others",
        ),
        ("field.index", "a name as it is"),
        (
            "",
            "entries that Elasticsearch takes a batch without are counted as lost; no version of it is asked for, as without `type` \
             all of them take the same",
        ),
    ],
    // Its filter stands before those of all plugins.
    http_filters: Vec::new,
};

/// What became of each request, posted to the bulk API of Elasticsearch in batches.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Where it is: `http://HOST`, `https://HOST`, one of which each batch goes to.
    endpoint_addrs: Option<List<LongText<1024>, 16>>,
    /// The older form, of one. Not both.
    endpoint_addr: Option<LongText<1024>>,
    /// What each entry is.
    field: Field,
    /// Not read: `chancery logs` is told.
    auth: Option<Auth>,
    /// Not read: `chancery logs` is told.
    headers: Option<BTreeMap<String, String>>,
    /// Seconds that a post may take.
    #[serde(default = "ten")]
    timeout: Within<1, 3600>,
    /// Whether the server's certificate has to be good.
    #[serde(default = "yes")]
    ssl_verify: bool,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = &[
        ("type", "Elasticsearch has no types since version 8"),
        logger::BODIES[0],
        logger::BODIES[1],
        logger::BODIES[2],
        logger::BODIES[3],
    ];
}

/// What each entry is.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Field {
    /// The index that it goes to.
    index: LongText<255>,
}

/// As whom it is posted.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Auth {
    /// The user.
    #[serde(rename = "username")]
    _username: String,
    /// The password.
    #[serde(rename = "password")]
    _password: String,
}

fn ten() -> Within<1, 3600> {
    Within(10)
}

fn yes() -> bool {
    true
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let (form, fields) = logger::read_unquoted::<Form>(value)?;
    let (one, several) = (form.endpoint_addr.as_ref(), form.endpoint_addrs.as_ref());
    let uris = logger::endpoints(one, several, false)?.into_iter();
    check_index(&form.field.index.0)?;
    if form.auth.is_some() {
        reading.warnings.push(Remark::new("auth", logger::SHOWN));
    }
    logger::check_headers(form.headers.as_ref(), &mut reading.warnings)?;
    fields.to(To::Elasticsearch(Elasticsearch {
        uris: uris.map(|uri| uri + "/_bulk").collect(),
        index: form.field.index.0,
        timeout: form.timeout.0,
        verify: form.ssl_verify,
    }))
}

/// Refuses names that are made of something.
fn check_index(index: &str) -> Result<(), Remark> {
    if !index.is_empty() && !index.contains(['$', '{', '%']) {
        return Ok(());
    }
    let found = quoted(index);
    let message = format!("found {found}, allowed: a name as it is, without `$`, `{{` and `%`");
    Err(Remark::new("field.index", message))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plugin::http_logger::tests::target;
    use crate::plugin::tests::{applied, refusal, warned};

    #[test]
    fn a_route_says_which_index_its_log_goes_to() {
        let route = applied(json!({"elasticsearch-logger": {
            "endpoint_addr": "http://127.0.0.1:9200", "field": {"index": "services"},
        }}));
        assert_eq!(
            target(&route),
            json!({
                "to": {"elasticsearch": {
                    "uris": ["http://127.0.0.1:9200/_bulk"], "index": "services", "timeout": 10, "verify": true,
                }},
                "batch": {"most": 1000, "idle": 5, "age": 60, "retries": 0, "pause": 1},
            })
        );
        let route = applied(json!({"elasticsearch-logger": {
            "endpoint_addrs": ["http://a", "https://b/c"], "field": {"index": "i"}, "timeout": 60, "ssl_verify": false,
            "auth": {"username": "elastic", "password": "planted"}, "headers": {"authorization": "planted"},
        }}));
        let target = target(&route);
        assert_eq!(
            target["to"],
            json!({"elasticsearch": {
                "uris": ["http://a/_bulk", "https://b/c/_bulk"], "index": "i", "timeout": 60, "verify": false,
            }})
        );
        assert!(!target.to_string().contains("planted"), "{target}");
    }

    #[test]
    fn what_is_not_read_is_told() {
        let said = warned(
            "elasticsearch-logger",
            json!({
                "endpoint_addr": "http://a", "field": {"index": "i"}, "auth": {"username": "me", "password": "planted"},
                "headers": {"Authorization": "planted"},
            }),
        );
        let why = "is not read, as Envoy would have to know it: `chancery logs` is told what it shows the server (--authorization)";
        let both = ["auth", "headers.Authorization"].map(|field| format!("{field}: {why}"));
        assert_eq!(said, both);
    }

    #[test]
    fn what_is_refused() {
        for (more, said) in [
            (r#""field":{"index":"i"}"#, "endpoint_addrs: is missing"),
            (
                r#""endpoint_addr":"http://a","endpoint_addrs":["http://b"],"field":{"index":"i"}"#,
                "endpoint_addr: found beside `endpoint_addrs`, allowed: one of them",
            ),
            (
                r#""endpoint_addrs":[],"field":{"index":"i"}"#,
                "endpoint_addrs: found an empty list, allowed: at least one",
            ),
            (
                r#""endpoint_addrs":["http://a","http://b/"],"field":{"index":"i"}"#,
                r#"endpoint_addrs[1]: found "http://b/", allowed: without a `/` at its end"#,
            ),
            (
                r#""endpoint_addr":"a:9200","field":{"index":"i"}"#,
                r#"endpoint_addr: found "a:9200", allowed: http://HOST/PATH, https://…"#,
            ),
            (r#""endpoint_addr":"http://a""#, "`field` is missing"),
            (
                r#""endpoint_addr":"http://a","field":{"index":"i","type":"t"}"#,
                "field.type: `type` is not served: Elasticsearch has no types since version 8",
            ),
            (
                r#""endpoint_addr":"http://a","field":{"index":"i-$host"}"#,
                r#"field.index: found "i-$host", allowed: a name as it is, without `$`, `{` and `%`"#,
            ),
            (
                r#""endpoint_addr":"http://a","field":{"index":"i"},"headers":{"X-Key":"planted"}"#,
                "headers.X-Key: found, allowed: none but `Authorization`, as Envoy would have to know what is shown to the server",
            ),
            (
                r#""endpoint_addr":"http://a","field":{"index":"i"},"auth":{"username":"a","password":7777}"#,
                "auth.password: found a number, allowed: a string",
            ),
        ] {
            let configuration = format!("{{{more}}}");
            assert_eq!(
                refusal("elasticsearch-logger", &configuration),
                said,
                "of {configuration}"
            );
        }
    }
}
