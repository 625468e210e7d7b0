use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{Files, Services};
use crate::folder::Scan;
use crate::model::{Discovery, ServiceKey};
use crate::registry::Answer;
use crate::telemetry::Source;

const DEADLINE: Duration = Duration::from_secs(20);

fn services(names: &[&str]) -> Services {
    Arc::new(
        names
            .iter()
            .copied()
            .map(|name| ServiceKey::new(Discovery::File, name))
            .collect::<BTreeSet<_>>(),
    )
}

fn scan(files: &[(&str, &str)]) -> Scan {
    let owned =
        |(name, text): &(&str, &str)| (format!("instances/{name}"), Bytes::from(text.to_string()));
    Scan(files.iter().map(owned).collect())
}

fn instance(port: u16) -> String {
    format!("instances: [{{ address: 127.0.0.1, port: {port} }}]\n")
}

/// `<service>:<ports>` of each answer.
fn told(answers: Vec<Answer>) -> Vec<String> {
    answers.iter().map(line).collect()
}

fn line(answer: &Answer) -> String {
    let ports: Vec<_> = answer
        .instances
        .iter()
        .map(|instance| instance.port)
        .collect();
    format!("{}:{ports:?}", answer.service.name)
}

impl Files {
    fn wanting(names: &[&str]) -> Self {
        let mut files = Self::new("DIR".into());
        files.handle_wanted(services(names));
        files
    }

    fn scanned(&mut self, files: &[(&str, &str)]) -> Vec<String> {
        self.handle_scan(scan(files));
        told(self.poll_answers())
    }

    fn wants(&mut self, names: &[&str]) -> Vec<String> {
        self.handle_wanted(services(names));
        told(self.poll_answers())
    }
}

#[test]
fn nothing_is_said_before_the_folder_was_read() {
    let mut files = Files::wanting(&["echo"]);
    assert_eq!(told(files.poll_answers()), [] as [&str; 0]);
    assert_eq!(
        files.scanned(&[]),
        ["echo:[]"],
        "a missing file is an empty list"
    );
}

#[test]
fn only_what_differs_is_told() {
    let mut files = Files::wanting(&["echo", "users"]);
    let (one, other) = (instance(1), instance(2));
    assert_eq!(
        files.scanned(&[("echo.yaml", &one), ("users.yaml", &other)]),
        ["echo:[1]", "users:[2]"]
    );
    assert_eq!(
        files.scanned(&[("echo.yaml", &other), ("users.yaml", &other)]),
        ["echo:[2]"]
    );
    let commented = format!("# the same\n{other}");
    assert_eq!(
        files.scanned(&[("echo.yaml", &commented), ("users.yaml", &other)]),
        [] as [&str; 0]
    );
    assert_eq!(files.scanned(&[("users.yaml", &other)]), ["echo:[]"]);
}

#[test]
fn a_file_that_cannot_be_read_keeps_what_it_said() {
    let mut files = Files::wanting(&["echo"]);
    files.scanned(&[("echo.yaml", &instance(1))]);
    assert_eq!(
        files.scanned(&[("echo.yaml", "instances: [{")]),
        [] as [&str; 0]
    );
    assert_eq!(
        files.scanned(&[("echo.yaml", "")]),
        [] as [&str; 0],
        "nor after a second mistake"
    );
    assert_eq!(files.wants(&[]), [] as [&str; 0]);
    assert_eq!(files.wants(&["echo"]), ["echo:[1]"]);
    assert_eq!(files.scanned(&[("echo.yaml", &instance(2))]), ["echo:[2]"]);
}

#[test]
fn a_file_that_never_could_be_read_is_not_empty() {
    let mut files = Files::wanting(&["echo"]);
    assert_eq!(
        files.scanned(&[("echo.yaml", "instances: [{")]),
        [] as [&str; 0]
    );
    assert_eq!(files.scanned(&[("echo.yaml", &instance(1))]), ["echo:[1]"]);
}

#[test]
fn a_service_is_answered_when_it_is_wanted_and_not_before() {
    let mut files = Files::wanting(&[]);
    assert_eq!(
        files.scanned(&[("echo.yaml", &instance(1))]),
        [] as [&str; 0]
    );
    assert_eq!(files.wants(&["echo"]), ["echo:[1]"]);
    assert_eq!(
        files.wants(&["echo", "users"]),
        ["users:[]"],
        "echo is known"
    );
    assert_eq!(files.wants(&["users"]), [] as [&str; 0]);
    assert_eq!(
        files.wants(&["echo"]),
        ["echo:[1]"],
        "who comes back is told again"
    );
}

#[test]
fn of_two_files_of_a_service_the_first_is_in_force() {
    let mut files = Files::wanting(&["echo"]);
    let json = r#"{"instances": [{"address": "127.0.0.1", "port": 2}]}"#;
    assert_eq!(
        files.scanned(&[("echo.yaml", &instance(1)), ("echo.json", json)]),
        ["echo:[2]"]
    );
    assert_eq!(files.strays.len(), 1);
    assert_eq!(files.scanned(&[("echo.yml", &instance(1))]), ["echo:[1]"]);
}

#[test]
fn other_files_are_left_out() {
    let mut files = Files::wanting(&["echo", "notes"]);
    let one = instance(1);
    let found = files.scanned(&[
        ("notes.txt", &one),
        ("deep/echo.yaml", &one),
        (".yaml", &one),
        ("notes", &one),
    ]);
    assert_eq!(found, ["echo:[]", "notes:[]"]);
    assert_eq!(files.strays.len(), 4);
}

#[tokio::test]
async fn an_edit_of_a_real_file_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("instances/echo.yaml");
    std::fs::create_dir(folder.path().join("instances")).unwrap();
    let write = |text: &str| replace(&file, text);
    write(&instance(1));

    let wanted = watch::Sender::new(services(&["echo"]));
    let (answers_in, mut answers) = mpsc::channel(8);
    let shutdown = CancellationToken::new();
    let watching = tokio::spawn(super::watch(
        folder.path().to_owned(),
        Source::new("files"),
        wanted.subscribe(),
        answers_in,
        shutdown.clone(),
    ));
    let mut next = async || line(&timeout(DEADLINE, answers.recv()).await.unwrap().unwrap());
    assert_eq!(next().await, "echo:[1]");
    write(&instance(2));
    assert_eq!(next().await, "echo:[2]");
    write("instances: [");
    write(&instance(3));
    assert_eq!(next().await, "echo:[3]");
    wanted.send_replace(services(&["echo", "users"]));
    assert_eq!(next().await, "users:[]");
    std::fs::write(folder.path().join("README"), "not empty").unwrap();
    std::fs::remove_file(&file).unwrap();
    assert_eq!(next().await, "echo:[]");
    shutdown.cancel();
    timeout(DEADLINE, watching).await.unwrap().unwrap();
}

/// Replaces a file as an editor does.
fn replace(file: &Path, text: &str) {
    let beside = file.with_extension("tmp");
    std::fs::write(&beside, text).unwrap();
    std::fs::rename(&beside, file).unwrap();
}
