//! `vars` as it is written: a list of conditions, each `[variable, operator, value]`, `[variable, "!", operator, value]`, or
//! `[variable, value]` for `==`, and of lists that begin with `AND`, `OR`, `!AND` or `!OR`.

use ipnet::IpNet;
use serde_json::Value;

use super::condition::{Condition, Test, Variable};
use super::number::Range;
use super::{Expression, Vars, alternatives};
use crate::model::bounds::{CHARACTERS, ITEMS, text_within, within};
use crate::model::decode::{kind_of, quoted};
use crate::model::pattern::syntax;
use crate::model::problem::Remark;
use crate::model::scalar::net;

/// How deep lists may nest.
const DEPTH: usize = 8;
/// How many conditions there may be.
const MOST: usize = 64;

const VARIABLES: &str =
    "arg_NAME, http_NAME, cookie_NAME, request_method, uri, host, scheme, remote_addr, server_port";
const OPERATORS: &str =
    "==, ~=, >, >=, <, <=, ~~, ~*, in, has, ipmatch, and `!` before one of them";

impl Vars {
    /// Reads `vars`; nothing when it is empty, which every request fulfils.
    pub(crate) fn read(value: &Value, warnings: &mut Vec<Remark>) -> Result<Option<Self>, Remark> {
        let rules = list(value)?;
        match rules.first() {
            None => return Ok(None),
            Some(Value::String(word)) if logic(word).is_none() => {
                let message = "found one condition, allowed: a list of conditions, such as [[\"arg_a\", \"==\", \"1\"]]";
                return Err(Remark::whole(message));
            }
            Some(_) => {}
        }
        let mut reader = Reader {
            warnings,
            conditions: 0,
        };
        let expression = reader.rules(rules, 0)?;
        if reader.conditions > MOST {
            let message = format!(
                "found {} conditions, allowed: at most {MOST}",
                reader.conditions
            );
            return Err(Remark::whole(message));
        }
        let alternatives = alternatives::of(&expression).map_err(Remark::whole)?;
        Ok(Some(Self {
            expression,
            alternatives,
        }))
    }
}

struct Reader<'a> {
    warnings: &'a mut Vec<Remark>,
    conditions: usize,
}

impl Reader<'_> {
    fn rules(&mut self, rules: &[Value], depth: usize) -> Result<Expression, Remark> {
        if depth > DEPTH {
            return Err(Remark::whole(format!(
                "nests deeper than {DEPTH} lists, allowed: fewer"
            )));
        }
        match rules.first() {
            None => Err(Remark::whole("found an empty list, allowed: a condition")),
            Some(Value::Array(_)) => self.all(rules, 0, depth).map(Expression::All),
            Some(Value::String(word)) => match logic(word) {
                None => self.condition(rules),
                Some(_) if rules.len() < 3 => {
                    let message = format!(
                        "found {} condition after {}, allowed: at least two",
                        rules.len() - 1,
                        quoted(word)
                    );
                    Err(Remark::whole(message))
                }
                Some((any, inverse)) => {
                    let parts = self.all(rules, 1, depth)?;
                    let joined = if any {
                        Expression::Any(parts)
                    } else {
                        Expression::All(parts)
                    };
                    Ok(if inverse {
                        Expression::Not(Box::new(joined))
                    } else {
                        joined
                    })
                }
            },
            Some(other) => Err(Remark::new(
                "[0]",
                format!(
                    "found {}, allowed: a variable, or AND, OR, !AND, !OR",
                    kind_of(other)
                ),
            )),
        }
    }

    fn all(
        &mut self,
        rules: &[Value],
        from: usize,
        depth: usize,
    ) -> Result<Vec<Expression>, Remark> {
        let each = rules.iter().enumerate().skip(from).map(|(at, rule)| {
            let (place, before) = (format!("[{at}]"), self.warnings.len());
            let read = list(rule).and_then(|rules| self.rules(rules, depth + 1));
            for warning in &mut self.warnings[before..] {
                *warning = warning.clone().under(&place);
            }
            read.map_err(|remark| remark.under(&place))
        });
        each.collect()
    }

    fn condition(&mut self, parts: &[Value]) -> Result<Expression, Remark> {
        self.conditions += 1;
        let is = Value::from("==");
        let (name, operator, value, reversed) = match parts {
            [name, value] => (name, (0, &is), (1, value), false),
            [name, operator, value] => (name, (1, operator), (2, value), false),
            [name, not, operator, value] if not == "!" => (name, (2, operator), (3, value), true),
            _ => {
                let message = format!(
                    "found {} elements, allowed: [variable, operator, value], [variable, \"!\", operator, value], or [variable, value]",
                    parts.len()
                );
                return Err(Remark::whole(message));
            }
        };
        let variable = text(name)
            .and_then(variable)
            .map_err(|said| Remark::new("[0]", said))?;
        let written =
            text(operator.1).map_err(|said| Remark::new(format!("[{}]", operator.0), said))?;
        let (straight, inverse) = match written.to_ascii_lowercase().as_str() {
            "~=" => ("==".to_owned(), true),
            other => (other.to_owned(), false),
        };
        let place = |said: Wrong| match said {
            Wrong::Operator(said) => Remark::new(format!("[{}]", operator.0), said),
            Wrong::Value(said) => Remark::new(format!("[{}]", value.0), said),
        };
        let test = test(&variable, &straight, written, value.1).map_err(place)?;
        if let Some(said) = warning(&variable, &test) {
            self.warnings.push(Remark::whole(said));
        }
        let condition = Expression::Test(Condition { variable, test });
        Ok(if reversed != inverse {
            Expression::Not(Box::new(condition))
        } else {
            condition
        })
    }
}

fn list(value: &Value) -> Result<&[Value], Remark> {
    match value {
        Value::Array(items) => {
            within(items.len(), "items", ITEMS).map_err(Remark::whole)?;
            Ok(items)
        }
        other => Err(Remark::whole(format!(
            "found {}, allowed: a list",
            kind_of(other)
        ))),
    }
}

fn text(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("found {}, allowed: a string", kind_of(value)))
}

/// What a word joins by (whether `OR`), and whether it is reversed.
fn logic(word: &str) -> Option<(bool, bool)> {
    match word.to_ascii_uppercase().as_str() {
        "AND" => Some((false, false)),
        "OR" => Some((true, false)),
        "!AND" => Some((false, true)),
        "!OR" => Some((true, true)),
        _ => None,
    }
}

fn variable(name: &str) -> Result<Variable, String> {
    let fits = |name: &str| {
        (1..=256).contains(&name.len())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
    };
    let found = match name {
        "request_method" => Some(Variable::Method),
        "uri" => Some(Variable::Uri),
        "host" => Some(Variable::Host),
        "scheme" => Some(Variable::Scheme),
        "remote_addr" => Some(Variable::Address),
        "server_port" => Some(Variable::Port),
        "http_host" => Some(Variable::Header(":authority".to_owned())),
        _ => match name.split_once('_') {
            Some(("arg", name)) if fits(name) => Some(Variable::Argument(name.to_owned())),
            Some(("cookie", name)) if fits(name) => Some(Variable::Cookie(name.to_owned())),
            Some(("http", name)) if fits(name) => Some(Variable::Header(
                name.to_ascii_lowercase().replace('_', "-"),
            )),
            _ => None,
        },
    };
    found.ok_or_else(|| format!("found the variable {}, allowed: {VARIABLES}", quoted(name)))
}

/// What is wrong with a condition, and where.
enum Wrong {
    Operator(String),
    Value(String),
}

fn test(variable: &Variable, operator: &str, written: &str, value: &Value) -> Result<Test, Wrong> {
    match value {
        Value::Array(items) => within(items.len(), "items", ITEMS).map_err(Wrong::Value)?,
        Value::String(text) => text_within(text, CHARACTERS).map_err(Wrong::Value)?,
        _ => {}
    }
    let number = || number(variable, value);
    match operator {
        "==" => match value {
            Value::Null => Ok(Test::Absent),
            Value::Number(_) if *variable != Variable::Address => {
                number().map(|bound| Test::Number(Range::Is(bound)))
            }
            value => among(variable, std::slice::from_ref(value)),
        },
        ">" => match number()?.checked_add(1) {
            Some(bound) => Ok(Test::Number(Range::From(bound))),
            None => Ok(Test::Never),
        },
        ">=" => Ok(Test::Number(Range::From(number()?))),
        "<" => match number()?.checked_sub(1) {
            Some(bound) => Ok(Test::Number(Range::To(bound))),
            None => Ok(Test::Never),
        },
        "<=" => Ok(Test::Number(Range::To(number()?))),
        "~~" | "~*" => pattern(variable, value, operator == "~*"),
        "in" => match value {
            Value::Array(items) if !items.is_empty() => among(variable, items),
            other => Err(Wrong::Value(format!(
                "found {}, allowed: a list of at least one string",
                kind_of(other)
            ))),
        },
        "ipmatch" if *variable != Variable::Address => {
            let message = "found \"ipmatch\", allowed here: another operator; Envoy matches only `remote_addr` as an address";
            Err(Wrong::Operator(message.to_owned()))
        }
        "ipmatch" => {
            let items = match value {
                Value::Array(items) if !items.is_empty() => items.as_slice(),
                value => std::slice::from_ref(value),
            };
            let nets: Result<Vec<IpNet>, String> =
                items.iter().map(|item| text(item).and_then(net)).collect();
            nets.map(Test::Within).map_err(Wrong::Value)
        }
        "has" => Ok(Test::Never),
        _ => Err(Wrong::Operator(format!(
            "found {}, allowed: {OPERATORS}",
            quoted(written)
        ))),
    }
}

/// `==` and `in`.
fn among(variable: &Variable, items: &[Value]) -> Result<Test, Wrong> {
    let read: Result<Vec<&str>, String> = items.iter().map(|item| match item {
        Value::Number(_) => Err(format!("found {item}, allowed: strings, such as \"{item}\": a request's texts equal no number in a list")),
        item => text(item),
    }).collect();
    let texts = read.map_err(Wrong::Value)?;
    if *variable == Variable::Address {
        let address = |text: &&str| match text.parse::<std::net::IpAddr>() {
            Ok(address) => Ok(IpNet::from(address)),
            Err(_) => Err(Wrong::Value(format!(
                "found {}, allowed: an address; ranges with `ipmatch`",
                quoted(text)
            ))),
        };
        return texts
            .iter()
            .map(address)
            .collect::<Result<_, _>>()
            .map(Test::Within);
    }
    if *variable == Variable::Host
        && let Some(text) = texts
            .iter()
            .find(|text| text.contains(|letter: char| letter.is_ascii_uppercase()))
    {
        let message = format!(
            "found {}, allowed: a host in lower case, as `host` always is",
            quoted(text)
        );
        return Err(Wrong::Value(message));
    }
    Ok(Test::Among(texts.into_iter().map(str::to_owned).collect()))
}

fn number(variable: &Variable, value: &Value) -> Result<i64, Wrong> {
    use Variable::{Address, Argument, Cookie, Header, Host, Method, Port, Scheme, Uri};
    match variable {
        Argument(_) | Header(_) | Cookie(_) | Port => {}
        Method | Uri | Host | Scheme | Address => {
            return Err(Wrong::Value(format!(
                "found {}, allowed: a string; `{variable}` is no number",
                kind_of(value)
            )));
        }
    }
    let number = match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_i64(),
    };
    number.ok_or_else(|| {
        Wrong::Value(format!(
            "found {}, allowed: a whole number of 64 bits, as Envoy compares no others",
            kind_of(value)
        ))
    })
}

fn pattern(variable: &Variable, value: &Value, ignore_case: bool) -> Result<Test, Wrong> {
    if *variable == Variable::Host {
        let message = "found a pattern of `host`, allowed: `==` and `in`, or a pattern of `http_host`: Envoy has the host with \
                       its port, and as the client spells it";
        return Err(Wrong::Operator(message.to_owned()));
    }
    let pattern = text(value).map_err(Wrong::Value)?;
    syntax::checked(pattern).map_err(Wrong::Value)?;
    Ok(Test::Pattern {
        pattern: pattern.to_owned(),
        ignore_case,
    })
}

/// What Envoy does not do exactly.
fn warning(variable: &Variable, test: &Test) -> Option<String> {
    let plain = |text: &String| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'))
    };
    match (variable, test) {
        (_, Test::Number(_)) => Some(format!(
            "`{variable}` is compared as a whole number: a request's `1.5`, `0x10` or `1e3` is no number here"
        )),
        (_, Test::Never) => Some(format!(
            "never holds: `{variable}` is one text, never a list or beyond all numbers"
        )),
        (Variable::Argument(_), Test::Among(texts)) if !texts.iter().all(plain) => Some(format!(
            "`{variable}` is compared as it stands in the URL, where clients write most signs as %XX"
        )),
        _ => None,
    }
}
