//! Which files of a page that has been seen before are which of it now: URLs may be fresh, the order may be another.

use std::collections::VecDeque;

use super::super::journal::Listed;
use super::super::step::FileNo;
use crate::names::Named;

/// What two files are taken for the same by.
#[derive(Clone, Copy, PartialEq, Eq)]
enum By {
    Url,
    /// Signatures stand in the query.
    UrlWithoutQuery,
    /// The last part of the path: hosts and folders change, ids and names of files seldom.
    Name,
    /// The place among those of its list.
    Place,
}

/// For each file found, the known one that it is; `None` where it is new. `None` altogether where a known file is not among
/// them, or has another type or another number of resources.
pub(super) fn matched(known: &[(FileNo, &Listed)], found: &[&Listed]) -> Option<Vec<Option<FileNo>>> {
    [By::Url, By::UrlWithoutQuery, By::Name, By::Place]
        .into_iter()
        .find_map(|by| matched_by(by, known, found))
}

fn matched_by(by: By, known: &[(FileNo, &Listed)], found: &[&Listed]) -> Option<Vec<Option<FileNo>>> {
    let known_files: Vec<&Listed> = known.iter().map(|(_, listed)| *listed).collect();
    let is_named = are_named(&known_files) && are_named(found);
    if by == By::Name && !is_named {
        return None;
    }
    let tells_apart = |files: &[&Listed]| match by {
        By::Url | By::Name => true,
        By::UrlWithoutQuery => are_single(files, |listed| in_list(by, listed)),
        By::Place => are_single(files, |listed| {
            let name = listed.type_name.as_deref().unwrap_or_default();
            format!("{} {:?} {name}", listed.kind as u8, listed.count)
        }),
    };
    // Several of one key may have changed their places: one would come twice, and another never.
    if !tells_apart(&known_files) || !tells_apart(found) {
        return None;
    }
    let mut waiting: Named<VecDeque<(FileNo, &Listed)>> = Named::default();
    for &(file, listed) in known {
        waiting.slot(&in_list(by, listed)).push_back((file, listed));
    }
    let mut left = known.len();
    let mut out = Vec::with_capacity(found.len());
    for listed in found {
        let queue = waiting.get_mut(&in_list(by, listed));
        let Some((file, was)) = queue.and_then(VecDeque::pop_front) else {
            out.push(None);
            continue;
        };
        if was.type_name != listed.type_name || was.count != listed.count {
            return None;
        }
        left -= 1;
        out.push(Some((file, was)));
    }
    let is_right = left == 0 && !contradicts(&out, known, found, is_named);
    is_right.then(|| out.into_iter().map(|taken| Some(taken?.0)).collect())
}

/// Whether a URL, or a name where all have one of their own, says that a file is another than it was taken for: files of one
/// type and number of resources can change their places, and nothing else would tell.
fn contradicts(
    taken: &[Option<(FileNo, &Listed)>],
    known: &[(FileNo, &Listed)],
    found: &[&Listed],
    is_named: bool,
) -> bool {
    let tells = |by| {
        let mut keys = Named::default();
        for (_, listed) in known {
            keys.add(&in_list(by, listed));
        }
        found.iter().zip(taken).any(|(listed, taken)| {
            let key = in_list(by, listed);
            keys.get(&key).is_some() && taken.is_none_or(|(_, was)| in_list(by, was) != key)
        })
    };
    tells(By::Url) || is_named && tells(By::Name)
}

/// Whether no two files have the same key.
fn are_single(files: &[&Listed], key: impl Fn(&Listed) -> String) -> bool {
    let mut seen = Named::default();
    files.iter().all(|listed| seen.add(&key(listed)))
}

/// Whether each file has a name that no other of its kind has.
fn are_named(files: &[&Listed]) -> bool {
    files.iter().all(|listed| !key(By::Name, listed).is_empty())
        && are_single(files, |listed| in_list(By::Name, listed))
}

/// The key of a file, with the list that it is in.
fn in_list(by: By, listed: &Listed) -> String {
    format!("{} {}", listed.kind as u8, key(by, listed))
}

fn key(by: By, listed: &Listed) -> &str {
    let without_query = || listed.url.split(['?', '#']).next().unwrap_or_default();
    match by {
        By::Url => &listed.url,
        By::UrlWithoutQuery => without_query(),
        By::Name => without_query().rsplit('/').next().unwrap_or_default(),
        By::Place => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sink::FileKind;

    fn listed(kind: FileKind, type_name: &str, url: &str, count: Option<u64>) -> Listed {
        Listed {
            kind,
            type_name: Some(type_name.into()),
            url: url.into(),
            count,
            size: None,
            continues_in: None,
        }
    }

    fn output(type_name: &str, url: &str) -> Listed {
        listed(FileKind::Output, type_name, url, None)
    }

    fn found(known: &[Listed], now: &[Listed]) -> Option<Vec<Option<FileNo>>> {
        let known: Vec<(FileNo, &Listed)> = known.iter().enumerate().map(|(at, listed)| (at + 10, listed)).collect();
        matched(&known, &now.iter().collect::<Vec<_>>())
    }

    #[test]
    fn the_same_urls_in_another_order_are_the_same_files() {
        let (a, b) = (output("A", "u/1"), output("B", "u/2"));
        assert_eq!(found(&[a.clone(), b.clone()], &[b, a]), Some(vec![Some(11), Some(10)]));
    }

    #[test]
    fn signatures_are_not_what_a_file_is() {
        let known = [output("A", "u/1?s=1"), output("A", "u/2?s=1")];
        let now = [output("A", "u/2?s=2"), output("A", "u/1?s=2")];
        assert_eq!(found(&known, &now), Some(vec![Some(11), Some(10)]));
    }

    #[test]
    fn names_are_what_a_file_is_wherever_it_moves() {
        let known = [
            output("A", "u/again/1"),
            output("A", "u/again/2"),
            output("A", "u/again/3"),
        ];
        let now = [output("A", "u/2"), output("A", "u/3?s=1"), output("A", "v/1")];
        assert_eq!(found(&known, &now), Some(vec![Some(11), Some(12), Some(10)]));
    }

    #[test]
    fn places_say_nothing_against_names_and_urls() {
        // Of a list in which one is another, the rest has moved.
        let known = [output("A", "u/1"), output("A", "u/2")];
        assert_eq!(found(&known, &[output("A", "v/2"), output("A", "v/3")]), None);
        assert_eq!(found(&known, &[output("A", "v/3"), output("A", "v/1")]), None);
        let known = [output("A", "u/f?n=1"), output("A", "u/f?n=2")];
        assert_eq!(found(&known, &[output("A", "u/f?n=2"), output("A", "u/f?n=3")]), None);
        // Names that several have are none.
        let known = [output("A", "u/1/data"), output("A", "u/2/data")];
        let now = [output("A", "v/1/data"), output("A", "v/2/data")];
        assert_eq!(found(&known, &now), None, "they may have changed their places");
        let signed = [output("A", "u/f?id=1&s=a"), output("A", "u/f?id=2&s=a")];
        let fresh = [output("A", "u/f?id=2&s=b"), output("A", "u/f?id=1&s=b")];
        assert_eq!(found(&signed, &fresh), None);
    }

    #[test]
    fn other_urls_are_matched_by_their_place_in_their_list() {
        let error = |url| listed(FileKind::Error, "OperationOutcome", url, None);
        let known = [output("A", "u/1"), output("B", "u/2"), error("u/3")];
        let now = [output("A", "v/x"), output("B", "v/y"), error("v/z")];
        assert_eq!(found(&known, &now), Some(vec![Some(10), Some(11), Some(12)]));
    }

    #[test]
    fn a_file_of_another_type_or_count_or_none_at_all_is_another_manifest() {
        let known = [output("A", "u/1"), output("B", "u/2")];
        assert_eq!(found(&known, &[output("B", "v/x"), output("A", "v/y")]), None);
        assert_eq!(found(&known, &[output("A", "u/1")]), None);
        let counted = |count| [listed(FileKind::Output, "A", "u/1", Some(count))];
        assert_eq!(found(&counted(1), &counted(2)), None);
        assert_eq!(found(&counted(1), &counted(1)), Some(vec![Some(10)]));
    }

    #[test]
    fn what_is_more_than_before_is_new() {
        let known = [output("A", "u/1")];
        let now = [output("B", "u/0"), output("A", "u/1"), output("A", "u/2")];
        assert_eq!(found(&known, &now), Some(vec![None, Some(10), None]));
    }
}
