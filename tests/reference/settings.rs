//! `settings.md`: the settings of `chancery serve`.

use std::collections::BTreeSet;

use chancery::config::Settings;
use clap::Arg;
use serde_json::json;

use super::page::{Page, code, sentence};

/// Settings that are no flags, with an example: their values do not fit on a command line.
const IN_THE_FILE: [(&str, &str, &str); 2] = [
    (
        "api-keys",
        "Who may call the control API: without any key, everybody may. `hash` is what `printf %s KEY | sha256sum` says; \
         `roles` are `read` (or `viewer`, another word for it), which every key has that is not for `metrics` alone, `metrics`, which may read `/metrics` and nothing else (where `metrics-need-key` says that it takes a key), `drain`, and `operate`, for what only a person can decide: `chancery accept`, `chancery release`; with keys, only `operate` is shown the values of headers in `/v1/snapshots`; `admin` has all of these, and writes documents through the [Admin API](admin-api.md).",
        "files: documents\napi-keys:\n  - name: deploy\n    \
         hash: sha256:2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b\n    roles: [drain]\n",
    ),
    (
        "xds-clients",
        "Which proxies may act as which gateways, by a DNS name or URI in their certificates. Without it, any proxy with a \
         certificate may act as any gateway.",
        "files: documents\nxds: 0.0.0.0:18000\nxds-cert: xds.pem\nxds-key: xds.key\nxds-client-ca: proxies.pem\n\
         xds-clients:\n  edge.example.com: [edge]\n  spiffe://example.com/all: [default, edge]\n",
    ),
];

pub fn page() -> String {
    let command = chancery::cli::command();
    let serve = command.find_subcommand("serve").expect("a command");
    let mut page = Page::new("Settings");
    page.paragraph(
        "What `chancery serve` takes: flags, then variables, then the settings file of `--config`; the first that says \
         something wins. The file is YAML with the names of the flags as keys. A \
         key or flag that does not exist is refused.",
    );
    page.paragraph(
        "A listener that other machines reach needs keys or certificates, or `--insecure`: see [mTLS for \
         proxies](../how-to/mtls.md) and [draining from a deploy script](../how-to/drain.md).",
    );
    let arguments = serve.get_arguments().filter(|argument| {
        let name = argument.get_id().as_str();
        !["help", "version"].contains(&name)
    });
    let arguments: Vec<_> = arguments.collect();
    let mut headings: Vec<&str> = Vec::new();
    for argument in &arguments {
        let heading = heading(argument);
        if !headings.contains(&heading) {
            headings.push(heading);
        }
    }
    for heading_now in headings {
        page.heading(heading_now);
        let here = arguments.iter().filter(|one| heading(one) == heading_now);
        page.table(
            ["flag", "variable", "key in the file", "default", "says"],
            here.map(|argument| row(argument)).collect(),
        );
    }
    page.heading("In the file only");
    let flags = arguments.iter().filter_map(|argument| argument.get_long());
    let flags: BTreeSet<String> = flags.map(ToOwned::to_owned).collect();
    let others = keys().into_iter().filter(|key| !flags.contains(key));
    let others: Vec<_> = others.collect();
    assert_eq!(others, IN_THE_FILE.map(|(key, _, _)| key), "have no flag");
    for (key, said, example) in IN_THE_FILE {
        page.paragraph(&format!("`{key}`: {said}"));
        page.block("yaml settings", example);
    }
    page.text()
}

fn heading(argument: &Arg) -> &str {
    argument.get_help_heading().unwrap_or("Chancery")
}

fn row(argument: &Arg) -> [String; 5] {
    let flag = argument.get_long().expect("a flag");
    let (said, default) = super::commands::said(argument);
    let values = super::commands::values(argument);
    let variable = argument.get_env().expect("a variable").to_string_lossy();
    let key = if keys().contains(flag) {
        code(flag)
    } else {
        "none".to_owned()
    };
    [
        code(format!("--{flag} {values}").trim()),
        code(&variable),
        key,
        default,
        sentence(&said),
    ]
}

/// The keys of the settings file, as its reader names them to whoever writes another one.
fn keys() -> BTreeSet<String> {
    let unknown = serde_json::from_value::<Settings>(json!({"no such key": 1}));
    let said = unknown.expect_err("a refusal").to_string();
    let (_, allowed) = said.split_once("expected one of").expect("a list of keys");
    let names = allowed.split('`').skip(1).step_by(2);
    names.map(ToOwned::to_owned).collect()
}
