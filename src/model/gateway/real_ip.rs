//! Who may say on whose behalf a request comes. By default nobody: the client is whoever connects.

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::bounds::{List, RANGES};
use crate::model::decode::quoted;
use crate::model::problem::Remark;
use crate::model::scalar::{Net, Within, each_once};

/// The proxies in front of a gateway, and how they name the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RealIp {
    /// The addresses of the proxies; every address when empty.
    pub trusted_addresses: Vec<IpNet>,
    pub by: By,
}

/// How a proxy names the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum By {
    /// The last address in `X-Forwarded-For` that is not trusted itself.
    TrustedAddresses,
    /// The last address in `X-Forwarded-For`, which routes do not see: as a global rule asks for it.
    Last,
    /// The address that so many proxies ago was put in `X-Forwarded-For`: 1 is the last one.
    TrustedHops(u32),
    /// A header that holds one address, in lower case.
    Header(String),
}

impl RealIp {
    /// Whether both say the same, in whatever order.
    pub fn is_like(&self, other: &Self) -> bool {
        let trusts = |one: &Self, other: &Self| {
            let mut all = one.trusted_addresses.iter();
            all.all(|range| other.trusted_addresses.contains(range))
        };
        self.by == other.by && trusts(self, other) && trusts(other, self)
    }
}

/// `real_ip` as it is written.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
pub(super) struct Form {
    /// The header in which a trusted proxy names the client; `X-Forwarded-For` when absent.
    header: Option<Header>,
    /// Proxies whose word is taken: IP addresses and ranges.
    #[serde(default)]
    trusted_addresses: List<Net, RANGES>,
    /// How many proxies there are in front.
    trusted_hops: Option<Within<1, 32>>,
}

impl Form {
    pub(super) fn checked(self, warnings: &mut Vec<Remark>) -> Result<RealIp, Remark> {
        let trusted: Vec<IpNet> = self
            .trusted_addresses
            .0
            .iter()
            .map(|range| range.0)
            .collect();
        each_once("trusted_addresses", &trusted)?;
        let header = self.header.map(|header| header.0);
        let header = header.filter(|name| name != "x-forwarded-for");
        let by = match (header, self.trusted_hops) {
            (Some(_), Some(_)) => {
                let message = "found beside another `header` than `X-Forwarded-For`, which holds one address only";
                return Err(Remark::new("trusted_hops", message));
            }
            (_, None) if trusted.is_empty() => {
                let message =
                    "is missing: without it every client could say that it is another one";
                return Err(Remark::new("trusted_addresses", message));
            }
            (Some(name), None) => By::Header(name),
            (None, Some(hops)) => By::TrustedHops(hops.0),
            (None, None) => By::TrustedAddresses,
        };
        if !matches!(by, By::TrustedHops(_)) {
            let message = "for `remote_addr` in routes the client is the proxy: Envoy shows the address that a proxy names to \
                           routes only with `trusted_hops`";
            warnings.push(Remark::new("real_ip", message));
        }
        Ok(RealIp {
            trusted_addresses: trusted,
            by,
        })
    }
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
struct Header(String);

impl TryFrom<String> for Header {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let fits = |b: u8| b.is_ascii_alphanumeric() || b == b'-';
        if (1..=64).contains(&text.len()) && text.bytes().all(fits) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(format!(
                "found {}, allowed: a header's name, of letters, digits and `-`",
                quoted(&text)
            ))
        }
    }
}
