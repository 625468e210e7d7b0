use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use bytes::Bytes;
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;

const CHUNK: usize = 64 << 10;
/// For what must come.
const PATIENCE: Duration = Duration::from_secs(180);

/// An answer of that many chunks, that never ends where it stalls; `given` counts its bytes.
fn answer(chunks: usize, stalls: bool, given: &Arc<AtomicUsize>) -> reqwest::Response {
    let given = given.clone();
    let chunks = stream::iter(0..chunks).map(move |_| {
        given.fetch_add(CHUNK, Ordering::SeqCst);
        Ok::<_, Infallible>(Frame::data(Bytes::from_static(&[b' '; CHUNK])))
    });
    // Others have a turn between two chunks.
    let chunks = chunks.then(async |chunk| {
        tokio::task::yield_now().await;
        chunk
    });
    let body = if stalls {
        reqwest::Body::wrap(StreamBody::new(chunks.chain(stream::pending())))
    } else {
        reqwest::Body::wrap(StreamBody::new(chunks))
    };
    http::Response::new(body).into()
}

#[tokio::test]
async fn what_is_read_at_a_time_is_bounded_however_many_answers_come() {
    let turns = Turns::default();
    let held = Arc::new(AtomicUsize::new(0));
    let most = AtomicUsize::new(0);
    let read = async |mut response| {
        let body = turns.read(&mut response).await.unwrap();
        most.fetch_max(held.load(Ordering::SeqCst), Ordering::SeqCst);
        held.fetch_sub(body.bytes.len(), Ordering::SeqCst);
        body.bytes.len()
    };
    // 150 of 4 MiB: 600 MiB in all.
    let reads = (0..150).map(|_| read(answer(64, false, &held)));
    assert!(
        join_all(reads)
            .await
            .into_iter()
            .all(|read| read == 4 << 20)
    );
    let allowed = 150 * (SMALL + 2 * CHUNK) + TURNS * (4 << 20);
    let most = most.into_inner();
    assert!(most <= allowed, "{most} of {allowed}");
}

#[tokio::test]
async fn a_small_answer_waits_for_nobody_and_who_stalls_loses_its_turn() {
    let turns = Turns {
        read: Duration::from_secs(1),
        ..Turns::default()
    };
    let given = Arc::default();
    let stalled = |chunks| {
        let (turns, mut response) = (turns.clone(), answer(chunks, true, &given));
        tokio::spawn(async move { turns.read(&mut response).await.map(|body| body.bytes.len()) })
    };
    let since = Instant::now();
    let stuck: Vec<_> = [100, 200].repeat(TURNS).into_iter().map(stalled).collect();
    let free = |turns: &Turns| turns.large.available_permits();
    while free(&turns) > 0 && since.elapsed() < PATIENCE {
        tokio::task::yield_now().await;
    }
    let small = turns.read(&mut answer(2, false, &given)).await.unwrap();
    assert_eq!(small.bytes.len(), 2 * CHUNK);
    let mut large = answer(70, false, &given);
    let large = turns.read(&mut large);
    let large = timeout(PATIENCE, large).await.unwrap().unwrap();
    assert_eq!(large.bytes.len(), 70 * CHUNK);
    drop(large);
    for ended in join_all(stuck).await {
        let ended = ended.unwrap();
        assert!(matches!(ended, Err(Error::Slow(_))), "{ended:?}");
    }
    assert_eq!(free(&turns), TURNS);
}

#[tokio::test]
async fn a_body_has_a_bound() {
    let given = Arc::default();
    let mut endless = answer(usize::MAX, false, &given);
    let ended = Body::small(&mut endless).await;
    assert!(matches!(ended, Err(Error::TooLarge(SMALL))), "{ended:?}");
}
