//! What stands of one resource after the arguments so far: the rules of merging.
//!
//! Within an argument the newest version counts; where a time is missing, or times are equal, the later line. An
//! argument's version takes the place of what stood before unless it is older; one whose time is not known is taken, for
//! it came later. A deletion removes what stands, except a version that is known to be newer than it.
//!
//! An argument is reduced by itself before it meets the others, so that merging three exports at once, or two and then
//! the third, gives the same.

use fhirehose_core::search::kind::date::Nanos;

use crate::snapshot::entry::{Entry, What};
use crate::snapshot::tally::{Finding, Tally};

/// A version of a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) line: u64,
    pub(crate) time: Option<Nanos>,
    pub(crate) content: u128,
}

/// What stands of one resource.
#[derive(Debug, Default)]
pub(crate) struct Held {
    stands: Option<Version>,
    /// An argument before this one deleted it.
    is_gone: bool,
    argument: u16,
    /// What this argument holds.
    own: Option<Version>,
    /// This argument deletes it: at which time, if that is known. Of several the latest; an unknown one outdoes all.
    deletion: Option<Option<Nanos>>,
}

impl Version {
    /// Whether it is older for certain.
    fn is_older(&self, other: &Version) -> bool {
        matches!((self.time, other.time), (Some(time), Some(other)) if time < other)
    }

    fn is_newer_than(&self, deletion: Option<Nanos>) -> bool {
        matches!((self.time, deletion), (Some(time), Some(deletion)) if time > deletion)
    }
}

impl Held {
    /// Takes what comes next: entries of one key in the order of arguments and lines. `replaces` says which arguments
    /// replace whatever the times.
    pub(crate) fn take(&mut self, entry: &Entry<'_>, replaces: impl Fn(u16) -> bool, tally: &mut Tally) {
        if entry.argument != self.argument {
            self.settle(replaces(self.argument), tally);
            self.argument = entry.argument;
        }
        match entry.what {
            What::Deletion => {
                self.deletion = Some(match self.deletion {
                    None => entry.time,
                    Some(before) => before.zip(entry.time).map(|(before, time)| before.max(time)),
                });
            }
            What::Version => self.own(
                Version {
                    line: entry.line,
                    time: entry.time,
                    content: entry.content,
                },
                tally,
            ),
        }
    }

    /// What stands at the end; everything is as new then.
    pub(crate) fn end(&mut self, replaces: impl Fn(u16) -> bool, tally: &mut Tally) -> Option<Version> {
        self.settle(replaces(self.argument), tally);
        std::mem::take(self).stands
    }

    fn own(&mut self, version: Version, tally: &mut Tally) {
        let Some(own) = &self.own else {
            self.own = Some(version);
            return;
        };
        let is_decided = own.time.is_some() && version.time.is_some() && own.time != version.time;
        if own.content == version.content {
            tally.numbers.repeated += 1;
        } else if is_decided {
            tally.numbers.superseded += 1;
        } else {
            tally.found(Finding::Conflict, version.line);
        }
        if !version.is_older(own) {
            self.own = Some(version);
        }
    }

    /// Ends an argument.
    fn settle(&mut self, replaces: bool, tally: &mut Tally) {
        let mut own = self.own.take();
        let deletion = self.deletion.take();
        if let Some(deletion) = deletion {
            self.delete(&mut own, deletion, tally);
        }
        if let Some(own) = own {
            if deletion.is_none() && self.is_gone {
                tally.found(Finding::Resurrected, own.line);
            }
            self.is_gone = false;
            self.put(own, replaces, tally);
        } else if deletion.is_some() && self.stands.is_none() {
            self.is_gone = true;
        }
    }

    fn delete(&mut self, own: &mut Option<Version>, deletion: Option<Nanos>, tally: &mut Tally) {
        if let Some(own) = own {
            tally.found(Finding::DeletedAndPresent, own.line);
        }
        let had_any = own.is_some() || self.stands.is_some();
        let newer = |version: &Version| version.is_newer_than(deletion);
        let survivor = own
            .as_ref()
            .filter(|own| newer(own))
            .or(self.stands.as_ref().filter(|stands| newer(stands)));
        match survivor {
            Some(survivor) => tally.found(Finding::NewerThanDeletion, survivor.line),
            None if had_any => tally.numbers.deleted += 1,
            None => tally.numbers.deleted_nothing += 1,
        }
        own.take_if(|own| !newer(own));
        self.stands.take_if(|stands| !newer(stands));
    }

    fn put(&mut self, own: Version, replaces: bool, tally: &mut Tally) {
        if let Some(stands) = &self.stands {
            if own.is_older(stands) && !replaces {
                tally.numbers.outdated += 1;
                return;
            }
            tally.numbers.replaced += u64::from(own.content != stands.content);
        }
        self.stands = Some(own);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::entry::Key;

    /// Entries as `argument: time` (`-` unknown) with `x` before a deletion; the content is the line unless `=N` says it.
    fn ends(entries: &str, replacing: Option<u16>) -> (Option<u64>, Vec<&'static str>, Tally) {
        let mut held = Held::default();
        let mut tally = Tally::default();
        for (line, text) in entries.split_whitespace().enumerate() {
            let (argument, rest) = text.split_once(':').expect("an argument");
            let (rest, is_deletion) = rest.strip_prefix('x').map_or((rest, false), |rest| (rest, true));
            let (time, content) = rest.split_once('=').unwrap_or((rest, ""));
            let entry = Entry {
                key: Key {
                    type_index: 0,
                    has_id: true,
                    id: b"a",
                },
                argument: argument.parse().expect("a number"),
                line: line as u64,
                what: if is_deletion { What::Deletion } else { What::Version },
                time: time.parse().ok(),
                content: content.parse().unwrap_or(1000 + line as u128),
            };
            held.take(&entry, |argument| Some(argument) == replacing, &mut tally);
        }
        let stands = held.end(|argument| Some(argument) == replacing, &mut tally);
        let codes = tally
            .findings()
            .into_iter()
            .map(|(finding, _)| finding.code())
            .collect();
        (stands.map(|version| version.line), codes, tally)
    }

    #[track_caller]
    fn check(entries: &str, line: Option<u64>, findings: &[&str]) {
        let (found, told, _) = ends(entries, None);
        assert_eq!((found, told.as_slice()), (line, findings), "{entries}");
    }

    #[test]
    fn the_newest_stands() {
        check("0:5", Some(0), &[]);
        check("0:5 1:6", Some(1), &[]);
        check("0:6 1:5", Some(0), &[]);
        check("0:5 1:5", Some(1), &[]);
        check("0:- 1:-", Some(1), &[]);
        check("0:5 1:-", Some(1), &[]);
        check("0:- 1:5", Some(1), &[]);
        check("0:5 0:6", Some(1), &[]);
        check("0:6 0:5", Some(0), &[]);
        check("0:6 1:5 2:7 3:4", Some(2), &[]);
    }

    #[test]
    fn what_times_cannot_decide_is_told() {
        check("0:5 0:5", Some(1), &["conflict"]);
        check("0:- 0:-", Some(1), &["conflict"]);
        check("0:5 0:-", Some(1), &["conflict"]);
        check("0:5=7 0:5=7", Some(1), &[]);
        assert_eq!(ends("0:5=7 0:5=7 0:-=7", None).2.numbers.repeated, 2);
        check("0:5 1:5", Some(1), &[]);
        check("0:9 1:5 1:5", Some(0), &["conflict"]);
    }

    #[test]
    fn deletions_remove_what_is_not_newer() {
        check("0:5 1:x-", None, &[]);
        check("0:5 1:x5", None, &[]);
        check("0:5 1:x6", None, &[]);
        check("0:- 1:x6", None, &[]);
        check("0:5 1:x4", Some(0), &["newer-than-deletion"]);
        check("0:5 1:x4 1:x-", None, &[]);
        check("1:x-", None, &[]);
        assert_eq!(ends("1:x-", None).2.numbers.deleted_nothing, 1);
        assert_eq!(ends("0:5 1:x-", None).2.numbers.deleted, 1);
    }

    #[test]
    fn deleted_and_present_in_one_argument() {
        check("0:5 0:x-", None, &["deleted-and-present"]);
        check("0:x- 0:5", None, &["deleted-and-present"]);
        check("0:5 0:x4", Some(0), &["deleted-and-present", "newer-than-deletion"]);
        check("0:3 1:5 1:x4", Some(1), &["deleted-and-present", "newer-than-deletion"]);
        check("0:9 1:5 1:x-", None, &["deleted-and-present"]);
    }

    #[test]
    fn a_later_argument_brings_back() {
        check("0:5 1:x- 2:4", Some(2), &["resurrected"]);
        check("1:x9 2:4", Some(1), &["resurrected"]);
        check("0:5 1:x- 2:x- 3:4", Some(3), &["resurrected"]);
        check("0:5 1:x- 2:6 2:x-", None, &["deleted-and-present"]);
        check("0:5 1:x4 2:6", Some(2), &["newer-than-deletion"]);
    }

    #[test]
    fn an_argument_may_replace_whatever_the_times() {
        assert_eq!(ends("0:6 1:5", Some(1)).0, Some(1));
        assert_eq!(ends("0:6 1:5 2:4", Some(1)).0, Some(1));
        assert_eq!(ends("0:6 1:5 1:4", Some(1)).0, Some(1));
    }

    /// Merging all at once and merging one after another give the same.
    #[test]
    fn merging_in_steps_gives_the_same() {
        let parts = ["5", "-", "3", "7=9", "x4", "x-", "6"];
        for one in parts {
            for two in parts {
                for three in parts {
                    let all = ends(&format!("0:{one} 1:{two} 2:{three}"), None).0;
                    let first = ends(&format!("0:{one} 1:{two}"), None).0;
                    let texts = [one, two];
                    let second = match first {
                        Some(line) => ends(&format!("0:{} 2:{three}", texts[line as usize]), None)
                            .0
                            .map(|at| if at == 0 { line } else { 2 }),
                        None => ends(&format!("2:{three}"), None).0.map(|_| 2),
                    };
                    assert_eq!(all, second, "{one} {two} {three}");
                }
            }
        }
    }
}
