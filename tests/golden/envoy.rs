//! What the real Envoy thinks of a configuration: the resources of all cases, made static, in one bootstrap file.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

/// Collects resources into a bootstrap.
#[derive(Default)]
pub struct Bootstrap {
    listeners: Vec<Value>,
    clusters: Vec<Value>,
    secrets: Vec<Value>,
}

impl Bootstrap {
    /// Adds a case's resources: routes move into the listeners that would ask for them, endpoints into the clusters.
    pub fn add(&mut self, case: &str, resources: &Value) {
        for listener in list(resources, "listeners") {
            let mut listener = listener.clone();
            // Every case has a gateway `default`: its name and its port are there once already.
            listener["name"] =
                format!("{case}/{}", listener["name"].as_str().expect("a name")).into();
            listener["address"]["socket_address"]["port_value"] =
                (10_000 + self.listeners.len()).into();
            inline_routes(&mut listener, list(resources, "routes"));
            inline_secrets(&mut listener);
            inline_extensions(&mut listener, resources["extensions"].as_array());
            self.listeners.push(listener);
        }
        for cluster in list(resources, "clusters") {
            let mut cluster = cluster.clone();
            let known = self
                .clusters
                .iter()
                .any(|known| known["name"] == cluster["name"]);
            assert!(
                !known,
                "{case}: another case has a cluster {}; give the document another id",
                cluster["name"]
            );
            inline_endpoints(&mut cluster, list(resources, "endpoints"));
            inline_secrets(&mut cluster);
            self.clusters.push(cluster);
        }
        let secrets = resources["secrets"].as_array().into_iter().flatten();
        self.secrets.extend(secrets.cloned());
    }

    /// Has an Envoy load it all, without serving.
    pub fn validate(&self, envoy: &Path) -> Result<(), String> {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("envoy.json");
        let bootstrap = json!({"static_resources": {"listeners": self.listeners, "clusters": self.clusters, "secrets": self.secrets}});
        std::fs::write(&file, bootstrap.to_string()).expect("the bootstrap can be written");
        let output = Command::new(envoy)
            .args([
                "--mode",
                "validate",
                "--disable-hot-restart",
                "-l",
                "error",
                "-c",
            ])
            .arg(&file)
            .output()
            .expect("envoy can be run");
        let said = || {
            format!(
                "{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
        };
        if output.status.success() {
            Ok(())
        } else {
            Err(said())
        }
    }
}

fn list<'a>(resources: &'a Value, name: &str) -> &'a Vec<Value> {
    resources[name].as_array().expect("a list")
}

fn named<'a>(resources: &'a [Value], field: &str, name: &Value) -> &'a Value {
    resources
        .iter()
        .find(|resource| resource[field] == *name)
        .unwrap_or_else(|| panic!("{name} is there"))
}

fn inline_routes(listener: &mut Value, tables: &[Value]) {
    let chains = listener["filter_chains"].as_array_mut().expect("a list");
    for chain in chains {
        let filters = chain["filters"].as_array_mut().expect("a list");
        let manager = &mut filters.last_mut().expect("a filter")["typed_config"];
        if let Some(scoped) = manager.get_mut("scoped_routes") {
            // One scope stands for all.
            let scoped = scoped.as_object_mut().expect("an object");
            scoped.remove("scoped_rds");
            scoped.remove("rds_config_source");
            let table = named(tables, "name", &scoped["name"]);
            let key = json!({"fragments": [{"string_key": "0"}]});
            let scope = json!({"name": "0", "key": key, "route_configuration": table});
            let scopes = json!({"scoped_route_configurations": [scope]});
            scoped.insert("scoped_route_configurations_list".to_owned(), scopes);
            continue;
        }
        let rds = manager
            .as_object_mut()
            .and_then(|manager| manager.remove("rds"));
        let Some(rds) = rds else {
            // Bytes have no routes.
            continue;
        };
        manager["route_config"] = named(tables, "name", &rds["route_config_name"]).clone();
    }
}

/// A secret that is asked for without a source is one of the bootstrap's.
fn inline_secrets(value: &mut Value) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(inline_secrets),
        Value::Object(fields) => {
            fields.remove("sds_config");
            fields.values_mut().for_each(inline_secrets);
        }
        _ => {}
    }
}

/// A filter whose configuration has not been written is left out: then no route of the case has it either.
fn inline_extensions(listener: &mut Value, extensions: Option<&Vec<Value>>) {
    let chains = listener["filter_chains"].as_array_mut().expect("a list");
    for chain in chains {
        let filters = chain["filters"].as_array_mut().expect("a list");
        let manager = &mut filters.last_mut().expect("a filter")["typed_config"];
        let filters = manager.get_mut("http_filters");
        let Some(filters) = filters.and_then(Value::as_array_mut) else {
            continue;
        };
        filters.retain_mut(|filter| {
            let fields = filter.as_object_mut().expect("an object");
            if fields.remove("config_discovery").is_none() {
                return true;
            }
            let mut written = extensions.into_iter().flatten();
            let Some(own) = written.find(|one| one["name"] == fields["name"]) else {
                return false;
            };
            fields.insert("typed_config".into(), own["typed_config"].clone());
            true
        });
    }
}

fn inline_endpoints(cluster: &mut Value, assignments: &[Value]) {
    let eds = cluster
        .as_object_mut()
        .and_then(|cluster| cluster.remove("eds_cluster_config"));
    if let Some(eds) = eds {
        cluster["type"] = "STATIC".into();
        cluster["load_assignment"] =
            named(assignments, "cluster_name", &eds["service_name"]).clone();
    }
}

/// The Envoy in `$CHANCERY_TOOLS`, else in `.tools/bin`, else on the PATH.
pub fn envoy() -> PathBuf {
    let given = std::env::var_os("CHANCERY_TOOLS").map(PathBuf::from);
    let brought = Path::new(env!("CARGO_MANIFEST_DIR")).join(".tools/bin");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = given
        .into_iter()
        .chain([brought])
        .chain(std::env::split_paths(&path));
    let found = folders
        .map(|folder| folder.join("envoy"))
        .find(|file| file.is_file());
    found.expect(
        "no envoy in $CHANCERY_TOOLS, in .tools/bin or on the PATH: run scripts/tools envoy",
    )
}

/// The Envoy of a version, where `scripts/tools envoy=VERSION` has brought it.
pub fn envoy_of(version: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join(format!(".tools/envoy-{version}/envoy"));
    file.is_file().then_some(file)
}
