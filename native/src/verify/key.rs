//! What is remembered of a resource, a deletion, a reference or a header: 36 bytes, in which its id is a keyed hash.
//!
//! The order of the bytes brings together all that is said of one id: resources first, then deletions, references and
//! headers, each in the order of their places.

use fhirehose_core::scan::text::Text;
use siphasher::sip128::{Hasher128, SipHasher13};
use std::hash::Hasher;

use crate::snapshot::sorted::Measured;

/// What a line says of an id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Resource,
    Deletion,
    Reference,
    Header,
}

/// A line, wherever its block was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Where {
    /// Number of the reading of a file; see [`super::scan`].
    pub(super) reading: u32,
    /// Number of the block in the file.
    pub(super) block: u32,
    /// Number of the line in the block, from 0.
    pub(super) line: u32,
}

/// What is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Record {
    /// Of type and id.
    pub(super) hash: u128,
    pub(super) what: What,
    /// The type that the hash is of.
    pub(super) type_index: u16,
    /// Of a reference: the type of the resource that refers.
    pub(super) from: u16,
    /// How many there are of it, of which the first is there.
    pub(super) times: u32,
    pub(super) place: Where,
}

/// Most that [`Record::times`] holds.
pub(super) const MOST_TIMES: u32 = (1 << 24) - 1;

const LENGTH: usize = 16 + 1 + 2 + 2 + 3 + 4 + 4 + 4;

impl Measured for Record {
    const HEAD: usize = LENGTH;

    fn length(_: &[u8]) -> usize {
        LENGTH
    }
}

impl Record {
    /// Adds its bytes, and gives the number that they begin with.
    pub(super) fn push(&self, out: &mut Vec<u8>) -> u64 {
        out.extend_from_slice(&self.hash.to_be_bytes());
        out.push(self.what as u8);
        out.extend_from_slice(&self.type_index.to_be_bytes());
        out.extend_from_slice(&self.from.to_be_bytes());
        out.extend_from_slice(&self.times.min(MOST_TIMES).to_be_bytes()[1..]);
        out.extend_from_slice(&self.place.reading.to_be_bytes());
        out.extend_from_slice(&self.place.block.to_be_bytes());
        out.extend_from_slice(&self.place.line.to_be_bytes());
        (self.hash >> 64) as u64
    }

    /// Reads what [`Record::push`] has written.
    pub(super) fn read(bytes: &[u8]) -> Option<Record> {
        let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
        let number = |at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
        let short = |at: usize| u16::from_be_bytes([bytes[at], bytes[at + 1]]);
        let (hash, _) = bytes.split_first_chunk()?;
        Some(Record {
            hash: u128::from_be_bytes(*hash),
            what: match bytes[16] {
                0 => What::Resource,
                1 => What::Deletion,
                2 => What::Reference,
                3 => What::Header,
                _ => return None,
            },
            type_index: short(17),
            from: short(19),
            times: number(20) & MOST_TIMES,
            place: Where {
                reading: number(24),
                block: number(28),
                line: number(32),
            },
        })
    }
}

/// Hashes ids. Keyed, so that nobody can make two ids that look alike.
#[derive(Clone, Copy)]
pub(super) struct Ids {
    key: SipHasher13,
}

impl Ids {
    pub(super) fn new(key: [u64; 2]) -> Ids {
        Ids {
            key: SipHasher13::new_with_keys(key[0], key[1]),
        }
    }

    /// Of an id as it is.
    pub(super) fn of(&self, type_index: u16, id: &[u8]) -> u128 {
        let mut hasher = self.key;
        hasher.write(&type_index.to_be_bytes());
        hasher.write(id);
        hasher.finish128().as_u128()
    }

    /// Of an id as it is written.
    pub(super) fn of_text(&self, type_index: u16, id: Text<'_>) -> u128 {
        match id.is_escaped() {
            true => self.of(type_index, id.decode().as_bytes()),
            false => self.of(type_index, id.raw()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_stands_in_order() {
        let ids = Ids::new([1, 2]);
        let mut all = Vec::new();
        for id in ["a", "b"] {
            for what in [What::Resource, What::Deletion, What::Reference, What::Header] {
                for line in [0, 1, 70_000] {
                    all.push(Record {
                        hash: ids.of(7, id.as_bytes()),
                        what,
                        type_index: 7,
                        from: 300,
                        times: MOST_TIMES - line,
                        place: Where {
                            reading: 1,
                            block: 2,
                            line,
                        },
                    });
                }
            }
        }
        let written = |record: &Record| {
            let mut out = Vec::new();
            let first = record.push(&mut out);
            assert_eq!(out[..8], first.to_be_bytes());
            assert_eq!((out.len(), Record::read(&out)), (LENGTH, Some(*record)));
            assert_eq!(Record::read(&out[1..]), None);
            out
        };
        let bytes: Vec<Vec<u8>> = all.iter().map(written).collect();
        let of_one_id = |bytes: &&Vec<u8>| bytes[..16] == ids.of(7, b"a").to_be_bytes();
        assert_eq!(bytes.iter().filter(of_one_id).count(), 12);
        let resources: Vec<&Vec<u8>> = bytes.iter().filter(of_one_id).filter(|bytes| bytes[16] == 0).collect();
        assert!(resources.is_sorted_by_key(|bytes| &bytes[24..]));
        assert_ne!(ids.of(7, b"a"), ids.of(8, b"a"));
        assert_ne!(ids.of(7, b"a"), Ids::new([1, 3]).of(7, b"a"));
        assert_eq!(ids.of(7, b"a"), ids.of_text(7, Text::new(br"\u0061")));
    }
}
