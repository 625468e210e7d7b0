//! What a pattern may hold: the part of PCRE that RE2 has too and means alike.

use regex_syntax::ast::parse::Parser;
use regex_syntax::ast::{
    AssertionKind, Ast, ClassSetBinaryOp, ClassSetItem, Flag, Flags, FlagsItemKind, GroupKind,
    HexLiteralKind, Literal, LiteralKind, RepetitionKind, RepetitionRange, SpecialLiteralKind,
    Visitor, visit,
};

use crate::model::decode::quoted;

/// The longest pattern that is read.
const LENGTH: usize = 1024;
/// RE2's bound of `{n}`.
const REPETITIONS: u32 = 1000;

/// Reads a pattern: its structure, and how many groups it captures.
pub fn checked(pattern: &str) -> Result<(Ast, u32), String> {
    if pattern.is_empty() || pattern.len() > LENGTH {
        return Err(format!(
            "found {} bytes, allowed: a pattern of 1–{LENGTH} bytes",
            pattern.len()
        ));
    }
    if !pattern.bytes().all(|b| matches!(b, b' '..=b'~')) {
        return Err(
            "found something else, allowed: printable ASCII, as in a path on the wire".into(),
        );
    }
    let ast = Parser::new()
        .parse(pattern)
        .map_err(|error| format!("found {}: {}", quoted(pattern), error.kind()))?;
    // Says the rest of what is no expression at all: bounds out of order, unknown classes.
    regex_syntax::parse(pattern)
        .map_err(|_| format!("found {}, which is no pattern", quoted(pattern)))?;
    let groups = visit(&ast, Portable { groups: 0 }).map_err(|what| {
        format!(
            "found {what} in {}, which Envoy does not have",
            quoted(pattern)
        )
    })?;
    Ok((ast, groups))
}

/// Refuses what PCRE and RE2 do not both have, or do not mean alike.
struct Portable {
    groups: u32,
}

impl Visitor for Portable {
    type Output = u32;
    type Err = &'static str;

    fn finish(self) -> Result<u32, Self::Err> {
        Ok(self.groups)
    }

    fn visit_pre(&mut self, ast: &Ast) -> Result<(), Self::Err> {
        match ast {
            Ast::Repetition(repetition) => {
                if matches!(*repetition.ast, Ast::Repetition(_)) {
                    return Err("a repetition of a repetition");
                }
                repetition_within(&repetition.op.kind)
            }
            Ast::Assertion(assertion) => match assertion.kind {
                AssertionKind::StartLine
                | AssertionKind::EndLine
                | AssertionKind::StartText
                | AssertionKind::EndText
                | AssertionKind::WordBoundary
                | AssertionKind::NotWordBoundary => Ok(()),
                _ => Err("a boundary other than `\\b` and `\\B`"),
            },
            Ast::Flags(set) => flags(&set.flags),
            Ast::Group(group) => match &group.kind {
                GroupKind::CaptureIndex(_) | GroupKind::CaptureName { .. } => {
                    self.groups += 1;
                    Ok(())
                }
                GroupKind::NonCapturing(set) => flags(set),
            },
            Ast::Literal(one) => literal(one),
            Ast::ClassUnicode(_) => Err("a Unicode class"),
            _ => Ok(()),
        }
    }

    fn visit_class_set_item_pre(&mut self, item: &ClassSetItem) -> Result<(), Self::Err> {
        match item {
            ClassSetItem::Bracketed(_) => {
                Err("a class within a class (write `\\[` for the letter)")
            }
            ClassSetItem::Unicode(_) => Err("a Unicode class"),
            ClassSetItem::Literal(one) => literal(one),
            ClassSetItem::Range(range) => literal(&range.start).and(literal(&range.end)),
            _ => Ok(()),
        }
    }

    fn visit_class_set_binary_op_pre(&mut self, _: &ClassSetBinaryOp) -> Result<(), Self::Err> {
        Err("an operation of classes (`&&`, `--`, `~~`)")
    }
}

fn repetition_within(kind: &RepetitionKind) -> Result<(), &'static str> {
    let most = match kind {
        RepetitionKind::Range(
            RepetitionRange::Exactly(most)
            | RepetitionRange::AtLeast(most)
            | RepetitionRange::Bounded(_, most),
        ) => *most,
        _ => 0,
    };
    match most {
        0..=REPETITIONS => Ok(()),
        _ => Err("a repetition of more than 1000 times"),
    }
}

fn flags(flags: &Flags) -> Result<(), &'static str> {
    let shared = |flag: &Flag| {
        matches!(
            flag,
            Flag::CaseInsensitive | Flag::DotMatchesNewLine | Flag::MultiLine
        )
    };
    let known = flags.items.iter().all(|item| match &item.kind {
        FlagsItemKind::Negation => true,
        FlagsItemKind::Flag(flag) => shared(flag),
    });
    known
        .then_some(())
        .ok_or("a flag other than `i`, `s` and `m`")
}

fn literal(literal: &Literal) -> Result<(), &'static str> {
    match literal.kind {
        LiteralKind::HexFixed(HexLiteralKind::X) | LiteralKind::HexBrace(HexLiteralKind::X) => {
            Ok(())
        }
        LiteralKind::HexFixed(_) | LiteralKind::HexBrace(_) => Err("a Unicode escape"),
        LiteralKind::Special(SpecialLiteralKind::VerticalTab) => Err("`\\v`"),
        _ => Ok(()),
    }
}
