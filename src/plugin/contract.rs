//! What a plugin is: the trait, what is known of it without any document, and what its reader is given.

use std::fmt;
use std::sync::Arc;

use envoy_types::pb::envoy::config::route::v3::{Route, RouteAction};
use envoy_types::pb::envoy::extensions::filters::network::http_connection_manager::v3::HttpFilter;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde_json::{Map, Value};

use super::meta::{META, Meta};
use super::shared::asked::Asked;
use super::shared::metadata::Metadata;
use crate::cohort::Ability;
use crate::model::Path;
use crate::model::decode;
use crate::model::gateway::RealIp;
use crate::model::key::{Id, Key};
use crate::model::problem::Remark;
use crate::model::protos::Protos;
use crate::model::upstream::{self, Breaker, Cluster, Target};

/// What a route is called in statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CountedBy {
    Id,
    /// Its `name`, where it has one.
    Name,
}

/// Who has to stand beside the gateways of a plugin, as Envoy cannot do it alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Helper {
    /// Who keeps counts for all proxies: `chancery ratelimit`.
    Counts,
    /// Who posts what proxies write down: `chancery logs`.
    Logs,
}

impl Helper {
    pub const ALL: [Self; 2] = [Self::Counts, Self::Logs];
}

/// A plugin as documents configured it.
pub trait Plugin: fmt::Debug + Send + Sync {
    /// Adds what it does to a route of Envoy, which already has its match, its cluster and its time-outs. `clusters` are
    /// those of its [`targets`](Self::targets), in order.
    fn apply(&self, route: &mut Route, clusters: &[Arc<Cluster>]);

    /// The routes to go before this one, for those of its requests with which it does something else than
    /// [`apply`](Self::apply) says: each with a narrower match, and with what it does already added.
    fn branch(&self, _route: &Route, _clusters: &[Arc<Cluster>]) -> Vec<Route> {
        Vec::new()
    }

    /// Where it sends requests beside the route's own upstream.
    fn targets(&self) -> &[Target] {
        &[]
    }

    /// Whether it sends every request to one of its [`targets`](Self::targets), so that the route needs no upstream.
    fn sends_all(&self) -> bool {
        false
    }

    /// The routes to go before the route itself and its branches, for requests that go to one of its
    /// [`targets`](Self::targets) in the place of the route's own upstream: what the route does with those stands in
    /// `actions`, in order. All plugins are then applied to each of these routes.
    fn detours(&self, _route: &Route, _actions: &[RouteAction]) -> Vec<Route> {
        Vec::new()
    }

    /// Whether it answers every request for these paths by itself, so that none goes to an upstream.
    fn answers(&self, _paths: &[Path]) -> bool {
        false
    }

    /// Whether a route for these paths can be without an upstream.
    fn is_enough(&self, paths: &[Path]) -> bool {
        self.answers(paths)
    }

    /// Whether it tells requests for these paths apart by a pattern, as `vars` about `uri` do: a route of Envoy's has one.
    fn asks_for_paths(&self, _paths: &[Path]) -> bool {
        false
    }

    /// The field of conditions about requests, where one asks a pattern of paths.
    fn field_of_paths(&self) -> Option<&'static str> {
        None
    }

    /// What a route is called in statistics of its own; it has none when no plugin says.
    fn counted_by(&self) -> Option<CountedBy> {
        None
    }

    /// What it demands of the route's own cluster.
    fn breaker(&self) -> Option<&Breaker> {
        None
    }

    /// What Envoy's filters have to know before a route with it asks them.
    fn asked(&self) -> Vec<Asked> {
        Vec::new()
    }

    /// The filters of routes whose scripts it runs.
    fn runs(&self) -> Vec<&'static str> {
        Vec::new()
    }

    /// Where the client's address stands, at gateways that do not say so themselves.
    fn client(&self) -> Option<&RealIp> {
        None
    }

    /// How many limits a request is under because of it.
    fn limits(&self) -> usize {
        0
    }

    /// Who has to stand beside each of its gateways.
    fn helper(&self) -> Option<Helper> {
        None
    }

    /// What an Envoy has to be able to do for it, of what not every one can.
    fn needs(&self) -> Vec<Ability> {
        Vec::new()
    }

    /// Whether it has strangers be somebody.
    fn welcomes_strangers(&self) -> bool {
        false
    }

    /// What it is in a route of this service, where that is something else.
    fn of_service(&self, _service: &Id) -> Option<Arc<dyn Plugin>> {
        None
    }

    /// Whether it tells others of the documents that its route is made of.
    fn tells_documents(&self) -> bool {
        false
    }

    /// What it is in a route of these documents, where that is something else.
    fn with_documents(&self, _shown: &Shown) -> Option<Grown> {
        None
    }

    /// Whether it does something else where its plugin has metadata.
    fn asks_for_metadata(&self) -> bool {
        false
    }

    /// What it is with the metadata of its plugin, where that is something else.
    fn with_metadata(&self, _metadata: &Metadata) -> Option<Arc<dyn Plugin>> {
        None
    }

    /// The document of `protos` that it goes by.
    fn proto(&self) -> Option<&Id> {
        None
    }

    /// What it is with that document, where that is something else.
    fn with_proto(&self, _protos: &Protos) -> Result<Option<Grown>, Remark> {
        Ok(None)
    }

    /// Whether what it sends is for services of gRPC alone.
    fn speaks_grpc(&self) -> bool {
        false
    }

    /// Refuses the paths of a route on which Envoy would not do what the configuration says.
    fn check(&self, _paths: &[Path]) -> Result<(), Remark> {
        Ok(())
    }
}

/// A plugin with what another document says, and how many bytes it has more.
pub type Grown = (Arc<dyn Plugin>, usize);

/// The documents of a route and of its service, as others are told them: JSON without what may be a secret.
#[derive(Debug, Clone)]
pub struct Shown {
    pub route: Arc<str>,
    pub service: Option<Arc<str>>,
}

/// What is not as in APISIX: the field, or nothing for the whole, and how.
pub type Difference = (&'static str, &'static str);

pub type Read = fn(&Value, &mut Reading) -> Result<Arc<dyn Plugin>, Remark>;

/// A plugin as it is known without any document.
pub struct Definition {
    /// The name that documents use.
    pub name: &'static str,
    pub read: Read,
    /// The schema of its configuration: `schema::<Form>`.
    pub schema: fn(&mut SchemaGenerator) -> Schema,
    /// The fields of APISIX's that it refuses, and why: `refused::<Form>`.
    pub refused: fn() -> Vec<(&'static str, &'static str)>,
    /// What is not as in APISIX: the field, or nothing for the whole, and how. A document that this depends on further is warned of,
    /// or refused, besides.
    pub differs: &'static [Difference],
    /// The filters that it needs in every listener's chain, disabled until a route enables them.
    pub http_filters: fn() -> Vec<HttpFilter>,
}

/// Where the configuration of a plugin is read from, and what is said of it on the way.
pub struct Reading<'a> {
    /// The document that holds it.
    pub key: &'a Key,
    /// The plugin's name.
    pub name: &'static str,
    /// How many upstreams it has told of.
    pub upstreams: usize,
    /// What Envoy does not do exactly; fields as seen from within the configuration.
    pub warnings: Vec<Remark>,
}

impl Reading<'_> {
    /// Reads what stands at `place`: what is wrong with it and what is told of it are said of there.
    pub fn at<T>(
        &mut self,
        place: &str,
        read: impl FnOnce(&mut Self) -> Result<T, Remark>,
    ) -> Result<T, Remark> {
        let before = self.warnings.len();
        let read = read(self).map_err(|remark| remark.under(place));
        let said = self.warnings.split_off(before).into_iter();
        self.warnings.extend(said.map(|remark| remark.under(place)));
        read
    }

    /// Reads an upstream that stands in the configuration, at `field`. Its cluster is named after the document and the
    /// plugin: `route/echo/traffic-split/0`.
    pub fn upstream(&mut self, field: &str, value: &Value) -> Result<Target, Remark> {
        let plugin = format!("{}/{}", self.name, self.upstreams);
        self.upstreams += 1;
        let mut warnings = Vec::new();
        let cluster = upstream::form::read_for_plugin(self.key, &plugin, value, &mut warnings)
            .map_err(|remark| remark.under(field))?;
        self.warnings
            .extend(warnings.into_iter().map(|remark| remark.under(field)));
        Ok(Target::Inline(Arc::new(cluster)))
    }
}

/// The schema of a plugin's form, and of what every plugin has beside it.
pub fn schema<F: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = generator.subschema_for::<F>();
    let meta = generator.subschema_for::<Meta>();
    // A form without fields names none.
    let fields = schema.ensure_object().entry("properties");
    fields.or_insert_with(|| Map::new().into());
    if let Some(Value::Object(fields)) = schema.get_mut("properties") {
        fields.insert(META.to_owned(), meta.into());
    }
    schema
}

/// The fields that a plugin's form refuses by name, and why.
pub fn refused<F: decode::Form>() -> Vec<(&'static str, &'static str)> {
    let not_served = F::NOT_SERVED.iter();
    let not_served = not_served.map(|name| (*name, "this version does not have it"));
    not_served.chain(F::NOT_IN_ENVOY.iter().copied()).collect()
}
