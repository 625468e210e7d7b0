//! Conditions of `vars` about the status of an answer. No route can ask for that, so they become the statuses that fit.

use regex::Regex;
use serde_json::{Value, json};

use crate::model::decode::quoted;
use crate::model::pattern::size;
use crate::model::problem::Remark;

/// What an answer may have.
const ALL: std::ops::RangeInclusive<u32> = 100..=999;

/// The statuses that are meant, in order.
#[derive(Debug)]
pub(super) struct Statuses(Vec<u32>);

/// `vars` taken apart: what is about requests, and the statuses of answers.
pub(super) fn split(vars: &Value) -> Result<(Option<Value>, Option<Statuses>), Remark> {
    let wrong = |message: String| Remark::new("vars", message);
    let Value::Array(all) = vars else {
        return Ok((Some(vars.clone()), None));
    };
    let (own, others): (Vec<_>, Vec<_>) = all.iter().cloned().partition(is_about_status);
    if own.is_empty() {
        return Ok((Some(vars.clone()), None));
    }
    if others.first().is_some_and(Value::is_string) {
        return Err(wrong(
            "asks for `status` beside an operator, allowed: in a list whose conditions must all hold".into(),
        ));
    }
    let mut fit: Vec<u32> = ALL.collect();
    for condition in own.iter().filter_map(Value::as_array) {
        let fits = test(condition).map_err(wrong)?;
        fit.retain(|status| fits(*status));
    }
    let statuses = Statuses(fit);
    if size::of(&statuses.pattern()) > size::BOUND {
        return Err(wrong(
            "mean too many statuses apart from each other, allowed: ranges of statuses".into(),
        ));
    }
    let others = (!others.is_empty()).then_some(Value::Array(others));
    Ok((others, Some(statuses)))
}

fn is_about_status(condition: &Value) -> bool {
    let first = condition.as_array().and_then(|parts| parts.first());
    first.and_then(Value::as_str) == Some("status")
}

type Test = Box<dyn Fn(u32) -> bool>;

fn test(condition: &[Value]) -> Result<Test, String> {
    let (inverted, rest) = match condition {
        [_, not, rest @ ..] if not == "!" => (true, rest),
        [_, rest @ ..] => (false, rest),
        [] => (false, condition),
    };
    let fits: Test = match rest {
        [value] => equal(value)?,
        [operator, value] => match operator.as_str().unwrap_or_default() {
            "==" => equal(value)?,
            "~=" => {
                let equal = equal(value)?;
                Box::new(move |status| !equal(status))
            }
            ">" => compared(value, |status, number| status > number)?,
            ">=" => compared(value, |status, number| status >= number)?,
            "<" => compared(value, |status, number| status < number)?,
            "<=" => compared(value, |status, number| status <= number)?,
            "in" => {
                let values = value.as_array().ok_or("ask for `status` in no list")?;
                let values = values.iter().map(number).collect::<Result<Vec<_>, _>>()?;
                Box::new(move |status| values.contains(&status))
            }
            "~~" => {
                let pattern = value.as_str().and_then(|text| Regex::new(text).ok());
                let pattern = pattern.ok_or("ask for `status` by no pattern")?;
                Box::new(move |status| pattern.is_match(&status.to_string()))
            }
            other => {
                return Err(format!(
                    "found the operator {} for `status`, allowed: ==, ~=, >, >=, <, <=, in, ~~",
                    quoted(other)
                ));
            }
        },
        _ => {
            return Err(
                "ask for `status` in another form, allowed: such as [\"status\", \"==\", 500]"
                    .into(),
            );
        }
    };
    Ok(Box::new(move |status| fits(status) != inverted))
}

fn equal(value: &Value) -> Result<Test, String> {
    compared(value, |status, number| status == number)
}

fn compared(value: &Value, compare: fn(u32, u32) -> bool) -> Result<Test, String> {
    let number = number(value)?;
    Ok(Box::new(move |status| compare(status, number)))
}

fn number(value: &Value) -> Result<u32, String> {
    let number = match value {
        Value::Number(number) => number.as_u64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    };
    let number = number.and_then(|number| u32::try_from(number).ok());
    number.ok_or_else(|| {
        let found = quoted(&value.to_string());
        format!("found {found} beside `status`, allowed: a number")
    })
}

impl Statuses {
    /// From and to, in order.
    fn ranges(&self) -> Vec<(u32, u32)> {
        let mut ranges: Vec<(u32, u32)> = Vec::new();
        for &status in &self.0 {
            match ranges.last_mut() {
                Some((_, to)) if *to + 1 == status => *to = status,
                _ => ranges.push((status, status)),
            }
        }
        ranges
    }

    /// As the script goes by them.
    pub(super) fn written(&self) -> Value {
        let range = |(from, to)| json!({"from": from, "to": to});
        self.ranges().into_iter().map(range).collect()
    }

    /// A pattern of RE2 for them.
    pub(super) fn pattern(&self) -> String {
        let has = |status: u32| self.0.binary_search(&status).is_ok();
        let all_of_ten = |ten: u32| (ten * 10..ten * 10 + 10).all(has);
        let all_of_hundred = |hundred: u32| (hundred * 10..hundred * 10 + 10).all(all_of_ten);
        let mut parts = vec![(
            class((1..10).filter(|hundred| all_of_hundred(*hundred))),
            "[0-9][0-9]",
        )];
        let mut written = Vec::new();
        for hundred in (1..10).filter(|hundred| !all_of_hundred(*hundred)) {
            let tens = || (0..10).filter(move |ten| all_of_ten(hundred * 10 + ten));
            parts.push((
                class(tens()).map(|class| format!("{hundred}{class}")),
                "[0-9]",
            ));
            for ten in (hundred * 10..hundred * 10 + 10).filter(|ten| !all_of_ten(*ten)) {
                let last = class((0..10).filter(|last| has(ten * 10 + last)));
                written.extend(last.map(|last| format!("{ten}{last}")));
            }
        }
        let whole = parts.into_iter();
        let whole = whole.filter_map(|(start, rest)| Some(format!("{}{rest}", start?)));
        whole.chain(written).collect::<Vec<_>>().join("|")
    }
}

/// One of these digits; nothing where there are none.
fn class(digits: impl Iterator<Item = u32>) -> Option<String> {
    let digits: String = digits
        .filter_map(|digit| char::from_digit(digit, 10))
        .collect();
    (!digits.is_empty()).then(|| format!("[{digits}]"))
}
