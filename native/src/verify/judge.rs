//! What all that is said of one id comes to: duplicates, what is deleted and present, references that lead nowhere.

use std::collections::BTreeMap;

use fhirehose_core::client::manifest::Severity;
use fhirehose_core::position::Position;
use fhirehose_core::search::table::Registry;

use super::Dangling;
use super::found::{Finding, Spot, Tally};
use super::key::{Record, What, Where};
use super::listing::Listed;
use super::scan::Scanned;
use crate::job::JobError;
use crate::output_error::OutputError;
use crate::snapshot::sorted::Runs;

/// What there is of the id at hand.
#[derive(Default)]
struct AtHand {
    hash: Option<u128>,
    /// The resource that was there last, and the first.
    last: Option<Where>,
    first: Option<Where>,
}

/// Judges.
pub(super) struct Judge<'j> {
    scanned: &'j Scanned,
    listed: &'j [Listed],
    registry: &'j Registry,
    is_organized: bool,
    at_hand: AtHand,
    /// By type: where one is there again, and where it was before.
    duplicates: BTreeMap<u16, Tally<(Where, Where)>>,
    /// By type: where it is, and where it is deleted.
    deleted: BTreeMap<u16, Tally<(Where, Where)>>,
    /// By the types of who refers and of what is not there.
    dangling: BTreeMap<(u16, u16), Tally<Where>>,
    /// Headers without their resource behind them.
    headless: Tally<Where>,
}

impl<'j> Judge<'j> {
    pub(super) fn new(scanned: &'j Scanned, listed: &'j [Listed], registry: &'j Registry, is_organized: bool) -> Self {
        Judge {
            scanned,
            listed,
            registry,
            is_organized,
            at_hand: AtHand::default(),
            duplicates: BTreeMap::new(),
            deleted: BTreeMap::new(),
            dangling: BTreeMap::new(),
            headless: Tally::default(),
        }
    }

    /// Takes all that was noted, in its order. Gives how many runs were on disk.
    pub(super) fn run(&mut self, runs: Runs<Record>) -> Result<u64, JobError> {
        runs.drain(|bytes| {
            let damaged = || OutputError::new("read", "a sorted run", &std::io::Error::other("it is damaged"));
            let record = Record::read(bytes).ok_or_else(damaged)?;
            // Places that do not count are of files that were read again.
            if self.scanned.is_counted(record.place) {
                self.record(&record);
            }
            Ok(())
        })
    }

    fn record(&mut self, record: &Record) {
        if self.at_hand.hash != Some(record.hash) {
            self.at_hand = AtHand {
                hash: Some(record.hash),
                ..AtHand::default()
            };
        }
        let Record { place, type_index, .. } = *record;
        match record.what {
            What::Resource => {
                let before = self.at_hand.last.replace(place);
                self.at_hand.first.get_or_insert(place);
                if let Some(before) = before
                    && self.is_again(before, place)
                {
                    self.duplicates.entry(type_index).or_default().add((place, before), 1);
                }
            }
            What::Deletion => {
                if let Some(present) = self.at_hand.first {
                    self.deleted.entry(type_index).or_default().add((present, place), 1);
                }
            }
            What::Reference => {
                if self.at_hand.first.is_none() {
                    let tally = self.dangling.entry((record.from, type_index)).or_default();
                    tally.add(place, u64::from(record.times));
                }
            }
            What::Header => {
                if !self.is_followed(place) {
                    self.headless.add(place, 1);
                }
            }
        }
    }

    /// Whether the second place of a resource is one too many. Organized output may repeat a resource in every block.
    fn is_again(&self, before: Where, place: Where) -> bool {
        !self.is_organized || self.scanned.block(before) == self.scanned.block(place)
    }

    /// Whether a header has its resource behind it, or is that of a block that goes on from another file.
    fn is_followed(&self, header: Where) -> bool {
        let Some((file, line)) = self.scanned.line(header) else {
            return true;
        };
        let is_continued = line == 1 && self.listed[file].continues;
        let next = |place: Option<Where>| place.and_then(|place| self.scanned.line(place)) == Some((file, line + 1));
        is_continued || next(self.at_hand.first) || next(self.at_hand.last)
    }

    /// What was found.
    pub(super) fn finish(self, findings: &mut Vec<Finding>) -> Vec<Dangling> {
        let (scanned, listed, registry) = (self.scanned, self.listed, self.registry);
        let spot = |place: Where| {
            let (file, line) = scanned.line(place)?;
            Some(Spot {
                file: listed[file].name.clone(),
                at: Position { line, column: 0 },
            })
        };
        let name = |type_index: u16| registry.types().get(usize::from(type_index)).map_or("", String::as_str);
        let mut pairs = |rule, all: BTreeMap<u16, Tally<(Where, Where)>>, message: &dyn Fn(&str) -> String| {
            for (type_index, tally) in all {
                let (count, places) = tally.finish();
                findings.push(Finding {
                    severity: Severity::Error,
                    rule,
                    file: None,
                    count,
                    places: places
                        .into_iter()
                        .flat_map(|(one, other)| [one, other])
                        .filter_map(spot)
                        .collect(),
                    message: message(name(type_index)),
                });
            }
        };
        pairs("duplicate", self.duplicates, &|name| {
            format!("{name} resources that are there again; each place is followed by the one before it")
        });
        pairs("deleted-and-present", self.deleted, &|name| {
            format!("{name} resources that are there and deleted; each place is followed by that of the deletion")
        });
        let (count, places) = self.headless.finish();
        if count > 0 {
            findings.push(Finding {
                severity: Severity::Note,
                rule: "header-without-resource",
                file: None,
                count,
                places: places.into_iter().filter_map(spot).collect(),
                message: "headers that are not followed by the resource that they name".to_owned(),
            });
        }
        let dangling = self.dangling.into_iter().map(|((from, to), tally)| {
            let (count, places) = tally.finish();
            Dangling {
                from: name(from).to_owned(),
                to: name(to).to_owned(),
                count,
                places: places.into_iter().filter_map(spot).collect(),
            }
        });
        dangling.collect()
    }
}
