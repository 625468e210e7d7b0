//! Scans of real folders; where a moment counts, time is an argument.

use std::fs;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::tree::Tree;
use super::{Scan, watch};
use crate::telemetry::Source;

const DEADLINE: Duration = Duration::from_secs(20);

fn all(_: &str) -> bool {
    true
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        write(&folder, name, text);
    }
    folder
}

fn write(folder: &TempDir, name: &str, text: &str) {
    let path = folder.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

fn scan(files: &[(&str, &str)]) -> Scan {
    let owned = |(name, text): &(&str, &str)| ((*name).into(), text.to_string().into());
    Scan(files.iter().map(owned).collect())
}

/// Looks until nothing is due any more, in steps of a clock of its own.
fn settle(tree: &mut Tree, now: &mut Instant) -> bool {
    let mut changed = false;
    for _ in 0..100 {
        let looked = tree.look(*now);
        changed |= looked.changed;
        match looked.due {
            Some(due) => *now += due,
            None => return changed,
        }
    }
    panic!("never settles");
}

fn settled(folder: &TempDir) -> (Tree, Instant) {
    let (mut tree, mut now) = (Tree::new(folder.path().into(), all), Instant::now());
    settle(&mut tree, &mut now);
    (tree, now)
}

#[test]
fn a_scan_holds_what_the_files_hold_without_what_editors_leave_behind() {
    let folder = folder(&[
        ("routes/a.yaml", "a"),
        ("routes/.a.yaml.swp", "x"),
        ("routes/a.yaml~", "x"),
        ("routes/b.tmp", "x"),
        (".git/config", "x"),
        ("consumers/x/credentials/y.json", "y"),
        ("README.md", "r"),
    ]);
    let (tree, _) = settled(&folder);
    let expected = [
        ("README.md", "r"),
        ("consumers/x/credentials/y.json", "y"),
        ("routes/a.yaml", "a"),
    ];
    assert_eq!(tree.scan(), scan(&expected));
}

#[test]
fn a_truncated_file_keeps_its_form_until_it_is_written() {
    let folder = folder(&[("routes/a.yaml", "old")]);
    let (mut tree, mut now) = settled(&folder);

    write(&folder, "routes/a.yaml", "");
    for _ in 0..5 {
        now += Duration::from_millis(100);
        assert!(!tree.look(now).changed);
    }
    assert_eq!(tree.scan(), scan(&[("routes/a.yaml", "old")]));

    write(&folder, "routes/a.yaml", "new");
    assert!(settle(&mut tree, &mut now));
    assert_eq!(tree.scan(), scan(&[("routes/a.yaml", "new")]));

    write(&folder, "routes/a.yaml", "");
    assert!(settle(&mut tree, &mut now), "empty for good is a form too");
    assert_eq!(tree.scan(), scan(&[("routes/a.yaml", "")]));
}

#[test]
fn a_file_that_is_still_growing_is_not_read() {
    let folder = folder(&[("routes/a.yaml", "old")]);
    let (mut tree, mut now) = settled(&folder);
    for length in 1..20 {
        write(&folder, "routes/a.yaml", &"x".repeat(length));
        now += Duration::from_millis(15);
        assert!(!tree.look(now).changed);
    }
    assert!(settle(&mut tree, &mut now));
    assert_eq!(tree.scan(), scan(&[("routes/a.yaml", &"x".repeat(19))]));
}

#[test]
fn a_file_that_an_editor_moves_away_and_writes_anew_is_never_gone() {
    let folder = folder(&[("routes/a.yaml", "old"), ("routes/b.yaml", "b")]);
    let (mut tree, mut now) = settled(&folder);
    let path = folder.path().join("routes/a.yaml");
    let with = |text| scan(&[("routes/a.yaml", text), ("routes/b.yaml", "b")]);

    fs::rename(&path, folder.path().join("routes/a.yaml~")).unwrap();
    assert!(!tree.look(now).changed);
    now += Duration::from_millis(10);
    assert!(!tree.look(now).changed);
    assert_eq!(tree.scan(), with("old"));

    fs::write(&path, "new").unwrap();
    assert!(settle(&mut tree, &mut now));
    assert_eq!(tree.scan(), with("new"));

    fs::remove_file(&path).unwrap();
    assert!(settle(&mut tree, &mut now));
    assert_eq!(tree.scan(), scan(&[("routes/b.yaml", "b")]));
}

#[test]
fn a_touched_file_that_holds_the_same_is_no_change() {
    let folder = folder(&[("routes/a.yaml", "same")]);
    let (mut tree, mut now) = settled(&folder);
    write(&folder, "routes/a.yaml", "same");
    assert!(!settle(&mut tree, &mut now));
}

#[test]
fn what_cannot_be_looked_at_keeps_its_form() {
    let folder = folder(&[("routes/a.yaml", "a"), ("routes2/b.yaml", "b")]);
    let (mut tree, mut now) = settled(&folder);
    let before = tree.scan();

    // A symlink to itself cannot be followed by anybody, root included.
    fs::remove_dir_all(folder.path().join("routes")).unwrap();
    std::os::unix::fs::symlink("routes", folder.path().join("routes")).unwrap();
    assert!(!settle(&mut tree, &mut now));
    let problem = tree.look(now).problem.unwrap().to_string();
    assert!(problem.contains("/routes: "), "{problem}");
    assert_eq!(tree.scan(), before);

    fs::remove_file(folder.path().join("routes")).unwrap();
    assert!(settle(&mut tree, &mut now));
    assert_eq!(tree.scan(), scan(&[("routes2/b.yaml", "b")]));
}

#[test]
fn a_folder_that_vanishes_is_a_problem_and_not_empty() {
    let folder = folder(&[("routes/a.yaml", "a")]);
    let (mut tree, mut now) = settled(&folder);
    let away = folder.path().with_extension("away");
    fs::rename(folder.path(), &away).unwrap();
    for _ in 0..5 {
        now += Duration::from_secs(60);
        let looked = tree.look(now);
        assert!(!looked.found && !looked.changed && looked.problem.is_some());
    }
    assert_eq!(tree.scan(), scan(&[("routes/a.yaml", "a")]));
    fs::rename(&away, folder.path()).unwrap();
    assert!(!settle(&mut tree, &mut now));
}

#[test]
fn a_folder_that_is_emptied_keeps_what_it_held_until_it_has_files_again() {
    let all = [("gateways/g.yaml", "g"), ("routes/a.yaml", "a")];
    let folder = folder(&all);
    let (mut tree, mut now) = settled(&folder);
    for name in ["gateways", "routes"] {
        fs::remove_dir_all(folder.path().join(name)).unwrap();
    }
    for _ in 0..5 {
        assert!(!settle(&mut tree, &mut now));
        let problem = tree.look(now).problem.unwrap().to_string();
        assert!(problem.contains("no files are there any more"), "{problem}");
        now += Duration::from_secs(60);
    }
    assert_eq!(tree.scan(), scan(&all));

    // What comes back comes bit by bit.
    write(&folder, "gateways/g.yaml", "g");
    for _ in 0..20 {
        assert!(!tree.look(now).changed);
        now += Duration::from_millis(100);
    }
    write(&folder, "routes/b.yaml", "b");
    assert!(settle(&mut tree, &mut now));
    let after = [("gateways/g.yaml", "g"), ("routes/b.yaml", "b")];
    assert_eq!(tree.scan(), scan(&after));
    assert!(tree.look(now).problem.is_none());
}

#[test]
fn what_was_emptied_is_gone_once_that_is_said_to_be_meant() {
    let folder = folder(&[("gateways/g.yaml", "g"), ("routes/a.yaml", "a")]);
    let (mut tree, mut now) = settled(&folder);
    // Nothing is emptied yet: this is not for later.
    tree.accept_empty();
    for name in ["gateways", "routes"] {
        fs::remove_dir_all(folder.path().join(name)).unwrap();
    }
    assert!(!settle(&mut tree, &mut now));
    assert!(tree.look(now).emptied.is_some());
    tree.accept_empty();
    assert!(settle(&mut tree, &mut now));
    assert_eq!(tree.scan(), scan(&[]));
    let looked = tree.look(now);
    assert!(looked.problem.is_none() && looked.emptied.is_none());
    // It was meant once.
    write(&folder, "routes/a.yaml", "a");
    assert!(settle(&mut tree, &mut now));
    fs::remove_dir_all(folder.path().join("routes")).unwrap();
    assert!(!settle(&mut tree, &mut now));
    assert_eq!(tree.scan(), scan(&[("routes/a.yaml", "a")]));
}

#[test]
fn an_empty_folder_in_place_of_another_is_unknown_and_an_emptied_one_is_empty() {
    let folder = folder(&[
        ("gateways/g.yaml", "g"),
        ("routes/a.yaml", "a"),
        ("upstreams/u.yaml", "u"),
    ]);
    let (mut tree, mut now) = settled(&folder);
    let at = |name: &str| folder.path().join(name);
    // Somebody deleted the last route.
    fs::remove_file(at("routes/a.yaml")).unwrap();
    // What was mounted here is not any more: another folder is there.
    fs::rename(at("gateways"), at(".away")).unwrap();
    fs::create_dir(at("gateways")).unwrap();
    assert!(settle(&mut tree, &mut now));
    let held = [("gateways/g.yaml", "g"), ("upstreams/u.yaml", "u")];
    assert_eq!(tree.scan(), scan(&held));
    let problem = tree.look(now).problem.unwrap().to_string();
    assert!(problem.contains("/gateways"), "{problem}");

    fs::remove_dir(at("gateways")).unwrap();
    fs::rename(at(".away"), at("gateways")).unwrap();
    assert!(!settle(&mut tree, &mut now));
    assert!(tree.look(now).problem.is_none());
    fs::remove_dir_all(at("gateways")).unwrap();
    assert!(settle(&mut tree, &mut now), "removed on purpose");
    assert_eq!(tree.scan(), scan(&[("upstreams/u.yaml", "u")]));
}

#[test]
fn links_are_followed_within_the_folder_and_not_out_of_it() {
    let outside = folder(&[("secret.yaml", "secret"), ("routes/b.yaml", "b")]);
    let folder = folder(&[("routes/a.yaml", "a"), ("..data/c.yaml", "c")]);
    let link = |to: &std::path::Path, at: &str| {
        std::os::unix::fs::symlink(to, folder.path().join(at)).unwrap();
    };
    link(&outside.path().join("secret.yaml"), "routes/file.yaml");
    link(&outside.path().join("routes"), "upstreams");
    link(
        "../../../../../../../../etc/passwd".as_ref(),
        "routes/relative.yaml",
    );
    link("../..data/c.yaml".as_ref(), "routes/c.yaml");
    let (mut tree, now) = settled(&folder);
    let within = [("routes/a.yaml", "a"), ("routes/c.yaml", "c")];
    assert_eq!(tree.scan(), scan(&within));
    let problem = tree.look(now).problem.unwrap().to_string();
    assert!(problem.contains("leads out of the folder"), "{problem}");
}

#[test]
fn the_folder_itself_may_be_a_link() {
    let folder = folder(&[("routes/a.yaml", "a")]);
    let parent = tempfile::tempdir().unwrap();
    let link = parent.path().join("link");
    std::os::unix::fs::symlink(folder.path(), &link).unwrap();
    std::os::unix::fs::symlink("a.yaml", folder.path().join("routes/b.yaml")).unwrap();
    let (mut tree, mut now) = (Tree::new(link, all), Instant::now());
    settle(&mut tree, &mut now);
    let both = [("routes/a.yaml", "a"), ("routes/b.yaml", "a")];
    assert_eq!(tree.scan(), scan(&both));
}

#[test]
fn a_file_that_is_too_large_is_not_read() {
    let folder = folder(&[("routes/a.yaml", "a"), ("routes/b.yaml", "b")]);
    let (mut tree, mut now) = settled(&folder);
    // It has no content, and would take all memory.
    let sparse = fs::File::create(folder.path().join("routes/a.yaml")).unwrap();
    sparse.set_len(1 << 40).unwrap();
    assert!(!settle(&mut tree, &mut now));
    let problem = tree.look(now).problem.unwrap().to_string();
    assert!(problem.contains("found 1099511627776 bytes"), "{problem}");
    let before = [("routes/a.yaml", "a"), ("routes/b.yaml", "b")];
    assert_eq!(tree.scan(), scan(&before));
    sparse.set_len(0).unwrap();
    assert!(settle(&mut tree, &mut now));
}

#[test]
fn symlinks_that_lead_in_circles_come_to_an_end() {
    let folder = folder(&[("routes/a.yaml", "a")]);
    std::os::unix::fs::symlink("..", folder.path().join("routes/up")).unwrap();
    let (tree, _) = settled(&folder);
    assert!(tree.scan().0.contains_key("routes/a.yaml"));
}

struct Watched {
    scans: mpsc::Receiver<Scan>,
    source: Source,
    _stop: tokio_util::sync::DropGuard,
}

impl Watched {
    fn start(folder: &std::path::Path) -> Self {
        let (sender, scans) = mpsc::channel(16);
        let shutdown = CancellationToken::new();
        let source = Source::new("files");
        let (folder, told) = (folder.to_owned(), source.clone());
        let stop = shutdown.clone().drop_guard();
        tokio::spawn(async move { watch(folder, all, &told, sender, shutdown).await });
        Self {
            scans,
            source,
            _stop: stop,
        }
    }

    /// Waits until the files hold this.
    async fn until(&mut self, files: &[(&str, &str)]) {
        let expected = scan(files);
        let arrives = async { while self.scans.recv().await.unwrap() != expected {} };
        let arrived = tokio::time::timeout(DEADLINE, arrives).await;
        assert!(arrived.is_ok(), "never held {files:?}");
    }
}

#[tokio::test]
async fn folders_that_are_created_or_moved_in_are_followed() {
    let folder = folder(&[]);
    let mut watched = Watched::start(folder.path());
    watched.until(&[]).await;
    write(&folder, "routes/a.yaml", "a");
    watched.until(&[("routes/a.yaml", "a")]).await;
    write(&folder, "routes/a.yaml", "b");
    watched.until(&[("routes/a.yaml", "b")]).await;

    let outside = self::folder(&[("upstreams/u.yaml", "u")]);
    let moved = folder.path().join("upstreams");
    fs::rename(outside.path().join("upstreams"), &moved).unwrap();
    let both = [("routes/a.yaml", "b"), ("upstreams/u.yaml", "u")];
    watched.until(&both).await;

    fs::remove_dir_all(moved).unwrap();
    watched.until(&[("routes/a.yaml", "b")]).await;
}

#[tokio::test]
async fn a_config_map_is_swapped_as_a_whole() {
    let folder = folder(&[("..one/routes/a.yaml", "1"), ("..two/routes/b.yaml", "2")]);
    let link = |to: &str, at: &str| {
        std::os::unix::fs::symlink(to, folder.path().join(at)).unwrap();
    };
    link("..one", "..data");
    link("..data/routes", "routes");
    let mut watched = Watched::start(folder.path());
    watched.until(&[("routes/a.yaml", "1")]).await;

    link("..two", "..data_tmp");
    let at = |name: &str| folder.path().join(name);
    fs::rename(at("..data_tmp"), at("..data")).unwrap();
    watched.until(&[("routes/b.yaml", "2")]).await;
}

#[tokio::test]
async fn a_folder_that_comes_late_is_an_error_until_then() {
    let parent = folder(&[]);
    let late = parent.path().join("late");
    let mut watched = Watched::start(&late);
    let failing = async {
        while watched.source.report().error.is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(DEADLINE, failing).await.unwrap();
    assert!(watched.scans.try_recv().is_err());

    write(&parent, "late/routes/a.yaml", "a");
    watched.until(&[("routes/a.yaml", "a")]).await;
    assert_eq!(watched.source.report().error, None);
    write(&parent, "late/routes/a.yaml", "b");
    watched.until(&[("routes/a.yaml", "b")]).await;
}
