//! A document as it counts, and who names whom around it.

use std::collections::BTreeSet;

use serde_json::Value;
use tokio::task::spawn_blocking;
use tonic::Status;

use super::{Api, pb};
use crate::control::question::Question;
use crate::documents;
use crate::documents::effective::{Effective, Texts};
use crate::editing::{masked, named};
use crate::model::{Document, Key};

/// The document of this path, with what it has from others.
pub async fn read(api: &Api, document: String) -> Result<pb::EffectiveDocument, Status> {
    let key = document.parse::<Key>();
    key.map_err(|error| Status::invalid_argument(format!("document: {document:?}: {error}")))?;
    let forms = api.ask(Question::Forms).await?;
    let newest = api.texts().await?;
    if newest.iter().all(|one| *one.path != *document) {
        return Err(Status::not_found(format!(
            "there is no document {document}"
        )));
    }
    // Texts are read one by one: not on the threads that answer others.
    let told = spawn_blocking(move || told(document, forms, &newest)).await;
    told.map_err(|error| Status::internal(error.to_string()))
}

fn told(document: String, forms: Vec<Document>, newest: &[Document]) -> pb::EffectiveDocument {
    let text = |one: &Document| {
        let fields = documents::text(one.format, &one.value).ok()?;
        Some((one.path.to_string(), fields))
    };
    // Each by its own kind: in a document that has them together, nothing tells a rule's plugins from a field.
    let shown = forms.iter().filter_map(text).filter_map(|(path, fields)| {
        match masked::without_secrets(&path, fields) {
            Value::Object(fields) => Some((path, fields)),
            _ => None,
        }
    });
    let texts: Texts = shown.collect();
    let (mut uses, mut used_by) = (BTreeSet::new(), BTreeSet::new());
    for (path, fields) in newest.iter().filter_map(text) {
        let Ok(key) = path.parse::<Key>() else {
            continue;
        };
        let named = named(&key, &Value::Object(fields)).into_iter();
        let named = named.map(|one| one.path.to_string());
        if path == document {
            uses = named.collect();
        } else if named.into_iter().any(|one| one == document) {
            used_by.insert(path);
        }
    }
    uses.retain(|path| newest.iter().any(|one| *one.path == **path));
    let whole = Effective::of(&document, &texts);
    let (text, origins) = match whole {
        Some(Effective { fields, origins }) => (Value::Object(fields).to_string(), origins),
        None => Default::default(),
    };
    let origins = origins
        .into_iter()
        .map(|(field, document)| pb::Origin { field, document });
    pb::EffectiveDocument {
        document,
        text,
        origins: origins.collect(),
        uses: uses.into_iter().collect(),
        used_by: used_by.into_iter().collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::model::document::Format;

    fn document(path: &str, text: &Value) -> Document {
        Document {
            path: path.into(),
            source: path.into(),
            format: Format::Json,
            value: text.to_string().into(),
            revision: 1,
        }
    }

    #[test]
    fn who_names_whom_is_told_and_no_secret_whoever_says_it() {
        let forms = vec![
            document("routes/a", &json!({"uri": "/a", "service_id": "s"})),
            document(
                "services/s",
                &json!({"upstream_id": "u", "plugins": {"csrf": {"key": "planted"}}}),
            ),
            document(
                "upstreams/u",
                &json!({"nodes": {"10.0.0.7:80": 1}, "tls": {"client_key": "planted"}}),
            ),
            document(
                "global_rules/1",
                &json!({"plugins": {"csrf": {"key": "planted", "name": "a-rule"}}}),
            ),
        ];
        let mut newest = forms.clone();
        newest.push(document(
            "routes/bad",
            &json!({"uri": 5, "service_id": "s", "upstream_id": "none"}),
        ));
        let about = |path: &str| told(path.to_owned(), forms.clone(), &newest);
        let route = about("routes/a");
        assert!(route.text.contains("10.0.0.7:80") && route.text.contains("a-rule"));
        assert!(!route.text.contains("planted"));
        assert_eq!(route.uses, ["services/s"]);
        assert!(route.used_by.is_empty());
        assert_eq!(about("services/s").used_by, ["routes/a", "routes/bad"]);
        let bad = about("routes/bad");
        assert_eq!((bad.text.as_str(), bad.uses.len()), ("", 1));
    }
}
