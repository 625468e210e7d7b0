//! An expression as alternatives: its disjunctive form.

use super::Expression;
use super::predicate::{self, Predicate};

/// The most alternatives that an expression may have: each is an Envoy route of its own for each path of the document.
const MOST: usize = 32;

/// Expands an expression; says why it cannot be.
pub(super) fn of(expression: &Expression) -> Result<Vec<Vec<Predicate>>, String> {
    let alternatives = expand(expression, false)?;
    let paths = |alternative: &&Vec<Predicate>| {
        let is_path = |predicate: &&Predicate| matches!(predicate, Predicate::Path(_));
        alternative.iter().filter(is_path).count() > 1
    };
    match alternatives.iter().find(paths) {
        Some(_) => Err(
            "asks two patterns of `uri` at once, allowed: one, as an Envoy route has one".into(),
        ),
        None => Ok(alternatives),
    }
}

/// Negations move inwards as far as they can, and change `AND` and `OR` on the way.
fn expand(expression: &Expression, inverse: bool) -> Result<Vec<Vec<Predicate>>, String> {
    match (expression, inverse) {
        (Expression::Not(inner), _) => expand(inner, !inverse),
        (Expression::Test(condition), _) => predicate::alternatives(condition, inverse),
        (Expression::Any(parts), false) | (Expression::All(parts), true) => {
            let mut either = Vec::new();
            for part in parts {
                either.extend(expand(part, inverse)?);
                bounded(&either)?;
            }
            Ok(either)
        }
        (Expression::All(parts), false) | (Expression::Any(parts), true) => {
            let mut both = vec![Vec::new()];
            for part in parts {
                let with = expand(part, inverse)?;
                let joined = |one: &Vec<Predicate>| {
                    let one = one.clone();
                    with.iter()
                        .map(move |other| [&one[..], other].concat())
                        .collect::<Vec<_>>()
                };
                both = both.iter().flat_map(joined).collect();
                bounded(&both)?;
            }
            Ok(both)
        }
    }
}

fn bounded(alternatives: &[Vec<Predicate>]) -> Result<(), String> {
    match alternatives.len() {
        0..=MOST => Ok(()),
        found => Err(format!(
            "become {found} or more alternatives, allowed: {MOST}; fewer `OR` within `AND`, or several routes"
        )),
    }
}
