//! Times as they are written on the command line.

use std::time::Duration;

use super::duration;

#[test]
fn times_have_a_unit() {
    assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
    assert_eq!(duration("10s"), Ok(Duration::from_secs(10)));
    assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
    for wrong in ["", "10", "s", "1.5s", "-1s", "10 s", "1h", "10sé"] {
        assert!(duration(wrong).is_err(), "{wrong}");
    }
}
