//! Documents and instances in, Envoy's configuration out: a folder per case, see `golden/README.md`.
//!
//! `UPDATE_GOLDEN=1` writes what is produced now where it belongs, for `git diff` to judge.

#![allow(clippy::expect_used, clippy::panic)]

mod golden {
    pub mod case;
    pub mod coverage;
    pub mod descriptors;
    pub mod envoy;
    pub mod maps;
    pub mod older;
    pub mod pem;
    pub mod resource;
    pub mod validity;
}

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::Path;

use chancery::cohort::{Ability, Envoy};
use golden::case::Case;
use golden::envoy::Bootstrap;
use serde_json::Value;

/// Compares with the file, or writes the file when the environment asks for it.
fn expect(file: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let folder = file.parent().expect("a file lies in a folder");
        std::fs::create_dir_all(folder).expect("the folder can be made");
        return std::fs::write(file, actual).expect("the golden file can be written");
    }
    let expected = std::fs::read_to_string(file).unwrap_or_default();
    assert!(
        expected == actual,
        "{} is not what is produced now: run the test with UPDATE_GOLDEN=1 and look at `git diff`\n{}",
        file.display(),
        first_difference(&expected, actual),
    );
}

fn first_difference(expected: &str, actual: &str) -> String {
    let line = expected
        .lines()
        .zip(actual.lines())
        .take_while(|(expected, actual)| expected == actual)
        .count();
    let at = |text: &str| text.lines().nth(line).unwrap_or("(the end)").to_owned();
    format!("line {}:\n- {}\n+ {}", line + 1, at(expected), at(actual))
}

#[test]
fn the_table_of_maps_is_what_the_descriptors_say() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/envoy/canonical/maps.txt");
    expect(&file, &golden::maps::table(golden::descriptors::pool()));
}

#[test]
fn the_descriptors_are_those_of_the_crate() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("proto/envoy");
    let (services, types) = golden::descriptors::stripped();
    for (name, actual) in [("services.bin", services), ("types.bin", types)] {
        let file = folder.join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&file, &actual).expect("the golden file can be written");
        }
        let expected = std::fs::read(&file).unwrap_or_default();
        assert!(
            expected == actual,
            "{} is not what envoy-types describes: run the test with UPDATE_GOLDEN=1",
            file.display(),
        );
    }
}

#[test]
fn each_case_becomes_what_it_says() {
    for case in Case::all() {
        let expected = case.expected(&case.resources());
        for (file, resources) in &expected {
            let yaml = serde_saphyr::to_string(resources).expect("a value can be written as YAML");
            expect(file, &golden::pem::unwritten(&yaml));
        }
        for file in case.written() {
            assert!(
                expected.contains_key(&file),
                "{}: nothing becomes it",
                file.display()
            );
        }
    }
}

/// All cases as an Envoy would be sent them.
fn bootstrap(envoy: Envoy) -> Bootstrap {
    let mut bootstrap = Bootstrap::default();
    for case in Case::all() {
        bootstrap.add(&case.name, &case.resources_for(envoy));
    }
    bootstrap
}

/// A route may enable a filter whose script comes by name only where that script is there.
#[test]
fn each_script_that_a_route_runs_is_there() {
    let mut ran = 0;
    for case in Case::all() {
        let resources = case.resources();
        let extensions = resources["extensions"].as_array().into_iter().flatten();
        let scripts: BTreeSet<&str> = extensions
            .filter(|one| one["typed_config"]["default_source_code"].is_object())
            .filter_map(|one| one["name"].as_str())
            .collect();
        let (mut by_name, mut enabled) = (BTreeSet::new(), BTreeSet::new());
        scripts_by_name(&resources["listeners"], &mut by_name);
        enabled_by(&resources["routes"], &mut enabled);
        for name in enabled.intersection(&by_name) {
            assert!(
                scripts.contains(name),
                "{}: a route runs {name}, which nothing asks for",
                case.name
            );
            ran += 1;
        }
    }
    assert!(ran > 15, "{ran} filters");
}

/// The filters whose script comes by name.
fn scripts_by_name<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| scripts_by_name(item, found)),
        Value::Object(fields) => {
            let of = value.pointer("/config_discovery/type_urls/0");
            let of = of.and_then(Value::as_str).unwrap_or_default();
            if of.ends_with(".lua.v3.Lua") {
                found.extend(value["name"].as_str());
            }
            fields
                .values()
                .for_each(|item| scripts_by_name(item, found));
        }
        _ => {}
    }
}

/// The filters that routes enable.
fn enabled_by<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| enabled_by(item, found)),
        Value::Object(fields) => {
            let configs = value["typed_per_filter_config"].as_object();
            found.extend(
                configs
                    .into_iter()
                    .flat_map(|all| all.keys().map(String::as_str)),
            );
            fields.values().for_each(|item| enabled_by(item, found));
        }
        _ => {}
    }
}

#[test]
fn envoy_takes_what_each_case_becomes() {
    if let Err(said) = bootstrap(Envoy::NEWEST).validate(&golden::envoy::envoy()) {
        panic!("{said}");
    }
}

#[test]
fn each_older_envoy_takes_what_each_case_becomes_for_it() {
    for version in Envoy::ALL {
        let name = version.as_str();
        if version == Envoy::NEWEST {
            continue;
        }
        match golden::envoy::envoy_of(name) {
            Some(envoy) => {
                if let Err(said) = bootstrap(version).validate(&envoy) {
                    panic!("Envoy {name}: {said}");
                }
            }
            None => {
                let said =
                    format!("skipped: there is no Envoy {name}; run: scripts/tools envoy={name}\n");
                // Not swallowed as what a test prints is.
                let _ = std::io::stderr().write_all(said.as_bytes());
            }
        }
    }
}

#[test]
fn older_envoys_have_the_same_listeners_but_for_what_they_do_not_know() {
    for case in Case::all() {
        let newest = case.resources();
        for version in Envoy::ALL {
            let mut expected = newest["listeners"].clone();
            if !version.can(Ability::Places) {
                golden::older::without_places(&mut expected);
            }
            if !version.can(Ability::Logins) {
                golden::older::without_logins(&mut expected);
            }
            if !version.can(Ability::ListenerKeepalive) {
                golden::older::without_keepalive(&mut expected);
            }
            if !version.can(Ability::ReasonOfUnknownKey) {
                golden::older::with_reason_of_unknown_key(&mut expected);
            }
            let resources = case.resources_for(version);
            assert!(
                resources["listeners"] == expected,
                "{}: listeners of {}",
                case.name,
                version.as_str()
            );
        }
    }
}

#[test]
fn every_field_of_every_kind_and_plugin_stands_in_a_case() {
    let all = golden::coverage::all();
    let used = golden::coverage::used(&Case::all());
    let refused: BTreeSet<String> = golden::coverage::REFUSED
        .iter()
        .map(|(field, _)| (*field).to_owned())
        .collect();
    let missing = all
        .difference(&used)
        .filter(|field| !refused.contains(*field));
    let missing: Vec<_> = missing.collect();
    assert!(missing.is_empty(), "in no document: {missing:#?}");
    let stale: Vec<_> = refused
        .iter()
        .filter(|field| !all.contains(*field) || used.contains(*field))
        .collect();
    assert!(stale.is_empty(), "no exceptions any more: {stale:#?}");
}

#[test]
fn what_is_accepted_is_valid_by_its_schema() {
    let wrong = golden::validity::wrong(&Case::all());
    assert!(wrong.is_empty(), "accepted, and not valid: {wrong:#?}");
}
