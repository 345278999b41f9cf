//! Generated tables as the WebAssembly module carries them: an eighth of their size, unpacked when first asked for.
//!
//! Earlier bytes are repeated from a distance, or a byte is new; each such decision is a chain of bits, each bit coded by how
//! it fell before in its place (a binary range coder, much as in LZMA). The packer is in the tests, which hold what is
//! committed against the texts; native builds hold the texts themselves.

#[cfg(test)]
mod tests;

/// The table in a file `NAME.packed`; the first four bytes are its length.
pub(crate) fn unpack(packed: &[u8]) -> Vec<u8> {
    let (len, coded) = packed.split_first_chunk().unwrap_or((&[0; 4], &[]));
    let mut source = Bits::new(coded);
    let len = u32::from_le_bytes(*len) as usize;
    let mut out: Vec<u8> = Vec::with_capacity(len);
    let mut distances = [1_usize; 2];
    // Of the last three steps, which were repetitions.
    let mut steps = 0;
    while out.len() < len {
        if !source.bit(REPEATS + steps) {
            steps = steps << 1 & 7;
            let before = out.last().copied().unwrap_or(0);
            out.push(source.tree(LITERALS + (usize::from(before) << 8), 8) as u8);
            continue;
        }
        let known = source.bit(KNOWN + steps);
        if !known || source.bit(SECOND + steps) {
            distances.swap(0, 1);
        }
        let more = source.tree(LENGTHS + (usize::from(known) << 8), 8);
        if !known {
            distances[0] = source.distance(more);
        }
        steps = (steps << 1 | 1) & 7;
        for _ in 0..(SHORTEST + more).min(len - out.len()) {
            let from = out.len().wrapping_sub(distances[0]);
            out.push(out.get(from).copied().unwrap_or(0));
        }
    }
    out
}

/// The shortest repetition; the longest is 255 bytes longer.
const SHORTEST: usize = 2;

// Where the bits of each kind of decision have their places. One of the last three steps' eight courses:
const REPEATS: usize = 0;
const KNOWN: usize = REPEATS + 8;
const SECOND: usize = KNOWN + 8;
/// A tree for repetitions from a new distance, one for those from a known one.
const LENGTHS: usize = SECOND + 8;
/// Magnitudes of distances, a tree for each of the shortest lengths.
const SLOTS: usize = LENGTHS + 2 * 256;
/// The rest of a distance, by its slot.
const RESTS: usize = SLOTS + 4 * 64;
/// A tree for each byte before.
const LITERALS: usize = RESTS + 64 * 32;
const PLACES: usize = LITERALS + 256 * 256;

/// How often a bit was set in its place, of 65 536: a quick and a slow learner, which are averaged.
type Place = [u16; 2];

const FRESH: Place = [1 << 15; 2];

fn chance(place: &Place) -> u32 {
    ((u32::from(place[0]) + u32::from(place[1])) >> 1).clamp(64, (1 << 16) - 64)
}

fn learn(place: &mut Place, bit: bool) {
    for (chance, rate) in place.iter_mut().zip([4, 6]) {
        if bit {
            *chance += (u16::MAX - *chance) >> rate;
        } else {
            *chance -= *chance >> rate;
        }
    }
}

struct Bits<'p> {
    coded: std::slice::Iter<'p, u8>,
    range: u32,
    code: u32,
    places: Vec<Place>,
}

impl<'p> Bits<'p> {
    fn new(coded: &'p [u8]) -> Self {
        let mut bits = Bits {
            coded: coded.iter(),
            range: u32::MAX,
            code: 0,
            places: vec![FRESH; PLACES],
        };
        (0..4).for_each(|_| bits.next());
        bits
    }

    fn next(&mut self) {
        let byte = self.coded.next().copied().unwrap_or(0);
        self.code = self.code << 8 | u32::from(byte);
    }

    fn bit(&mut self, at: usize) -> bool {
        let place = &mut self.places[at];
        let bound = (self.range >> 16) * chance(place);
        let bit = self.code < bound;
        learn(place, bit);
        if bit {
            self.range = bound;
        } else {
            self.code -= bound;
            self.range -= bound;
        }
        while self.range < 1 << 24 {
            self.range <<= 8;
            self.next();
        }
        bit
    }

    fn tree(&mut self, at: usize, bits: u32) -> usize {
        let node = (0..bits).fold(1, |node, _| node << 1 | usize::from(self.bit(at + node)));
        node - (1 << bits)
    }

    fn distance(&mut self, more: usize) -> usize {
        let slot = self.tree(SLOTS + (more.min(3) << 6), 6);
        let rest = (slot >> 1).saturating_sub(2);
        let start = if slot < 4 { 1 } else { 2 | slot & 1 };
        (0..rest).rev().fold(start, |distance, bit| {
            distance << 1 | usize::from(self.bit(RESTS + (slot << 5) + bit))
        })
    }
}
