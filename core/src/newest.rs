//! The newest Provenance of each resource, for `LatestProvenanceResources` (SPEC 2.8).

use std::cmp::Ordering;
use std::collections::HashMap;

use smallvec::SmallVec;

use crate::order::Map;
use crate::scan::json::Json;
use crate::search::kind::date::{self, Nanos};
use crate::search::leaf::Leaf;

/// What Provenances are ordered by: `recorded`, then `meta.lastUpdated`, then the id; none is older than any.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Age {
    recorded: Option<Nanos>,
    updated: Option<Nanos>,
    /// FHIR allows 64 bytes.
    id: Option<SmallVec<[u8; 64]>>,
}

impl Age {
    /// Of a Provenance, by the three values.
    pub fn new(recorded: Option<Json<'_>>, updated: Option<Json<'_>>, id: Option<Json<'_>>) -> Age {
        let instant = |value: Option<Json<'_>>| date::stored(Leaf::Instant, value?).map(|span| span.lo);
        Age {
            recorded: instant(recorded),
            updated: instant(updated),
            id: id
                .and_then(Json::text)
                .map(|text| SmallVec::from_slice(text.decode().as_bytes())),
        }
    }

    /// Of a line that has been walked.
    pub fn of_line(line: &[u8]) -> Age {
        let resource = Json::new(line.trim_ascii_start());
        let updated = resource.get("meta").and_then(|meta| meta.get("lastUpdated"));
        Age::new(resource.get("recorded"), updated, resource.get("id"))
    }
}

/// For each resource that has a Provenance, the age of its newest one.
#[derive(Clone, Debug, Default)]
pub struct Newest {
    /// By the type's number and the id: which of the ages.
    of_type: Map<usize, HashMap<Box<[u8]>, u32>>,
    ages: Vec<Age>,
}

impl Newest {
    /// A Provenance of that age has this target.
    pub fn add(&mut self, type_index: usize, id: &[u8], age: u32) {
        let Newest { of_type, ages } = self;
        let best = of_type.slot(type_index);
        match best.get_mut(id) {
            Some(best) => {
                if ages[*best as usize].cmp(&ages[age as usize]) == Ordering::Less {
                    *best = age;
                }
            }
            None => drop(best.insert(id.into(), age)),
        }
    }

    /// Makes an age known; its number is for [`Newest::add`]. One Provenance may have hundreds of targets.
    pub fn age(&mut self, age: Age) -> u32 {
        self.ages.push(age);
        (self.ages.len() - 1) as u32
    }

    /// Whether a Provenance of that age is the newest of the target.
    pub fn is(&self, type_index: usize, id: &[u8], age: &Age) -> bool {
        let best = self.of_type.get(&type_index).and_then(|of_type| of_type.get(id));
        best.is_some_and(|&best| self.ages[best as usize] == *age)
    }

    /// Takes in what another thread found.
    pub fn merge(&mut self, other: Newest) {
        let shift = self.ages.len() as u32;
        self.ages.extend(other.ages);
        for (type_index, of_type) in other.of_type {
            for (id, age) in of_type {
                self.add(type_index, &id, age + shift);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn age(line: &str) -> Age {
        Age::of_line(line.as_bytes())
    }

    #[test]
    fn recorded_then_updated_then_id() {
        let ascending = [
            r#"{}"#,
            r#"{"id":"a"}"#,
            r#"{"id":"b"}"#,
            r#"{"id":"a","meta":{"lastUpdated":"2020-01-01T00:00:00Z"}}"#,
            r#"{"id":"a","recorded":"2019-01-01T00:00:00Z"}"#,
            r#"{"id":"b","recorded":"2019-01-01T00:00:00Z"}"#,
            r#"{"id":"a","recorded":"2019-01-01T00:00:00Z","meta":{"lastUpdated":"2001-01-01T00:00:00Z"}}"#,
            r#"{"id":"0","recorded":"2019-01-01T01:30:00+01:00"}"#,
        ];
        for pair in ascending.windows(2) {
            assert!(age(pair[0]) < age(pair[1]), "{pair:?}");
        }
    }

    #[test]
    fn the_newest_of_each_target_whatever_the_order() {
        let ages = [
            r#"{"id":"a","recorded":"2019-01-01T00:00:00Z"}"#,
            r#"{"id":"b","recorded":"2020-01-01T00:00:00Z"}"#,
        ]
        .map(age);
        for order in [[0, 1], [1, 0]] {
            let mut parts = order.map(|which: usize| {
                let mut part = Newest::default();
                let number = part.age(ages[which].clone());
                part.add(7, b"x", number);
                if which == 0 {
                    part.add(7, b"y", number);
                }
                part
            });
            let [first, second] = &mut parts;
            first.merge(std::mem::take(second));
            assert!(first.is(7, b"x", &ages[1]) && !first.is(7, b"x", &ages[0]));
            assert!(first.is(7, b"y", &ages[0]) && !first.is(8, b"x", &ages[1]));
        }
    }
}
