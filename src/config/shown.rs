//! Settings as callers may see them: who gave each, and no secret.

use std::collections::BTreeSet;

use clap::Args;
use serde_json::Value;

use crate::api::pb::Setting;

use super::Settings;

/// What stands for a secret.
const HIDDEN: &str = "(a secret: not shown)";

impl Settings {
    /// The settings that were given. `flags` are those of the command line and of variables, `variables` the names of the
    /// latter; all others are from the file.
    pub fn shown(&self, flags: &Self, variables: &BTreeSet<String>) -> Vec<Setting> {
        let flags: BTreeSet<_> = flags.given().into_iter().map(|(name, _)| name).collect();
        let secrets = secrets();
        let show = |(name, value): (String, Value)| {
            let from = match (flags.contains(&name), variables.contains(&name)) {
                (false, _) => "file",
                (true, true) => "variable",
                (true, false) => "flag",
            };
            let value = if secrets.contains(&name) {
                HIDDEN.to_owned()
            } else {
                text(&value)
            };
            Setting {
                name,
                value,
                from: from.to_owned(),
            }
        };
        self.given().into_iter().map(show).collect()
    }
}

/// The names of the settings that are secrets: those whose variables the help does not show.
fn secrets() -> BTreeSet<String> {
    let command = Settings::augment_args(clap::Command::new("serve"));
    let hidden = command
        .get_arguments()
        .filter(|argument| argument.is_hide_env_values_set());
    let names = hidden.filter_map(|argument| argument.get_long());
    names.map(str::to_owned).collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => public(text),
        Value::Array(items) if items.iter().all(Value::is_string) => {
            let items: Vec<_> = items.iter().map(text).collect();
            items.join(",")
        }
        other => other.to_string(),
    }
}

/// Of a URL scheme, host and port: a user and a password may stand before them, and a token behind. Anything else as it is.
fn public(text: &str) -> String {
    let (scheme, rest) = match text.split_once("://") {
        Some((scheme, rest)) => (format!("{scheme}://"), rest),
        None if text.contains('@') => (String::new(), text),
        None => return text.to_owned(),
    };
    let at = rest.rfind('@').map_or(0, |at| at + 1);
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    if end < at {
        // Either may be a part of the password.
        return format!("{scheme}{HIDDEN}");
    }
    let more = if rest[end..].len() > 1 { "/…" } else { "" };
    format!("{scheme}{}{more}", &rest[at..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_gave_a_setting_is_said_and_secrets_are_not() {
        let file = "etcd: ['https://a:2379', 'http://root:pl4nted@b:2379']\nconsul: ['c:pl4nted@d:8500']\n\
                    log-level: info\nadmin: 127.0.0.1:9180\nxds-clients: { edge: [a] }\n\
                    data-encryption-keyring: [pl4nted-0123456]\n\
                    api-keys: [{ name: ci, hash: 'sha256:HASH', roles: [admin] }]\n"
            .replace("HASH", &"ab".repeat(32));
        let file: Settings = serde_saphyr::from_str(&file).unwrap();
        let flags = Settings {
            etcd_password: Some("pl4nted".to_owned()),
            consul_token: Some("pl4nted".to_owned()),
            otlp: Some("http://o:4317/v1?token=pl4nted".to_owned()),
            otlp_traces: Some("http://o:pl4/nted@o:4317".to_owned()),
            ..Settings::default()
        };
        let variables = ["consul-token".to_owned(), "log-level".to_owned()].into();
        let settings = flags.clone().or(file);
        let shown = settings.shown(&flags, &variables);
        let shown = shown.iter().map(|it| (&*it.name, &*it.value, &*it.from));
        let expected = [
            ("etcd", "https://a:2379,http://b:2379", "file"),
            ("etcd-password", HIDDEN, "flag"),
            ("consul", "d:8500", "file"),
            ("consul-token", HIDDEN, "variable"),
            ("data-encryption-keyring", HIDDEN, "file"),
            ("xds-clients", r#"{"edge":["a"]}"#, "file"),
            ("admin", "127.0.0.1:9180", "file"),
            ("api-keys", r#"[{"name":"ci","roles":["admin"]}]"#, "file"),
            ("log-level", "info", "file"),
            ("otlp", "http://o:4317/…", "flag"),
            ("otlp-traces", "http://(a secret: not shown)", "flag"),
        ];
        assert_eq!(shown.collect::<Vec<_>>(), expected);
    }
}
