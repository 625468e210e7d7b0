use super::*;

#[test]
fn first_change_goes_at_once_and_a_burst_is_merged() {
    let start = Instant::now();
    let at = |ms| start + Duration::from_millis(ms);
    let mut pace = Pace::default();
    assert!(pace.admits(at(0)));
    assert_eq!(pace.due(at(7)), at(7));
    pace.published(at(0));
    assert_eq!(pace.due(at(1)), at(25));
    assert_eq!(pace.due(at(30)), at(30));
    assert!(!pace.admits(at(24)));
    assert!(pace.admits(at(25)));
    pace.published(at(25));
    assert!(
        !pace.admits(at(74)),
        "within the burst the pause has doubled"
    );
    for ms in [75, 175, 275, 375] {
        assert!(pace.admits(at(ms)));
        pace.published(at(ms));
    }
    assert!(!pace.admits(at(474)));
    assert!(pace.admits(at(475)), "no pause is longer than 100 ms");
    pace.published(at(2000));
    assert!(pace.admits(at(2025)), "after the burst it is short again");
}
