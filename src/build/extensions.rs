//! What consumers become: extension configs, the same for every gateway and cohort. They are made once, with the first snapshot
//! that has them, and only those that are others than before: each costs as many consumers as there are.

use std::sync::{Arc, OnceLock};

use crate::envoy::canonical;
use crate::model::Consumers;
use crate::plugin::shared::identity::Extension;
use crate::snapshot::{Resource, ResourceType};
use crate::translate;

/// The extension configs of all consumers.
#[derive(Debug, Default)]
pub struct Extensions {
    consumers: Arc<Consumers>,
    /// Of which consumers such were made last, and what.
    before: Option<(Arc<Consumers>, Made)>,
    made: OnceLock<Made>,
}

/// In the order of [`Extension::ALL`].
type Made = [Arc<Resource>; Extension::ALL.len()];

impl Extensions {
    /// There are other consumers than before.
    #[must_use]
    pub fn next(&self, consumers: Arc<Consumers>) -> Self {
        let made = self.made.get();
        let last = made.map(|made| (self.consumers.clone(), made.clone()));
        Self {
            consumers,
            before: last.or_else(|| self.before.clone()),
            made: OnceLock::new(),
        }
    }

    /// All of them, by name.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &Arc<Resource>)> {
        let made = self.made.get_or_init(|| self.make());
        let names = Extension::ALL.iter().map(|extension| extension.name());
        names.zip(made)
    }

    fn make(&self) -> Made {
        std::array::from_fn(|at| {
            let extension = Extension::ALL[at];
            match &self.before {
                Some((before, made))
                    if translate::is_same_for(extension, before, &self.consumers) =>
                {
                    made[at].clone()
                }
                _ => {
                    let config = translate::extension(extension, &self.consumers);
                    let (of, name) = (ResourceType::ExtensionConfig, Arc::from(extension.name()));
                    let value = canonical(&config);
                    Arc::new(Resource::new(of, &name, &value, Box::default()))
                }
            }
        })
    }
}
