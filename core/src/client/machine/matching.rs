//! Which files of a page that has been seen before are which of it now: URLs may be fresh, the order may be another.
//!
//! A file that is taken for another one is fetched twice, and the other never. So what cannot be told apart is said to be so.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::super::journal::Listed;
use super::super::step::FileNo;
use crate::sink::FileKind;

/// A page that has been seen before, as it is now.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Matched {
    /// For each file found, the known one that it is; `None` where it is new.
    pub(super) places: Vec<Option<FileNo>>,
    /// Those found of which it cannot be told which they are. Where there is a place for one, it is any of those that they may be.
    pub(super) unsure: BTreeSet<usize>,
}

impl Matched {
    /// So many files that were not there before.
    pub(super) fn all_new(found: usize) -> Matched {
        Matched {
            places: vec![None; found],
            unsure: BTreeSet::new(),
        }
    }
}

/// What is known of the whole manifest.
pub(super) struct Whole<'w> {
    /// The page is all there is of it, before and now.
    pub(super) is_one_page: bool,
    /// Whether only one known file of that list has that URL up to its query.
    pub(super) is_single: &'w dyn Fn(FileKind, &str) -> bool,
}

/// Files of either side that are not matched yet: indices of `known` and `found`.
#[derive(Default)]
struct Group {
    known: VecDeque<usize>,
    found: Vec<usize>,
}

struct Matching<'m> {
    known: &'m [(FileNo, &'m Listed)],
    found: &'m [&'m Listed],
    /// For each found, the index of the known one.
    places: Vec<Option<usize>>,
    is_taken: Vec<bool>,
}

/// `None` where a known file is not among those found, or has another type or another number of resources.
///
/// The same URL is the same file. The same URL up to its query is, where no other file has it: signatures stand in queries.
/// What is left can only be told where one page holds everything: by those parts of the URL that have the values that they had,
/// or by type and number of resources.
pub(super) fn matched(known: &[(FileNo, &Listed)], found: &[&Listed], whole: &Whole<'_>) -> Option<Matched> {
    let mut matching = Matching {
        known,
        found,
        places: vec![None; found.len()],
        is_taken: vec![false; known.len()],
    };
    for group in matching
        .left_by(|listed| (listed.kind, listed.url.as_str()))
        .into_values()
    {
        for (&known, &found) in group.known.iter().zip(&group.found) {
            matching.take(known, found)?;
        }
    }
    for ((kind, path), group) in matching.left_by(|listed| (listed.kind, path(&listed.url))) {
        let is_pair = (group.known.len(), group.found.len()) == (1, 1);
        if is_pair && (whole.is_one_page || (whole.is_single)(kind, path)) {
            matching.take(group.known[0], group.found[0])?;
        }
    }
    if whole.is_one_page {
        for group in matching.left_by(|listed| listed.kind).into_values() {
            matching.take_by_parts(&group)?;
        }
    }
    let mut unsure = BTreeSet::new();
    let by_looks = matching.left_by(|listed| (listed.kind, listed.type_name.as_deref(), listed.count));
    for group in by_looks.into_values().filter(|group| !group.known.is_empty()) {
        if group.found.len() < group.known.len() {
            return None;
        }
        let is_sure = whole.is_one_page && group.found.len() == 1;
        if !is_sure {
            unsure.extend(group.found.iter().copied());
        }
        for (&known, &found) in group.known.iter().zip(&group.found) {
            matching.take(known, found)?;
        }
    }
    let number = |place: usize| known[place].0;
    Some(Matched {
        places: matching.places.iter().map(|place| place.map(number)).collect(),
        unsure,
    })
}

impl<'m> Matching<'m> {
    /// What is not matched yet, by a key.
    fn left_by<K: Ord>(&self, key: impl Fn(&'m Listed) -> K) -> BTreeMap<K, Group> {
        let mut groups: BTreeMap<K, Group> = BTreeMap::new();
        for (at, (_, listed)) in self.known.iter().enumerate().filter(|(at, _)| !self.is_taken[*at]) {
            groups.entry(key(listed)).or_default().known.push_back(at);
        }
        for (at, listed) in self
            .found
            .iter()
            .enumerate()
            .filter(|(at, _)| self.places[*at].is_none())
        {
            groups.entry(key(listed)).or_default().found.push(at);
        }
        groups
    }

    fn take(&mut self, known: usize, found: usize) -> Option<()> {
        let (was, is) = (self.known[known].1, self.found[found]);
        if was.type_name != is.type_name || was.count != is.count {
            return None;
        }
        self.places[found] = Some(known);
        self.is_taken[known] = true;
        Some(())
    }

    /// Matches files by those parts of their URLs of which all values are there again, where these tell each of them from all
    /// others.
    fn take_by_parts(&mut self, group: &Group) -> Option<()> {
        let known_urls: Vec<&'m str> = group.known.iter().map(|&at| self.known[at].1.url.as_str()).collect();
        let found_urls: Vec<&'m str> = group.found.iter().map(|&at| self.found[at].url.as_str()).collect();
        let (were, are) = (values(&known_urls), values(&found_urls));
        let is_there =
            |part: &Part<'m>, known: &BTreeSet<&str>| are.get(part).is_some_and(|found| known.is_subset(found));
        let kept: BTreeSet<Part<'m>> = were
            .iter()
            .filter(|(part, known)| is_there(part, known))
            .map(|(part, _)| *part)
            .collect();
        let key = |url: &'m str| -> BTreeSet<(Part<'m>, &'m str)> {
            parts(url).filter(|(part, _)| kept.contains(part)).collect()
        };
        let places: BTreeMap<_, usize> = known_urls
            .iter()
            .map(|url| key(url))
            .zip(group.known.iter().copied())
            .collect();
        let keys: Vec<_> = found_urls.iter().map(|url| key(url)).collect();
        let found: BTreeMap<_, usize> = keys.iter().zip(group.found.iter().copied()).collect();
        let is_told = places.len() == group.known.len()
            && found.len() == group.found.len()
            && places.keys().all(|key| found.contains_key(key));
        for (key, known) in places.iter().filter(|_| is_told) {
            self.take(*known, found[key])?;
        }
        Some(())
    }
}

/// What of a URL may name a file or sign it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part<'u> {
    /// What stands between slashes, by its place.
    Segment(usize),
    /// A parameter of the query.
    Parameter(&'u str),
}

fn parts(url: &str) -> impl Iterator<Item = (Part<'_>, &str)> {
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let segments = path
        .split('/')
        .enumerate()
        .map(|(at, segment)| (Part::Segment(at), segment));
    let named = query.split('&').filter(|part| !part.is_empty());
    let named = named.map(|part| part.split_once('=').unwrap_or((part, "")));
    segments.chain(named.map(|(name, value)| (Part::Parameter(name), value)))
}

fn values<'u>(urls: &[&'u str]) -> BTreeMap<Part<'u>, BTreeSet<&'u str>> {
    let mut values: BTreeMap<_, BTreeSet<&str>> = BTreeMap::new();
    for (part, value) in urls.iter().flat_map(|url| parts(url)) {
        values.entry(part).or_default().insert(value);
    }
    values
}

/// A URL up to its query.
pub(super) fn path(url: &str) -> &str {
    url.split('?').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

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

    fn outputs(urls: &[&str]) -> Vec<Listed> {
        urls.iter().map(|url| output("A", url)).collect()
    }

    fn matched_in(known: &[Listed], now: &[Listed], is_one_page: bool) -> Option<Matched> {
        let known: Vec<(FileNo, &Listed)> = known.iter().enumerate().map(|(at, listed)| (at + 10, listed)).collect();
        let is_single = |kind: FileKind, url: &str| {
            let same = known
                .iter()
                .filter(|(_, listed)| listed.kind == kind && path(&listed.url) == url);
            same.count() == 1
        };
        let whole = Whole {
            is_one_page,
            is_single: &is_single,
        };
        matched(&known, &now.iter().collect::<Vec<_>>(), &whole)
    }

    /// Of a manifest of one page, where everything can be told.
    fn found(known: &[Listed], now: &[Listed]) -> Option<Vec<Option<FileNo>>> {
        let found = matched_in(known, now, true)?;
        assert!(found.unsure.is_empty(), "{found:?}");
        Some(found.places)
    }

    #[track_caller]
    fn is_unsure(known: &[Listed], now: &[Listed], is_one_page: bool) {
        let found = matched_in(known, now, is_one_page).expect("the same files");
        assert!(!found.unsure.is_empty(), "{found:?}");
        let places: BTreeSet<FileNo> = found.places.iter().copied().flatten().collect();
        assert_eq!(places.len(), known.len(), "each has its place");
    }

    #[test]
    fn the_same_urls_in_another_order_are_the_same_files() {
        let (a, b) = (output("A", "u/1"), output("B", "u/2"));
        assert_eq!(found(&[a.clone(), b.clone()], &[b, a]), Some(vec![Some(11), Some(10)]));
    }

    #[test]
    fn signatures_are_not_what_a_file_is() {
        let known = outputs(&["u/1?s=1", "u/2?s=1"]);
        let now = outputs(&["u/2?s=2", "u/1?s=2"]);
        assert_eq!(found(&known, &now), Some(vec![Some(11), Some(10)]));
        let paged = matched_in(&known, &now, false).expect("the same files");
        assert_eq!((paged.places, paged.unsure.len()), (vec![Some(11), Some(10)], 0));
    }

    #[test]
    fn a_file_may_be_named_by_any_part_of_its_url() {
        let known = outputs(&["f?id=x1&sig=g0", "f?id=x2&sig=h0", "f?id=x3&sig=i0"]);
        let now = outputs(&["f?sig=g1&id=x3", "f?id=x1&sig=g2", "f?id=x2&sig=g3"]);
        assert_eq!(found(&known, &now), Some(vec![Some(12), Some(10), Some(11)]));
        let more = outputs(&["f?id=x4&sig=1", "f?id=x3&sig=1", "f?id=x2&sig=1", "f?id=x1&sig=1"]);
        assert_eq!(found(&known, &more), Some(vec![None, Some(12), Some(11), Some(10)]));
        let known = outputs(&["g0/x1/f", "g0/x2/f"]);
        assert_eq!(
            found(&known, &outputs(&["g1/x2/f", "g2/x1/f"])),
            Some(vec![Some(11), Some(10)])
        );
        // With the same type for all: `t` names no file, and the signature neither.
        is_unsure(
            &outputs(&["f?t=A&sig=1", "f?t=A&sig=2"]),
            &outputs(&["f?t=A&sig=3", "f?t=A&sig=4"]),
            true,
        );
        // On another page there may be the one that was here.
        is_unsure(&known, &outputs(&["g1/x2/f", "g1/x1/f"]), false);
    }

    #[test]
    fn other_urls_are_matched_by_type_and_count_where_those_tell_them_apart() {
        let error = |url| listed(FileKind::Error, "OperationOutcome", url, None);
        let counted = |url, count| listed(FileKind::Output, "A", url, Some(count));
        let known = [output("A", "u/1"), output("B", "u/2"), error("u/3"), counted("u/4", 7)];
        let now = [output("B", "v/a"), counted("v/b", 7), output("A", "v/c"), error("v/d")];
        assert_eq!(found(&known, &now), Some(vec![Some(11), Some(13), Some(10), Some(12)]));
        is_unsure(&known, &now, false);
        is_unsure(&outputs(&["u/1", "u/2"]), &outputs(&["v/a", "v/b"]), true);
        is_unsure(&outputs(&["u/1"]), &outputs(&["v/a", "v/b"]), true);
        // Those whose URL has stayed are not asked.
        let found = matched_in(&outputs(&["u/1", "u/2", "u/3"]), &outputs(&["v/a", "u/1", "v/b"]), true);
        let found = found.expect("the same files");
        assert_eq!((found.places[1], found.unsure), (Some(10), BTreeSet::from([0, 2])));
    }

    #[test]
    fn a_path_that_other_pages_have_too_names_no_file() {
        let known = outputs(&["f?id=1"]);
        let number = |is_single: bool| {
            let known: Vec<(FileNo, &Listed)> = known.iter().map(|listed| (3, listed)).collect();
            let whole = Whole {
                is_one_page: false,
                is_single: &|_, path| path == "f" && is_single,
            };
            let found = matched(&known, &[&output("A", "f?id=2")], &whole).expect("the same files");
            found.unsure.len()
        };
        assert_eq!((number(true), number(false)), (0, 1));
    }

    #[test]
    fn a_file_of_another_type_or_count_or_none_at_all_is_another_manifest() {
        let known = [output("A", "u/1"), output("B", "u/2")];
        assert_eq!(found(&known, &[output("B", "v/b"), output("C", "v/a")]), None);
        assert_eq!(found(&known, &[output("A", "u/1")]), None);
        let counted = |count| [listed(FileKind::Output, "A", "u/1", Some(count))];
        assert_eq!(found(&counted(1), &counted(2)), None);
        assert_eq!(found(&counted(1), &counted(1)), Some(vec![Some(10)]));
    }

    #[test]
    fn what_is_more_than_before_is_new() {
        let known = outputs(&["u/1"]);
        let now = [output("B", "u/0"), output("A", "u/1"), output("A", "u/2")];
        assert_eq!(found(&known, &now), Some(vec![None, Some(10), None]));
    }
}
