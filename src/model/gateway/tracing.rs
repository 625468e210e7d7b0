//! Where a gateway's Envoys send spans.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;
use serde::de::{self, Deserializer, Unexpected, Visitor};

use crate::model::key::Id;
use crate::model::problem::Remark;
use crate::model::upstream::Scheme;

/// Spans of requests, sent to a collector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracing {
    /// The upstream whose instances collect.
    pub upstream: Id,
    pub provider: Provider,
    /// How many requests become a trace, in hundredths of a percent, where the client has not decided.
    pub sampling: u32,
}

/// What a collector speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Provider {
    /// OTLP.
    OpenTelemetry {
        /// What spans say they come from.
        service_name: String,
        /// The path that spans are posted to; over gRPC when absent.
        path: Option<String>,
    },
    /// Zipkin's API, version 2.
    Zipkin {
        /// The path that spans are posted to.
        path: String,
    },
}

impl Tracing {
    /// Refuses an upstream that the provider cannot be spoken with.
    pub(crate) fn check(&self, scheme: Scheme) -> Result<(), Remark> {
        let grpc = matches!(self.provider, Provider::OpenTelemetry { path: None, .. });
        if grpc == (scheme == Scheme::Grpc) {
            return Ok(());
        }
        let upstream = &self.upstream;
        let message = if grpc {
            format!(
                "refers to `upstreams/{upstream}`, whose `scheme` is not `grpc`: spans over HTTP need `path`, such as \"/v1/traces\""
            )
        } else {
            format!(
                "refers to `upstreams/{upstream}`, whose `scheme` is `grpc`: spans are posted over HTTP here"
            )
        };
        Err(Remark::new("tracing.upstream_id", message))
    }
}

/// `tracing` as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Form {
    /// What the collector speaks.
    provider: ProviderName,
    /// The upstream whose instances collect.
    upstream_id: Id,
    /// Percent of the requests, where the client has not decided.
    #[serde(default)]
    sampling: Percent,
    /// What spans say they come from; the gateway's id when absent.
    service_name: Option<String>,
    /// The path that spans are posted to.
    path: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum ProviderName {
    OpenTelemetry,
    Zipkin,
}

impl Form {
    pub(super) fn checked(self, gateway: &Id) -> Result<Tracing, Remark> {
        if let Some(path) = self.path.as_deref().filter(|path| !path.starts_with('/')) {
            let message = format!("found {path:?}, allowed: a path that starts with `/`");
            return Err(Remark::new("path", message));
        }
        let provider = match self.provider {
            ProviderName::OpenTelemetry => Provider::OpenTelemetry {
                service_name: self.service_name.unwrap_or_else(|| gateway.to_string()),
                path: self.path,
            },
            // Zipkin's spans carry the name that Envoy is started with.
            ProviderName::Zipkin if self.service_name.is_some() => {
                let message = "found, allowed: with `provider: opentelemetry` only";
                return Err(Remark::new("service_name", message));
            }
            ProviderName::Zipkin => Provider::Zipkin {
                path: self.path.unwrap_or_else(|| "/api/v2/spans".to_owned()),
            },
        };
        Ok(Tracing {
            upstream: self.upstream_id,
            provider,
            sampling: self.sampling.0,
        })
    }
}

/// Hundredths of a percent.
#[derive(Debug, Clone, Copy)]
struct Percent(u32);

impl Default for Percent {
    /// Every request.
    fn default() -> Self {
        Self(10_000)
    }
}

impl<'de> Deserialize<'de> for Percent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(PercentVisitor).map(Self)
    }
}

impl JsonSchema for Percent {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Percent".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "minimum": 0, "maximum": 100})
    }
}

struct PercentVisitor;

impl Visitor<'_> for PercentVisitor {
    type Value = u32;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("percent, 0–100, in steps of 0.01")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<u32, E> {
        let hundredths = value * 100.0;
        if !(0.0..=10_000.0).contains(&hundredths) || (hundredths - hundredths.round()).abs() > 1e-6
        {
            return Err(E::invalid_value(Unexpected::Float(value), &self));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        let whole = hundredths.round() as u32;
        Ok(whole)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<u32, E> {
        match u32::try_from(value) {
            Ok(percent @ 0..=100) => Ok(percent * 100),
            _ => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<u32, E> {
        Err(E::invalid_value(Unexpected::Signed(value), &self))
    }
}
