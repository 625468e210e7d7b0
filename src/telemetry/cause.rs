//! What an error comes from, without what stands around it: that often repeats itself, or quotes an address which may hold a secret.

use std::error::Error;

/// The cause at the bottom: what the operating system, TLS or a server said.
pub fn innermost<'a>(error: &'a (dyn Error + 'static)) -> &'a (dyn Error + 'static) {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause
}

/// Why a server gave no answer. The client's own words have the address in them, so where there are no others it is said without them.
pub fn unanswered(error: &reqwest::Error) -> String {
    let cause = innermost(error);
    match cause.downcast_ref::<reqwest::Error>() {
        Some(_) if error.is_timeout() => "no answer in time".to_owned(),
        Some(_) => "no answer".to_owned(),
        None => cause.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("around http://a/planted")]
    struct Around(#[source] io::Error);

    #[test]
    fn what_stands_around_a_cause_is_left_out() {
        let error = Around(io::Error::other("below"));
        assert_eq!(innermost(&error).to_string(), "below");
    }

    #[test]
    fn an_address_is_not_told() {
        let answer = http::Response::builder().status(500).body("").unwrap();
        let error = reqwest::Response::from(answer).error_for_status();
        let error = error.unwrap_err();
        assert!(error.to_string().contains("http://"), "{error}");
        assert_eq!(unanswered(&error), "no answer");
    }
}
