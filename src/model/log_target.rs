//! Where what is written down of a request goes, and in what form, in one line of text: routes carry it, proxies hand it on, and
//! the service that posts logs reads it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Where proxies keep what they hand on of a request: its targets, a line each, and the headers of both sides.
pub const METADATA: &str = "chancery.logs";
pub const TO: &str = "to";
pub const REQUEST: &str = "request";
pub const RESPONSE: &str = "response";

/// Entries that one post has at most.
pub const BATCH: u32 = 10_000;
/// Bytes of a line.
const LINE: usize = 64 << 10;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogTarget {
    pub to: To,
    pub batch: Batching,
    /// The fields of an entry by their names: texts, or `$` and the name of a variable. Those of APISIX without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub format: Option<BTreeMap<String, String>>,
    /// The id of the service that the route is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
}

/// Who takes the entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum To {
    /// A server of HTTP, which they are posted to.
    Http {
        uri: String,
        /// Seconds that a post may take.
        timeout: u32,
        /// Whether the server's certificate has to be good.
        verify: bool,
        /// Whether a post has a line for each entry; else it is an array.
        lines: bool,
    },
}

/// When entries go, and how often it is tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Batching {
    /// So many go together at most.
    pub most: u32,
    /// Seconds after the last one.
    pub idle: u32,
    /// Seconds after the first one.
    pub age: u32,
    /// How often those that did not get there are sent again.
    pub retries: u32,
    /// Seconds before they are.
    pub pause: u32,
}

/// A text that is no target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no target that this version knows")]
pub struct Unknown;

impl LogTarget {
    pub fn line(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    pub fn read(line: &str) -> Result<Self, Unknown> {
        if line.len() > LINE {
            return Err(Unknown);
        }
        let target: Self = serde_json::from_str(line).map_err(|_| Unknown)?;
        let known = (1..=BATCH).contains(&target.batch.most);
        Some(target).filter(|_| known).ok_or(Unknown)
    }

    /// What it is called where people read it: without what may be secret of it.
    pub fn name(&self) -> String {
        let To::Http { uri, .. } = &self.to;
        let end = uri.find(['?', '#']).unwrap_or(uri.len());
        uri[..end].to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str = concat!(
        r#"{"to":{"http":{"uri":"http://a/b?token=planted","timeout":3,"verify":false,"lines":false}},"#,
        r#""batch":{"most":1000,"idle":5,"age":60,"retries":0,"pause":1},"format":{"a":"$host"}}"#
    );

    #[test]
    fn what_is_written_is_read() {
        let target = LogTarget::read(LINE).unwrap();
        assert_eq!(target.line(), LINE);
        assert_eq!(target.name(), "http://a/b");
    }

    #[test]
    fn what_is_no_target_is_refused() {
        for line in [
            "",
            "{}",
            &LINE.replace("http\"", "carrier\""),
            &LINE.replace("1000", "0"),
            &LINE.replace("1000", "10001"),
            &LINE.replace("\"idle\"", "\"other\""),
            &LINE.replace("planted", &"a".repeat(70_000)),
        ] {
            assert_eq!(LogTarget::read(line), Err(Unknown), "{line}");
        }
    }
}
