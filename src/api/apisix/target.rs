//! What a path below `/apisix/admin` means. Pure.

use crate::model::{Id, Key, Kind};

/// What a call is about.
#[derive(Debug, PartialEq, Eq)]
pub enum Target<'a> {
    /// Whether anybody is there.
    Root,
    /// All documents of a kind; of a consumer, its credentials.
    All {
        kind: Kind,
        /// Below which documents lie: `routes/`.
        folder: String,
    },
    /// One document, or a part of it.
    One { key: Key, steps: Vec<&'a str> },
    /// The names of all plugins.
    PluginNames,
    /// All plugins with their schemas.
    Plugins,
    /// The schema of one plugin.
    Plugin(&'a str),
    /// Has nothing to do here, as plugins are part of the program.
    ReloadPlugins,
    /// The schema of a kind, by its singular.
    Schema(&'a str),
    /// Whether a document would be one of a kind, by its plural.
    Validate(Kind),
    /// Whether many documents would be.
    ValidateAll,
}

impl Target<'_> {
    /// The template of the paths that mean it.
    pub fn template(&self) -> String {
        match self {
            Self::All { kind, folder } if *kind == Kind::Secret => {
                format!("/{}", folder.trim_end_matches('/'))
            }
            Self::All { kind, .. } => folder(*kind),
            Self::One { key, .. } => format!("{}/{{id}}", folder(key.kind)),
            Self::Root => String::new(),
            Self::PluginNames => "/plugins/list".to_owned(),
            Self::Plugins => "/plugins".to_owned(),
            Self::Plugin(_) => "/plugins/{name}".to_owned(),
            Self::ReloadPlugins => "/plugins/reload".to_owned(),
            Self::Schema(_) => "/schema/{name}".to_owned(),
            Self::Validate(_) => "/schema/validate/{kind}".to_owned(),
            Self::ValidateAll => "/configs/validate".to_owned(),
        }
    }
}

fn folder(kind: Kind) -> String {
    match kind {
        Kind::Credential => "/consumers/{id}/credentials".to_owned(),
        Kind::Secret => "/secrets/vault".to_owned(),
        _ => format!("/{}", kind.as_str()),
    }
}

/// Why a path means nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum Unknown {
    /// No kind of this name.
    Kind(String),
    /// The id cannot be one.
    Id(String),
    /// A kind, but nothing that can be called.
    Path,
}

/// Reads a path, what comes after `/apisix/admin`. Slashes at its end say nothing.
pub fn read(path: &str) -> Result<Target<'_>, Unknown> {
    let steps: Vec<&str> = path.split('/').filter(|step| !step.is_empty()).collect();
    match steps.as_slice() {
        [] => Ok(Target::Root),
        ["plugins"] => Ok(Target::Plugins),
        ["plugins", "list"] => Ok(Target::PluginNames),
        ["plugins", "reload"] => Ok(Target::ReloadPlugins),
        ["plugins", name] | ["schema", "plugins", name] => Ok(Target::Plugin(name)),
        ["schema", "validate", kind] => kind_of(kind).map(Target::Validate),
        ["schema", name] => Ok(Target::Schema(name)),
        ["configs", "validate"] => Ok(Target::ValidateAll),
        ["consumers", consumer, "credentials", rest @ ..] => credentials(consumer, rest),
        // The manager stands before the id.
        ["secrets", manager, rest @ ..] => of_manager(manager, rest),
        [folder, rest @ ..] => of_kind(kind_of(folder)?, rest),
    }
}

fn kind_of(folder: &str) -> Result<Kind, Unknown> {
    let mut all = Kind::ALL.into_iter();
    let known = all.find(|kind| *kind != Kind::Credential && kind.as_str() == folder);
    known.ok_or_else(|| Unknown::Kind(folder.escape_debug().take(100).collect()))
}

fn of_kind<'a>(kind: Kind, rest: &[&'a str]) -> Result<Target<'a>, Unknown> {
    let Some((id, steps)) = rest.split_first() else {
        let folder = format!("{}/", kind.as_str());
        return Ok(Target::All { kind, folder });
    };
    Ok(Target::One {
        key: Key {
            kind,
            id: id_of(id)?,
            consumer: None,
        },
        steps: steps.to_vec(),
    })
}

fn credentials<'a>(consumer: &str, rest: &[&str]) -> Result<Target<'a>, Unknown> {
    let consumer = id_of(consumer)?;
    match rest {
        [] => Ok(Target::All {
            kind: Kind::Credential,
            folder: format!("consumers/{consumer}/credentials/"),
        }),
        [id] => Ok(Target::One {
            key: Key {
                kind: Kind::Credential,
                id: id_of(id)?,
                consumer: Some(consumer),
            },
            steps: Vec::new(),
        }),
        _ => Err(Unknown::Path),
    }
}

fn of_manager<'a>(manager: &str, rest: &[&'a str]) -> Result<Target<'a>, Unknown> {
    let kind = Kind::Secret;
    let own = |id: &str| {
        let id = Id::of_manager(manager, id);
        id.map_err(|error| Unknown::Id(error.to_string()))
    };
    let Some((id, steps)) = rest.split_first() else {
        // Whether there is such a manager.
        own("any")?;
        let folder = format!("{}/{manager}/", kind.as_str());
        return Ok(Target::All { kind, folder });
    };
    let key = Key {
        kind,
        id: own(id)?,
        consumer: None,
    };
    let steps = steps.to_vec();
    Ok(Target::One { key, steps })
}

fn id_of(text: &str) -> Result<Id, Unknown> {
    text.parse()
        .map_err(|error| Unknown::Id(format!("{error}")))
}

/// The methods with which documents of a kind can be written, beside PUT and DELETE.
pub const fn can_post(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Route
            | Kind::Service
            | Kind::Upstream
            | Kind::Ssl
            | Kind::StreamRoute
            | Kind::Gateway
            | Kind::Proto
    )
}

/// Whether documents of a kind can be changed in part.
pub const fn can_patch(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Route
            | Kind::Service
            | Kind::Upstream
            | Kind::Ssl
            | Kind::ConsumerGroup
            | Kind::PluginConfig
            | Kind::GlobalRule
            | Kind::Gateway
            | Kind::Secret
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_mean_what_they_mean_in_apisix() {
        let key = |path: &str| path.parse::<Key>().unwrap();
        let one = |path: &str| Target::One {
            key: key(path),
            steps: Vec::new(),
        };
        let all = |kind, folder: &str| Target::All {
            kind,
            folder: folder.to_owned(),
        };
        for (path, meant) in [
            ("", Target::Root),
            ("/", Target::Root),
            ("/routes", all(Kind::Route, "routes/")),
            ("/routes/", all(Kind::Route, "routes/")),
            ("/routes/1", one("routes/1")),
            ("/routes/1/", one("routes/1")),
            ("/consumers/jack", one("consumers/jack")),
            ("/plugin_metadata/cors", one("plugin_metadata/cors")),
            (
                "/consumers/jack/credentials",
                all(Kind::Credential, "consumers/jack/credentials/"),
            ),
            (
                "/consumers/jack/credentials/a",
                one("consumers/jack/credentials/a"),
            ),
            ("/plugins", Target::Plugins),
            ("/plugins/list", Target::PluginNames),
            ("/plugins/reload", Target::ReloadPlugins),
            ("/plugins/cors", Target::Plugin("cors")),
            ("/schema/plugins/cors", Target::Plugin("cors")),
            ("/schema/route", Target::Schema("route")),
            ("/schema/validate/routes", Target::Validate(Kind::Route)),
            ("/configs/validate", Target::ValidateAll),
            ("/protos/1", one("protos/1")),
            ("/secrets", all(Kind::Secret, "secrets/")),
            ("/secrets/vault", all(Kind::Secret, "secrets/vault/")),
            ("/secrets/vault/1", one("secrets/vault/1")),
        ] {
            assert_eq!(read(path), Ok(meant), "{path}");
        }
        for (path, template) in [
            ("/", ""),
            ("/routes", "/routes"),
            ("/routes/1/upstream/nodes", "/routes/{id}"),
            (
                "/consumers/jack/credentials/a",
                "/consumers/{id}/credentials/{id}",
            ),
            ("/secrets", "/secrets"),
            ("/secrets/vault", "/secrets/vault"),
            ("/secrets/vault/1/uri", "/secrets/vault/{id}"),
            ("/schema/plugins/cors", "/plugins/{name}"),
            ("/schema/validate/routes", "/schema/validate/{kind}"),
        ] {
            let meant = read(path).unwrap();
            assert_eq!(meant.template(), template, "{path}");
        }
        let steps = vec!["upstream", "nodes"];
        let part = Target::One {
            key: key("routes/1"),
            steps,
        };
        assert_eq!(read("/routes/1/upstream/nodes"), Ok(part));
    }

    #[test]
    fn what_means_nothing_is_named() {
        assert_eq!(read("/routs"), Err(Unknown::Kind("routs".into())));
        assert_eq!(
            read("/credentials/1"),
            Err(Unknown::Kind("credentials".into()))
        );
        assert_eq!(
            read("/schema/validate/routs"),
            Err(Unknown::Kind("routs".into()))
        );
        for path in [
            "/routes/a%20b",
            "/secrets/aws/1",
            "/secrets/aws",
            "/secrets/vault/a%20b",
        ] {
            assert!(matches!(read(path), Err(Unknown::Id(_))), "{path}");
        }
        assert_eq!(read("/consumers/jack/credentials/a/b"), Err(Unknown::Path));
    }
}
