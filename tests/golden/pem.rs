//! Certificates and keys of cases, made when the test runs: none lies in the repository. Documents have words for them, and
//! so has what is expected.

use std::sync::LazyLock;

use rcgen::{CertificateParams, KeyPair};

/// What stands in documents.
const WORDS: [&str; 2] = ["<certificate>", "<key>"];

/// What is meant: a certificate for `*.example.com` and `*.example.org`, and its key.
static MEANT: LazyLock<[String; 2]> = LazyLock::new(|| {
    let key = KeyPair::generate().expect("a key");
    let names = ["*.example.com", "*.example.org"].map(ToOwned::to_owned);
    let params = CertificateParams::new(names).expect("names");
    let certificate = params.self_signed(&key).expect("a certificate");
    [certificate.pem(), key.serialize_pem()]
});

/// A document with PEM in place of the words.
pub fn written(document: &str) -> String {
    let words = WORDS.iter().zip(&*MEANT);
    words.fold(document.to_owned(), |text, (word, pem)| {
        text.replace(word, &serde_json::json!(pem).to_string())
    })
}

/// Resources as YAML, with the words in place of PEM.
pub fn unwritten(yaml: &str) -> String {
    let words = WORDS.iter().zip(&*MEANT);
    words.fold(yaml.to_owned(), |text, (word, pem)| {
        let mut lines = String::new();
        let mut inside = false;
        for line in text.lines() {
            let content = line.trim_start();
            let first = pem
                .lines()
                .next()
                .is_some_and(|first| content.starts_with(first));
            if first {
                inside = true;
                lines += &format!("{}{word}\n", &line[..line.len() - content.len()]);
            }
            if !inside {
                lines += line;
                lines.push('\n');
            }
            inside &= !content.starts_with("-----END");
        }
        lines
    })
}
