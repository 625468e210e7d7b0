//! `commands.md`: every command, with its arguments, flags and examples.

use clap::{Arg, Command};
use regex::Regex;

use super::page::{Page, code, sentence};

pub fn page() -> String {
    let mut whole = chancery::cli::command();
    whole.build();
    let mut page = Page::new("Commands");
    page.paragraph(
        "Every command explains itself with `--help`. Exit status: 0 when it is as asked, 1 when it is not or when a \
         call failed, 2 when the command was called wrongly.",
    );
    let commands = whole.get_subcommands();
    let commands: Vec<_> = commands.filter(|one| one.get_name() != "help").collect();
    let overview = commands.iter().map(|command| {
        let name = command.get_name();
        let link = format!("[`chancery {name}`](#chancery-{name})");
        [link, sentence(&about(command))]
    });
    page.table(["command", "does"], overview.collect());
    for command in commands {
        let name = command.get_name();
        page.heading(&format!("chancery {name}"));
        page.paragraph(&sentence(&about(command)));
        let usage = command.clone().render_usage().to_string();
        page.block("text", usage.trim_start_matches("Usage: "));
        if name == "serve" {
            page.paragraph("Its flags are [settings](settings.md).");
        } else {
            let arguments = command.get_arguments();
            let arguments =
                arguments.filter(|one| !["help", "version"].contains(&one.get_id().as_str()));
            page.table(
                ["argument", "default", "says"],
                arguments.map(row).collect(),
            );
        }
        if let Some(examples) = command.get_after_help() {
            let examples = examples.to_string();
            let lines = examples.lines().skip(1).map(|line| line.trim_start());
            page.block("sh", &lines.collect::<Vec<_>>().join("\n"));
        }
    }
    page.text()
}

fn about(command: &Command) -> String {
    command.get_about().expect("what it does").to_string()
}

fn row(argument: &Arg) -> [String; 3] {
    let values = values(argument);
    let name = match (argument.get_short(), argument.get_long()) {
        (Some(short), Some(long)) => format!("-{short}, --{long} {values}"),
        (None, Some(long)) => format!("--{long} {values}"),
        (Some(short), None) => format!("-{short} {values}"),
        (None, None) => values,
    };
    let (mut said, default) = said(argument);
    if let Some(variable) = argument.get_env() {
        said += &format!("; variable `{}`", variable.to_string_lossy());
    }
    [code(name.trim()), default, sentence(&said)]
}

/// How the values of an argument are named; nothing where it takes none.
pub fn values(argument: &Arg) -> String {
    if !argument.get_action().takes_values() {
        return String::new();
    }
    let names = argument.get_value_names().unwrap_or_default();
    let names: Vec<_> = names.iter().map(|name| format!("<{name}>")).collect();
    let names = names.join(" ");
    let count = argument.get_num_args();
    if count.is_some_and(|count| count.min_values() == 0) {
        return format!("[{names}]");
    }
    names
}

/// What an argument says of itself, and its default.
pub fn said(argument: &Arg) -> (String, String) {
    let help = argument.get_long_help().or(argument.get_help());
    let help = help.expect("what it is for").to_string();
    let written = Regex::new(r"\s*\[default: ([^\]]+)\]").expect("a pattern");
    let in_help = written.captures(&help).map(|found| found[1].to_owned());
    let mut said = written.replace(&help, "").into_owned();
    let allowed = argument.get_possible_values();
    let allowed = allowed.iter().map(|value| code(value.get_name()));
    let allowed: Vec<_> = allowed.collect();
    if !allowed.is_empty() && argument.get_action().takes_values() {
        said += &format!("; allowed: {}", allowed.join(", "));
    }
    let defaults = argument.get_default_values().iter();
    let defaults: Vec<_> = defaults.map(|value| value.to_string_lossy()).collect();
    let default = match (in_help, defaults.as_slice()) {
        (Some(default), _) => default,
        (None, []) if argument.is_required_set() => "required".to_owned(),
        (None, []) => "none".to_owned(),
        (None, defaults) => code(&defaults.join(" ")),
    };
    (said, default)
}
