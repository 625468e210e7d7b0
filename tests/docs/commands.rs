//! Commands, flags, variables and targets of make exist.

use std::collections::BTreeMap;
use std::process::Command;

use regex::Regex;

use crate::page::{Page, holds, read};

/// What each command's help says.
fn help() -> &'static BTreeMap<String, String> {
    static HELP: std::sync::OnceLock<BTreeMap<String, String>> = std::sync::OnceLock::new();
    HELP.get_or_init(|| {
        let overview = chancery(&["--help"]);
        let command = Regex::new(r"(?m)^  ([a-z]+)  ").unwrap();
        let (_, commands) = overview.split_once("Commands:").unwrap();
        let commands = command
            .captures_iter(commands)
            .map(|found| found[1].to_owned());
        let commands = commands.filter(|command| command != "help");
        let help = commands.map(|command| (command.clone(), chancery(&[&command, "--help"])));
        help.collect()
    })
}

/// The program, without settings of whoever runs the tests.
pub fn binary() -> Command {
    let mut binary = Command::new(env!("CARGO_BIN_EXE_chancery"));
    binary.env_clear();
    binary
}

fn chancery(arguments: &[&str]) -> String {
    let output = binary().args(arguments).output().unwrap();
    assert!(
        output.status.success(),
        "chancery {arguments:?}: {output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Whether a help text declares a flag: an example at its end does not.
fn declares(help: &str, flag: &str) -> bool {
    let flags = help.split("\nExample").next().unwrap();
    flags.lines().any(|line| {
        let Some(line) = line.strip_prefix(' ').map(str::trim_start) else {
            return false;
        };
        let long = match line.split_once(", ") {
            Some((short, long)) if short.len() == 2 && short.starts_with('-') => long,
            _ => line,
        };
        let rest = long.strip_prefix(flag);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', '=', '[']))
    })
}

/// Commands and flags that `chancery` does not have.
fn unknown_commands(page: &Page) -> Vec<String> {
    let call = Regex::new(r"(?:^|[\s(/])chancery((?: +[^\s|;&#)]+)*)").unwrap();
    let word = Regex::new(r"^[a-z]+$").unwrap();
    let flag = Regex::new(r"^(--[a-z][a-z-]*)").unwrap();
    let mut wrong = Vec::new();
    for (line, text) in page.commands() {
        if flag.is_match(&text) {
            // A flag alone is one of Chancery's.
            for flag in text.split_whitespace().filter_map(|word| flag.find(word)) {
                if !help().values().any(|help| declares(help, flag.as_str())) {
                    wrong.push(page.at(line, format!("no command has {}", flag.as_str())));
                }
            }
        }
        for call in call.captures_iter(&text) {
            let mut words = call[1].split_whitespace();
            let Some(command) = words.next().filter(|first| word.is_match(first)) else {
                continue;
            };
            let Some(help) = help().get(command) else {
                wrong.push(page.at(line, format!("there is no `chancery {command}`")));
                continue;
            };
            for flag in words.filter_map(|word| flag.find(word)) {
                if !declares(help, flag.as_str()) {
                    wrong.push(page.at(
                        line,
                        format!("`chancery {command}` has no {}", flag.as_str()),
                    ));
                }
            }
        }
    }
    wrong
}

#[test]
fn commands_and_flags_exist() {
    holds(unknown_commands, "`chancery confirm`");
    holds(
        unknown_commands,
        "```sh\nid=$(chancery drain 10.0.0.7 \\\n    --quickly)\n```",
    );
    holds(unknown_commands, "`--no-such-flag`");
}

fn unknown_variables(page: &Page) -> Vec<String> {
    let variable = Regex::new(r"CHANCERY_[A-Z_]+").unwrap();
    let known = |name: &str| {
        help().values().any(|help| {
            help.contains(&format!("[env: {name}=")) || help.contains(&format!("[env: {name}]"))
        })
    };
    let lines = page.text.lines().enumerate();
    let found = lines.flat_map(|(line, text)| {
        variable
            .find_iter(text)
            .map(move |name| (line, name.as_str()))
    });
    let wrong = found.filter(|(_, name)| *name != "CHANCERY_" && !known(name));
    wrong
        .map(|(line, name)| page.at(line, format!("no command reads {name}")))
        .collect()
}

#[test]
fn variables_exist() {
    holds(unknown_variables, "`CHANCERY_NOTHING=1 chancery serve`");
}

fn unknown_targets(page: &Page) -> Vec<String> {
    let makefile = read("Makefile");
    let target = Regex::new(r"(?:^|[\s;&])make +([a-z]+)").unwrap();
    let mut wrong = Vec::new();
    for (line, text) in page.commands() {
        for found in target.captures_iter(&text) {
            if !makefile
                .lines()
                .any(|line| line.starts_with(&format!("{}:", &found[1])))
            {
                wrong.push(page.at(line, format!("the Makefile has no {}", &found[1])));
            }
        }
    }
    wrong
}

#[test]
fn targets_of_make_exist() {
    holds(unknown_targets, "`make coffee`");
}
