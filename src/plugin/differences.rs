//! What plugins do otherwise than in APISIX, as each says of itself: the pages and `chancery validate` tell the same.

use serde_json::Value;

use super::all::definition;
use super::contract::Difference;

/// All of a plugin's.
pub fn differences(name: &str) -> &'static [Difference] {
    definition(name).map_or(&[], |entry| entry.differs)
}

/// Those of a plugin's that a configuration has to do with.
pub fn differences_in(
    name: &str,
    configuration: &Value,
) -> impl Iterator<Item = &'static Difference> {
    let all = differences(name).iter();
    all.filter(|(field, _)| field.is_empty() || has(configuration, field))
}

/// The fields of APISIX's that a plugin refuses by name, and why.
pub fn refused_fields(name: &str) -> Vec<(&'static str, &'static str)> {
    definition(name).map_or_else(Vec::new, |entry| (entry.refused)())
}

/// Whether a field is written: `rules[].match` in any of the rules.
fn has(configuration: &Value, field: &str) -> bool {
    let (first, rest) = field.split_once('.').unwrap_or((field, ""));
    let name = first.trim_end_matches("[]");
    let Some(value) = configuration.get(name) else {
        return false;
    };
    match value {
        _ if rest.is_empty() => true,
        Value::Array(all) if first.ends_with("[]") => all.iter().any(|one| has(one, rest)),
        one => has(one, rest),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn fields(name: &str, configuration: &Value) -> Vec<&'static str> {
        let found = differences_in(name, configuration);
        found.map(|(field, _)| *field).collect()
    }

    #[test]
    fn a_configuration_has_the_differences_of_its_fields_and_of_the_whole() {
        assert_eq!(fields("limit-count", &json!({ "count": 1 })), [""]);
        let window = json!({ "count": 1, "time_window": 60 });
        assert_eq!(fields("limit-count", &window), ["time_window", ""]);
        assert!(fields("cors", &json!({})).is_empty());
        assert!(fields("nobody", &json!({ "policy": 1 })).is_empty());
    }

    #[test]
    fn a_field_below_others_is_found_in_any_of_them() {
        let split = |rules: Value| fields("traffic-split", &json!({ "rules": rules }));
        assert_eq!(split(json!([{}, { "match": [] }])), ["rules[].match"]);
        assert!(split(json!([])).is_empty());
        assert!(split(json!({ "match": 1 })).len() == 1);
        assert_eq!(
            fields("fault-injection", &json!({ "abort": { "body": "a" } })),
            ["abort", "abort.body"]
        );
        assert!(fields("fault-injection", &json!({ "delay": 5 })).is_empty());
    }
}
