//! What becomes of a step that does not end as it should.

use super::*;

#[tokio::test]
async fn a_fault_of_chancery_is_called_one() {
    let faulty = apart::<()>(async { panic!("index out of bounds") }).await;
    assert!(matches!(faulty, Err(DrainError::Internal(_))), "{faulty:?}");
}

#[tokio::test]
async fn a_step_that_breaks_off_is_noted() {
    let (trail, mut records) = Trail::new();
    let broken = apart::<()>(async move {
        let mut deed = Deed::new(&trail, "drain", "deploy", "10.0.0.1");
        deed.drain = "1".into();
        panic!("index out of bounds")
    });
    assert!(broken.await.is_err());
    let record = records.try_recv().unwrap();
    assert_eq!((&*record.step, &*record.result), ("fault", "failed"));
    assert_eq!((&*record.drain, &*record.who), ("1", "deploy"));
}
