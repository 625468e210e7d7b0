//! How large a pattern becomes in Envoy. A program of more than 100 instructions is refused there, and with it the whole
//! route table that it stands in; so it is refused here, on the safe side.

use regex_syntax::ParserBuilder;
use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{AssertionKind, Ast, RepetitionKind, RepetitionRange};
use regex_syntax::hir::{Class, HirKind};

/// Envoy's bound, `re2.max_program_size.error_level`, unless its bootstrap says otherwise.
pub const BOUND: u64 = 100;

/// What every program has.
const FRAME: u64 = 4;

/// An upper bound of the instructions of RE2's program.
pub fn of(pattern: &str) -> u64 {
    let ast = match Parser::new().parse(pattern) {
        Ok(ast) => ast,
        Err(_) => return u64::MAX,
    };
    let cost = match &ast {
        Ast::Concat(concat) => sum(after_the_start(&concat.asts), pattern),
        other => cost(other, pattern),
    };
    cost.saturating_add(FRAME)
}

/// RE2 compares the letters right after `^` without a program.
fn after_the_start(asts: &[Ast]) -> &[Ast] {
    let [Ast::Assertion(first), rest @ ..] = asts else {
        return asts;
    };
    if !matches!(
        first.kind,
        AssertionKind::StartLine | AssertionKind::StartText
    ) {
        return asts;
    }
    let is_letter = |ast: &&Ast| matches!(ast, Ast::Literal(_));
    &rest[rest.iter().take_while(is_letter).count()..]
}

fn sum(asts: &[Ast], pattern: &str) -> u64 {
    asts.iter()
        .map(|ast| cost(ast, pattern))
        .fold(0, u64::saturating_add)
}

fn cost(ast: &Ast, pattern: &str) -> u64 {
    match ast {
        Ast::Empty(_) | Ast::Literal(_) | Ast::Assertion(_) => 1,
        Ast::Flags(_) => 0,
        Ast::Dot(_) => 2,
        Ast::ClassUnicode(_) | Ast::ClassPerl(_) | Ast::ClassBracketed(_) => {
            let span = ast.span();
            ranges(&pattern[span.start.offset..span.end.offset])
        }
        Ast::Group(group) => cost(&group.ast, pattern).saturating_add(2),
        Ast::Concat(concat) => sum(&concat.asts, pattern),
        Ast::Alternation(alternation) => {
            sum(&alternation.asts, pattern).saturating_add(alternation.asts.len() as u64)
        }
        Ast::Repetition(repetition) => {
            let (copies, forks) = copies(&repetition.op.kind);
            cost(&repetition.ast, pattern)
                .saturating_mul(copies)
                .saturating_add(forks)
        }
    }
}

/// How often a repeated part stands in the program, and how many decisions lie between.
fn copies(kind: &RepetitionKind) -> (u64, u64) {
    match kind {
        RepetitionKind::ZeroOrOne | RepetitionKind::ZeroOrMore | RepetitionKind::OneOrMore => {
            (1, 1)
        }
        RepetitionKind::Range(range) => match *range {
            RepetitionRange::Exactly(times) => (times.into(), 0),
            RepetitionRange::AtLeast(least) => (u64::from(least).max(1), 1),
            RepetitionRange::Bounded(least, most) => {
                (most.into(), u64::from(most.saturating_sub(least)))
            }
        },
    }
}

/// The ranges of bytes that a class is made of; twice as many as without regard to case.
fn ranges(class: &str) -> u64 {
    let hir = ParserBuilder::new()
        .unicode(false)
        .utf8(false)
        .build()
        .parse(class);
    match hir.as_ref().map(|hir| hir.kind()) {
        Ok(HirKind::Class(Class::Bytes(class))) => 2 * class.ranges().len() as u64,
        Ok(HirKind::Class(Class::Unicode(class))) => 2 * class.ranges().len() as u64,
        Ok(_) => 2,
        Err(_) => u64::MAX,
    }
}

#[cfg(test)]
mod tests;
