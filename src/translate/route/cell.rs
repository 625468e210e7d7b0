//! In which of finitely many cells a request lies, by its host and the first two segments of its path, and how Envoy computes
//! that: a route is in the cells whose requests it can match.
//!
//! Each of the three gives a cell some bits, and a bit is the parity of how many characters of a class stand in the text: that
//! is all that a regular expression can tell of *any* text with few instructions, of which Envoy's expressions may have a
//! hundred.

use std::fmt::Write as _;
use std::sync::LazyLock;

use crate::model::{Host, Path};

/// Which requests a tier is for; nothing stands for any host.
pub(super) type Domain = Option<Host>;

/// The header in which a request carries the number of its cell, for as long as it is in the proxy.
pub(crate) const CELL_HEADER: &str = "x-chancery-cell";
/// How many bits of a cell come from the host, from the first segment and from the second.
pub(super) const BITS: [u32; 3] = [4, 4, 5];
/// How many cells there are.
pub(super) const CELLS: u16 = 1 << (BITS[0] + BITS[1] + BITS[2]);

/// A cell, by what the host gives it, the first segment and the second.
pub(super) type Cell = [u8; 3];
/// The cells of requests for a host and a path; nothing where what these give can be any.
pub(super) type Cells = [Option<u8>; 3];

/// Letters and digits by the bits of a Gray code, which needs few ranges of characters: neighbours differ in one bit, and
/// names that only differ in a number are spread.
const CLASSES: [&str; 5] = [
    "2367abefijmnqruvyz",
    "3-6b-ej-mr-uz",
    "5-9a-cl-s",
    "0-8p-z",
    "1-9a-gx-z",
];

/// The cells of requests that a route for this host and this path can match.
pub(super) fn cells(domain: &Domain, path: &Path) -> Cells {
    let [first, second] = of_path(path);
    [of_host(domain), first, second]
}

fn of_host(domain: &Domain) -> Option<u8> {
    match domain {
        Some(Host::Exact(name)) => {
            let end = name.find(':').unwrap_or(name.len());
            Some(bits(name[..end].to_ascii_lowercase().as_bytes(), BITS[0]))
        }
        Some(Host::Suffix(_)) | None => None,
    }
}

fn of_path(path: &Path) -> [Option<u8>; 2] {
    // What goes on may go on with the segment that it ends in, and with others.
    let goes_on = !matches!(path, Path::Exact(_));
    let mut rest = path.start().strip_prefix('/');
    let mut known = rest.is_some();
    [BITS[1], BITS[2]].map(|count| {
        let Some(text) = rest.filter(|_| known) else {
            // Without such a segment no expression fits.
            return known.then(|| ((1_u16 << count) - 1) as u8);
        };
        let end = text.find(['/', '?', '#']);
        let segment = &text[..end.unwrap_or(text.len())];
        rest = end.and_then(|end| text[end..].strip_prefix('/'));
        known = segment.is_ascii() && (end.is_some() || !goes_on);
        known.then(|| bits(segment.as_bytes(), count))
    })
}

fn bits(text: &[u8], count: u32) -> u8 {
    /// The classes that a character is in.
    static OF: LazyLock<[u8; 128]> = LazyLock::new(|| {
        std::array::from_fn(|b| {
            let classes = CLASSES.iter().enumerate();
            let has = classes.filter(|(_, class)| class_has(class.as_bytes(), b));
            has.fold(0, |bits, (bit, _)| bits | 1 << bit)
        })
    });
    let of = text.iter().filter_map(|b| OF.get(usize::from(*b)));
    of.fold(0, |bits, of| bits ^ of) % (1 << count)
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
    let even = |class: &str, end: &str| {
        format!("([^{class}{end}]|[{class}][^{class}{end}]*[{class}])*([{end}]|$)")
    };
    let of = [
        ("host", "(?i)^", ":"),
        ("path", "^/", "/?#"),
        ("path", "^/[^/?#]*/", "/?#"),
    ];
    for (axis, (what, begin, end)) in of.into_iter().enumerate() {
        for (bit, class) in CLASSES.iter().enumerate().take(BITS[axis] as usize) {
            let mut cell = [0; 3];
            cell[axis] = 1 << bit;
            let (even, value) = (even(class, end), number(cell));
            let _ = write!(
                sum,
                "(request.{what}.matches('{begin}{even}') ? 0 : {value})+"
            );
        }
    }
    format!("%CEL({sum}0)%")
}

/// The cell of a number.
pub(super) fn of_number(number: u16) -> Cell {
    let mut rest = number;
    let mut cell = [0; 3];
    for (of, bits) in cell.iter_mut().zip(BITS).rev() {
        *of = (rest % (1 << bits)) as u8;
        rest >>= bits;
    }
    cell
}

/// The number of a cell, as the expression has it.
pub(super) fn number(cell: Cell) -> u16 {
    let axes = cell.into_iter().zip(BITS);
    axes.fold(0, |number, (of, bits)| number << bits | u16::from(of))
}
