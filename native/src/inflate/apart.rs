//! A range that is believed to be whole members, decoded apart from what stands before it.
//!
//! Nothing is taken on trust: only if the members end, checksums included, exactly where the range does, the reader that
//! comes from the start would stand there too, and would have got the same bytes.

use super::decode::Decoder;
use super::{Codec, Segment};

/// The most plain bytes of a range.
pub(super) const MOST: usize = 2 << 20;

const SLACK: usize = 64;

/// What one thread decodes ranges with; reused from range to range.
#[derive(Default)]
pub(crate) struct Apart {
    decoder: Option<(Codec, Decoder)>,
    /// The range as stored.
    pub(crate) packed: Vec<u8>,
}

impl Apart {
    /// Decodes [`Apart::packed`] into `out` from `at` on. How many bytes came of it; `None`: the range is not what it was
    /// believed to be, or too large.
    pub(crate) fn decode(&mut self, segment: &Segment, out: &mut Vec<u8>, at: usize) -> Option<usize> {
        let known = self.decoder.take().filter(|(codec, _)| *codec == segment.codec);
        let mut decoder = match known {
            Some((_, decoder)) => decoder,
            None => {
                let mut decoder = Decoder::between(segment.codec).ok()?;
                decoder.bound().then_some(())?;
                decoder.free();
                decoder
            }
        };
        let guess = segment.claimed.clamp(1, MOST);
        let filled = whole_members(&mut decoder, &self.packed, out, at, guess)?;
        // One that failed is not used again.
        self.decoder = Some((segment.codec, decoder));
        Some(filled)
    }
}

/// Decodes members that end where `packed` does.
fn whole_members(decoder: &mut Decoder, packed: &[u8], out: &mut Vec<u8>, at: usize, guess: usize) -> Option<usize> {
    // A little more, so that a member that is as long as it claims comes to its end.
    let room = at + guess + SLACK;
    if out.len() < room {
        out.resize(room, 0);
    }
    let (mut used, mut filled) = (0, 0);
    while used < packed.len() || !decoder.is_between() {
        if at + filled == out.len() {
            let room = (2 * filled).clamp(1 << 16, MOST + SLACK);
            (filled < room).then(|| out.resize(at + room, 0))?;
        }
        let step = decoder.step(&packed[used..], &mut out[at + filled..], false).ok()?;
        used += step.consumed;
        filled += step.produced;
        (step.consumed > 0 || step.produced > 0 || step.ended).then_some(())?;
    }
    Some(filled)
}
