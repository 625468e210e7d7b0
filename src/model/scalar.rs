//! Values that several kinds of documents hold: each is in range once it is read, and says its range when it is not.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::marker::PhantomData;
use std::net::IpAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use ipnet::IpNet;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Serialize;
use serde::de::{self, Deserialize, Deserializer, Unexpected, Visitor};

use super::decode::quoted;
use super::key::Id;
use super::problem::Remark;

/// Whole numbers with a range of their own.
macro_rules! whole {
    ($($(#[$doc:meta])* $name:ident($type:ty) in $range:expr, $allowed:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
        pub(crate) struct $name(pub $type);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let whole = Whole { range: $range, allowed: $allowed, of: PhantomData::<$type> };
                deserializer.deserialize_i64(whole).map($name)
            }
        }

        impl JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                let range: RangeInclusive<i64> = $range;
                json_schema!({"type": "integer", "minimum": range.start(), "maximum": range.end()})
            }
        }
    )*};
}

whole! {
    /// A port that a server can listen on.
    Port(u16) in 1..=65535, "1–65535";
    /// A share of the traffic; the sum of a million of them is one that Envoy can hold.
    Weight(u32) in 0..=i64::from(i32::MAX), "0–2147483647";
    /// How often.
    Count(u32) in 0..=i64::from(u32::MAX), "0–4294967295";
    /// How many, and not none.
    Quantity(u32) in 1..=i64::from(u32::MAX), "1–4294967295";
    /// What goes first: higher numbers.
    Priority(i32) in i64::from(i32::MIN)..=i64::from(i32::MAX), "-2147483648–2147483647";
    /// How often in a row, as checks count.
    Times(u32) in 1..=254, "1–254";
    /// The same where 0 turns it off.
    TimesOrNever(u32) in 0..=254, "0–254";
    /// On or off.
    Status(u8) in 0..=1, "0, 1";
    /// Seconds since 1970, which the store's clients write.
    Timestamp(i64) in 0..=i64::MAX, "seconds since 1970";
}

/// A whole number with the range that its field has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(crate) struct Within<const FROM: u32, const TO: u32>(pub u32);

/// The status of an answer.
pub(crate) type AnswerStatus = Within<200, 599>;

impl<'de, const FROM: u32, const TO: u32> Deserialize<'de> for Within<FROM, TO> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = Whole {
            range: i64::from(FROM)..=i64::from(TO),
            allowed: format!("{FROM}–{TO}"),
            of: PhantomData::<u32>,
        };
        deserializer.deserialize_i64(whole).map(Self)
    }
}

impl<const FROM: u32, const TO: u32> JsonSchema for Within<FROM, TO> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        format!("Within_{FROM}_{TO}").into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "integer", "minimum": FROM, "maximum": TO})
    }
}

struct Whole<A, T> {
    range: RangeInclusive<i64>,
    allowed: A,
    of: PhantomData<T>,
}

impl<A: AsRef<str>, T: TryFrom<i64>> Visitor<'_> for Whole<A, T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.allowed.as_ref())
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<T, E> {
        let wrong = || E::invalid_value(Unexpected::Signed(value), &self);
        if !self.range.contains(&value) {
            return Err(wrong());
        }
        T::try_from(value).map_err(|_| wrong())
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<T, E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
        }
    }
}

/// A time in seconds, with fractions; not less than a millisecond, which is what Envoy counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seconds(pub Duration);

impl<'de> Deserialize<'de> for Seconds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_f64(SecondsVisitor).map(Self)
    }
}

impl JsonSchema for Seconds {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Seconds".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({"type": "number", "minimum": 0.001, "maximum": 31_536_000})
    }
}

struct SecondsVisitor;

impl Visitor<'_> for SecondsVisitor {
    type Value = Duration;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("seconds, 0.001–31536000")
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Duration, E> {
        if !(0.001..=31_536_000.0).contains(&value) {
            return Err(E::invalid_value(Unexpected::Float(value), &self));
        }
        // Rounded to milliseconds: 0.1 s is 100 ms, not 100.000000005.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "the range was checked"
        )]
        let millis = (value * 1000.0).round() as u64;
        Ok(Duration::from_millis(millis))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Duration, E> {
        match value {
            1..=31_536_000 => Ok(Duration::from_secs(value)),
            _ => Err(E::invalid_value(Unexpected::Unsigned(value), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Duration, E> {
        Err(E::invalid_value(Unexpected::Signed(value), &self))
    }
}

/// An id within a document: a text, or a number as older documents have it.
impl<'de> Deserialize<'de> for Id {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(IdVisitor)
    }
}

impl JsonSchema for Id {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Id".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "anyOf": [
                {"type": "string", "pattern": "^[a-zA-Z0-9._-]{1,64}$"},
                {"type": "integer", "minimum": 0},
            ]
        })
    }
}

struct IdVisitor;

impl Visitor<'_> for IdVisitor {
    type Value = Id;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id, which is a string or a number")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Id, E> {
        text.parse().map_err(E::custom)
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Id, E> {
        self.visit_str(&number.to_string())
    }
}

/// Refuses a list that holds something twice.
pub(crate) fn each_once<T: Ord>(field: &str, items: &[T]) -> Result<(), Remark> {
    let mut before = BTreeSet::new();
    for (at, item) in items.iter().enumerate() {
        if !before.insert(item) {
            let message = "found a second time, allowed: once";
            return Err(Remark::new(format!("{field}[{at}]"), message));
        }
    }
    Ok(())
}

/// A range of addresses, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize, JsonSchema)]
#[serde(try_from = "String")]
pub(crate) struct Net(#[schemars(with = "String")] pub IpNet);

impl TryFrom<String> for Net {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        net(&text).map(Self)
    }
}

/// Reads a range of addresses, or one address.
pub(super) fn net(text: &str) -> Result<IpNet, String> {
    let one = || text.parse::<IpAddr>().ok().map(IpNet::from);
    let range = text.parse::<IpNet>().ok().map(|range| range.trunc());
    range.or_else(one).ok_or_else(|| {
        format!(
            "found {}, allowed: an IP address or a range such as \"10.0.0.0/8\"",
            quoted(text)
        )
    })
}
