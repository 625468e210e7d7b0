//! Which keys of a tier share a leaf of the match tree. A leaf is a list that Envoy goes through from its beginning, so it is
//! short; and each costs Envoy something to build, so there are few.

use super::tier::common;

/// How many candidates a leaf has at most, unless a single path has more.
const FULL: usize = 16;

/// A leaf: the key that leads to it, and whose candidates stand there. Requests that begin with a longer leaf's key are for
/// that one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Leaf<'a> {
    pub key: &'a str,
    pub paths: Vec<&'a str>,
}

/// Divides paths, each with the number of its candidates, that all begin with `root`. They are in order, each once.
pub(super) fn divide<'a>(root: &'a str, paths: &[(&'a str, usize)]) -> Vec<Leaf<'a>> {
    let mut leaves = Vec::new();
    let mut left = vec![(root, paths)];
    while let Some((key, paths)) = left.pop() {
        if paths.is_empty() {
            continue;
        }
        if paths.len() == 1 || count(paths) <= FULL {
            let paths = paths.iter().map(|(path, _)| *path).collect();
            leaves.push(Leaf { key, paths });
            continue;
        }
        // Those that go on alike are together; the key itself, as a path, comes first.
        let next = |path: &str| path[key.len()..].chars().next();
        let mut groups: Vec<_> = paths
            .chunk_by(|(a, _), (b, _)| next(a) == next(b))
            .collect();
        let mut own = Vec::new();
        if let Some(first) = groups.first()
            && next(first[0].0).is_none()
        {
            own.extend_from_slice(groups.remove(0));
        }
        // The smallest stay as long as there is room.
        groups.sort_by_key(|group| (count(group), group[0].0));
        for group in groups {
            if count(&own) + count(group) <= FULL {
                own.extend_from_slice(group);
            } else {
                left.push((start(group), group));
            }
        }
        if !own.is_empty() {
            let mut paths: Vec<_> = own.iter().map(|(path, _)| *path).collect();
            paths.sort_unstable();
            leaves.push(Leaf { key, paths });
        }
    }
    leaves.sort_unstable_by_key(|leaf| leaf.key);
    leaves
}

fn count(paths: &[(&str, usize)]) -> usize {
    paths.iter().map(|(_, count)| count).sum()
}

/// What all of them begin with: what the first and the last do.
fn start<'a>(paths: &[(&'a str, usize)]) -> &'a str {
    match paths {
        [(first, _), .., (last, _)] => &first[..common(first, last)],
        [(only, _)] => only,
        [] => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn divided(paths: &[String]) -> Vec<(String, usize)> {
        let mut paths: Vec<_> = paths.iter().map(|path| (path.as_str(), 1)).collect();
        paths.sort_unstable();
        divide("/", &paths)
            .iter()
            .map(|leaf| (leaf.key.to_owned(), leaf.paths.len()))
            .collect()
    }

    #[test]
    fn few_paths_are_one_leaf_and_many_are_divided_where_they_differ() {
        let few: Vec<_> = (0..16).map(|n| format!("/{n}")).collect();
        assert_eq!(divided(&few), [("/".to_owned(), 16)]);
        let many: Vec<_> = (0..1000).map(|n| format!("/svc-{n:03}/")).collect();
        let leaves = divided(&many);
        assert_eq!(leaves.iter().map(|(_, paths)| paths).sum::<usize>(), 1000);
        assert!(leaves.iter().all(|(_, paths)| (1..=FULL).contains(paths)));
        assert!(leaves.len() <= 200, "{}", leaves.len());
    }

    #[test]
    fn paths_that_continue_each_other_are_divided_without_recursion() {
        let nested: Vec<_> = (1..4000).map(|n| format!("/{}", "a".repeat(n))).collect();
        let leaves = divided(&nested);
        assert_eq!(leaves.iter().map(|(_, paths)| paths).sum::<usize>(), 3999);
    }
}
