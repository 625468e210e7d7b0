//! The conversations of `tests/transcripts/`, each played in both protocols against a stream.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};

use chancery::xds::Protocol;

use crate::script::{self, Line, Step};
use crate::stage::Stage;

macro_rules! transcripts {
    ($($name:ident)*) => {
        const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            fn $name() {
                play(stringify!($name));
            }
        )*
    };
}

transcripts! {
    burst
    children
    empty
    extensions
    first_sync
    gate
    nack
    nonces
    order
    reconnect
    removals
    scopes
    scopes_reconnect
    secrets
    subscriptions
    unknown_names
    wildcard
}

#[test]
fn every_transcript_is_played() {
    let files = std::fs::read_dir(folder()).unwrap();
    for file in files {
        let name = file.unwrap().path().file_stem().unwrap().to_owned();
        assert!(
            NAMES.iter().any(|known| name == *known),
            "{name:?} is not listed"
        );
    }
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts")
}

fn play(name: &str) {
    let text = std::fs::read_to_string(folder().join(format!("{name}.txt"))).unwrap();
    for protocol in script::protocols(&text) {
        let lines = script::parse(&text, protocol);
        let mut stage = Stage::new(protocol);
        let mut lines = lines.iter().peekable();
        while let Some(line) = lines.next() {
            let mut expected = Vec::new();
            while let Some(next) = lines.next_if(|next| is_response(next)) {
                expected.push(next);
            }
            let played = catch_unwind(AssertUnwindSafe(|| {
                let said = stage.play(&line.step);
                compare(&mut stage, line, &expected, &said);
            }));
            if let Err(panic) = played {
                let (number, text) = (line.number, &line.text);
                let protocol: &str = Protocol::as_str(protocol);
                eprintln!("in {name}.txt, line {number}, {protocol}: {text}");
                resume_unwind(panic);
            }
        }
    }
}

fn is_response(line: &Line) -> bool {
    matches!(line.step, Step::Response(_) | Step::Silence)
}

fn compare(stage: &mut Stage, line: &Line, expected: &[&Line], said: &[(String, String)]) {
    let written = expected.iter().filter_map(|line| match &line.step {
        Step::Response(text) => Some(text.as_str()),
        _ => None,
    });
    let written: Vec<(&str, Option<&str>)> = written
        .map(|text| match text.split_once(" @") {
            Some((text, label)) => (text.trim(), Some(label)),
            None => (text, None),
        })
        .collect();
    let wanted: Vec<&str> = written.iter().map(|(text, _)| *text).collect();
    let got: Vec<&str> = said.iter().map(|(text, _)| text.as_str()).collect();
    assert!(
        wanted == got,
        "upon `{}` the server must say\n{}but says\n{}",
        line.text,
        show(&wanted),
        show(&got),
    );
    for ((_, label), (_, version)) in written.iter().zip(said) {
        if let Some(label) = label {
            stage.label(label, version);
        }
    }
}

fn show(responses: &[&str]) -> String {
    if responses.is_empty() {
        return "    < silence\n".to_owned();
    }
    let lines = responses.iter();
    lines.map(|text| format!("    < {text}\n")).collect()
}
