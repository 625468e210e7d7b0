//! Ranges of whole numbers, and the patterns of their texts.
//!
//! A text is a number when it is digits with at most a `-` before them, however long. Lua takes more for numbers (`1.5`,
//! `0x10`, `1e3`); a document that compares numbers is told so.

use std::cmp::Ordering;
use std::fmt;

/// What is asked of a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Range {
    /// `==`
    Is(i64),
    /// `>=`
    From(i64),
    /// `<=`
    To(i64),
}

/// A whole number as far as it can be told apart: beyond 64 bits it is the largest or the smallest.
pub(super) fn whole(text: &str) -> Option<i128> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let is_number = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let most = if text.starts_with('-') {
        i128::MIN
    } else {
        i128::MAX
    };
    is_number.then(|| text.parse().unwrap_or(most))
}

impl Range {
    pub(super) fn contains(self, number: i128) -> bool {
        let (bound, allowed): (_, &[Ordering]) = match self {
            Self::Is(bound) => (bound, &[Ordering::Equal]),
            Self::From(bound) => (bound, &[Ordering::Equal, Ordering::Greater]),
            Self::To(bound) => (bound, &[Ordering::Equal, Ordering::Less]),
        };
        allowed.contains(&number.cmp(&bound.into()))
    }

    /// The texts of the numbers in it: each is one of one of these patterns.
    pub(super) fn patterns(self) -> Vec<String> {
        let signed = |sign: &str, forms: Vec<String>| -> Vec<String> {
            forms.iter().map(|form| format!("{sign}0*{form}")).collect()
        };
        let all = |sign: &str| vec![format!("{sign}[0-9]+")];
        match self {
            Self::Is(0) => vec!["-?0+".to_owned()],
            Self::Is(number) if number < 0 => vec![format!("-0*{}", number.unsigned_abs())],
            Self::Is(number) => vec![format!("0*{number}")],
            Self::From(bound) if bound > 0 => signed("", at_least(bound.unsigned_abs())),
            Self::From(bound) => [signed("-", at_most(bound.unsigned_abs())), all("")].concat(),
            Self::To(bound) if bound < 0 => signed("-", at_least(bound.unsigned_abs())),
            Self::To(bound) => [all("-"), signed("", at_most(bound.unsigned_abs()))].concat(),
        }
    }

    /// All texts that are no number in it.
    pub(super) fn other_patterns(self) -> Vec<String> {
        let below = |bound: i64| bound.checked_sub(1).map(Self::To);
        let above = |bound: i64| bound.checked_add(1).map(Self::From);
        let other = match self {
            Self::Is(number) => [below(number), above(number)],
            Self::From(bound) => [below(bound), None],
            Self::To(bound) => [above(bound), None],
        };
        let numbers = other.into_iter().flatten().flat_map(Self::patterns);
        let no_number = ["-?", r"[^0-9\-]\C*", r"-[^0-9]\C*", r"-?[0-9]+[^0-9]\C*"];
        numbers.chain(no_number.map(str::to_owned)).collect()
    }
}

/// Digits that make at least this number, which is not 0.
fn at_least(number: u64) -> Vec<String> {
    let digits = number.to_string();
    let mut forms = vec![format!("[1-9][0-9]{{{},}}", digits.len())];
    for (at, digit) in digits
        .bytes()
        .enumerate()
        .filter(|(_, digit)| *digit < b'9')
    {
        let (same, rest) = (&digits[..at], digits.len() - at - 1);
        forms.push(format!("{same}[{}-9]{}", char::from(digit + 1), any(rest)));
    }
    forms.push(digits);
    forms
}

/// Digits that make at most this number.
fn at_most(number: u64) -> Vec<String> {
    let digits = number.to_string();
    let mut forms = Vec::new();
    if digits.len() > 1 {
        forms.push(format!("[0-9]{{1,{}}}", digits.len() - 1));
    }
    for (at, digit) in digits
        .bytes()
        .enumerate()
        .filter(|(_, digit)| *digit > b'0')
    {
        let (same, rest) = (&digits[..at], digits.len() - at - 1);
        forms.push(format!("{same}[0-{}]{}", char::from(digit - 1), any(rest)));
    }
    forms.push(digits);
    forms
}

fn any(digits: usize) -> String {
    match digits {
        0 => String::new(),
        digits => format!("[0-9]{{{digits}}}"),
    }
}

impl fmt::Display for Range {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Is(number) => write!(f, "== {number}"),
            Self::From(bound) => write!(f, ">= {bound}"),
            Self::To(bound) => write!(f, "<= {bound}"),
        }
    }
}
