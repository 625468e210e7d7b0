use proptest::prelude::*;

use super::Rewrite;

fn read(pattern: &str, template: &str) -> Rewrite {
    Rewrite::read(&[pattern.to_owned(), template.to_owned()], true).unwrap()
}

/// What Envoy makes of a path: it replaces every place that matches.
fn by_envoy(rewrite: &Rewrite, path: &str) -> String {
    let escaped = rewrite.substitution.replace('$', "$$");
    let template = regex::Regex::new(r"\\(\d)")
        .unwrap()
        .replace_all(&escaped, "$${$1}");
    regex::Regex::new(&rewrite.pattern)
        .unwrap()
        .replace_all(path, &*template)
        .into_owned()
}

/// What nginx makes of it: it replaces the first place that matches.
fn by_nginx(pattern: &str, template: &str, path: &str) -> String {
    regex::Regex::new(pattern)
        .unwrap()
        .replace(path, template)
        .into_owned()
}

#[test]
fn a_pattern_without_a_start_is_given_one() {
    let table = [
        ("^/a/(.*)", "/$1", "^/a/(.*)", "/\\1"),
        ("^/a|^/b", "/c", "^/a|^/b", "/c"),
        ("(^/a)/(b)", "/$2", "(^/a)/(b)", "/\\2"),
        ("/a", "/b", "^(.*?)(?:/a)", "\\1/b"),
        ("^/a|/b", "/c", "^(.*?)(?:^/a|/b)", "\\1/c"),
        ("/(a)(b)", "/${2}1", "^(.*?)(?:/(a)(b))", "\\1/\\31"),
        ("/a$", "$$1", "^(.*?)(?:/a$)", "\\1$1"),
    ];
    for (pattern, template, regex, substitution) in table {
        let rewrite = read(pattern, template);
        assert_eq!(rewrite.pattern, regex, "of {pattern}");
        assert_eq!(rewrite.substitution, substitution, "of {template}");
    }
}

proptest! {
    /// Patterns of RE2 and paths in which they match often and more than once.
    #[test]
    fn envoy_replaces_what_nginx_does(
        start in prop::sample::select(vec!["", "^"]),
        first in "[ab/]{1,3}|\\([ab/]{1,2}\\)[*+?]?|[ab/]\\*\\??",
        second in "|\\|[ab/]{1,2}|\\(\\.\\*\\)\\$?",
        path in "/[ab/]{0,8}",
    ) {
        let pattern = format!("{start}{first}{second}");
        let rewrite = read(&pattern, "/x");
        prop_assert_eq!(by_envoy(&rewrite, &path), by_nginx(&pattern, "/x", &path), "{}", pattern);
    }
}
