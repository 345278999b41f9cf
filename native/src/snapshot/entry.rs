//! What is known of one line, or of one deletion in it, in as few bytes as sorting needs.
//!
//! The order of the bytes is the order of entries: by the hash of their key, by the key, by argument, by line.

use std::hash::Hasher;

use fhirehose_core::search::kind::date::Nanos;
use siphasher::sip::SipHasher13;

/// Longest id that is one; FHIR allows 64 bytes.
pub(crate) const LONGEST_ID: usize = u8::MAX as usize;

const BEFORE_ID: usize = 8 + 2 + 1 + 1;
const BEHIND_ID: usize = 2 + 8 + 1 + 1 + 16 + 16;

/// What a line says about a resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// The line is a version of it.
    Version,
    /// It was deleted.
    Deletion,
}

/// Which resource.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Key<'k> {
    /// Number of its type in the registry.
    pub(crate) type_index: u16,
    /// It has an id; if not, its content stands for it.
    pub(crate) has_id: bool,
    /// The id, or the hash of the content.
    pub(crate) id: &'k [u8],
}

/// An entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Entry<'k> {
    pub(crate) key: Key<'k>,
    /// Which argument, from 0.
    pub(crate) argument: u16,
    /// Which line, counted through all inputs.
    pub(crate) line: u64,
    pub(crate) what: What,
    /// Time of the change, if it is known.
    pub(crate) time: Option<Nanos>,
    /// Hash of the content.
    pub(crate) content: u128,
}

impl<'k> Key<'k> {
    /// Reads the key that an entry begins with.
    pub(crate) fn read(bytes: &'k [u8]) -> Option<Key<'k>> {
        Some(Self::split(bytes)?.0)
    }

    fn split(bytes: &'k [u8]) -> Option<(Key<'k>, &'k [u8])> {
        let mut rest = bytes.get(8..)?;
        let type_index = u16::from_be_bytes(take(&mut rest)?);
        let [has_id, len] = take(&mut rest)?;
        let (id, behind) = rest.split_at_checked(usize::from(len))?;
        let key = Key {
            type_index,
            has_id: has_id == 1,
            id,
        };
        Some((key, behind))
    }

    /// The same on every machine and in every run, since it orders deletions in the output.
    fn hash(&self) -> u64 {
        let mut hasher = SipHasher13::new();
        hasher.write(&self.type_index.to_be_bytes());
        hasher.write(&[u8::from(self.has_id)]);
        hasher.write(self.id);
        hasher.finish()
    }
}

impl<'k> Entry<'k> {
    /// Adds its bytes and gives the hash they begin with.
    pub(crate) fn push(&self, out: &mut Vec<u8>) -> u64 {
        let hash = self.key.hash();
        let id = &self.key.id[..self.key.id.len().min(LONGEST_ID)];
        out.extend_from_slice(&hash.to_be_bytes());
        out.extend_from_slice(&self.key.type_index.to_be_bytes());
        out.push(u8::from(self.key.has_id));
        out.push(id.len() as u8);
        out.extend_from_slice(id);
        out.extend_from_slice(&self.argument.to_be_bytes());
        out.extend_from_slice(&self.line.to_be_bytes());
        out.push(u8::from(self.what == What::Deletion));
        out.push(u8::from(self.time.is_some()));
        out.extend_from_slice(&self.time.unwrap_or(0).to_be_bytes());
        out.extend_from_slice(&self.content.to_be_bytes());
        hash
    }

    /// Reads the entry that `bytes` begin with.
    pub(crate) fn read(bytes: &'k [u8]) -> Option<Entry<'k>> {
        let (key, mut rest) = Key::split(bytes)?;
        let argument = u16::from_be_bytes(take(&mut rest)?);
        let line = u64::from_be_bytes(take(&mut rest)?);
        let [deletion, timed] = take(&mut rest)?;
        let time = i128::from_be_bytes(take(&mut rest)?);
        let content = u128::from_be_bytes(take(&mut rest)?);
        Some(Entry {
            key,
            argument,
            line,
            what: if deletion == 1 { What::Deletion } else { What::Version },
            time: (timed == 1).then_some(time),
            content,
        })
    }

    /// How long its key is, with the hash before it; all bytes up to there are equal for entries of one key.
    pub(crate) fn key_length(head: &[u8]) -> usize {
        Self::length(head) - BEHIND_ID
    }

    /// How long the entry is that begins with these bytes, of which there must be [`Entry::HEAD`].
    pub(crate) fn length(head: &[u8]) -> usize {
        BEFORE_ID + usize::from(head.get(BEFORE_ID - 1).copied().unwrap_or(0)) + BEHIND_ID
    }

    /// Bytes that tell the length.
    pub(crate) const HEAD: usize = BEFORE_ID;
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, behind) = rest.split_first_chunk()?;
    *rest = behind;
    Some(*first)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_sorts_by_key_argument_and_line() {
        let entry = |id: &'static [u8], argument, line, what| Entry {
            key: Key {
                type_index: 7,
                has_id: true,
                id,
            },
            argument,
            line,
            what,
            time: (line % 2 == 0).then_some(-5 - i128::from(line)),
            content: u128::MAX - u128::from(line),
        };
        let mut all = Vec::new();
        for id in [&b"a"[..], b"ab", b"b"] {
            for argument in [0, 1, 300] {
                for line in [0, 1, 70_000] {
                    all.push(entry(id, argument, line, What::Version));
                    all.push(entry(id, argument, line, What::Deletion));
                }
            }
        }
        let mut bytes: Vec<Vec<u8>> = Vec::new();
        for entry in all.iter().rev() {
            let mut out = Vec::new();
            entry.push(&mut out);
            assert_eq!(Entry::length(&out[..Entry::HEAD]), out.len());
            assert_eq!(Entry::read(&out), Some(*entry));
            assert_eq!(Entry::read(&out[..out.len() - 1]), None);
            bytes.push(out);
        }
        bytes.sort();
        let sorted: Vec<Entry<'_>> = bytes.iter().filter_map(|bytes| Entry::read(bytes)).collect();
        for of_key in sorted.chunk_by(|one, other| one.key == other.key) {
            assert_eq!(of_key.len(), 18, "all of one key stand together");
            assert!(of_key.is_sorted_by_key(|entry| (entry.argument, entry.line)));
        }
    }
}
