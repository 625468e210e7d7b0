//! Which requests are counted together: APISIX's `key` and `key_type` as texts that Envoy makes for each request.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::key::Kind;
use crate::model::problem::Remark;
use crate::plugin::contract::Reading;
use crate::plugin::shared::identity::CONSUMER;
use crate::plugin::shared::variable::{self, Piece};

pub(super) const ADDRESS: &str = "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%";

/// How `key` is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum KeyType {
    /// The name of a variable.
    #[default]
    Var,
    /// A text with variables.
    VarCombination,
    /// A text: all requests are counted together.
    Constant,
}

/// Which requests are counted together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitKey {
    /// Those of which this makes the same text: one of Envoy's format strings.
    pub format: String,
    /// What it is made of, likewise: empty for a request that has none of it. Nothing where each has some.
    pub from: Option<String>,
}

impl LimitKey {
    pub fn read(kind: KeyType, key: &str, reading: &mut Reading) -> Result<Self, Remark> {
        let wrong = |said: String| Remark::new("key", said);
        if key.is_empty() {
            return Err(wrong("found an empty text, allowed: a variable".into()));
        }
        let pieces = match kind {
            KeyType::Constant => vec![Piece::Text(key)],
            KeyType::Var => vec![Piece::Variable(key)],
            KeyType::VarCombination => variable::pieces(key).map_err(wrong)?,
        };
        if let Some(said) = variable::warning(&pieces) {
            reading.warnings.push(Remark::new("key", said));
        }
        let mut format = String::new();
        let mut headers = Vec::new();
        let mut always = kind == KeyType::Constant;
        for piece in pieces {
            match piece {
                Piece::Text(text) => format.push_str(&variable::literal(text)),
                Piece::Variable(name) => match operator(name, reading).map_err(wrong)? {
                    Part::Always(operator) => {
                        format.push_str(&operator);
                        always = true;
                    }
                    Part::Some(operator) => {
                        format.push_str(&operator);
                        headers.push(operator);
                    }
                },
            }
        }
        Ok(Self {
            format,
            from: (!always).then(|| headers.concat()),
        })
    }
}

/// What a variable becomes.
enum Part {
    /// Each request has it.
    Always(String),
    /// Some requests have it.
    Some(String),
}

fn operator(name: &str, reading: &Reading) -> Result<Part, String> {
    match name {
        "consumer_name" => return Ok(Part::Some(format!("%REQ({CONSUMER})%"))),
        // Counts are apart by route, or by group, in any case.
        "route_id" => return Ok(Part::Always("%ROUTE_NAME%".to_owned())),
        "service_id" if reading.key.kind == Kind::Service => {
            return Ok(Part::Always(variable::literal(reading.key.id.as_str())));
        }
        "service_id" => {
            return Err(
                "found \"$service_id\", allowed: in the plugins of a service, as Envoy does not know a route's service"
                    .to_owned(),
            );
        }
        _ => {}
    }
    let operator = variable::operator(name)
        .map_err(|said| said.replacen("allowed: ", "allowed: $service_id, ", 1))?;
    let kinds = ["http_", "arg_", "cookie_"];
    let some_have_it = kinds.iter().any(|kind| name.starts_with(kind)) && name != "http_host";
    Ok(if some_have_it {
        Part::Some(operator)
    } else {
        Part::Always(operator)
    })
}
