//! `clickhouse-logger`: what a route's requests were, and what became of them, posted to ClickHouse as rows. Envoy tells `chancery logs`,
//! which posts it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::contract::{Definition, Plugin, Reading, refused};
use super::shared::logger;
use crate::model::bounds::{List, LongText};
use crate::model::decode::{self, quoted};
use crate::model::log_target::{Clickhouse, To};
use crate::model::problem::Remark;
use crate::model::scalar::Within;

pub(super) const ENTRY: Definition = Definition {
    name: "clickhouse-logger",
    read,
    schema: logger::schema::<Form>,
    refused: refused::<Form>,
    differs: logger::differs![
        (
            "endpoint_addrs",
            "posted by `chancery logs`, which `logs` of the gateway names; refused without it",
        ),
        (
            "password",
            "is for that process to know (`--authorization`), not for Envoy; with it the server is shown `Authorization` in the \
             place of `X-ClickHouse-User` and `X-ClickHouse-Key`",
        ),
    ],
    // Its filter stands before those of all plugins.
    http_filters: Vec::new,
};

/// What became of each request, posted to ClickHouse in batches, as rows of JSON.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// Where it is: `http://HOST`, `https://HOST`, one of which each batch goes to.
    endpoint_addrs: Option<List<LongText<1024>, 16>>,
    /// The older form, of one. Not both.
    endpoint_addr: Option<LongText<1024>>,
    /// Who writes.
    user: LongText<256>,
    /// Empty, or not read: `chancery logs` is told.
    password: String,
    /// The database.
    database: LongText<256>,
    /// The table that rows go to.
    logtable: LongText<1024>,
    /// Seconds that a post may take.
    #[serde(default = "three")]
    timeout: Within<1, 3600>,
    /// Whether the server's certificate has to be good.
    #[serde(default = "yes")]
    ssl_verify: bool,
}

impl decode::Form for Form {
    const NOT_IN_ENVOY: &'static [(&'static str, &'static str)] = logger::BODIES;
}

fn three() -> Within<1, 3600> {
    Within(3)
}

fn yes() -> bool {
    true
}

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let (form, fields) = logger::read_unquoted::<Form>(value)?;
    let (one, several) = (form.endpoint_addr.as_ref(), form.endpoint_addrs.as_ref());
    let uris = logger::endpoints(one, several, true)?;
    logger::check_header("user", &form.user.0)?;
    logger::check_header("database", &form.database.0)?;
    let table = form.logtable.0;
    if table.is_empty() || table.contains(char::is_control) {
        let message = format!("found {}, allowed: the name of a table", quoted(&table));
        return Err(Remark::new("logtable", message));
    }
    if !form.password.is_empty() {
        reading
            .warnings
            .push(Remark::new("password", logger::SHOWN));
    }
    fields.to(To::Clickhouse(Clickhouse {
        uris,
        user: form.user.0,
        database: form.database.0,
        table,
        timeout: form.timeout.0,
        verify: form.ssl_verify,
    }))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::plugin::http_logger::tests::target;
    use crate::plugin::tests::{applied, refusal, warned};

    #[test]
    fn a_route_says_which_table_its_log_goes_to() {
        let route = applied(json!({"clickhouse-logger": {
            "user": "default", "password": "", "database": "default", "logtable": "test", "endpoint_addrs": ["http://127.0.0.1:8123"],
        }}));
        assert_eq!(
            target(&route),
            json!({
                "to": {"clickhouse": {
                    "uris": ["http://127.0.0.1:8123"], "user": "default", "database": "default", "table": "test", "timeout": 3,
                    "verify": true,
                }},
                "batch": {"most": 1000, "idle": 5, "age": 60, "retries": 0, "pause": 1},
            })
        );
        let route = applied(json!({"clickhouse-logger": {
            "user": "me", "password": "planted", "database": "", "logtable": "d.t", "endpoint_addr": "https://a/p?q=1", "timeout": 60,
            "ssl_verify": false,
        }}));
        let target = target(&route);
        assert_eq!(
            target["to"],
            json!({"clickhouse": {
                "uris": ["https://a/p?q=1"], "user": "me", "database": "", "table": "d.t", "timeout": 60, "verify": false,
            }})
        );
        assert!(!target.to_string().contains("planted"), "{target}");
    }

    #[test]
    fn what_is_not_read_is_told() {
        let with = |password: &str| {
            let own = json!({"user": "a", "password": password, "database": "a", "logtable": "a", "endpoint_addr": "http://a"});
            warned("clickhouse-logger", own)
        };
        assert_eq!(
            with("planted"),
            [
                "password: is not read, as Envoy would have to know it: `chancery logs` is told what it shows the server \
                 (--authorization)"
            ]
        );
        assert!(with("").is_empty());
    }

    #[test]
    fn what_is_refused() {
        let all = r#""endpoint_addr":"http://a","user":"u","password":"planted","database":"d","logtable":"t""#;
        for (written, other, said) in [
            (
                r#""endpoint_addr":"http://a","#,
                "",
                "endpoint_addrs: is missing",
            ),
            (
                r#""endpoint_addr":"http://a""#,
                r#""endpoint_addrs":["http://me:planted@a"]"#,
                "endpoint_addrs[0]: found a user in it, allowed: none",
            ),
            (r#""user":"u","#, "", "`user` is missing"),
            (r#","database":"d""#, "", "`database` is missing"),
            (
                r#""user":"u""#,
                r#""user":"\n""#,
                r#"user: found "\n", allowed: characters of ASCII"#,
            ),
            (
                r#""logtable":"t""#,
                r#""logtable":"""#,
                r#"logtable: found "", allowed: the name of a table"#,
            ),
        ] {
            let configuration = format!("{{{}}}", all.replace(written, other));
            assert_eq!(
                refusal("clickhouse-logger", &configuration),
                said,
                "of {configuration}"
            );
        }
        let said = refusal("clickhouse-logger", r#"{"password":7777}"#);
        assert!(!said.contains("7777"), "{said}");
    }
}
