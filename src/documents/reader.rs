//! What documents are read with: the same for whoever serves them, checks them or writes them.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::entry::{self, Unread};
use crate::model::problem::Remark;
use crate::model::{Discovery, Document, Keyring, Kind, Lookup, Problem, Resolved};

/// What is said of a private key that stays encrypted.
const SHUT: &str = "is no PEM, and no key of `data-encryption-keyring` opens it, allowed: a private key (RSA, ECDSA) as PEM, or encrypted \
                    with a key of that ring";
const DOUBTFUL: &str = "looks encrypted, and no key of `data-encryption-keyring` opens it: it is taken as it is written";

/// What documents are read with. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Reader {
    /// The registries that documents may name, in order; of another one nobody would ever answer.
    pub(super) registries: Arc<[Discovery]>,
    keyring: Keyring,
    lookup: Lookup,
    /// Whether what no manager has answered yet is taken for good.
    trusts: bool,
}

impl Reader {
    /// Documents may name services of `registries`, and hold what a key of `keyring` opens and what `lookup` finds.
    pub fn new(mut registries: Vec<Discovery>, keyring: Keyring, lookup: Lookup) -> Self {
        registries.sort_unstable();
        Self {
            registries: registries.into(),
            keyring,
            lookup,
            trusts: false,
        }
    }

    /// The same for who only checks: documents are looked at as far as can be while a manager has not answered, with a warning.
    #[must_use]
    pub fn trusting(&self) -> Self {
        Self {
            trusts: true,
            ..self.clone()
        }
    }

    pub(super) fn trusts(&self) -> bool {
        self.trusts
    }

    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    pub fn lookup(&self) -> &Lookup {
        &self.lookup
    }

    /// Reads and checks a document for itself, whatever it refers to: what Envoy does not do exactly, or what is wrong.
    pub fn check(&self, document: &Document) -> Result<Vec<Problem>, Problem> {
        let of = |remark: Remark| remark.of(&document.source);
        match entry::read(document, &self.trusting()).form {
            Ok((_, warnings)) => Ok(warnings.into_iter().map(of).collect()),
            Err(Unread::Waits(remark)) => Ok(vec![of(remark)]),
            Err(Unread::Wrong(remark)) => Err(of(remark)),
        }
    }

    /// Opens what is encrypted in a document, and puts what references stand for in their place; tells what could not be
    /// opened, and what became of the references.
    pub(super) fn open(
        &self,
        kind: Kind,
        document: &mut Map<String, Value>,
    ) -> Result<(Vec<Remark>, Resolved), Remark> {
        let opened = self.keyring.open_in(kind, document);
        if let Some(field) = opened.shut.into_iter().next() {
            return Err(Remark::new(field, SHUT));
        }
        let doubtful = opened.doubtful.into_iter();
        let doubtful = doubtful.map(|field| Remark::new(field, DOUBTFUL)).collect();
        Ok((doubtful, self.lookup.resolve_in(kind, document)))
    }
}
