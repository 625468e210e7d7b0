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
