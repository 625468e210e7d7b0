//! What a document of any kind says of itself beside the fields of its kind. People and tools keep books with it: it is
//! checked, and only the `name` of a route means something.

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::decode::{self, Form, Reader, quoted};
use super::key::{Id, Key};
use super::problem::Remark;
use super::scalar::Timestamp;

/// The names of all fields here.
pub(crate) const FIELDS: &[&str] = &["id", "name", "desc", "labels", "create_time", "update_time"];

/// Labels: names and values, both texts.
type Labels = std::collections::BTreeMap<String, String>;

/// The fields that kinds have in common.
#[derive(Debug, Default, JsonSchema)]
pub(crate) struct Bookkeeping {
    /// The id of the document's key, if it is written at all.
    id: Option<Id>,
    /// A name for people; kept, and not read.
    pub name: Option<String>,
    /// A description for people; kept, and not read.
    pub desc: Option<String>,
    /// Labels for people and tools; kept, and not read, but for those of a consumer, which upstreams can be told.
    pub labels: Option<Labels>,
    /// Seconds since 1970 when the document was made, which its writer tells; kept, and not read.
    #[schemars(rename = "create_time")]
    _create_time: Option<Timestamp>,
    /// Seconds since 1970 when the document was changed, which its writer tells; kept, and not read.
    #[schemars(rename = "update_time")]
    _update_time: Option<Timestamp>,
}

impl Bookkeeping {
    /// Takes the field `name`, which is one of [`FIELDS`].
    fn take<'de, D: Deserializer<'de>>(&mut self, name: &str, value: D) -> Result<(), D::Error> {
        match name {
            "id" => self.id = Deserialize::deserialize(value)?,
            "name" => self.name = Deserialize::deserialize(value)?,
            "desc" => self.desc = Deserialize::deserialize(value)?,
            "labels" => self.labels = Deserialize::deserialize(value)?,
            "create_time" => self._create_time = Deserialize::deserialize(value)?,
            "update_time" => self._update_time = Deserialize::deserialize(value)?,
            other => {
                return Err(serde::de::Error::custom(format!(
                    "`{other}` is no bookkeeping"
                )));
            }
        }
        Ok(())
    }
}

/// The form of a document, beside which these fields stand.
pub(crate) trait Kept: Form {
    const BOOKKEEPING: &'static [&'static str] = FIELDS;
}

/// Reads the form of a document that stands within another, and what stands beside it.
pub(crate) fn read_part<F: Kept>(value: &Value) -> Result<(F, Bookkeeping), Remark> {
    let mut bookkeeping = Bookkeeping::default();
    let mut take = |name: &str, field: Reader<'_>| bookkeeping.take(name, field);
    let form = decode::read_beside(value, F::BOOKKEEPING, &mut take)?;
    Ok((form, bookkeeping))
}

/// As [`read_part`], of a document in which a secret stands: what is wrong is said without what was found.
pub(crate) fn read_part_unquoted<F: Kept>(value: &Value) -> Result<(F, Bookkeeping), Remark> {
    let mut bookkeeping = Bookkeeping::default();
    let mut take = |name: &str, field: Reader<'_>| bookkeeping.take(name, field);
    let form = decode::read_beside_unquoted(value, F::BOOKKEEPING, &mut take)?;
    Ok((form, bookkeeping))
}

/// Reads the form of the document `key`, and what stands beside it.
pub(crate) fn read<F: Kept>(key: &Key, value: &Value) -> Result<(F, Bookkeeping), Remark> {
    let (form, bookkeeping) = read_part::<F>(value)?;
    same_id(bookkeeping.id.as_ref(), &key.id)?;
    Ok((form, bookkeeping))
}

/// Refuses a document whose `id` is not the one of its key.
fn same_id(written: Option<&Id>, id: &Id) -> Result<(), Remark> {
    match written {
        Some(written) if written != id => Err(Remark::new(
            "id",
            format!(
                "found {}, allowed: \"{id}\" as in the key, or no `id`",
                quoted(written.as_str())
            ),
        )),
        _ => Ok(()),
    }
}

/// The schema of a form with what stands beside it.
pub(crate) fn schema<F: Kept + JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    let mut schema = F::json_schema(generator);
    let mut beside = Bookkeeping::json_schema(generator);
    if let Some(Value::Object(fields)) = schema.get_mut("properties")
        && let Some(Value::Object(beside)) = beside.get_mut("properties")
    {
        fields.extend(
            F::BOOKKEEPING
                .iter()
                .filter_map(|name| beside.remove_entry(*name)),
        );
    }
    schema
}

#[cfg(test)]
mod tests;
