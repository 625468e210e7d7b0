//! Examples of documents and settings are accepted.

use std::fs;
use std::path::Path;

use chancery::config::Settings;

use crate::commands::binary;
use crate::page::{Page, holds};

/// Documents that `chancery validate` rejects, and settings that `chancery serve` refuses.
fn bad_examples(page: &Page) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    let mut wrong = Vec::new();
    for block in page.parts().1 {
        let mut words = block.info.split(' ');
        let language = words.next().unwrap_or_default();
        match (words.next(), words.next()) {
            (None, _) => {}
            (Some("settings"), None) => {
                let file = folder.path().join("settings.yaml");
                fs::write(&file, &block.text).unwrap();
                if let Err(error) = Settings::from_file(&file).and_then(Settings::check) {
                    wrong.push(page.at(block.line, error));
                }
            }
            (Some(marked), None) if marked.starts_with("document=") => {
                let key = marked.trim_start_matches("document=");
                let documents = folder.path().join("documents");
                // Only one of both may be there.
                for extension in ["json", "yaml"] {
                    let file = documents.join(format!("{key}.{extension}"));
                    fs::create_dir_all(file.parent().unwrap()).unwrap();
                    if extension == language {
                        fs::write(file, &block.text).unwrap();
                    } else if file.exists() {
                        fs::remove_file(file).unwrap();
                    }
                }
                if let Err(said) = accepted(&documents, key) {
                    wrong.push(page.at(block.line, said));
                }
            }
            _ => wrong.push(page.at(
                block.line,
                format!("nobody knows what `{}` holds", block.info),
            )),
        }
    }
    wrong
}

/// Whether `chancery validate` accepts all documents of a folder, and sees `key` among them.
fn accepted(documents: &Path, key: &str) -> Result<(), String> {
    let validate = binary()
        .arg("validate")
        .arg("-f")
        .arg(documents)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&validate.stdout).into_owned();
    let seen = said
        .lines()
        .any(|line| line.split_whitespace().next() == Some(key));
    if validate.status.success() && seen {
        return Ok(());
    }
    let error = String::from_utf8_lossy(&validate.stderr);
    Err(format!("{key} is not accepted:\n{said}{error}"))
}

#[test]
fn examples_are_accepted() {
    holds(
        bad_examples,
        "```json document=routes/a\n{\"uri\": \"/a\", \"upstream\": {\"nodes\": {\"127.0.0.1:0\": 1}}}\n```",
    );
    holds(bad_examples, "```yaml settings\nexpose: true\n```");
    holds(bad_examples, "```yaml documents=routes/a\n```");
}
