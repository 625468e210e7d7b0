//! `multi-auth`: consumers pass who are known in one of several ways. Envoy's own filters turn strangers away, each by itself: so what finds
//! them is what has strangers be somebody elsewhere, each with a turn.

use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::Route;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::basic_auth::{self, BasicAuth};
use super::contract::{Definition, Plugin, Reading, refused, schema};
use super::jwt_auth::{self, JwtAuth};
use super::key_auth::{self, KeyAuth};
use super::shared::identity::{Last, Turn};
use crate::model::bounds::List;
use crate::model::decode::{self, kind_of, shown};
use crate::model::key::Id;
use crate::model::problem::Remark;
use crate::model::upstream::Cluster;

pub(super) const ENTRY: Definition = Definition {
    name: "multi-auth",
    read,
    schema: schema::<Form>,
    refused: refused::<Form>,
    differs: &[
        (
            "auth_plugins",
            "`basic-auth`, `jwt-auth` and `key-auth`, each once; none of them stands beside it in the same document",
        ),
        (
            "auth_plugins",
            "with `hide_credentials` of `key-auth` and `jwt-auth` a key and a token are hidden whichever way let the client in",
        ),
    ],
    // Its filters are those of the plugins that it names.
    http_filters: Vec::new,
};

/// The plugins that may be in the list, in the order of their filters.
pub(super) const WAYS: [&str; 3] = [
    basic_auth::ENTRY.name,
    jwt_auth::ENTRY.name,
    key_auth::ENTRY.name,
];

/// Entries that the list may have: more are refused one by one.
const ENTRIES: usize = 16;

/// Only consumers pass who are known in one of several ways. Of several, the first in the list counts.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Form {
    /// At least two of `{"basic-auth": {…}}`, `{"jwt-auth": {…}}` and `{"key-auth": {…}}`, with what these plugins have.
    auth_plugins: List<Value, ENTRIES>,
}

impl decode::Form for Form {}

#[derive(Debug)]
enum Way {
    Basic(BasicAuth),
    Jwt(JwtAuth),
    Key(KeyAuth),
}

/// Each way, and its turn.
#[derive(Debug)]
struct MultiAuth(Vec<(Way, Turn)>);

fn read(value: &Value, reading: &mut Reading) -> Result<Arc<dyn Plugin>, Remark> {
    let form: Form = decode::read(value)?;
    let entries = form.auth_plugins.0;
    if entries.len() < 2 {
        let message = format!("found {}, allowed: at least two", entries.len());
        return Err(Remark::new("auth_plugins", message));
    }
    let mut ways: Vec<Way> = Vec::new();
    for (at, entry) in entries.iter().enumerate() {
        let place = format!("auth_plugins[{at}]");
        let read = reading.at(&place, |reading| way(entry, reading))?;
        if ways.iter().any(|other| other.order() == read.order()) {
            let name = WAYS[read.order()];
            let message =
                format!("found {name} a second time, allowed: each once, as Envoy's filters are");
            return Err(Remark::new(place, message));
        }
        ways.push(read);
    }
    Ok(Arc::new(MultiAuth(in_turn(ways))))
}

fn way(entry: &Value, reading: &mut Reading) -> Result<Way, Remark> {
    let one = entry.as_object().filter(|entry| entry.len() == 1);
    let Some((name, value)) = one.and_then(|entry| entry.iter().next()) else {
        let message = format!(
            "found {}, allowed: an object with one plugin",
            kind_of(entry)
        );
        return Err(Remark::whole(message));
    };
    reading.at(&shown(name), |reading| match name.as_str() {
        "basic-auth" => BasicAuth::read(value).map(Way::Basic),
        "jwt-auth" => JwtAuth::read(value, reading).map(Way::Jwt),
        "key-auth" => KeyAuth::read(value).map(Way::Key),
        _ => {
            let message = format!(
                "is not served in this list, allowed: {}, as no other here lets a request on to the next",
                WAYS.join(", ")
            );
            Err(Remark::whole(message))
        }
    })
}

/// Gives each its turn: the list says who counts, and the chain of filters which of them stands last.
fn in_turn(ways: Vec<Way>) -> Vec<(Way, Turn)> {
    let last = ways.iter().map(Way::order).max();
    let challenge = ways.last().map(Way::challenge).unwrap_or_default();
    let mut with_rank = ways.iter().enumerate();
    let hides = with_rank.find(|(_, way)| way.hides_password());
    let hides = hides.map(|(rank, _)| rank);
    let turn = |(rank, way): (usize, Way)| {
        let turn = Turn {
            rank,
            anonymous: way.anonymous().cloned(),
            last: (Some(way.order()) == last).then(|| Last {
                challenge: challenge.clone(),
                hides,
            }),
        };
        (way, turn)
    };
    ways.into_iter().enumerate().map(turn).collect()
}

impl Way {
    /// Its place among [`WAYS`].
    fn order(&self) -> usize {
        match self {
            Self::Basic(_) => 0,
            Self::Jwt(_) => 1,
            Self::Key(_) => 2,
        }
    }

    fn anonymous(&self) -> Option<&Id> {
        match self {
            Self::Basic(basic) => basic.anonymous.as_ref(),
            Self::Jwt(jwt) => jwt.anonymous(),
            Self::Key(key) => key.anonymous(),
        }
    }

    fn challenge(&self) -> String {
        match self {
            Self::Basic(basic) => basic.challenge.clone(),
            Self::Jwt(jwt) => jwt.challenge.clone(),
            Self::Key(key) => key.challenge(),
        }
    }

    fn hides_password(&self) -> bool {
        matches!(self, Self::Basic(basic) if basic.hide_credentials)
    }

    fn plugin(&self) -> &dyn Plugin {
        match self {
            Self::Basic(basic) => basic,
            Self::Jwt(jwt) => jwt,
            Self::Key(key) => key,
        }
    }
}

impl Plugin for MultiAuth {
    /// What finds consumers here is what does so where strangers are somebody.
    fn welcomes_strangers(&self) -> bool {
        true
    }

    fn runs(&self) -> Vec<&'static str> {
        let mut runs: Vec<_> = self
            .0
            .iter()
            .flat_map(|(way, _)| way.plugin().runs())
            .collect();
        runs.sort_unstable();
        runs.dedup();
        runs
    }

    fn apply(&self, route: &mut Route, _: &[Arc<Cluster>]) {
        for (way, turn) in &self.0 {
            match way {
                Way::Basic(basic) => basic.apply_in_turn(route, turn),
                Way::Jwt(jwt) => jwt.apply_in_turn(route, turn),
                Way::Key(key) => key.apply_in_turn(route, turn),
            }
        }
    }
}

#[cfg(test)]
mod tests;
