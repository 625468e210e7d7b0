use super::*;

/// How long to wait for what must come.
const PATIENCE: Duration = Duration::from_secs(180);

/// A supervised server whose loop is the test.
struct Scene {
    served: watch::Sender<bool>,
    asked: mpsc::Receiver<Question>,
    told: mpsc::UnboundedReceiver<String>,
    shutdown: CancellationToken,
}

impl Scene {
    fn new(watchdog: Option<Duration>) -> Self {
        let (served, serves) = watch::channel(false);
        let (questions, asked) = mpsc::channel(1);
        let (teller, told) = mpsc::unbounded_channel();
        let shutdown = CancellationToken::new();
        let supervised = Supervised {
            served: serves,
            questions,
            watchdog,
            shutdown: shutdown.clone(),
        };
        let tell = move |states: &[NotifyState]| {
            for state in states {
                let _ = teller.send(state.to_string());
            }
        };
        tokio::spawn(supervised.run(|| "well".to_owned(), tell));
        Self {
            served,
            asked,
            told,
            shutdown,
        }
    }

    async fn question(&mut self) -> oneshot::Sender<()> {
        let asked = tokio::time::timeout(PATIENCE, self.asked.recv()).await;
        match asked.unwrap() {
            Some(Question::Alive(answer)) => answer,
            other => panic!("{other:?}"),
        }
    }

    async fn told(&mut self) -> String {
        let told = tokio::time::timeout(PATIENCE, self.told.recv()).await;
        told.unwrap().unwrap()
    }
}

#[tokio::test]
async fn it_is_ready_once_something_is_served_and_says_that_it_ends() {
    let mut scene = Scene::new(None);
    // It lives, and is not ready.
    scene.question().await.send(()).unwrap();
    assert_eq!(scene.told().await, "STATUS=well");
    scene.served.send_replace(true);
    assert_eq!(scene.told().await, "READY=1");
    assert_eq!(scene.told().await, "STATUS=well");
    scene.shutdown.cancel();
    assert_eq!(scene.told().await, "STOPPING=1");
}

#[tokio::test]
async fn a_loop_that_hangs_is_not_called_alive() {
    let mut scene = Scene::new(Some(Duration::from_millis(3)));
    for _ in 0..3 {
        let answer = scene.question().await;
        // Many periods later there is still nothing to tell, and no second question.
        tokio::time::sleep(Duration::from_millis(60)).await;
        assert!(scene.told.try_recv().is_err());
        assert!(scene.asked.try_recv().is_err());
        answer.send(()).unwrap();
        assert_eq!(scene.told().await, "WATCHDOG=1");
        assert_eq!(scene.told().await, "STATUS=well");
    }
    // A loop that is gone is none that lives, and the end is told all the same.
    drop(scene.question().await);
    scene.shutdown.cancel();
    assert_eq!(scene.told().await, "STOPPING=1");
}
