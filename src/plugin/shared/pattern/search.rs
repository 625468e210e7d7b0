//! A pattern of PCRE that is looked for anywhere in a text, as Envoy's matcher of whole texts.

use envoy_types::pb::envoy::r#type::matcher::v3::string_matcher::MatchPattern;
use envoy_types::pb::envoy::r#type::matcher::v3::{RegexMatcher, StringMatcher};
use regex_syntax::ast::Ast;

use crate::model::decode::quoted;
use crate::model::pattern::{size, syntax};

/// The texts in which `written` matches somewhere.
pub fn search(written: &str, ignore_case: bool) -> Result<StringMatcher, String> {
    let (ast, _) = syntax::checked(written)?;
    if let Some(text) = letters(&ast) {
        return Ok(StringMatcher {
            match_pattern: Some(MatchPattern::Contains(text)),
            ignore_case,
        });
    }
    let flags = if ignore_case { "i" } else { "" };
    let pattern = format!(".*(?{flags}:{written}).*");
    if size::of(&pattern) > size::BOUND {
        return Err(format!(
            "found {}, which is too large for Envoy: allowed: fewer or shorter repetitions and choices",
            quoted(written)
        ));
    }
    Ok(StringMatcher {
        match_pattern: Some(MatchPattern::SafeRegex(RegexMatcher {
            regex: pattern,
            engine_type: None,
        })),
        ignore_case: false,
    })
}

/// The text of a pattern that stands for itself: most do.
fn letters(ast: &Ast) -> Option<String> {
    let parts = match ast {
        Ast::Concat(concat) => concat.asts.as_slice(),
        one => std::slice::from_ref(one),
    };
    let letter = |ast: &Ast| match ast {
        Ast::Literal(literal) => Some(literal.c),
        _ => None,
    };
    parts.iter().map(letter).collect()
}
