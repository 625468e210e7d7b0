//! The plugins of a document or a route: read, laid over those of other documents, and applied in their order.

mod applied;
mod layered;
mod reading;

use std::collections::BTreeSet;
use std::sync::Arc;

use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;

use super::all::{ALL, behind_consumers};
use super::contract::{CountedBy, Helper, Plugin, Shown};
use super::meta::META;
use super::shared::asked::{Asked, SCRIPTS_OF_CONSUMERS, Script};
use super::shared::condition::Condition;
use super::shared::identity::Extension;
use super::shared::limit::SLOTS;
use super::shared::metadata::Metadata;
use super::{multi_auth, workflow};
use crate::cohort::Envoy;
use crate::envoy::filter::Whose;
use crate::model::Path;
use crate::model::gateway::RealIp;
use crate::model::key::Id;
use crate::model::problem::Remark;
use crate::model::protos::Protos;
use crate::model::upstream::{Breaker, Cluster, Scheme, Target};
use crate::model::vars::{Predicate, Vars};

/// The plugins of one document, parsed; or of a route with those of all documents that it refers to.
#[derive(Debug, Clone, Default)]
pub struct Plugins {
    /// Those of global rules first; each by the place in [`ALL`], ascending.
    configured: Vec<Configured>,
    /// Those of a route's consumers that have plugins, with all that the route has beside them; by name.
    of_consumers: Arc<[(Arc<str>, Plugins)]>,
}

#[derive(Debug, Clone)]
struct Configured {
    /// Its place in [`ALL`].
    at: usize,
    /// Whether a global rule has it: it runs before all others, by filters of its own.
    of_rule: bool,
    /// Whether it does what it does once the consumer is known: by filters behind those that find it.
    late: bool,
    /// Nothing where a document switched it off.
    plugin: Option<Arc<dyn Plugin>>,
    /// Which requests it is for.
    condition: Arc<Condition>,
    /// What clients are told whom it turns away, in place of what it says itself.
    error: Option<Arc<str>>,
    /// Bytes of its configuration.
    bytes: usize,
    /// Of its targets, in order, once they are looked up.
    clusters: Arc<[Arc<Cluster>]>,
}

impl Plugins {
    /// Whether a document has none.
    pub(crate) fn is_empty(&self) -> bool {
        self.configured.is_empty()
    }

    /// These plugins, and those of the consumers that have some.
    pub(crate) fn with_consumers(mut self, of_consumers: Vec<(Arc<str>, Plugins)>) -> Self {
        self.of_consumers = of_consumers.into();
        self
    }

    /// Whether consumers have plugins of their own.
    pub(crate) fn know_consumers(&self) -> bool {
        !self.of_consumers.is_empty()
    }

    /// These, and those of each consumer.
    fn each(&self) -> impl Iterator<Item = &Self> {
        let of_consumers = self.of_consumers.iter().map(|(_, plugins)| plugins);
        std::iter::once(self).chain(of_consumers)
    }

    /// Whether one of them asks who sends a request.
    pub(crate) fn ask_for_consumers(&self) -> bool {
        let asks = |filter: &HttpFilter| {
            let mut extensions = Extension::ALL.iter();
            extensions.any(|one| one.of_routes() == filter.name)
        };
        let mut enabled = self.enabled();
        // multi-auth has the filters of others.
        enabled.any(|own| {
            ALL[own.at].name == multi_auth::ENTRY.name
                || (ALL[own.at].http_filters)().iter().any(asks)
        })
    }

    /// Whether one of them has strangers be somebody, those of global rules aside.
    pub(crate) fn welcome_strangers(&self) -> bool {
        let mut own = self.enabled().filter(|own| !own.of_rule);
        own.any(|own| {
            own.plugin
                .as_ref()
                .is_some_and(|plugin| plugin.welcomes_strangers())
        })
    }

    /// What Envoy's filters have to know before a route with them asks them.
    pub fn asked(&self) -> impl Iterator<Item = Asked> {
        self.each().flat_map(Self::own_asked)
    }

    fn own_asked(&self) -> impl Iterator<Item = Asked> {
        let plugins = self
            .enabled()
            .filter_map(|own| Some((own, own.plugin.as_ref()?)));
        plugins.flat_map(|(own, plugin)| {
            let scripts = plugin.runs().into_iter();
            let scripts = scripts.filter_map(|filter| Script::of(filter, own.whose_script(filter)));
            plugin.asked().into_iter().chain(scripts.map(Asked::Script))
        })
    }

    /// Refuses more limits than Envoy's filters are asked for.
    pub(crate) fn check_limits(&self) -> Result<(), Remark> {
        let plugins = self.enabled().filter_map(|own| own.plugin.as_ref());
        let limits: usize = plugins.map(|plugin| plugin.limits()).sum();
        if limits <= SLOTS {
            return Ok(());
        }
        let message = format!(
            "are {limits} limits of requests with those of global rules, allowed: at most {SLOTS}"
        );
        Err(Remark::new("plugins", message))
    }

    /// Refuses a plugin that finds consumers beside one that has its filters.
    pub(crate) fn check_identities(&self) -> Result<(), Remark> {
        for several in self.enabled() {
            let mut others = self.enabled().filter(|other| {
                other.of_rule == several.of_rule && multi_auth::WAYS.contains(&ALL[other.at].name)
            });
            if ALL[several.at].name == multi_auth::ENTRY.name
                && let Some(other) = others.next()
            {
                let message = format!(
                    "stands beside `{}`, which has the same filters of Envoy's, allowed: one of the two",
                    other.place()
                );
                return Err(Remark::new(several.place(), message));
            }
        }
        Ok(())
    }

    /// Where the client's address stands, where one of them says so.
    pub(crate) fn client(&self) -> Option<&RealIp> {
        self.enabled().find_map(|own| own.plugin.as_ref()?.client())
    }

    /// Who has to stand beside their gateways, and the field of the plugin that wants it.
    pub(crate) fn helped(&self) -> impl Iterator<Item = (Helper, String)> {
        self.enabled().filter_map(|own| {
            let helper = own.plugin.as_ref()?.helper()?;
            let place = own.place();
            let field = match helper {
                Helper::Counts if ALL[own.at].name == workflow::NAME => format!("{place}.rules"),
                Helper::Counts => format!("{place}.policy"),
                Helper::Logs => place,
            };
            Some((helper, field))
        })
    }

    /// Where they send requests beside the route's own upstream.
    pub(crate) fn targets(&self) -> impl Iterator<Item = &Target> {
        let enabled = self.enabled();
        enabled.flat_map(|configured| configured.targets())
    }

    /// These plugins with the clusters of their targets looked up.
    pub(crate) fn resolved(
        &self,
        cluster: impl Fn(&Target) -> Result<Arc<Cluster>, Remark>,
    ) -> Result<Self, Remark> {
        let mut resolved = self.clone();
        for configured in &mut resolved.configured {
            let clusters: Result<Vec<_>, _> = configured.targets().iter().map(&cluster).collect();
            configured.clusters = clusters
                .map_err(|remark| remark.under(&configured.place()))?
                .into();
        }
        Ok(resolved)
    }

    /// These plugins in a route of this service.
    pub(crate) fn of_service(mut self, service: &Id) -> Self {
        for own in &mut self.configured {
            let other = own.plugin.as_ref();
            if let Some(other) = other.and_then(|plugin| plugin.of_service(service)) {
                own.plugin = Some(other);
            }
        }
        self
    }

    /// Whether one of them tells others of the documents that a route is made of.
    pub(crate) fn tell_documents(&self) -> bool {
        let mut plugins = self.enabled().filter_map(|own| own.plugin.as_ref());
        plugins.any(|plugin| plugin.tells_documents())
    }

    /// These plugins in a route of these documents.
    pub(crate) fn with_documents(mut self, shown: &Shown) -> Self {
        for own in &mut self.configured {
            let other = own.plugin.as_ref();
            if let Some((other, bytes)) = other.and_then(|one| one.with_documents(shown)) {
                own.plugin = Some(other);
                own.bytes += bytes;
            }
        }
        self
    }

    /// The plugins that go by metadata.
    pub(crate) fn asking_for_metadata(&self) -> impl Iterator<Item = &'static str> {
        let asking = self.enabled().filter(|own| {
            let plugin = own.plugin.as_ref();
            plugin.is_some_and(|plugin| plugin.asks_for_metadata())
        });
        asking.map(|own| ALL[own.at].name)
    }

    /// These plugins with the metadata that there is, by the plugin's name.
    pub(crate) fn with_metadata<'a>(mut self, find: impl Fn(&str) -> Option<&'a Metadata>) -> Self {
        for own in &mut self.configured {
            let other = own.plugin.as_ref().filter(|one| one.asks_for_metadata());
            if let Some(plugin) = other
                && let Some(metadata) = find(ALL[own.at].name)
                && let Some(other) = plugin.with_metadata(metadata)
            {
                own.plugin = Some(other);
                own.bytes += metadata.bytes;
            }
        }
        self
    }

    /// The documents of `protos` that they go by.
    pub(crate) fn protos(&self) -> impl Iterator<Item = &Id> {
        let plugins = self.enabled().filter_map(|own| own.plugin.as_ref());
        plugins.filter_map(|plugin| plugin.proto())
    }

    /// These plugins with the documents of `protos` that they go by.
    pub(crate) fn with_protos(
        mut self,
        find: impl Fn(&Id) -> Result<Arc<Protos>, Remark>,
    ) -> Result<Self, Remark> {
        for own in &mut self.configured {
            let Some(plugin) = own.plugin.as_ref() else {
                continue;
            };
            let Some(id) = plugin.proto() else { continue };
            let other = find(id).and_then(|protos| plugin.with_proto(&protos));
            if let Some((other, bytes)) = other.map_err(|remark| remark.under(&own.place()))? {
                own.plugin = Some(other);
                own.bytes += bytes;
            }
        }
        Ok(self)
    }

    /// Refuses an upstream that would not understand what they send.
    pub(crate) fn check_scheme(&self, scheme: Scheme) -> Result<(), Remark> {
        let mut speaking = self.enabled().filter(|own| {
            let plugin = own.plugin.as_ref();
            plugin.is_some_and(|plugin| plugin.speaks_grpc())
        });
        match (speaking.next(), scheme) {
            (None, _) | (_, Scheme::Grpc | Scheme::Grpcs) => Ok(()),
            (Some(own), other) => {
                let message = format!(
                    "calls services of gRPC, and the upstream has the scheme \"{}\", allowed: \"grpc\", \"grpcs\"",
                    other.as_str()
                );
                Err(Remark::new(own.place(), message))
            }
        }
    }

    /// The clusters that they send requests to, beside the route's own.
    pub fn clusters(&self) -> impl Iterator<Item = &Arc<Cluster>> {
        let enabled = self.each().flat_map(Self::enabled);
        enabled.flat_map(|configured| configured.clusters.iter())
    }

    /// Refuses a pattern of a plugin about these paths, where another plugin or the route's own `vars` have one already.
    pub(crate) fn check_with(&self, vars: Option<&Vars>, paths: &[Path]) -> Result<(), Remark> {
        if let Some(field) = self.enabled().find_map(Configured::field_of_paths) {
            let patterns = self.enabled().map(|own| own.patterns_of_paths(paths));
            if patterns.sum::<usize>() > 1 {
                return Err(Remark::new(
                    field,
                    "asks a pattern of `uri` beside another plugin that asks one, allowed: one of the two, as an Envoy route has one",
                ));
            }
        }
        let of_path = |predicate: &Predicate| matches!(predicate, Predicate::Path(_));
        let mut asked = vars.iter().flat_map(|vars| vars.alternatives()).flatten();
        if !asked.any(of_path) {
            return Ok(());
        }
        let asks = |own: &&Configured| own.asks_for_paths(paths);
        match self.configured.iter().find(asks) {
            None => Ok(()),
            Some(own) => Err(Remark::new(
                own.place(),
                "asks a pattern of some paths beside `vars` about `uri`, allowed: one of the two, as an Envoy route has one",
            )),
        }
    }

    /// Whether one of them sends every request elsewhere, so that the route needs no upstream of its own.
    pub(crate) fn sends_all(&self) -> bool {
        self.sender().is_some()
    }

    /// A cluster in the place of the route's own, which gets no requests then, whoever sends them.
    pub(crate) fn stand_in(&self) -> Option<&Arc<Cluster>> {
        let all = self.each().all(|one| one.sender().is_some());
        self.sender().filter(|_| all)?.clusters.first()
    }

    fn sender(&self) -> Option<&Configured> {
        self.configured
            .iter()
            .rfind(|own| own.always(|plugin| plugin.sends_all()))
    }

    /// What the route is called in statistics of its own, where it has any: as its own plugin says, rather than a global rule's.
    pub(crate) fn counted_by(&self) -> Option<CountedBy> {
        let mut plugins = self.enabled().rev().filter_map(|own| own.plugin.as_ref());
        plugins.find_map(|plugin| plugin.counted_by())
    }

    /// What they demand of the route's own cluster: its own plugin rather than a global rule's.
    pub(crate) fn breaker(&self) -> Option<&Breaker> {
        let mut plugins = self.enabled().rev().filter_map(|own| own.plugin.as_ref());
        plugins.find_map(|plugin| plugin.breaker())
    }

    /// Refuses the paths of a route on which a plugin would not do what its configuration says.
    pub(crate) fn check(&self, paths: &[Path]) -> Result<(), Remark> {
        for configured in self.enabled() {
            if let Some(plugin) = &configured.plugin {
                plugin
                    .check(paths)
                    .map_err(|remark| remark.under(&configured.place()))?;
            }
        }
        Ok(())
    }

    /// What of them an Envoy cannot do.
    pub(crate) fn lacking(&self, envoy: Envoy) -> impl Iterator<Item = Remark> {
        let each = self.each().flat_map(Self::enabled);
        each.flat_map(move |own| {
            let needs = own.plugin.as_deref().map_or_else(Vec::new, Plugin::needs);
            let needs = needs.into_iter().chain(own.condition.needs());
            let lacking: BTreeSet<_> = needs.filter(|one| !envoy.can(*one)).collect();
            lacking
                .into_iter()
                .map(|one| Remark::new(own.place(), one.needed()))
        })
    }

    /// Whether every request for these paths, whoever sends it, is answered by one of them by itself.
    pub fn answers(&self, paths: &[Path]) -> bool {
        let answers = |own: &Configured| own.always(|plugin| plugin.answers(paths));
        self.each().all(|one| one.enabled().any(answers))
    }

    /// Whether with one of them a route for these paths can be without an upstream.
    pub(crate) fn are_enough(&self, paths: &[Path]) -> bool {
        let is_enough = |own: &Configured| own.always(|plugin| plugin.is_enough(paths));
        self.each().all(|one| one.enabled().any(is_enough))
    }

    /// Bytes of their configurations, of the consumer with the most.
    pub(crate) fn bytes(&self) -> usize {
        let bytes = |one: &Self| one.enabled().map(|own| own.bytes).sum();
        self.each().map(bytes).max().unwrap_or_default()
    }

    fn enabled(&self) -> impl DoubleEndedIterator<Item = &Configured> {
        self.configured.iter().filter(|own| own.plugin.is_some())
    }
}

impl Configured {
    /// When it does what it does: global rules first, and each in the order of all plugins, but those that wait for the consumer.
    fn turn(&self) -> (bool, usize, usize) {
        let turn = match self.late {
            true => self.at.max(behind_consumers()),
            false => self.at,
        };
        (!self.of_rule, turn, self.at)
    }

    /// Whose filter runs a script of it.
    fn whose_script(&self, filter: &str) -> Whose {
        if self.of_rule {
            Whose::Rules
        } else if self.late && SCRIPTS_OF_CONSUMERS.contains(&filter) {
            Whose::Consumers
        } else {
            Whose::Routes
        }
    }

    /// Whether this holds for it, whatever is asked.
    fn always(&self, holds: impl Fn(&dyn Plugin) -> bool) -> bool {
        self.condition.is_always() && self.plugin.as_deref().is_some_and(holds)
    }

    fn asks_for_paths(&self, paths: &[Path]) -> bool {
        self.patterns_of_paths(paths) > 0
    }

    /// How many patterns of paths a route of Envoy's would have to have for it.
    fn patterns_of_paths(&self, paths: &[Path]) -> usize {
        let plugin = self.plugin.as_ref();
        let of_plugin = plugin.is_some_and(|plugin| {
            plugin.field_of_paths().is_some() || plugin.asks_for_paths(paths)
        });
        usize::from(of_plugin) + usize::from(self.condition.asks_for_paths())
    }

    /// Where it asks which requests are meant, by a pattern of paths.
    fn field_of_paths(&self) -> Option<String> {
        if self.condition.asks_for_paths() {
            return Some(format!("{}.{META}.filter", self.place()));
        }
        let field = self.plugin.as_ref()?.field_of_paths()?;
        Some(format!("{}.{field}", self.place()))
    }

    fn targets(&self) -> &[Target] {
        self.plugin.as_deref().map_or(&[], Plugin::targets)
    }

    fn place(&self) -> String {
        format!("plugins.{}", ALL[self.at].name)
    }
}
