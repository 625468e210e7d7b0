//! Scans in, events out; and once with a real folder.

use std::time::Duration;

use super::*;

fn scan(files: &[(&str, &'static str)]) -> Scan {
    let owned = |(name, text): &(&str, &'static str)| ((*name).into(), (*text).into());
    Scan(files.iter().map(owned).collect())
}

fn document_of(path: &str, file: &str, value: &'static str, revision: i64) -> Document {
    Document {
        path: path.into(),
        source: format!("/etc/chancery/{file}").into(),
        format: if file.ends_with("json") {
            Format::Json
        } else {
            Format::Yaml
        },
        value: value.into(),
        revision,
    }
}

fn files() -> Files {
    Files::new("/etc/chancery".into())
}

fn traced(revision: i64) -> Vec<Traced> {
    vec![Traced {
        revision,
        context: None,
    }]
}

#[test]
fn the_first_scan_is_a_listing_even_when_it_is_empty() {
    let empty = files().handle_scan(scan(&[])).unwrap();
    assert_eq!(
        empty,
        Event::Listed {
            revision: 1,
            documents: vec![]
        }
    );

    let listed = files().handle_scan(scan(&[("routes/a.yaml", "a"), ("upstreams/b.json", "b")]));
    let documents = vec![
        document_of("routes/a", "routes/a.yaml", "a", 1),
        document_of("upstreams/b", "upstreams/b.json", "b", 1),
    ];
    assert_eq!(
        listed,
        Some(Event::Listed {
            revision: 1,
            documents
        })
    );
}

#[test]
fn later_scans_tell_only_what_differs() {
    let mut files = files();
    files.handle_scan(scan(&[
        ("routes/a.yaml", "1"),
        ("routes/b.yml", "1"),
        ("routes/c.yaml", "1"),
    ]));
    let edited = [
        ("routes/a.yaml", "2"),
        ("routes/c.yaml", "1"),
        ("routes/d.yaml", "1"),
    ];
    let changes = vec![
        Change::Deleted {
            path: "routes/b".into(),
        },
        Change::Put(document_of("routes/a", "routes/a.yaml", "2", 2)),
        Change::Put(document_of("routes/d", "routes/d.yaml", "1", 2)),
    ];
    assert_eq!(
        files.handle_scan(scan(&edited)),
        Some(Event::Changed {
            revision: 2,
            changes,
            traced: traced(2),
        })
    );
    assert_eq!(files.handle_scan(scan(&edited)), None);
}

#[test]
fn of_two_files_of_one_document_the_first_by_name_is_in_force() {
    let mut files = files();
    files.handle_scan(scan(&[("routes/a.yaml", "y")]));
    let both = scan(&[("routes/a.yaml", "y"), ("routes/a.json", "j")]);
    let json = Change::Put(document_of("routes/a", "routes/a.json", "j", 2));
    assert_eq!(
        files.handle_scan(both),
        Some(Event::Changed {
            revision: 2,
            changes: vec![json],
            traced: traced(2),
        })
    );
    let said: Vec<_> = files.strays.iter().collect();
    assert_eq!(
        said,
        ["routes/a.yaml is left out: /etc/chancery/routes/a.json is the same document"]
    );

    let yaml = Change::Put(document_of("routes/a", "routes/a.yaml", "y", 3));
    let one = scan(&[("routes/a.yaml", "y")]);
    assert_eq!(
        files.handle_scan(one),
        Some(Event::Changed {
            revision: 3,
            changes: vec![yaml],
            traced: traced(3),
        })
    );
}

#[test]
fn other_files_are_no_documents_and_are_named_where_they_look_like_a_mistake() {
    let mut files = files();
    let others = [
        ("README.md", "r"),
        ("echo.yaml", "e"),
        ("routes/a.jsn", "a"),
    ];
    let listed = files.handle_scan(scan(&others));
    assert_eq!(
        listed,
        Some(Event::Listed {
            revision: 1,
            documents: vec![]
        })
    );
    let said: Vec<_> = files
        .strays
        .iter()
        .map(|said| said.split(' ').next().unwrap())
        .collect();
    assert_eq!(said, ["echo.yaml", "routes/a.jsn"]);
}

#[test]
fn a_deeper_file_is_a_document_that_the_model_refuses_by_name() {
    assert_eq!(
        document("consumers/x/credentials/y.yaml"),
        Some(("consumers/x/credentials/y", Format::Yaml))
    );
    assert_eq!(
        document("routes/v1.2.json"),
        Some(("routes/v1.2", Format::Json))
    );
}

#[tokio::test]
async fn a_folder_is_listed_and_followed_without_its_instances() {
    let folder = tempfile::tempdir().unwrap();
    for kind in ["routes", "instances"] {
        std::fs::create_dir(folder.path().join(kind)).unwrap();
    }
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("routes/a.yaml", "1");
    write("instances/echo.yaml", "1");
    let ((wish, wishes), (sender, mut events)) = (mpsc::channel(1), mpsc::channel(8));
    let shutdown = CancellationToken::new();
    let within = folder.path().to_owned();
    let watching = watch(
        within,
        Source::new("files"),
        wishes,
        sender,
        shutdown.clone(),
    );
    let store = tokio::spawn(watching);
    let mut next = async || {
        tokio::time::timeout(Duration::from_secs(20), events.recv())
            .await
            .unwrap()
    };

    let Some(Event::Listed {
        revision: 1,
        documents,
    }) = next().await
    else {
        panic!("no listing")
    };
    assert_eq!(
        documents.iter().map(|it| &*it.path).collect::<Vec<_>>(),
        ["routes/a"]
    );

    write("instances/echo.yaml", "2");
    write("routes/a.yaml", "2");
    let Some(Event::Changed {
        revision: 2,
        changes,
        ..
    }) = next().await
    else {
        panic!("no change")
    };
    let [Change::Put(document)] = &changes[..] else {
        panic!("{changes:?}")
    };
    assert_eq!(
        (&*document.path, &document.value[..]),
        ("routes/a", &b"2"[..])
    );

    let path: Arc<str> = "routes/a".into();
    wish.send(PriorRevision {
        path: Arc::clone(&path),
        revision: 2,
    })
    .await
    .unwrap();
    assert_eq!(
        next().await,
        Some(Event::PriorRevision {
            path,
            document: None
        })
    );

    shutdown.cancel();
    tokio::time::timeout(Duration::from_secs(20), store)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(next().await, None);
}
