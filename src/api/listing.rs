//! Lists that may be long: which entries are asked for, in which order, and which page of them. Pure.

use std::cmp::Reverse;
use std::ops::RangeInclusive;

use tonic::Status;

/// How many entries a page has.
pub const PAGE: RangeInclusive<usize> = 10..=500;
/// The longest search, in bytes.
const SEARCH: usize = 1024;

/// By what entries are sorted: numbers, then texts.
pub type Rank = (i64, String);

/// What is asked for of a list.
#[derive(Debug)]
pub struct Listing {
    /// Of each word what may stand for it, in small letters.
    words: Vec<Vec<String>>,
    /// One of the fields that are allowed; none where the order is the list's own.
    pub sort: String,
    is_descending: bool,
    /// How many come before the page, and how many it has.
    page: Option<(usize, usize)>,
}

impl Listing {
    /// Reads the parameters of a call. It may be sorted by `fields`.
    pub fn read(
        search: &str,
        sort: &str,
        (page, size): (u32, u32),
        fields: &[&str],
    ) -> Result<Self, Status> {
        if search.len() > SEARCH {
            let found = search.len();
            let said = format!("search: found {found} bytes, allowed are {SEARCH}");
            return Err(Status::invalid_argument(said));
        }
        let by = sort.strip_prefix('-').unwrap_or(sort);
        one_of("sort", by, fields)?;
        let (page, size) = (page as usize, size as usize);
        let page = match (page, size) {
            (0, 0) => None,
            (page, size) if PAGE.contains(&size) => {
                Some((page.saturating_sub(1).saturating_mul(size), size))
            }
            (_, size) => {
                let said = format!("pageSize: found {size}, allowed are 10 to 500");
                return Err(Status::invalid_argument(said));
            }
        };
        Ok(Self {
            words: search
                .to_lowercase()
                .split_whitespace()
                .map(either)
                .collect(),
            is_descending: by.len() < sort.len(),
            sort: by.to_owned(),
            page,
        })
    }

    /// Whether only what is found is asked for.
    pub fn searches(&self) -> bool {
        !self.words.is_empty()
    }

    /// Whether all words, or what may stand for them, are in some of these texts.
    pub fn finds(&self, texts: &[String]) -> bool {
        let texts: Vec<_> = texts.iter().map(|text| text.to_lowercase()).collect();
        let stands = |word: &String| texts.iter().any(|text| text.contains(word));
        self.words.iter().all(|word| word.iter().any(stands))
    }

    /// The page of what was found, in order, and how many were found.
    pub fn page<T>(&self, mut found: Vec<T>, rank: impl Fn(&T) -> Rank) -> (Vec<T>, u32) {
        if !self.sort.is_empty() {
            // Those of one rank stay in the list's own order, whichever way it goes.
            if self.is_descending {
                found.sort_by_cached_key(|one| Reverse(rank(one)));
            } else {
                found.sort_by_cached_key(rank);
            }
        }
        let total = u32::try_from(found.len()).unwrap_or(u32::MAX);
        let (skipped, taken) = self.page.unwrap_or((0, found.len()));
        (found.into_iter().skip(skipped).take(taken).collect(), total)
    }
}

/// `a|b` is found where either of both is.
fn either(word: &str) -> Vec<String> {
    let all = word.split('|').filter(|one| !one.is_empty());
    let all: Vec<_> = all.map(ToOwned::to_owned).collect();
    if all.is_empty() {
        return vec![word.to_owned()];
    }
    all
}

/// Whether what was found in a field is allowed there; nothing always is.
pub fn one_of(field: &str, found: &str, allowed: &[&str]) -> Result<(), Status> {
    if found.is_empty() || allowed.contains(&found) {
        return Ok(());
    }
    let message = format!("{field}: found {found:?}, allowed: {}", allowed.join(", "));
    Err(Status::invalid_argument(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listed(search: &str, sort: &str, page: (u32, u32)) -> Result<(String, u32), Status> {
        let listing = Listing::read(search, sort, page, &["name", "size"])?;
        let all = ["b Red", "a red", "c green", "d green"].map(ToOwned::to_owned);
        let found = all
            .into_iter()
            .filter(|one| listing.finds(&[one.clone(), "x".to_owned()]));
        let rank = |one: &String| match listing.sort.as_str() {
            "size" => (i64::try_from(one.len()).unwrap(), String::new()),
            _ => (0, one.clone()),
        };
        let (found, total) = listing.page(found.collect(), rank);
        Ok((found.iter().map(|one| &one[..1]).collect(), total))
    }

    #[test]
    fn what_is_found_is_sorted_and_of_it_one_page_told() {
        for (search, sort, page, told) in [
            ("", "", (0, 0), ("bacd", 4)),
            ("", "name", (0, 0), ("abcd", 4)),
            ("", "-name", (0, 0), ("dcba", 4)),
            ("RED", "", (0, 0), ("ba", 2)),
            ("green x d", "", (1, 10), ("d", 1)),
            ("Red|GREEN b|c", "", (0, 0), ("bc", 2)),
            ("|red", "", (0, 0), ("ba", 2)),
            ("|", "", (0, 0), ("", 0)),
            ("", "-size", (0, 0), ("cdba", 4)),
            ("", "name", (2, 10), ("", 4)),
            ("", "name", (0, 10), ("abcd", 4)),
        ] {
            let told = (told.0.to_owned(), told.1);
            assert_eq!(listed(search, sort, page).unwrap(), told, "{search} {sort}");
        }
    }

    #[test]
    fn what_is_not_allowed_is_refused_with_what_is() {
        for (search, sort, page, said) in [
            (
                "",
                "color",
                (0, 0),
                "sort: found \"color\", allowed: name, size",
            ),
            ("", "", (1, 9), "pageSize: found 9, allowed are 10 to 500"),
            ("", "", (1, 0), "pageSize: found 0, allowed are 10 to 500"),
            (
                "",
                "",
                (1, 501),
                "pageSize: found 501, allowed are 10 to 500",
            ),
            (
                &"x".repeat(1025),
                "",
                (0, 0),
                "search: found 1025 bytes, allowed are 1024",
            ),
        ] {
            assert_eq!(listed(search, sort, page).unwrap_err().message(), said);
        }
    }
}
