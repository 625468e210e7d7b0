use std::convert::Infallible;

use envoy_types::pb::envoy::service::discovery::v3::DiscoveryRequest;
use futures_util::FutureExt;
use http_body::Frame;
use http_body_util::StreamBody;
use prost::Message;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;

use super::*;

type Pieces = mpsc::Sender<Result<Frame<Bytes>, Infallible>>;

/// For what must come, and for what must not.
const PATIENCE: Duration = Duration::from_secs(180);
const SHORT: Duration = Duration::from_millis(50);

fn requests(room: &Arc<Room>, patience: Duration) -> (Pieces, Requests<DiscoveryRequest>) {
    let (sender, pieces) = mpsc::channel(1000);
    let body = StreamBody::new(ReceiverStream::new(pieces));
    (sender, Requests::new(body, room.clone(), 1 << 20, patience))
}

/// A request of about that many bytes, as gRPC frames it.
fn framed(version: &str, bytes: usize) -> Vec<u8> {
    let request = DiscoveryRequest {
        version_info: version.to_owned(),
        resource_names: vec!["x".repeat(bytes)],
        ..DiscoveryRequest::default()
    };
    let mut framed = vec![0];
    framed.extend(u32::try_from(request.encoded_len()).unwrap().to_be_bytes());
    request.encode(&mut framed).unwrap();
    framed
}

async fn send(pieces: &Pieces, bytes: &[u8]) {
    let frame = Frame::data(Bytes::copy_from_slice(bytes));
    pieces.send(Ok(frame)).await.unwrap();
}

#[tokio::test]
async fn requests_come_whole_however_they_are_cut_and_nothing_of_them_is_kept() {
    let room = Arc::new(Room::new(4 << 20, 1 << 20));
    let sizes = [0, 10, 70_000, 500_000, 3];
    let all: Vec<u8> = sizes.iter().flat_map(|size| framed("v", *size)).collect();
    for cut in [1, 5, 1000, 70_003, all.len()] {
        let (pieces, mut requests) = requests(&room, PATIENCE);
        let sending = async {
            for piece in all.chunks(cut.max(all.len() / 900)) {
                send(&pieces, piece).await;
            }
            drop(pieces);
        };
        let reading = async {
            for size in sizes {
                let request = requests.next().await.unwrap().unwrap();
                assert_eq!(request.resource_names[0].len(), size);
            }
            assert!(requests.next().await.unwrap().is_none());
            assert!(requests.buffer.capacity() < SMALL, "given back");
        };
        tokio::join!(sending, reading);
    }
    assert_eq!(room.bytes.available_permits(), 4 << 20);
}

#[tokio::test]
async fn large_requests_take_turns_and_small_ones_do_not_wait() {
    let room = Arc::new(Room::new(1 << 20, 1 << 20));
    let large = framed("large", 700_000);
    let (stalled, mut first) = requests(&room, PATIENCE);
    send(&stalled, &large[..100_000]).await;
    assert!(first.next().now_or_never().is_none());
    let (waiting, mut second) = requests(&room, PATIENCE);
    send(&waiting, &large).await;
    assert!(second.next().now_or_never().is_none());
    let (quick, mut third) = requests(&room, PATIENCE);
    send(&quick, &framed("small", 100)).await;
    assert!(third.next().await.unwrap().is_some());
    // The first goes on: the second has its turn.
    send(&stalled, &large[100_000..]).await;
    assert!(first.next().await.unwrap().is_some());
    assert!(second.next().await.unwrap().is_some());
    // One that stalls for good loses its stream, and its room.
    let (stalled, mut first) = requests(&room, SHORT);
    send(&stalled, &large[..100_000]).await;
    let ended = first.next().await.unwrap_err();
    assert!(
        matches!(ended, Broken::Refused(NotAdmitted::Silent(_))),
        "{ended:?}"
    );
    drop(first);
    assert_eq!(room.bytes.available_permits(), 1 << 20);
}

#[tokio::test]
async fn who_waits_for_room_too_long_is_told_so() {
    let room = Arc::new(Room::new(1 << 20, 1 << 20));
    let _all = room.bytes.acquire_many(1 << 20).await.unwrap();
    let (pieces, mut requests) = requests(&room, SHORT);
    send(&pieces, &framed("large", 700_000)).await;
    let ended = requests.next().await.unwrap_err();
    assert!(
        matches!(ended, Broken::Refused(NotAdmitted::Crowded(_))),
        "{ended:?}"
    );
}

#[tokio::test]
async fn what_is_no_message_is_refused() {
    let room = Arc::new(Room::new(1 << 20, 1 << 20));
    for (bytes, expected) in [
        (vec![1, 0, 0, 0, 0], "malformed"),
        (vec![0, 0xff, 0xff, 0xff, 0xff], "request_size"),
        (vec![0, 0, 0, 0, 9, 1], "malformed"),
        (vec![0, 0, 0, 0, 2, 0xff, 0xff], "malformed"),
    ] {
        let (pieces, mut requests) = requests(&room, PATIENCE);
        send(&pieces, &bytes).await;
        drop(pieces);
        match requests.next().await {
            Err(Broken::Refused(refusal)) => assert_eq!(refusal.reason(), expected),
            other => panic!("{bytes:?}: {other:?}"),
        }
    }
}
