use super::of;

/// Sizes as Envoy 1.40 names them when its bound is 1.
const MEASURED: &[(&str, u64)] = &[
    (r"a", 5),
    (r".*", 6),
    (r"[^/]+", 7),
    (r"\W", 9),
    (r"\w", 7),
    (r"\d{10}", 14),
    (r"(abc|def|ghi)", 15),
    (r"(?i)abc", 7),
    (r"a{2,5}", 12),
    (r"(a{2,5}){3}", 34),
    (r"[a-z0-9]{1,30}", 93),
    (r"(.{0,20})", 66),
    (r"\bab\b", 8),
    (r"()", 6),
    (r"a|", 6),
    (r"x*y+z?", 10),
    (r"[^/]{20}", 44),
    (r"(a(b(c(d))))", 16),
    (r"^/testecho/(.*)", 8),
    (r"^/api/v[0-9]+/([a-zA-Z0-9_-]+)/(\d+)/(.*)$", 24),
    (r"^(.*?)(?:/api/v[0-9]+/([a-zA-Z0-9_-]+)/(\d+)/(.*)$)", 32),
    (
        r"^/some/long/literal/path/that/goes/on/and/on/and/on/until/it/is/rather/long/indeed/more/and/more/(.*)",
        8,
    ),
    (r"^/([0-9a-f]{8})-([0-9a-f]{4})", 33),
];

#[test]
fn the_bound_lies_above_what_envoy_measures_and_not_far() {
    for (pattern, measured) in MEASURED {
        let bound = of(pattern);
        assert!(bound >= *measured, "{pattern}: {bound} under {measured}");
        assert!(
            bound <= 2 * measured + 20,
            "{pattern}: {bound} far over {measured}"
        );
    }
}

#[test]
fn repetitions_of_repetitions_do_not_overflow() {
    let nested = format!("{}a{}", "(".repeat(12), "{1000}){1000}".repeat(6));
    assert!(of(&nested) > 1_000_000);
}
