//! Documents and instances in, Envoy's configuration out: a folder per case, see `golden/README.md`.
//!
//! `UPDATE_GOLDEN=1` writes what is produced now where it belongs, for `git diff` to judge.

#![allow(clippy::expect_used, clippy::panic)]

mod golden {
    pub mod case;
    pub mod descriptors;
    pub mod envoy;
    pub mod maps;
    pub mod pem;
    pub mod resource;
}

use std::path::Path;

use golden::case::Case;
use golden::envoy::Bootstrap;

/// Compares with the file, or writes the file when the environment asks for it.
fn expect(file: &Path, actual: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
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
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/translate/canonical/maps.txt");
    expect(&file, &golden::maps::table(golden::descriptors::pool()));
}

#[test]
fn each_case_becomes_what_it_says() {
    for case in Case::all() {
        let yaml =
            serde_saphyr::to_string(&case.resources()).expect("a value can be written as YAML");
        expect(&case.expected(), &golden::pem::unwritten(&yaml));
    }
}

#[test]
fn envoy_takes_what_each_case_becomes() {
    let mut bootstrap = Bootstrap::default();
    for case in Case::all() {
        bootstrap.add(&case.name, &case.resources());
    }
    if let Err(said) = bootstrap.validate() {
        panic!("{said}");
    }
}
