use std::time::Duration;

use super::{BLOCKING, Budget, IMMEDIATE, ROUND, turn};

const WAIT: Duration = Duration::from_secs(10);

#[test]
fn all_places_together_stay_below_what_consul_allows_a_client() {
    const { assert!(BLOCKING + IMMEDIATE < 200) }
}

#[test]
fn a_query_blocks_in_full_while_every_service_has_a_place() {
    assert_eq!(turn(0, WAIT), WAIT);
    assert_eq!(turn(BLOCKING, WAIT), WAIT);
}

#[test]
fn services_beyond_the_places_share_a_round() {
    assert_eq!(turn(2 * BLOCKING, WAIT), ROUND / 2);
    assert_eq!(
        turn(BLOCKING + 1, Duration::from_secs(1)),
        Duration::from_secs(1)
    );
    assert_eq!(turn(1_000_000, WAIT), Duration::from_millis(50));
}

#[tokio::test]
async fn a_long_query_makes_room_when_places_become_scarce() {
    let budget = Budget::new(WAIT);
    budget.handle_watched(1);
    let turn = budget.turn();
    let crowded = budget.crowded(turn);
    let grown = async { budget.handle_watched(BLOCKING + 1) };
    tokio::time::timeout(WAIT, async { tokio::join!(crowded, grown) })
        .await
        .unwrap();
}
