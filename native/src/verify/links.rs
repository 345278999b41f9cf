//! References of one thread, joined where one is repeated before it is remembered: most lines refer to few resources.

use fhirehose_core::links::references;
use fhirehose_core::search::kind::reference::target_of;
use fhirehose_core::search::table::Registry;

use super::key::{Ids, MOST_TIMES, Record, What, Where};
use crate::job::JobError;

/// Places for references that have been read last, each by its hash.
const PLACES: usize = 1 << 13;

/// How references are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// `Type/id`: to a resource of the export, if it is whole.
    pub relative: u64,
    /// URLs.
    pub absolute: u64,
    /// Into the resource itself, conditional, or nothing that can be followed.
    pub others: u64,
}

impl Written {
    pub(super) fn add(&mut self, other: Written) {
        self.relative += other.relative;
        self.absolute += other.absolute;
        self.others += other.others;
    }
}

pub(super) struct Links {
    places: Vec<Option<Record>>,
    pub(super) written: Written,
}

impl Links {
    pub(super) fn new() -> Links {
        Links {
            places: vec![None; PLACES],
            written: Written::default(),
        }
    }

    /// Takes the references of a line that has been checked. Those that have to give way are given to `put`.
    pub(super) fn take(
        &mut self,
        registry: &Registry,
        ids: &Ids,
        line: &[u8],
        from: u16,
        place: Where,
        put: &mut dyn FnMut(&Record) -> Result<(), JobError>,
    ) -> Result<(), JobError> {
        let mut result = Ok(());
        references(line, &mut |text| {
            let text = text.decode();
            let target = target_of(&text, None).and_then(|(name, id)| Some((registry.type_index(name)? as u16, id)));
            let Some((type_index, id)) = target else {
                let is_absolute = text.contains("://");
                self.written.absolute += u64::from(is_absolute);
                self.written.others += u64::from(!is_absolute);
                return;
            };
            self.written.relative += 1;
            let record = Record {
                hash: ids.of(type_index, id.as_bytes()),
                what: What::Reference,
                type_index,
                from,
                times: 1,
                place,
            };
            if let Some(leaves) = self.join(record)
                && result.is_ok()
            {
                result = put(&leaves);
            }
        });
        result
    }

    /// Counts a reference to those that are the same; gives one that has to leave for it.
    fn join(&mut self, record: Record) -> Option<Record> {
        let slot = record.hash as usize % PLACES;
        match &mut self.places[slot] {
            Some(known) if known.hash == record.hash && known.from == record.from && known.times < MOST_TIMES => {
                known.times += 1;
                known.place = known.place.min(record.place);
                None
            }
            place => place.replace(record),
        }
    }

    /// All that are still held.
    pub(super) fn finish(self) -> impl Iterator<Item = Record> {
        self.places.into_iter().flatten()
    }
}
