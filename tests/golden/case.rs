//! One case: a folder with documents and what Consul says, translated into every resource that an Envoy would be sent.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use chancery::cohort::Envoy;
use chancery::documents::{Changes, Documents, Route};
use chancery::model::Document;
use chancery::model::document::Format;
use chancery::model::drain::Taken;
use chancery::model::{Cluster, Gateway, Id, Key, Kind, Members};
use chancery::model::{Discovery, Instance, ServiceKey};
use chancery::model::{Provider, Subject, Verdict};
use chancery::registry::consul::health;
use chancery::translate;
use serde_json::{Map, Value};

use super::{pem, resource};

/// The file of what older Envoys do not serve.
const NOT_SERVED: &str = "not-served.yaml";

/// A folder below `tests/golden`.
pub struct Case {
    pub name: String,
    folder: PathBuf,
}

impl Case {
    /// All cases, by name.
    pub fn all() -> Vec<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let folders = entries(&root).into_iter().filter(|path| path.is_dir());
        folders
            .map(|folder| Self {
                name: stem(&folder),
                folder,
            })
            .collect()
    }

    /// Where the expected resources of each type stand that the case is about: those of all types, but listeners only
    /// where a document of the case changes them. All other cases have one and the same.
    pub fn expected(&self, resources: &Value) -> BTreeMap<PathBuf, Value> {
        let opens = ["gateways", "ssls", "stream_routes"].iter().any(|kind| {
            let documents = self.folder.join("documents");
            documents.join(kind).is_dir()
        });
        let types = resources.as_object().into_iter().flatten();
        let about = types.filter(|(of, resources)| {
            resources.as_array().is_some_and(|all| !all.is_empty()) && (opens || *of != "listeners")
        });
        let folder = self.folder.join("envoy");
        let files = about.map(|(of, all)| (folder.join(format!("{of}.yaml")), all.clone()));
        files.chain(self.not_served()).collect()
    }

    /// The files of expected resources that are there.
    pub fn written(&self) -> Vec<PathBuf> {
        let folder = self.folder.join("envoy");
        let files = fs::read_dir(folder).into_iter().flatten();
        files.map(|file| file.expect("a file").path()).collect()
    }

    /// Everything that the case's documents become for the newest Envoy, by type.
    pub fn resources(&self) -> Value {
        self.resources_for(Envoy::NEWEST)
    }

    /// The same for another.
    pub fn resources_for(&self, envoy: Envoy) -> Value {
        let mut changes = self.settled();
        let routes: Vec<Arc<Route>> = std::mem::take(&mut changes.routes)
            .into_iter()
            .filter_map(|(_, route)| route)
            .filter(|route| route.lacking(envoy).is_empty())
            .collect();
        let gateways: Vec<Arc<Gateway>> = changes
            .gateways
            .into_iter()
            .filter_map(|(_, gateway)| gateway)
            .collect();
        let own = routes.iter().flat_map(|route| route.clusters());
        let collectors = gateways
            .iter()
            .filter_map(|gateway| gateway.collector.as_ref());
        let streams = gateways.iter().flat_map(|gateway| &gateway.stream_routes);
        let streams = streams.map(|route| &route.cluster);
        let clusters: BTreeMap<Arc<str>, Arc<Cluster>> = own
            .chain(collectors)
            .chain(streams)
            .map(|cluster| (cluster.name.clone(), cluster.clone()))
            .collect();
        let listeners = gateways
            .iter()
            .flat_map(|gateway| translate::listeners(gateway, envoy));
        let ssls = gateways.iter().flat_map(|gateway| &gateway.ssls);
        let secrets: BTreeMap<Arc<str>, Value> = ssls
            .flat_map(|ssl| translate::secrets(ssl))
            .chain(
                clusters
                    .values()
                    .flat_map(|cluster| translate::client_secrets(cluster)),
            )
            .map(|(name, secret)| (name, resource::of(&secret)))
            .collect();
        let mut resources = Map::new();
        resources.insert(
            "listeners".into(),
            listeners
                .map(|opened| resource::of(&opened.listener))
                .collect(),
        );
        resources.insert(
            "routes".into(),
            gateways
                .iter()
                .map(|gateway| table(&gateway.id, &routes))
                .collect(),
        );
        let translated = clusters
            .values()
            .map(|cluster| resource::of(&translate::cluster(cluster, &Default::default())));
        resources.insert("clusters".into(), translated.collect());
        resources.insert("endpoints".into(), self.endpoints(clusters.values()));
        if !secrets.is_empty() {
            resources.insert("secrets".into(), secrets.into_values().collect());
        }
        let in_force = routes.iter().map(|route| &**route);
        let mut extensions = translate::all_asked(in_force);
        if let Some(consumers) = &changes.consumers {
            extensions.extend(translate::consumers(consumers));
        }
        if !extensions.is_empty() {
            resources.insert(
                "extensions".into(),
                extensions.iter().map(resource::of).collect(),
            );
        }
        resources.into()
    }

    /// What older Envoys do not serve of the case: by version, and why.
    pub fn not_served(&self) -> Option<(PathBuf, Value)> {
        let routes = self.settled().routes;
        let older = Envoy::ALL.into_iter().filter_map(|envoy| {
            let routes = routes.iter().filter_map(|(id, route)| {
                let lacking = route.as_ref()?.lacking(envoy);
                (!lacking.is_empty()).then(|| (format!("routes/{id}"), lacking.into()))
            });
            let routes: Map<String, Value> = routes.collect();
            (!routes.is_empty()).then(|| (envoy.as_str().to_owned(), routes.into()))
        });
        let older: Map<String, Value> = older.collect();
        let file = self.folder.join("envoy").join(NOT_SERVED);
        (!older.is_empty()).then(|| (file, older.into()))
    }

    fn settled(&self) -> Changes {
        let mut documents = Documents::new(vec![Discovery::Consul, Discovery::File]);
        documents.list(self.documents());
        let mut changes = documents.settle();
        documents.answer(self.answers(&changes));
        let answered = documents.settle();
        changes.routes.extend(answered.routes);
        changes.problems.extend(answered.problems);
        assert!(
            changes.problems.is_empty(),
            "{}: {:#?}",
            self.name,
            changes.problems
        );
        changes
    }

    /// What identity providers say: `providers.json`, by the address of each.
    pub fn answers(&self, changes: &Changes) -> Vec<(Subject, Verdict)> {
        let file = self.folder.join("providers.json");
        let said = fs::read_to_string(file).unwrap_or_else(|_| "{}".to_owned());
        let said: Map<String, Value> = serde_json::from_str(&said).expect("what providers say");
        let asked = changes.secrets.iter();
        let asked = asked.flat_map(|asked| asked.providers.iter().cloned());
        let answers = asked.filter_map(|provider: Provider| {
            let said = said.get(&*provider.address)?.to_string();
            Some((Subject::Provider(provider), Verdict::Value(said)))
        });
        answers.collect()
    }

    /// The documents as values, with their kinds.
    pub fn values(&self) -> Vec<(Document, Kind, Value)> {
        let documents = self.documents().into_iter();
        let values = documents.map(|document| {
            let key: Key = document.path.parse().expect("a kind and an id");
            let text = std::str::from_utf8(&document.value).expect("a text");
            let value = serde_saphyr::from_str(text).expect("a value");
            (document, key.kind, value)
        });
        values.collect()
    }

    fn documents(&self) -> Vec<Document> {
        let root = self.folder.join("documents");
        let document = |file: PathBuf| Document {
            path: {
                let path = file.strip_prefix(&root).expect("below the documents");
                path.with_extension("").display().to_string().into()
            },
            source: file.display().to_string().into(),
            format: if file
                .extension()
                .is_some_and(|extension| extension == "json")
            {
                Format::Json
            } else {
                Format::Yaml
            },
            value: pem::written(&fs::read_to_string(&file).expect("a document")).into(),
            revision: 1,
        };
        files(&root).into_iter().map(document).collect()
    }

    fn endpoints<'a>(&self, clusters: impl Iterator<Item = &'a Arc<Cluster>>) -> Value {
        let assignment = |cluster: &Arc<Cluster>| {
            let name = cluster.load_assignment();
            let assignment = match &cluster.upstream.members {
                Members::Service(discovered) => {
                    let answers = discovered.services().map(|key| self.instances(key));
                    let answers: Vec<_> = answers.collect();
                    let instances: Vec<_> = answers.iter().map(Vec::as_slice).collect();
                    let (selection, taken) = (&discovered.selection, Taken::new());
                    translate::load_assignment(&name, selection, &instances, &taken)
                }
                Members::Nodes(nodes) if translate::resolved_by_envoy(nodes) => return None,
                Members::Nodes(nodes) => {
                    translate::static_load_assignment(&name, nodes, &Default::default())
                }
            };
            Some((name, resource::of(&assignment)))
        };
        let assignments: BTreeMap<Arc<str>, Value> = clusters.filter_map(assignment).collect();
        assignments.into_values().collect()
    }

    /// What Consul says of a service: `consul/<service>.json`, an answer of `/v1/health/service/<service>?passing`; in a
    /// datacenter that is asked for by name, `consul/<service>.<datacenter>.json`.
    fn instances(&self, service: &ServiceKey) -> Vec<Instance> {
        let file = match &service.scope.datacenter {
            None => format!("{}.json", service.name),
            Some(datacenter) => format!("{}.{datacenter}.json", service.name),
        };
        let file = self.folder.join("consul").join(file);
        let body = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let mut instances = health::read(&body).expect("an answer of Consul").instances;
        instances.sort();
        instances
    }
}

/// A gateway's one table.
pub fn table(gateway: &Id, routes: &[Arc<Route>]) -> Value {
    let mut tables = translate::RouteTables::new(&gateway.to_string());
    for route in routes
        .iter()
        .filter(|route| route.gateways.contains(gateway))
    {
        tables.replace(&route.id, Some(route.clone()));
    }
    let tables = tables.news().tables.into_iter();
    let encoded: Vec<_> = tables.filter_map(|(_, encoded)| encoded).collect();
    resource::decode("envoy.config.route.v3.RouteConfiguration", &encoded[0])
}

/// What is in a folder, by name; nothing when there is no folder.
fn entries(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut paths: Vec<PathBuf> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

/// The files in a folder and in those below it.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = entries(folder).into_iter();
    let below = entries.flat_map(|path| {
        if path.is_dir() {
            files(&path)
        } else {
            vec![path]
        }
    });
    below.collect()
}

fn stem(path: &Path) -> String {
    path.file_stem()
        .expect("a name")
        .to_string_lossy()
        .into_owned()
}
