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

/// By the extension's place in [`Extension::ALL`]: for routes, then for global rules.
type Made = [[Arc<Resource>; 2]; Extension::ALL.len()];

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
    pub(super) fn iter(&self) -> impl Iterator<Item = (String, &Arc<Resource>)> {
        let made = self.made.get_or_init(|| self.make());
        let names = Extension::ALL
            .iter()
            .flat_map(|one| [one.name(false), one.name(true)]);
        names.zip(made.iter().flatten())
    }

    fn make(&self) -> Made {
        let make = |at: usize, of_rules: bool| {
            let (extension, consumers) = (Extension::ALL[at], &self.consumers);
            match &self.before {
                Some((before, made))
                    if translate::is_same_for(extension, of_rules, before, consumers) =>
                {
                    made[at][usize::from(of_rules)].clone()
                }
                _ => {
                    let config = translate::extension(extension, of_rules, consumers);
                    let name = Arc::from(config.name.as_str());
                    let value = canonical(&config);
                    let of = ResourceType::ExtensionConfig;
                    Arc::new(Resource::new(of, &name, &value, Box::default()))
                }
            }
        };
        std::array::from_fn(|at| [make(at, false), make(at, true)])
    }
}
