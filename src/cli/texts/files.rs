//! Documents in files: `<kind>/<id>.yaml` is one document; any other file holds several, `{routes: [{id: …}, …], …}`.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value};

use super::{Texts, strip};
use crate::documents;
use crate::editing;
use crate::model::document::Format;
use crate::model::{Key, Kind};

/// The largest file, in bytes.
const LARGEST: u64 = 64 * 1024 * 1024;
/// How deep folders are followed.
const DEPTH: usize = 8;

/// Reads the documents of files, folders, or of standard input where the path is `-`.
pub fn read(paths: &[PathBuf]) -> Result<Texts> {
    let mut texts = Texts::new();
    for path in paths {
        if path.as_os_str() == "-" {
            let mut text = Vec::new();
            let mut input = std::io::stdin().lock().take(LARGEST);
            input.read_to_end(&mut text).context("standard input")?;
            several("standard input", &text, &mut texts)?;
        } else if path.is_dir() {
            folder(path, DEPTH, &mut texts)?;
        } else {
            file(path, &mut texts)?;
        }
    }
    if texts.is_empty() {
        let names: Vec<_> = paths
            .iter()
            .map(|path| path.display().to_string())
            .collect();
        bail!(
            "{}: no documents: found no file <kind>/<id>.yaml or .json, and no file with several documents",
            names.join(", ")
        );
    }
    Ok(texts)
}

fn folder(path: &Path, depth: usize, texts: &mut Texts) -> Result<()> {
    let entries = fs::read_dir(path).with_context(|| path.display().to_string())?;
    let mut below: Vec<_> = entries
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    below.sort();
    for entry in below {
        let name = entry.file_name().and_then(|name| name.to_str());
        // The registry's files lie beside documents.
        let is_other = name.is_none_or(|name| name.starts_with('.') || name == "instances");
        if entry.is_dir() && !is_other && depth > 0 {
            folder(&entry, depth - 1, texts)?;
        } else if !is_other && format(&entry).is_some() {
            file(&entry, texts)?;
        }
    }
    Ok(())
}

fn format(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()? {
        "json" => Some(Format::Json),
        "yaml" | "yml" => Some(Format::Yaml),
        _ => None,
    }
}

fn file(path: &Path, texts: &mut Texts) -> Result<()> {
    let shown = path.display().to_string();
    let size = fs::metadata(path).with_context(|| shown.clone())?.len();
    if size > LARGEST {
        bail!("{shown}: found {size} bytes, allowed: at most {LARGEST}");
    }
    let text = fs::read(path).with_context(|| shown.clone())?;
    let Some(format) = format(path) else {
        bail!("{shown}: a file with documents ends in .yaml, .yml or .json");
    };
    match document(path) {
        Some(of) => add(&shown, &of, one(&shown, format, &text)?, texts),
        None => several(&shown, &text, texts),
    }
}

/// The document that a file is by its folder and its name.
fn document(path: &Path) -> Option<String> {
    let whole = std::path::absolute(path).ok()?;
    let id = whole.file_stem()?.to_str()?;
    let names: Vec<&str> = whole
        .ancestors()
        .skip(1)
        .take(3)
        .filter_map(|folder| folder.file_name()?.to_str())
        .collect();
    let of = match names.as_slice() {
        ["credentials", consumer, "consumers"] => format!("consumers/{consumer}/credentials/{id}"),
        [manager, "secrets", ..] => format!("secrets/{manager}/{id}"),
        [kind, ..] => format!("{kind}/{id}"),
        [] => return None,
    };
    of.parse::<Key>().is_ok().then_some(of)
}

fn one(shown: &str, format: Format, text: &[u8]) -> Result<Map<String, Value>> {
    documents::text(format, text).map_err(|remark| anyhow::anyhow!("{shown}: {}", remark.message))
}

/// Reads `{routes: [{id: …}, …], …}`, whichever it is: a text of JSON may have characters that YAML does not allow.
fn several(shown: &str, text: &[u8], texts: &mut Texts) -> Result<()> {
    let kinds = match documents::json(text) {
        Ok(Value::Object(kinds)) => kinds,
        _ => serde_saphyr::from_slice(text)
            .map_err(|error| anyhow::anyhow!("{shown}: {}", error.without_snippet()))?,
    };
    for (folder, list) in kinds {
        if format!("{folder}/x").parse::<Key>().is_err() {
            bail!(
                "{shown}: found `{folder}`, allowed are lists of documents by kind: {}",
                Kind::ALL.map(Kind::as_str).join(", ")
            );
        }
        let Value::Array(list) = list else {
            bail!("{shown}: {folder}: found no list, allowed: a list of documents");
        };
        for (at, document) in list.into_iter().enumerate() {
            let Value::Object(fields) = document else {
                bail!("{shown}: {folder}[{at}]: found no object, allowed: a document");
            };
            let field = if folder == "consumers" {
                "username"
            } else {
                "id"
            };
            let Some(id) = fields.get(field).and_then(editing::id) else {
                bail!(
                    "{shown}: {folder}[{at}].{field}: is missing: it says which document this is"
                );
            };
            add(shown, &format!("{folder}/{id}"), fields, texts)?;
        }
    }
    Ok(())
}

fn add(shown: &str, path: &str, mut fields: Map<String, Value>, texts: &mut Texts) -> Result<()> {
    if let Err(error) = path.parse::<Key>() {
        bail!("{shown}: {path}: {error}");
    }
    strip(path, &mut fields);
    if texts.insert(path.to_owned(), fields).is_some() {
        bail!("{shown}: {path} is there twice: which of the two is meant?");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_holds_documents_by_kind_and_files_with_several() {
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        };
        put("routes/a.yaml", "uri: /a\ncreate_time: 7\n");
        put("consumers/jack/credentials/k.json", r#"{"plugins": {}}"#);
        put("instances/echo.yaml", "- 1");
        put("routes/.swap.yaml", "- 1");
        put("notes.txt", "none");
        put(
            "all.yaml",
            "upstreams:\n- {id: 1, nodes: {}}\nconsumers:\n- {username: jack}\nconsumers/jack/credentials:\n- {id: l, plugins: {}}\n",
        );
        let texts = read(&[folder.path().to_owned()]).unwrap();
        let paths: Vec<_> = texts.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "consumers/jack",
                "consumers/jack/credentials/k",
                "consumers/jack/credentials/l",
                "routes/a",
                "upstreams/1"
            ]
        );
        assert_eq!(texts["routes/a"].len(), 1);
        put("more.json", r#"{"routes": [{"id": "a"}]}"#);
        let twice = read(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(twice.contains("routes/a is there twice"), "{twice}");
        put("more.json", r#"{"routs": []}"#);
        let unknown = read(&[folder.path().to_owned()]).unwrap_err().to_string();
        assert!(unknown.contains("`routs`, allowed are"), "{unknown}");
    }
}
