//! Short strings to compare: member names and the type's value, whatever escapes they are spelled with.

/// Enough for `resourceType` with every letter spelled as `\uXXXX`; a longer string is none of ours.
const LIMIT: usize = 80;

/// Collects the raw bytes of a string, and compares what they mean.
#[derive(Clone, Debug, Default)]
pub(super) struct Key {
    raw: Vec<u8>,
}

impl Key {
    pub(super) fn start(&mut self) {
        self.raw.clear();
    }

    /// Takes bytes between the quotes.
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let room = (LIMIT + 1).saturating_sub(self.raw.len());
        self.raw.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Whether the string means `word`, which is ASCII without quotes, backslashes and slashes.
    pub(super) fn is(&self, word: &str) -> bool {
        let mut rest = self.raw.as_slice();
        for &letter in word.as_bytes() {
            match rest {
                [b'\\', b'u', digits @ ..] if digits.len() >= 4 => {
                    if code(&digits[..4]) != Some(u32::from(letter)) {
                        return false;
                    }
                    rest = &digits[4..];
                }
                [first, others @ ..] if *first == letter && letter != b'\\' => rest = others,
                _ => return false,
            }
        }
        rest.is_empty()
    }
}

fn code(digits: &[u8]) -> Option<u32> {
    digits
        .iter()
        .try_fold(0, |code, &digit| Some(code * 16 + char::from(digit).to_digit(16)?))
}
