use super::*;

#[tokio::test]
async fn a_task_that_ends_early_is_named_with_its_reason() {
    let mut tasks = Tasks::new(CancellationToken::new());
    tasks.spawn_dropped("another", pending());
    tasks.spawn("sources", async {});
    let said = tasks.first_ended().await.to_string();
    assert_eq!(said, "a task ended unexpectedly: sources: it returned");
    tasks.spawn("control", async { panic!("no such gateway") });
    let said = tasks.first_ended().await.to_string();
    assert!(
        said.contains("control") && said.contains("no such gateway"),
        "{said}"
    );
}

#[tokio::test]
async fn tasks_that_do_not_hear_are_left_behind() {
    let mut tasks = Tasks::new(CancellationToken::new());
    tasks.spawn_dropped("hears", pending());
    assert!(tasks.end(Duration::from_secs(180)).await);
    let mut tasks = Tasks::new(CancellationToken::new());
    tasks.spawn("deaf", pending());
    assert!(!tasks.end(Duration::ZERO).await);
}

#[tokio::test]
async fn a_task_apart_computes_while_others_go_on() {
    let mut tasks = Tasks::new(CancellationToken::new());
    let shutdown = tasks.shutdown.clone();
    let (others, computing) = std::sync::mpsc::channel();
    let (sender, done) = tokio::sync::oneshot::channel();
    // Blocks its thread until another task has run.
    tasks.spawn_apart("control", async move {
        computing.recv().unwrap();
        let _ = sender.send(());
        shutdown.cancelled().await;
    });
    tasks.spawn_dropped("health", async move {
        others.send(()).unwrap();
        pending().await
    });
    let all = Duration::from_secs(180);
    tokio::time::timeout(all, done).await.unwrap().unwrap();
    assert!(tasks.end(all).await);

    let mut tasks = Tasks::new(CancellationToken::new());
    tasks.spawn_apart("control", async { panic!("no such gateway") });
    let said = tasks.first_ended().await.to_string();
    assert!(
        said.contains("control") && said.contains("no such gateway"),
        "{said}"
    );
}
