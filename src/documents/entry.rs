//! One document: its text, and the last good form that it had.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::Value;

use super::route::form::Draft;
use super::service::{self, Service};
use super::{Reader, plugin_config, route, stream_route, text};
use crate::model::consumer::{self, Consumer, Credentials};
use crate::model::key::{Id, Key, Kind};
use crate::model::problem::{Problem, Remark};
use crate::model::protos::{self, Protos};
use crate::model::upstream::{self, Target};
use crate::model::{
    Cluster, Discovery, Document, Gateway, Manager, ServiceKey, Subject, gateway, manager, ssl,
};
use crate::plugin::{Metadata, Plugins, metadata};

/// A good form. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) enum GoodForm {
    Route(Arc<Draft>),
    Upstream(Arc<Cluster>),
    Service(Arc<Service>),
    PluginConfig(Arc<Plugins>),
    GlobalRule(Arc<Plugins>),
    Ssl(Arc<ssl::Draft>),
    StreamRoute(Arc<stream_route::Draft>),
    Gateway(Arc<Gateway>),
    Consumer(Arc<Consumer>, Arc<Plugins>),
    Credential {
        consumer: Id,
        credentials: Arc<Credentials>,
    },
    ConsumerGroup(Arc<Plugins>),
    PluginMetadata(Arc<Metadata>),
    Proto(Arc<Protos>),
    Secret(Arc<Manager>),
}

/// A document as it was read.
pub(super) struct Read {
    /// Its form, and what Envoy does not do exactly.
    pub form: Result<(GoodForm, Vec<Remark>), Unread>,
    /// What others are asked for it.
    pub names: BTreeSet<Subject>,
}

/// Why a document has no form.
pub(super) enum Unread {
    Wrong(Remark),
    /// Somebody outside has not answered yet.
    Waits(Remark),
}

impl GoodForm {
    /// The paths of the documents that it refers to.
    pub(super) fn references(&self) -> Vec<Arc<str>> {
        let mut references: Vec<Arc<str>> = Vec::new();
        if let Self::Route(draft) = self {
            let service = draft.service.iter().map(|id| format!("services/{id}"));
            let config = draft
                .plugin_config
                .iter()
                .map(|id| format!("plugin_configs/{id}"));
            references.extend(service.chain(config).map(Into::into));
        }
        if let Self::Gateway(gateway) = self {
            let collector = gateway.tracing.iter().map(|tracing| &tracing.upstream);
            let limiter = gateway.rate_limit.iter().map(|limiter| &limiter.upstream);
            let logger = gateway.logs.iter().map(|logs| &logs.upstream);
            let helpers = collector.chain(limiter).chain(logger);
            references.extend(helpers.map(|id| format!("upstreams/{id}").into()));
        }
        if let Self::Consumer(consumer, _) = self
            && let Some(group) = &consumer.group
        {
            references.push(format!("consumer_groups/{group}").into());
        }
        if let Self::Credential { consumer, .. } = self {
            references.push(format!("consumers/{consumer}").into());
        }
        if let Self::StreamRoute(draft) = self {
            let service = draft.service.iter().map(|id| format!("services/{id}"));
            let gateways = draft.gateways.iter().map(|id| format!("gateways/{id}"));
            references.extend(service.chain(gateways).map(Into::into));
        }
        let plugins = self.plugins().into_iter();
        let protos = plugins.flat_map(Plugins::protos);
        references.extend(protos.map(|id| format!("protos/{id}").into()));
        let plugins = self.plugins().into_iter();
        let asking = plugins.flat_map(Plugins::asking_for_metadata);
        references.extend(asking.map(|name| format!("plugin_metadata/{name}").into()));
        let mut clusters: Vec<&Arc<Cluster>> = Vec::new();
        if let Self::Upstream(cluster) = self {
            clusters.push(cluster);
        }
        for target in self.own_target().into_iter().chain(self.plugin_targets()) {
            match target {
                Target::Reference(id) => references.push(format!("upstreams/{id}").into()),
                Target::Inline(cluster) => clusters.push(cluster),
            }
        }
        let client_certs = clusters.into_iter().filter_map(|one| one.client_cert());
        references.extend(client_certs.map(|id| format!("ssls/{id}").into()));
        references
    }

    /// The services of registries that it names.
    pub(super) fn services(&self) -> impl Iterator<Item = &ServiceKey> {
        self.own_services().chain(self.plugin_services())
    }

    fn own_services(&self) -> impl Iterator<Item = &ServiceKey> {
        let cluster = match self {
            Self::Upstream(cluster) => Some(cluster),
            _ => self.own_target().and_then(inline),
        };
        cluster.into_iter().flat_map(|cluster| cluster.services())
    }

    fn plugin_services(&self) -> impl Iterator<Item = &ServiceKey> {
        let clusters = self.plugin_targets().filter_map(inline);
        clusters.flat_map(|cluster| cluster.services())
    }

    fn own_target(&self) -> Option<&Target> {
        match self {
            Self::Route(draft) => draft.target.as_ref(),
            Self::Service(service) => service.target.as_ref(),
            Self::StreamRoute(draft) => draft.target.as_ref(),
            _ => None,
        }
    }

    fn plugin_targets(&self) -> impl Iterator<Item = &Target> {
        self.plugins().into_iter().flat_map(Plugins::targets)
    }

    /// Its plugins.
    fn plugins(&self) -> Option<&Plugins> {
        match self {
            Self::Route(draft) => Some(&draft.plugins),
            Self::Service(service) => Some(&service.plugins),
            Self::PluginConfig(plugins)
            | Self::GlobalRule(plugins)
            | Self::Consumer(_, plugins)
            | Self::ConsumerGroup(plugins) => Some(&**plugins),
            Self::Upstream(_)
            | Self::Ssl(_)
            | Self::StreamRoute(_)
            | Self::Gateway(_)
            | Self::Credential { .. }
            | Self::PluginMetadata(_)
            | Self::Proto(_)
            | Self::Secret(_) => None,
        }
    }
}

fn inline(target: &Target) -> Option<&Arc<Cluster>> {
    match target {
        Target::Inline(cluster) => Some(cluster),
        Target::Reference(_) => None,
    }
}

#[derive(Debug)]
pub(super) struct Entry {
    document: Document,
    form: Option<GoodForm>,
    /// The text of the form, where it is an earlier one.
    good: Option<Document>,
    /// What is wrong with the text; then the form is one that it had before.
    wrong: Option<Remark>,
    /// What the text waits for; so it is then as well.
    waits: Option<Remark>,
    /// What others are asked for the text, and for that of the form.
    names: BTreeSet<Subject>,
    names_of_form: BTreeSet<Subject>,
    /// Why they are not asked.
    pub unasked: Option<Remark>,
    /// Why a proxy refused the form; then an earlier one is to take its place.
    refused: Option<Remark>,
    /// Whether that has happened to the newest text.
    pub given_up: bool,
    warnings: Vec<Remark>,
    /// What has no effect of the good form, or of what it refers to, because of other documents.
    pub shadowed: Vec<Remark>,
    /// What the good form refers to in vain.
    pub unresolved: Option<Remark>,
    /// A text without a good form, whose earlier form was not asked for yet.
    pub wanted: Option<Document>,
    /// The revision of the last text that was wanted.
    asked: i64,
    /// Whether what is in force under this path comes from this document.
    pub settled: bool,
}

impl Entry {
    /// A document that was not there before.
    pub(super) fn new(document: Document, reader: &Reader) -> Self {
        let mut entry = Self {
            document: document.clone(),
            form: None,
            good: None,
            wrong: None,
            waits: None,
            names: BTreeSet::new(),
            names_of_form: BTreeSet::new(),
            unasked: None,
            refused: None,
            given_up: false,
            warnings: Vec::new(),
            shadowed: Vec::new(),
            unresolved: None,
            wanted: None,
            asked: 0,
            settled: false,
        };
        entry.put(document, reader);
        entry
    }

    /// Whether it is this text already.
    pub(super) fn holds(&self, document: &Document) -> bool {
        let text = |document: &Document| (document.format, document.value.clone());
        self.document.source == document.source && text(&self.document) == text(document)
    }

    /// Takes a new text. When it is bad, the last good form stays, and the answer is false.
    pub(super) fn put(&mut self, document: Document, reader: &Reader) -> bool {
        self.wanted = None;
        self.refused = None;
        self.given_up = false;
        let Read { form, names } = read(&document, reader);
        let good = form.is_ok();
        let was_good = self.wrong.is_none() && self.waits.is_none();
        (self.wrong, self.waits) = (None, None);
        match form {
            Ok((form, warnings)) => {
                self.form = Some(form);
                self.good = None;
                self.warnings = warnings;
                self.names_of_form.clone_from(&names);
            }
            Err(unread) => {
                if self.form.is_some() && was_good {
                    self.good = Some(self.document.clone());
                }
                match unread {
                    Unread::Wrong(remark) => {
                        let served = document.path.parse::<Key>().is_ok();
                        if self.form.is_none() && served {
                            self.want(document.clone());
                        }
                        self.wrong = Some(remark);
                    }
                    Unread::Waits(remark) => {
                        // Who only checks is told that more was not looked at.
                        if reader.trusts() {
                            self.warnings = vec![remark.clone()];
                        }
                        self.waits = Some(remark);
                    }
                }
            }
        }
        self.names = names;
        self.document = document;
        good
    }

    /// Others have answered otherwise: reads the text anew, and that of the form where this is another. Tells whether
    /// the form is another.
    pub(super) fn again(&mut self, reader: &Reader) -> bool {
        if self.put(self.document.clone(), reader) {
            return true;
        }
        let good = self.good.clone().filter(|_| !self.names_of_form.is_empty());
        match good.map(|good| read(&good, reader).form) {
            Some(Ok((form, _))) => {
                self.form = Some(form);
                true
            }
            _ => false,
        }
    }

    /// Takes an earlier text where there is no good form; true when it gave one. After a bad one the one before that is
    /// wanted.
    pub(super) fn earlier(&mut self, document: Document, reader: &Reader) -> bool {
        if self.form.is_some() && self.refused.is_none() {
            return false;
        }
        let Read { form, names } = read(&document, reader);
        match form {
            Ok((form, warnings)) => {
                self.names_of_form = names;
                self.wrong = self.wrong.take().or(self.refused.take());
                self.refused = None;
                self.form = Some(form);
                self.good = Some(document);
                self.warnings = warnings;
                true
            }
            // The newest text has an answer first.
            Err(Unread::Waits(_)) => false,
            // Only ever back, or two bad texts would ask for each other.
            Err(Unread::Wrong(_)) => {
                if document.revision < self.asked {
                    self.want(document);
                }
                false
            }
        }
    }

    /// The text in force is of no use: a proxy refused what it becomes, and nothing is known that it accepted before. The
    /// text before it is wanted, and takes its place when it comes.
    pub(super) fn refuse(&mut self, remark: Remark) {
        let text = self.good.as_ref().unwrap_or(&self.document).clone();
        self.refused = Some(remark);
        self.given_up = true;
        self.want(text);
    }

    fn want(&mut self, document: Document) {
        self.asked = document.revision;
        self.wanted = Some(document);
    }

    /// The revision that wrote the text.
    pub(super) fn revision(&self) -> i64 {
        self.document.revision
    }

    /// The last good form.
    pub(super) fn form(&self) -> Option<&GoodForm> {
        self.form.as_ref()
    }

    /// The newest text, and the last good one where that is another.
    pub(super) fn texts(&self) -> (&Document, Option<&Document>) {
        (&self.document, self.good.as_ref())
    }

    /// What is wrong: with the text, else with what it refers to.
    pub(super) fn problem(&self) -> Option<Problem> {
        let remark = self.wrong.as_ref().or(self.unasked.as_ref());
        let remark = remark.or(self.unresolved.as_ref())?;
        Some(remark.clone().of(&self.document.source))
    }

    /// What the text waits for, where nothing is wrong with it.
    pub(super) fn waiting(&self) -> Option<Problem> {
        let remark = self.waits.as_ref().filter(|_| self.problem().is_none())?;
        Some(remark.clone().of(&self.document.source))
    }

    /// What others are asked for it.
    pub(super) fn names(&self) -> BTreeSet<Subject> {
        self.names.union(&self.names_of_form).cloned().collect()
    }

    /// What Envoy does not do exactly, or not for this document.
    pub(super) fn warnings(&self) -> Vec<Problem> {
        let warnings = self.warnings.iter().chain(&self.shadowed).cloned();
        warnings
            .map(|remark| remark.of(&self.document.source))
            .collect()
    }
}

/// Reads and checks a document for itself.
pub(super) fn read(document: &Document, reader: &Reader) -> Read {
    let mut names = BTreeSet::new();
    let form = read_form(document, reader, &mut names);
    Read { form, names }
}

fn read_form(
    document: &Document,
    reader: &Reader,
    names: &mut BTreeSet<Subject>,
) -> Result<(GoodForm, Vec<Remark>), Unread> {
    let key: Key = document
        .path
        .parse()
        .map_err(|error| Unread::Wrong(Remark::whole(format!("{error}"))))?;
    let mut fields = text::read(document.format, &document.value).map_err(Unread::Wrong)?;
    let opened = reader.open(key.kind, &mut fields).map_err(Unread::Wrong)?;
    let (mut warnings, mut resolved) = opened;
    *names = std::mem::take(&mut resolved.names);
    if let Some(wrong) = resolved.wrong.take() {
        return Err(Unread::Wrong(wrong));
    }
    let form = form(key, &Value::Object(fields), reader, &mut warnings);
    // What a reference stands for that waits is not known: all else is looked at.
    let form = match (form, resolved.waits()) {
        (Ok(form), None) => form,
        (Ok(form), Some(waits)) if reader.trusts() => {
            warnings.push(waits);
            form
        }
        (Ok(_), Some(waits)) => return Err(Unread::Waits(waits)),
        (Err(remark), Some(waits)) if resolved.concerns(&remark.field) => {
            return Err(Unread::Waits(waits));
        }
        (Err(remark), _) => return Err(Unread::Wrong(resolved.hidden.censor(remark))),
    };
    let warnings = warnings.into_iter();
    let warnings = warnings.map(|remark| resolved.hidden.censor(remark));
    Ok((form, warnings.collect()))
}

/// The form of a document whose secrets are all in it.
fn form(
    key: Key,
    value: &Value,
    reader: &Reader,
    warnings: &mut Vec<Remark>,
) -> Result<GoodForm, Remark> {
    let form = match key.kind {
        Kind::Route => GoodForm::Route(Arc::new(route::form::read(&key, value, warnings)?)),
        Kind::Upstream => {
            let upstream = upstream::form::read(&key, value, warnings)?;
            GoodForm::Upstream(Arc::new(upstream))
        }
        Kind::Service => GoodForm::Service(Arc::new(service::read(&key, value, warnings)?)),
        Kind::PluginConfig => {
            let plugins = plugin_config::read(&key, value, warnings)?;
            GoodForm::PluginConfig(Arc::new(plugins))
        }
        Kind::GlobalRule => {
            let plugins = plugin_config::read(&key, value, warnings)?;
            GoodForm::GlobalRule(Arc::new(plugins))
        }
        Kind::Ssl => GoodForm::Ssl(Arc::new(ssl::form::read(&key, value, warnings)?)),
        Kind::StreamRoute => {
            let draft = stream_route::read(&key, value, warnings)?;
            GoodForm::StreamRoute(Arc::new(draft))
        }
        Kind::Gateway => GoodForm::Gateway(Arc::new(gateway::form::read(&key, value, warnings)?)),
        Kind::Consumer => {
            let (consumer, others) = consumer::read_consumer(&key, value, warnings)?;
            let plugins = Plugins::of_consumer(&key, others, warnings)?;
            GoodForm::Consumer(Arc::new(consumer), Arc::new(plugins))
        }
        Kind::Credential => {
            let credentials = consumer::read_credential(&key, value, warnings)?;
            GoodForm::Credential {
                consumer: key.consumer.unwrap_or(key.id),
                credentials: Arc::new(credentials),
            }
        }
        Kind::ConsumerGroup => {
            let plugins = consumer::read_group(&key, value)?;
            let plugins = Plugins::of_consumer(&key, plugins, warnings)?;
            GoodForm::ConsumerGroup(Arc::new(plugins))
        }
        Kind::PluginMetadata => {
            GoodForm::PluginMetadata(Arc::new(metadata::read(&key, value, warnings)?))
        }
        Kind::Proto => GoodForm::Proto(Arc::new(protos::read(&key, value)?)),
        Kind::Secret => GoodForm::Secret(Arc::new(manager::read(&key, value, warnings)?)),
    };
    let registries = &*reader.registries;
    let unknown = |service: &&ServiceKey| !registries.contains(&service.discovery);
    if let Some(service) = form.own_services().find(unknown) {
        let remark = not_watched(service.discovery, registries);
        return Err(match form {
            GoodForm::Upstream(_) => remark,
            _ => remark.under("upstream"),
        });
    }
    if let Some(service) = form.plugin_services().find(unknown) {
        return Err(not_watched(service.discovery, registries).under("plugins"));
    }
    Ok(form)
}

fn not_watched(discovery: Discovery, registries: &[Discovery]) -> Remark {
    let found = discovery.as_str();
    let allowed: Vec<_> = registries.iter().map(|one| one.as_str()).collect();
    let message = match allowed.as_slice() {
        [] => format!("found \"{found}\", allowed: `nodes` only, as no registry is configured"),
        some => format!(
            "found \"{found}\", which is not configured, allowed: {}",
            some.join(", ")
        ),
    };
    Remark::new("discovery_type", message)
}
