//! Patterns in the terms of Lua, which has few: characters and classes of them, one after the other, of which some may be missing
//! or come many times. Lua tries what could be in turns, so only such are taken as need few turns, whatever the text.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, ClassBytes, ClassBytesRange, Hir, HirKind, Look};

use crate::model::decode::quoted;
use crate::model::pattern::syntax::checked;

/// The most characters of a pattern in Lua.
const LONGEST: usize = 512;
/// How often the same character or class may stand one after the other.
const REPEATED: u32 = 64;
/// How many characters may be missing that what follows could take as well: each doubles the turns.
const MISSING: usize = 8;

const ALLOWED: &str = "allowed: characters and classes such as [a-z] one after the other, `{n}`, and behind `^` `?`, `*`, `+`, \
                       `{n,}` and `{n,m}`, each but the last before what it does not take itself";

/// A character of a text.
struct Item {
    class: ClassBytes,
    times: Times,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Times {
    Once,
    /// Once or not at all.
    Maybe,
    /// Any number of times.
    Any,
}

/// The same pattern in Lua, which asks for bytes as APISIX's does.
pub(super) fn of_lua(written: &str) -> Result<String, String> {
    if written.is_empty() {
        return Ok(String::new());
    }
    checked(written)?;
    let wrong = || format!("found {}, {ALLOWED}", quoted(written));
    let mut parser = ParserBuilder::new().unicode(false).utf8(false).build();
    let hir = parser.parse(written).map_err(|_| wrong())?;
    let mut parts = match hir.kind() {
        HirKind::Concat(parts) => parts.as_slice(),
        _ => std::slice::from_ref(&hir),
    };
    let tied = strip(parts.split_first(), Look::Start, &mut parts);
    let ends = strip(parts.split_last(), Look::End, &mut parts);
    let mut items = Vec::new();
    for part in parts {
        read(part, &mut items).ok_or_else(wrong)?;
    }
    let fixed = items.iter().all(|item| item.times == Times::Once);
    // Parsed, `\z` is the same as `$`, which passes over a line feed at the end.
    if (ends && written.contains(r"\z")) || !(tied || fixed) {
        return Err(wrong());
    }
    if ends {
        items.push(Item {
            class: of_byte(b'\n'),
            times: Times::Maybe,
        });
    }
    let lua = is_quick(&items).then(|| written_in_lua(&items)).flatten();
    let lua = lua.ok_or_else(wrong)?;
    let (begin, end) = (if tied { "^" } else { "" }, if ends { "$" } else { "" });
    Ok(format!("{begin}{lua}{end}"))
}

/// Takes a look off an end, where it is there.
fn strip<'a>(end: Option<(&Hir, &'a [Hir])>, look: Look, parts: &mut &'a [Hir]) -> bool {
    match end {
        Some((one, others)) if *one.kind() == HirKind::Look(look) => {
            *parts = others;
            true
        }
        _ => false,
    }
}

fn of_byte(byte: u8) -> ClassBytes {
    ClassBytes::new([ClassBytesRange::new(byte, byte)])
}

fn read(part: &Hir, items: &mut Vec<Item>) -> Option<()> {
    let once = |class| Item {
        class,
        times: Times::Once,
    };
    match part.kind() {
        HirKind::Literal(literal) => {
            items.extend(literal.0.iter().map(|byte| once(of_byte(*byte))));
        }
        HirKind::Class(Class::Bytes(class)) => items.push(once(class.clone())),
        HirKind::Repetition(many) => {
            let class = match many.sub.kind() {
                HirKind::Literal(literal) if literal.0.len() == 1 => of_byte(literal.0[0]),
                HirKind::Class(Class::Bytes(class)) => class.clone(),
                _ => return None,
            };
            let more = match many.max {
                None => (Times::Any, 1),
                Some(most) => (Times::Maybe, most.checked_sub(many.min)?),
            };
            for (times, number) in [(Times::Once, many.min), more] {
                let number = usize::try_from(number)
                    .ok()
                    .filter(|_| number <= REPEATED)?;
                let item = |_| Item {
                    class: class.clone(),
                    times,
                };
                items.extend((0..number).map(item));
            }
        }
        _ => return None,
    }
    Some(())
}

/// Whether no text takes Lua many turns.
fn is_quick(items: &[Item]) -> bool {
    let doubtful = |at: &usize| {
        let (item, after) = (&items[*at], &items[*at + 1..]);
        item.times != Times::Once && !is_apart(item, after)
    };
    let doubtful: Vec<usize> = (0..items.len()).filter(doubtful).collect();
    let missing = |at: &usize| items[*at].times == Times::Maybe;
    match doubtful.as_slice() {
        // A turn for each character of the text, each of one way.
        [one] if !missing(one) => items[*one + 1..]
            .iter()
            .all(|item| item.times != Times::Any),
        several => several.len() <= MISSING && several.iter().all(missing),
    }
}

/// Whether nothing that may follow it at once takes what it takes.
fn is_apart(item: &Item, after: &[Item]) -> bool {
    for next in after {
        let mut both = item.class.clone();
        both.intersect(&next.class);
        if !both.ranges().is_empty() {
            return false;
        }
        if next.times == Times::Once {
            break;
        }
    }
    true
}

fn written_in_lua(items: &[Item]) -> Option<String> {
    let mut lua = String::new();
    for item in items {
        put_class(&item.class, &mut lua)?;
        lua.push_str(match item.times {
            Times::Once => "",
            Times::Maybe => "?",
            Times::Any => "*",
        });
        if lua.len() > LONGEST {
            return None;
        }
    }
    Some(lua)
}

fn put_class(class: &ClassBytes, lua: &mut String) -> Option<()> {
    if let [range] = class.ranges()
        && range.start() == range.end()
    {
        return put_byte(range.start(), lua);
    }
    let mut class = class.clone();
    let all_but = class.ranges().last()?.end() == u8::MAX;
    if all_but {
        class.negate();
    }
    if class.ranges().is_empty() {
        lua.push('.');
        return Some(());
    }
    lua.push_str(if all_but { "[^" } else { "[" });
    for range in class.ranges() {
        put_range(range.start(), range.end(), lua)?;
    }
    lua.push(']');
    Some(())
}

/// What is no character of ASCII cannot stand in what a script is told.
fn put_byte(byte: u8, lua: &mut String) -> Option<()> {
    match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'\t'..=b'\r' => lua.push(byte.into()),
        0x21..=0x7e => {
            lua.push('%');
            lua.push(byte.into());
        }
        _ => return None,
    }
    Some(())
}

/// `first-last`, or each of them where an end has a meaning of its own to Lua.
fn put_range(first: u8, last: u8, lua: &mut String) -> Option<()> {
    let word = |byte: u8| byte.is_ascii_alphanumeric();
    if first == last || !(word(first) && word(last)) {
        for byte in first..=last {
            put_byte(byte, lua)?;
        }
        return Some(());
    }
    lua.push(first.into());
    lua.push('-');
    lua.push(last.into());
    Some(())
}
