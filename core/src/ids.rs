//! A compact set of ids: their bytes one after another in one arena, and a hash table of places in it.
//!
//! Five million ids of 36 bytes take about 250 MB, a third of what a set of strings would.

/// A set of ids. They are opaque bytes, at most 255 of them each; FHIR allows 64.
#[derive(Clone, Default)]
pub struct IdSet {
    /// Each id as its length and its bytes.
    arena: Vec<u8>,
    /// Places in the arena plus one; 0 is a free slot. A power of two long, or empty.
    table: Vec<u32>,
    len: usize,
    /// An id was not taken for want of room.
    overflowed: bool,
}

/// Bytes that a set holds at most: places in it have 32 bits. Less in the tests of this file, which fill one.
const MOST: usize = if cfg!(test) { 8 << 20 } else { u32::MAX as usize };

/// Longest id that the set takes.
const LONGEST: usize = u8::MAX as usize;

impl std::fmt::Debug for IdSet {
    /// Says how many, not which.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdSet({} ids)", self.len)
    }
}

impl IdSet {
    /// Adds an id. `false`: it was there, or is too long to be one, or the set holds four gigabytes already.
    pub fn insert(&mut self, id: &[u8]) -> bool {
        if id.len() > LONGEST {
            return false;
        }
        if self.arena.len() + id.len() + 1 >= MOST {
            self.overflowed |= !self.contains(id);
            return false;
        }
        if (self.len + 1) * 4 > self.table.len() * 3 {
            self.grow();
        }
        let slot = match self.probe(id) {
            Ok(_) => return false,
            Err(free) => free,
        };
        self.table[slot] = self.arena.len() as u32 + 1;
        self.arena.push(id.len() as u8);
        self.arena.extend_from_slice(id);
        self.len += 1;
        true
    }

    /// Whether ids were not taken for want of room: whoever relies on the set must not go on.
    pub fn has_overflowed(&self) -> bool {
        self.overflowed
    }

    /// Whether the id is in the set.
    pub fn contains(&self, id: &[u8]) -> bool {
        self.slot(id).is_some()
    }

    /// A number for the id, below [`IdSet::slots`]; it stays the same until the next insertion. For marks beside the
    /// set that cost a bit each.
    pub fn slot(&self, id: &[u8]) -> Option<usize> {
        if self.table.is_empty() {
            return None;
        }
        self.probe(id).ok()
    }

    /// The slot of the id, or else the free one where it would be. The table must have a free slot.
    fn probe(&self, id: &[u8]) -> Result<usize, usize> {
        let mask = self.table.len() - 1;
        let mut slot = hash(id) as usize & mask;
        loop {
            match self.table[slot] {
                0 => return Err(slot),
                place if self.at(place) == id => return Ok(slot),
                _ => slot = (slot + 1) & mask,
            }
        }
    }

    /// One more than the largest slot that there can be.
    pub fn slots(&self) -> usize {
        self.table.len()
    }

    /// What another set could not take is missing here, too.
    pub(crate) fn note_overflow(&mut self, other: &IdSet) {
        self.overflowed |= other.overflowed;
    }

    /// Gives back the memory that was kept for more ids.
    pub fn shrink(&mut self) {
        self.arena.shrink_to_fit();
    }

    /// How many ids.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Bytes of memory that the set holds.
    pub fn memory(&self) -> usize {
        self.arena.capacity() + self.table.capacity() * size_of::<u32>()
    }

    /// The ids in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = self.arena.as_slice();
        std::iter::from_fn(move || {
            let (&len, behind) = rest.split_first()?;
            let (id, next) = behind.split_at_checked(usize::from(len))?;
            rest = next;
            Some(id)
        })
    }

    fn at(&self, place: u32) -> &[u8] {
        let start = place as usize;
        let len = usize::from(self.arena[start - 1]);
        &self.arena[start..start + len]
    }

    fn free_slot(&self, id: &[u8]) -> usize {
        let mask = self.table.len() - 1;
        let mut slot = hash(id) as usize & mask;
        while self.table[slot] != 0 {
            slot = (slot + 1) & mask;
        }
        slot
    }

    fn grow(&mut self) {
        let len = (self.table.len() * 2).max(16);
        let old = std::mem::replace(&mut self.table, vec![0; len]);
        for place in old.into_iter().filter(|&place| place != 0) {
            let slot = self.free_slot(self.at(place));
            self.table[slot] = place;
        }
    }
}

impl<'a> Extend<&'a [u8]> for IdSet {
    fn extend<T: IntoIterator<Item = &'a [u8]>>(&mut self, ids: T) {
        for id in ids {
            self.insert(id);
        }
    }
}

/// Eight bytes at a time, each multiplied into the whole; the folded product spreads every bit.
fn hash(id: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut state = ODD ^ id.len() as u64;
    for chunk in id.chunks(8) {
        let mut word = [0; 8];
        word[..chunk.len()].copy_from_slice(chunk);
        let product = u128::from(state ^ u64::from_le_bytes(word)) * u128::from(ODD);
        state = product as u64 ^ (product >> 64) as u64;
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_what_was_put_in_and_nothing_else() {
        let mut set = IdSet::default();
        assert!(!set.contains(b"") && set.is_empty());
        for number in 0..20_000 {
            assert!(set.insert(format!("id-{number}").as_bytes()));
            assert!(!set.insert(format!("id-{number}").as_bytes()));
        }
        assert_eq!(set.len(), 20_000);
        for number in 0..20_000 {
            assert!(set.contains(format!("id-{number}").as_bytes()));
            assert!(!set.contains(format!("ID-{number}").as_bytes()));
        }
        assert!(set.insert(b"") && set.contains(b""));
        assert_eq!(set.iter().nth(7), Some(&b"id-7"[..]));
        assert_eq!(set.iter().count(), 20_001);
    }

    #[test]
    fn a_set_that_is_full_says_so() {
        let id = |number: usize| format!("{number:0255}");
        let mut set = IdSet::default();
        let taken = (0..).take_while(|&number| set.insert(id(number).as_bytes())).count();
        assert_eq!((taken, set.len()), ((MOST - 1) / 256, taken));
        assert!(set.has_overflowed() && set.contains(id(0).as_bytes()));
        let mut other = IdSet::default();
        assert!(!other.has_overflowed());
        other.note_overflow(&set);
        assert!(other.has_overflowed());
        let mut known = IdSet::default();
        known.insert(b"a");
        assert!(!known.insert(b"a") && !known.has_overflowed());
    }

    #[test]
    fn what_is_no_id_is_not_taken() {
        let mut set = IdSet::default();
        assert!(set.insert(&[b'x'; 255]) && !set.insert(&[b'x'; 256]));
        assert_eq!(set.len(), 1);
    }

    #[test]
    fn memory_is_that_of_the_bytes_and_a_table() {
        let mut set = IdSet::default();
        for number in 0..100_000 {
            set.insert(format!("{number:036}").as_bytes());
        }
        assert!(set.memory() < 100_000 * 90, "{}", set.memory());
    }
}
