//! Which of a route's requests a plugin means: `vars`, or a list of them of which one must hold.

use envoy_types::pb::envoy::config::route::v3::Route;
use serde_json::Value;

use super::narrow::{narrowed, needs};
use crate::cohort::Ability;
use crate::model::problem::Remark;
use crate::model::vars::{Predicate, Vars};

/// The most alternatives: each is a route of Envoy's.
const MOST: usize = 32;

/// Alternatives of which one must hold; nothing is every request.
#[derive(Debug, Default, PartialEq)]
pub struct Condition(Option<Vec<Vec<Predicate>>>);

impl Condition {
    /// Reads a list of `vars`, each with the place where it stands.
    pub fn any(all: &[(String, &Value)], warnings: &mut Vec<Remark>) -> Result<Self, Remark> {
        let mut alternatives = Vec::new();
        for (place, value) in all {
            let mut own = Vec::new();
            let vars = Vars::read(value, &mut own).map_err(|remark| remark.under(place))?;
            warnings.extend(own.into_iter().map(|remark| remark.under(place)));
            let Some(vars) = vars else {
                return Ok(Self::default());
            };
            let of_address = |predicate: &Predicate| matches!(predicate, Predicate::Address { .. });
            if vars.alternatives().iter().flatten().any(of_address) {
                let message = "asks for `remote_addr`, which is for a route's own `vars`: Envoy cannot ask for it within a route";
                return Err(Remark::new(place, message));
            }
            alternatives.extend(vars.alternatives().iter().cloned());
            if alternatives.len() > MOST {
                let message = format!(
                    "become {} alternatives, allowed: at most {MOST}; fewer `OR`",
                    alternatives.len()
                );
                return Err(Remark::new(place, message));
            }
        }
        Ok(Self((!all.is_empty()).then_some(alternatives)))
    }

    /// What an Envoy has to be able to do to tell these requests.
    pub fn needs(&self) -> Vec<Ability> {
        needs(self.0.as_deref().unwrap_or_default())
    }

    /// Whether every request is meant.
    pub fn is_always(&self) -> bool {
        self.0.is_none()
    }

    /// Whether it asks a pattern of paths, of which a route of Envoy's has one.
    pub fn asks_for_paths(&self) -> bool {
        let mut asked = self.0.iter().flatten().flatten();
        asked.any(|predicate| matches!(predicate, Predicate::Path(_)))
    }

    /// The routes to go before this one, for those of its requests that are meant; none when all are.
    pub fn branches(&self, route: &Route) -> Vec<Route> {
        if self.is_always() {
            Vec::new()
        } else {
            self.narrowed(route)
        }
    }

    /// The route for those of its requests that are meant: several, of which one must match.
    pub fn narrowed(&self, route: &Route) -> Vec<Route> {
        let Some(alternatives) = &self.0 else {
            return vec![route.clone()];
        };
        let rule = route.r#match.clone().unwrap_or_default();
        let of = |alternative: &Vec<Predicate>| {
            Some(Route {
                r#match: Some(narrowed(&rule, alternative)?),
                ..route.clone()
            })
        };
        alternatives.iter().filter_map(of).collect()
    }
}
