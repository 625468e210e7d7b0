//! The shapes of what proxies had accepted.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Not;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use super::Document;
use crate::build;
use crate::cohort::Cohort;
use crate::model::document;
use crate::snapshot::{self, ResourceType, Version};
use crate::state::Kept;

#[derive(Serialize, Deserialize)]
pub(super) struct Acceptance {
    gateway: String,
    /// Its name.
    cohort: Arc<str>,
    nodes: BTreeSet<Arc<str>>,
    /// By type, as its log word.
    versions: BTreeMap<String, String>,
    routes: Vec<Route>,
    resources: Vec<Resource>,
}

#[derive(Serialize, Deserialize)]
struct Route {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    good: Option<Vec<Document>>,
    #[serde(default, skip_serializing_if = "Not::not")]
    searched: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<Refusal>,
}

#[derive(Serialize, Deserialize)]
struct Resource {
    r#type: String,
    name: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    good: Option<Form>,
    #[serde(default, skip_serializing_if = "Not::not")]
    searched: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refusal: Option<Refusal>,
}

#[derive(Serialize, Deserialize)]
struct Form {
    /// The encoded message, in base64.
    value: String,
    /// By type, the names of what it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    children: Vec<(String, Arc<str>)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    full_name: Option<String>,
}

#[derive(Serialize, Deserialize)]
struct Refusal {
    error: Arc<str>,
    nodes: BTreeSet<Arc<str>>,
    since: u64,
    own: bool,
}

impl Acceptance {
    pub(super) fn new(acceptance: build::Acceptance) -> Self {
        let versions = ResourceType::ALL.into_iter().zip(acceptance.versions);
        let versions = versions.map(|(of, version)| (of.as_str().into(), version.to_string()));
        let routes = acceptance.routes.into_iter().map(|(id, route)| Route {
            id: id.to_string(),
            good: route
                .good
                .map(|texts| texts.into_iter().map(text).collect()),
            searched: route.searched,
            refusal: route.refusal.map(Refusal::new),
        });
        let resources = acceptance.resources.into_iter();
        let resources = resources.map(|(of, name, resource)| Resource {
            r#type: of.as_str().to_owned(),
            name,
            good: resource.good.as_deref().map(Form::new),
            searched: resource.searched,
            refusal: resource.refusal.map(Refusal::new),
        });
        Self {
            gateway: acceptance.gateway.to_string(),
            cohort: acceptance.cohort.name().clone(),
            nodes: acceptance.nodes,
            versions: versions.collect(),
            routes: routes.collect(),
            resources: resources.collect(),
        }
    }

    /// Nothing where it is of proxies or types that are not served.
    pub(super) fn acceptance(self) -> Option<build::Acceptance> {
        let mut versions = [Version::default(); ResourceType::ALL.len()];
        for (of, version) in self.versions {
            versions[resource_type(&of)?.index()] = version.parse().ok()?;
        }
        let routes = self.routes.into_iter().map(|route| {
            let good = route.good;
            let unproven = build::Unproven {
                good: good
                    .map(|texts| texts.into_iter().map(|text| text.kept().document).collect()),
                searched: route.searched,
                refusal: route.refusal.map(Refusal::refusal),
            };
            Some((route.id.parse().ok()?, unproven))
        });
        let resources = self.resources.into_iter().map(|resource| {
            let of = resource_type(&resource.r#type)?;
            let good = match resource.good {
                Some(form) => Some(Arc::new(form.resource(of, &resource.name)?)),
                None => None,
            };
            let unproven = build::Unproven {
                good,
                searched: resource.searched,
                refusal: resource.refusal.map(Refusal::refusal),
            };
            Some((of, resource.name, unproven))
        });
        Some(build::Acceptance {
            gateway: self.gateway.parse().ok()?,
            cohort: Cohort::named(&self.cohort)?,
            nodes: self.nodes,
            versions,
            routes: routes.collect::<Option<_>>()?,
            resources: resources.collect::<Option<_>>()?,
        })
    }
}

fn text(document: document::Document) -> Document {
    let good = None;
    Document::new(Kept { document, good })
}

fn resource_type(word: &str) -> Option<ResourceType> {
    let mut all = ResourceType::ALL.into_iter();
    all.find(|of| of.as_str() == word)
}

impl Form {
    fn new(resource: &snapshot::Resource) -> Self {
        let children = resource.children.iter();
        let children = children.map(|(of, name)| (of.as_str().to_owned(), name.clone()));
        Self {
            value: BASE64.encode(resource.value()),
            children: children.collect(),
            full_name: resource.full_name.as_deref().map(Into::into),
        }
    }

    fn resource(self, of: ResourceType, name: &str) -> Option<snapshot::Resource> {
        let value = BASE64.decode(&self.value).ok()?;
        let children = self.children.into_iter();
        let children = children.map(|(of, name)| Some((resource_type(&of)?, name)));
        let children = children.collect::<Option<_>>()?;
        let resource = snapshot::Resource::new(of, name, &value, children);
        Some(resource.of_full_name(self.full_name))
    }
}

impl Refusal {
    fn new(refusal: build::Refusal) -> Self {
        let build::Refusal {
            error,
            nodes,
            since,
            own,
        } = refusal;
        Self {
            error,
            nodes,
            since,
            own,
        }
    }

    fn refusal(self) -> build::Refusal {
        build::Refusal {
            error: self.error,
            nodes: self.nodes,
            since: self.since,
            own: self.own,
        }
    }
}
