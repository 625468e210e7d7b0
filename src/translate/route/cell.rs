//! In which of finitely many cells a request lies, by its host and the first segment of its path, and how Envoy computes
//! that: a route is in the cells whose requests it can match.
//!
//! A cell's column comes from the host and its row from the segment. Each is five bits, and a bit is the parity of how many
//! characters of a class stand in the text: that is all that a regular expression can tell of *any* text with few
//! instructions, of which Envoy's expressions may have a hundred.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::model::{Host, Path};

/// Which requests a tier is for; nothing stands for any host.
pub(super) type Domain = Option<Host>;

/// The header in which a request carries the number of its cell, for as long as it is in the proxy.
pub(crate) const CELL_HEADER: &str = "x-chancery-cell";
/// How many bits tell columns apart, and rows.
pub(super) const BITS: u32 = 5;
/// How many columns there are, and rows.
pub(super) const CELLS: u8 = 1 << BITS;

/// Letters and digits by the bits of a Gray code, which needs few ranges of characters: neighbours differ in one bit, and
/// names that only differ in a number are spread.
const CLASSES: [&str; BITS as usize] = [
    "2367abefijmnqruvyz",
    "3-6b-ej-mr-uz",
    "5-9a-cl-s",
    "0-8p-z",
    "1-9a-gx-z",
];

/// The column of requests for a host; nothing where it can be any.
pub(super) fn column(domain: &Domain) -> Option<u8> {
    match domain {
        Some(Host::Exact(name)) => {
            let end = name.find(':').unwrap_or(name.len());
            Some(bits(name[..end].to_ascii_lowercase().as_bytes()))
        }
        Some(Host::Suffix(_)) | None => None,
    }
}

/// The row of requests for a path; nothing where it can be any.
pub(super) fn row(path: &Path) -> Option<u8> {
    let segment = path.start().strip_prefix('/')?;
    let end = segment.find(['/', '?', '#']);
    let end = match path {
        Path::Exact(_) => end.unwrap_or(segment.len()),
        // What goes on may go on with the segment.
        Path::Prefix(_) | Path::Parameters(_) => end?,
    };
    let segment = &segment.as_bytes()[..end];
    segment.is_ascii().then(|| bits(segment))
}

fn bits(text: &[u8]) -> u8 {
    /// The classes that a character is in.
    static OF: LazyLock<[u8; 128]> = LazyLock::new(|| {
        std::array::from_fn(|b| {
            let classes = CLASSES.iter().enumerate();
            let has = classes.filter(|(_, class)| class_has(class.as_bytes(), b));
            has.fold(0, |bits, (bit, _)| bits | 1 << bit)
        })
    });
    let of = text.iter().filter_map(|b| OF.get(usize::from(*b)));
    of.fold(0, |bits, of| bits ^ of)
}

fn class_has(class: &[u8], b: usize) -> bool {
    let at = |b: &u8| usize::from(*b);
    match class {
        [first, b'-', last, rest @ ..] => (at(first)..=at(last)).contains(&b) || class_has(rest, b),
        [one, rest @ ..] => at(one) == b || class_has(rest, b),
        [] => false,
    }
}

/// The number of a request's cell, as an expression of Envoy's substitution formats. A single one: each costs by itself.
pub(crate) fn expression() -> String {
    let mut sum = String::new();
    for (bit, class) in CLASSES.iter().enumerate() {
        let row = 1_u16 << bit;
        let column = row << BITS;
        let _ = write!(
            sum,
            "(request.path.matches('^/([^{class}/?#]|[{class}][^{class}/?#]*[{class}])*([/?#]|$)') ? 0 : {row})+\
             (request.host.matches('(?i)^([^{class}:]|[{class}][^{class}:]*[{class}])*(:|$)') ? 0 : {column})+"
        );
    }
    format!("%CEL({}0)%", sum)
}

/// The number of a cell, as the expression has it.
pub(super) fn number(column: u8, row: u8) -> u16 {
    u16::from(column) << BITS | u16::from(row)
}
