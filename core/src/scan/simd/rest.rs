//! The rest of a line that nobody has to read: where it ends, and whether a second JSON text may begin in it.

use super::lanes::{CHUNK, Chunks, Lanes, Task, Width};

/// The rest of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rest {
    /// Where the newline stands; the length of the bytes where there is none.
    pub end: usize,
    /// Whether, before that, a closing brace and an opening one stand with nothing but blanks between them. In a string it
    /// means nothing; elsewhere it is where two texts meet.
    pub may_join: bool,
}

/// Finds the rest of the line from a place on.
#[inline]
pub fn rest_of_line(width: Width, bytes: &[u8], from: usize) -> Rest {
    width.run(Search { bytes, from })
}

/// Whether an opening brace follows the closing one at a place, behind blanks or at once. Newlines are no blanks here.
pub(super) fn joins(bytes: &[u8], brace: usize) -> bool {
    let behind = bytes.get(brace + 1..).unwrap_or_default();
    let blanks = behind.iter().take_while(|byte| matches!(byte, b' ' | b'\t' | b'\r'));
    behind.get(blanks.count()) == Some(&b'{')
}

struct Search<'b> {
    bytes: &'b [u8],
    from: usize,
}

impl Task for Search<'_> {
    type Output = Rest;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Rest {
        let chunks = Chunks::new(self.bytes);
        let mut at = self.from;
        while let Some(bytes) = self
            .bytes
            .get(at..)
            .and_then(|rest| rest.first_chunk::<{ 2 * CHUNK + 1 }>())
        {
            let chunk = |from: usize| bytes[from..].first_chunk::<CHUNK>().unwrap_or(&[0; CHUNK]);
            let signs = [
                L::line_end(chunk(0), chunk(1)),
                L::line_end(chunk(CHUNK), chunk(CHUNK + 1)),
            ];
            if signs != [0; 2] {
                let signs = u64::from(signs[0]) | u64::from(signs[1]) << CHUNK;
                if let Some(rest) = self.told(at, signs) {
                    return rest;
                }
            }
            at += 2 * CHUNK;
        }
        while at < self.bytes.len() {
            let signs = match (chunks.at(at), chunks.at(at + 1)) {
                (Some(here), Some(next)) => L::line_end(here, next),
                _ => L::line_end(&chunks.padded(at), &chunks.padded(at + 1)),
            };
            if let Some(rest) = self.told(at, signs.into()) {
                return rest;
            }
            at += CHUNK;
        }
        Rest {
            end: self.bytes.len(),
            may_join: false,
        }
    }
}

impl Search<'_> {
    /// What the signs from a place on say; `None`: nothing yet.
    fn told(&self, at: usize, mut signs: u64) -> Option<Rest> {
        while signs != 0 {
            let sign = at + signs.trailing_zeros() as usize;
            signs &= signs - 1;
            if self.bytes[sign] == b'\n' {
                return Some(Rest {
                    end: sign,
                    may_join: false,
                });
            }
            if joins(self.bytes, sign) {
                let newline = memchr::memchr(b'\n', &self.bytes[sign..]);
                return Some(Rest {
                    end: newline.map_or(self.bytes.len(), |at| sign + at),
                    may_join: true,
                });
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::super::some_of;
    use super::*;

    fn expected(bytes: &[u8], from: usize) -> Rest {
        let rest = bytes.get(from..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == b'\n').unwrap_or(rest.len());
        let solid: Vec<u8> = rest[..end]
            .iter()
            .copied()
            .filter(|byte| !b" \t\r".contains(byte))
            .collect();
        Rest {
            end: from.max(bytes.len().min(from + end)).min(bytes.len()),
            may_join: solid.windows(2).any(|pair| pair == b"}{"),
        }
    }

    fn check(bytes: &[u8], from: usize) {
        for width in [Width::common(), Width::widest()] {
            let rest = rest_of_line(width, bytes, from);
            assert_eq!(
                rest,
                expected(bytes, from),
                "{} from {from}",
                String::from_utf8_lossy(bytes)
            );
        }
    }

    #[test]
    fn texts_that_meet_are_told_at_every_place() {
        let pieces = [
            "}{", "} {", "}\r{", "}\t \r {", "}\n{", "}", "{", "}  \n", "}\r\n", "} }{", "}    x", "}{\n}{",
        ];
        for piece in pieces {
            for (turn, at) in some_of(0..100, 0).enumerate() {
                let mut bytes = vec![b'"'; 110];
                bytes.splice(at..(at + piece.len()).min(110), piece.bytes());
                let places = [0, 1, 31, 40, at, at + 1, 110];
                for from in some_of(places.into_iter(), turn) {
                    check(&bytes, from);
                }
                bytes.push(b'\n');
                check(&bytes, 0);
            }
        }
    }

    #[test]
    fn any_text_is_read_as_the_slow_way_reads_it() {
        let signs = b"}{ \r\ta\x00\x1f\x80}{a\na";
        let mut state = 1u32;
        for len in (0..if cfg!(miri) { 150 } else { 3000 }).step_by(7) {
            let bytes: Vec<u8> = (0..len)
                .map(|n| {
                    state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                    // Few signs, so that lines are of some length.
                    let all = if n % 97 < 5 { &signs[..] } else { b"ab}" };
                    all[(state >> 16) as usize % all.len()]
                })
                .collect();
            check(&bytes, len / 3);
        }
    }
}
