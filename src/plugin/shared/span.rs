//! Which of a route's requests become spans, and what these say. Where spans go is not a route's: the gateway's `tracing`.

use envoy_types::pb::envoy::config::route::v3::{Route, Tracing};
use envoy_types::pb::envoy::r#type::tracing::v3::CustomTag;
use schemars::JsonSchema;
use serde::Deserialize;

use super::share;

/// What to know of every plugin that makes spans.
pub const WHERE: &str =
    "spans go where `tracing` of the gateway says, and nowhere on a gateway without it";

/// Millionths of the requests.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "f64")]
pub struct Ratio(#[schemars(with = "f64", range(min = 0, max = 1))] pub u32);

impl Ratio {
    pub const ALL: Self = Self(share::ALL);
}

impl TryFrom<f64> for Ratio {
    type Error = String;

    fn try_from(ratio: f64) -> Result<Self, String> {
        if !(0.0..=1.0).contains(&ratio) {
            return Err(format!("found {ratio}, allowed: 0–1"));
        }
        let rounded = (ratio * f64::from(share::ALL)).round();
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        let millionths = rounded as u32;
        // What is not never must not become it.
        Ok(Self(if ratio > 0.0 { millionths.max(1) } else { 0 }))
    }
}

/// Makes spans of that share of a route's requests, where the client has not decided. Where two plugins do, of the larger
/// share.
pub fn trace(route: &mut Route, ratio: Ratio, tags: impl IntoIterator<Item = CustomTag>) {
    let tracing = route.tracing.get_or_insert_with(|| Tracing {
        // As the gateway's: a header of the client's starts no trace.
        client_sampling: Some(share::of(0)),
        random_sampling: Some(share::of(0)),
        overall_sampling: Some(share::of(share::ALL)),
        ..Tracing::default()
    });
    let sampled = tracing.random_sampling.get_or_insert_default();
    sampled.numerator = sampled.numerator.max(ratio.0);
    tracing.custom_tags.extend(tags);
}
