//! What others ask the loop, which alone knows all inputs. Answers are copies: nothing of the loop's is shared.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::SystemTime;

use tokio::sync::oneshot;

use super::Control;
use super::foresight::World;
pub use super::large::Large;
use super::problems::problems;
use crate::build::Held;
use crate::documents::{DocumentStatus, Route};
use crate::model::drain::Mode;
use crate::model::upstream::{LeftOut, Selection};
use crate::model::{Document, Id, Instance, Members, Node, ServiceKey};
use crate::registry::Answer;
use crate::telemetry;
use crate::xds::gateways::Cause;

/// A question, with where its answer goes.
#[derive(Debug)]
pub enum Question {
    /// Whether the loop lives: answered, it does.
    Alive(oneshot::Sender<()>),
    /// All that snapshots follow from.
    World(oneshot::Sender<World>),
    /// Every document as it was last written.
    Texts(oneshot::Sender<Vec<Document>>),
    /// The last good text of each document that has one.
    Forms(oneshot::Sender<Vec<Document>>),
    /// How every document fares, by path.
    Documents(oneshot::Sender<Vec<Fared>>),
    /// What registries answered for each service that documents name, and who uses it.
    Services(oneshot::Sender<Vec<Watched>>),
    /// Who is at an address. Not answered while too little is known to say.
    At(IpAddr, oneshot::Sender<There>),
    /// What sources took away and what stays in force all the same.
    Doubted(oneshot::Sender<Doubted>),
    /// Gives that up, and tells what it is; folders only where it is true.
    Accept(bool, oneshot::Sender<Doubted>),
    /// The routes of a gateway; nothing for a gateway that does not exist.
    Routes(Id, oneshot::Sender<Option<Routes>>),
    /// The documents that proxies refuse, by path, and who refuses what of them.
    Refused(oneshot::Sender<BTreeMap<String, Vec<Held>>>),
    /// The gateways whose route table hurts, and the revisions that wrote them; 0 where nothing is written.
    Large(oneshot::Sender<Vec<(Id, i64, Large)>>),
    /// Lets a document out again that proxies refuse. Told whether any did.
    Release(String, oneshot::Sender<bool>),
}

/// What sources took away, and what stays in force since they are not believed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Doubted {
    /// The documents that the store has lost, by path, and the revisions that wrote them.
    pub documents: BTreeMap<Arc<str>, i64>,
    /// Folders that had files and have none.
    pub folders: Vec<Arc<str>>,
}

/// Who is at an address.
#[derive(Debug, Default)]
pub struct There {
    /// The last answer of every service that has an instance there.
    pub answers: Vec<Answer>,
    /// The clusters whose documents list it.
    pub listed: Vec<Listed>,
}

/// A cluster whose nodes documents list.
#[derive(Debug)]
pub struct Listed {
    pub cluster: Arc<str>,
    /// The nodes that get traffic; nothing for one whose name Envoy resolves.
    pub places: Vec<Option<SocketAddr>>,
}

#[derive(Debug)]
pub struct Routes {
    /// Those in force, in no order.
    pub in_force: Vec<Arc<Route>>,
    /// The documents of routes that are in force in no gateway.
    pub others: Vec<Fared>,
}

/// One service that documents name.
#[derive(Debug)]
pub struct Watched {
    pub service: ServiceKey,
    /// The last answer; nothing when there is none yet.
    pub instances: Option<Arc<[Instance]>>,
    /// When the registry last said that it is so.
    pub confirmed: Option<SystemTime>,
    /// Those that drains take out, and how.
    pub drained: BTreeMap<Owned, Mode>,
    /// Those that stay though the registry took them away.
    pub kept: BTreeSet<Owned>,
    /// Of those whose status began while somebody listened, since when they have it.
    pub since: HashMap<Owned, SystemTime>,
    /// By load assignment, who takes instances of it.
    pub uses: BTreeMap<Arc<str>, Use>,
}

impl Watched {
    /// Why an instance of the service gets no traffic from one of those who take some.
    pub fn leaves_out(&self, instance: &Instance, of: &Use) -> Option<LeftOut> {
        let drained = self.drained.get(&owned(instance)).copied();
        of.selection.leaves_out(instance, drained)
    }

    /// Whether the instance stays though the registry took it away.
    pub fn keeps(&self, instance: &Instance) -> bool {
        self.kept.contains(&owned(instance))
    }

    /// Since when the instance has its status, where that is known.
    pub fn since(&self, instance: &Instance) -> Option<SystemTime> {
        self.since.get(&owned(instance)).copied()
    }
}

/// What makes an instance the same one: id, address and port.
pub type Owned = (Arc<str>, IpAddr, u16);

pub fn owned(instance: &Instance) -> Owned {
    (instance.id.clone(), instance.address, instance.port)
}

/// Who takes instances of a service.
#[derive(Debug, Default)]
pub struct Use {
    pub selection: Selection,
    pub clusters: BTreeSet<Arc<str>>,
    /// The routes in force, by id.
    pub routes: BTreeSet<String>,
    /// What else is in force and goes there, by path: stream routes, and gateways for their spans.
    pub others: BTreeSet<String>,
}

/// How a document fares, in the model and with proxies.
#[derive(Debug, Clone)]
pub struct Fared {
    /// In the model.
    pub status: DocumentStatus,
    /// What else keeps its text from being in force, and why.
    pub beyond: Option<(Cause, Arc<str>)>,
}

impl Control {
    /// Answers. Whoever does not wait for it any more gets none.
    pub(super) fn answer(&mut self, question: Question) {
        match question {
            Question::Alive(answer) => {
                let _ = answer.send(());
            }
            Question::World(answer) => {
                let _ = answer.send(self.world());
            }
            Question::Texts(answer) => {
                let texts = self.documents.texts();
                let _ = answer.send(texts.map(|(newest, _)| newest.clone()).collect());
            }
            Question::Forms(answer) => {
                let _ = answer.send(self.documents.forms().cloned().collect());
            }
            Question::Documents(answer) => {
                let _ = answer.send(self.fared());
            }
            Question::Services(answer) => {
                let _ = answer.send(self.watched());
            }
            Question::At(address, answer) if self.readiness.is_open() => {
                let _ = answer.send(self.at(address));
            }
            Question::At(..) => {}
            Question::Doubted(answer) => {
                let _ = answer.send(self.doubted());
            }
            Question::Accept(only_folders, answer) => {
                let _ = answer.send(self.accept(only_folders));
            }
            Question::Routes(gateway, answer) => {
                let _ = answer.send(self.routes(&gateway));
            }
            Question::Refused(answer) => {
                let _ = answer.send(self.builders.refused());
            }
            Question::Large(answer) => {
                let _ = answer.send(self.large_tables());
            }
            Question::Release(document, answer) => {
                let _ = answer.send(self.release(&document));
            }
        }
    }

    fn large_tables(&self) -> Vec<(Id, i64, Large)> {
        let large = self.large.iter().map(|(gateway, large)| {
            let revision = self.documents.revision(&format!("gateways/{gateway}"));
            (gateway.clone(), revision.unwrap_or_default(), *large)
        });
        large.collect()
    }

    fn watched(&self) -> Vec<Watched> {
        let mut uses: BTreeMap<&ServiceKey, BTreeMap<Arc<str>, Use>> = BTreeMap::new();
        for (document, cluster) in self.documents.clusters() {
            let Members::Service(discovered) = &cluster.upstream.members else {
                continue;
            };
            for service in discovered.services() {
                let of_service = uses.entry(service).or_default();
                let one = of_service.entry(cluster.load_assignment()).or_default();
                one.selection.clone_from(&discovered.selection);
                one.clusters.insert(cluster.name.clone());
                match document.strip_prefix("routes/") {
                    Some(id) if id == Id::no_route().as_str() => false,
                    Some(id) => one.routes.insert(id.to_owned()),
                    None => one.others.insert(document.to_string()),
                };
            }
        }
        let mut watched: Vec<_> = self
            .services
            .wanted()
            .into_iter()
            .map(|service| {
                let instances = self.services.instances().get(&service).cloned();
                let known = instances
                    .as_ref()
                    .map(|_| self.restored.service_as_of(&service));
                let drained = self
                    .drains
                    .taken(&service)
                    .into_iter()
                    .map(|((id, address, port), mode)| ((id.into(), address, port), mode));
                Watched {
                    instances,
                    drained: drained.collect(),
                    kept: self
                        .services
                        .kept()
                        .of(&service)
                        .iter()
                        .map(owned)
                        .collect(),
                    confirmed: self.services.confirmed(&service).or(known),
                    since: self.services.since().of(&service),
                    uses: uses.remove(&service).unwrap_or_default(),
                    service,
                }
            })
            .collect();
        watched.sort_by(|a, b| a.service.cmp(&b.service));
        watched
    }

    fn at(&self, address: IpAddr) -> There {
        let known =
            self.services.instances().iter().filter(|(_, instances)| {
                instances.iter().any(|instance| instance.address == address)
            });
        let found =
            known.map(|(service, instances)| Answer::sorted(service.clone(), instances.clone()));
        There {
            answers: found.collect(),
            listed: self.listing(address),
        }
    }

    fn listing(&self, address: IpAddr) -> Vec<Listed> {
        let mut listed: BTreeMap<&Arc<str>, Vec<Option<SocketAddr>>> = BTreeMap::new();
        for (_, cluster) in self.documents.clusters() {
            let Members::Nodes(nodes) = &cluster.upstream.members else {
                continue;
            };
            let weighted = nodes.iter().filter(|node| node.weight > 0);
            let places: Vec<_> = weighted.map(Node::place).collect();
            if places.iter().flatten().any(|place| place.ip() == address) {
                listed.insert(&cluster.name, places);
            }
        }
        let listed = listed.into_iter().map(|(cluster, places)| Listed {
            cluster: cluster.clone(),
            places,
        });
        listed.collect()
    }

    fn routes(&self, gateway: &Id) -> Option<Routes> {
        let builder = self.builders.find(gateway).filter(|one| one.exists())?;
        let in_force = |path: &str| {
            let id = path.strip_prefix("routes/");
            id.is_none_or(|id| id.parse().is_ok_and(|id| self.builders.have_route(&id)))
        };
        let mut others = self.fared();
        others.retain(|fared| !in_force(&fared.status.path));
        Some(Routes {
            in_force: builder.routes().cloned().collect(),
            others,
        })
    }

    fn fared(&self) -> Vec<Fared> {
        let problems = problems(&self.documents, &self.drains, &self.builders, &self.refused);
        let mut fared: Vec<_> = self
            .documents
            .statuses(telemetry::now())
            .map(|status| {
                let problem = problems.get(&status.path);
                let beyond = problem.filter(|problem| problem.cause != Cause::Rejected);
                Fared {
                    beyond: beyond.map(|problem| (problem.cause, problem.reason.clone())),
                    status,
                }
            })
            .collect();
        fared.sort_by(|a, b| a.status.path.cmp(&b.status.path));
        fared
    }
}
