//! A share of the requests, in parts of a million.

use envoy_types::pb::envoy::config::core::v3::RuntimeFractionalPercent;
use envoy_types::pb::envoy::r#type::v3::{FractionalPercent, fractional_percent::DenominatorType};

/// Every request.
pub const ALL: u32 = 1_000_000;

/// That many of a million.
pub fn of(millionths: u32) -> FractionalPercent {
    FractionalPercent {
        numerator: millionths,
        denominator: DenominatorType::Million.into(),
    }
}

/// The same where Envoy could look it up elsewhere.
pub fn fixed(millionths: u32) -> RuntimeFractionalPercent {
    RuntimeFractionalPercent {
        default_value: Some(of(millionths)),
        ..RuntimeFractionalPercent::default()
    }
}
