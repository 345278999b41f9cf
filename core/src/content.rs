//! What a JSON text says, as 128 bits: blanks, the order of members and the spelling of strings do not matter.
//!
//! An object is the sum of its members' hashes, so nothing is sorted and nothing is allocated for it; an array is the
//! hash of its items in order. Numbers count as they are written, since FHIR gives `1.0` and `1.00` different precision.
//! SipHash-1-3 is keyed: with a key that nobody knows beforehand, no two texts can be prepared to collide.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher13};

use crate::scan::json::end_of_string;
use crate::scan::text::Text;

/// Hashes texts under one key, reusing its memory.
pub struct ContentHasher {
    key: SipHasher13,
    frames: Vec<Frame>,
    /// The member or item at hand, where it does not lie in the text in canonical form.
    spelled: Vec<u8>,
}

impl std::fmt::Debug for ContentHasher {
    /// Says nothing of the texts.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ContentHasher").finish_non_exhaustive()
    }
}

/// A container that has been opened and not closed.
enum Frame {
    Object { sum: u128, name: Name },
    Array(SipHasher13),
}

/// Where the name of the member at hand stands, without its quotes.
#[derive(Clone, Copy, Default)]
struct Name {
    start: usize,
    end: usize,
    escaped: bool,
}

impl ContentHasher {
    /// A hasher with this key.
    pub fn new(key: [u64; 2]) -> Self {
        ContentHasher {
            key: SipHasher13::new_with_keys(key[0], key[1]),
            frames: Vec::new(),
            spelled: Vec::new(),
        }
    }

    /// The hash of the bytes as they are.
    pub fn bytes(&self, bytes: &[u8]) -> u128 {
        self.key.hash(bytes).as_u128()
    }

    /// The hash of what an object says. The text must have been accepted by the walker; of any other only its bytes
    /// count.
    ///
    /// ```
    /// # use fhirehose_core::content::ContentHasher;
    /// let mut hasher = ContentHasher::new([1, 2]);
    /// let one = hasher.content(br#"{"a":"\u0078","b":[1,{}]}"#);
    /// assert_eq!(one, hasher.content(br#"{ "b": [1, {}], "a": "x" }"#));
    /// assert_ne!(one, hasher.content(br#"{"a":"x","b":[{},1]}"#));
    /// ```
    pub fn content(&mut self, json: &[u8]) -> u128 {
        self.frames.clear();
        self.object(json).unwrap_or_else(|| self.bytes(json))
    }

    /// Iterative, since the depth comes from the input.
    fn object(&mut self, json: &[u8]) -> Option<u128> {
        let mut at = separators(json, 0);
        if json.get(at) != Some(&b'{') {
            return None;
        }
        loop {
            match *json.get(at)? {
                b'{' => {
                    let (sum, name) = (0, Name::default());
                    self.frames.push(Frame::Object { sum, name });
                    at += 1;
                }
                b'[' => {
                    self.frames.push(Frame::Array(self.key));
                    at += 1;
                }
                b'"' => {
                    let (end, escaped) = end_of_string(json, at + 1);
                    self.scalar(json, at, end, escaped)?;
                    at = end;
                }
                _ => {
                    let end = at + json[at..].iter().position(|byte| is_delimiter(*byte))?;
                    if end == at {
                        return None;
                    }
                    self.scalar(json, at, end, false)?;
                    at = end;
                }
            }
            // What closes here closes; then the next value begins.
            loop {
                at = separators(json, at);
                match (self.frames.last_mut()?, json.get(at)?) {
                    (Frame::Object { name, .. }, b'"') => {
                        let (end, escaped) = end_of_string(json, at + 1);
                        (name.start, name.end, name.escaped) = (at + 1, end - 1, escaped);
                        at = separators(json, end);
                        break;
                    }
                    (Frame::Object { sum, .. }, b'}') => {
                        let hash = *sum;
                        self.frames.pop();
                        at += 1;
                        if self.frames.is_empty() {
                            return Some(hash);
                        }
                        self.container(json, b'{', hash);
                    }
                    (Frame::Array(hasher), b']') => {
                        let hash = hasher.finish128().as_u128();
                        self.frames.pop();
                        at += 1;
                        self.container(json, b'[', hash);
                    }
                    (Frame::Array(_), _) => break,
                    (Frame::Object { .. }, _) => return None,
                }
            }
        }
    }

    /// Counts in `json[start..end]`, a string with its quotes or another plain value.
    fn scalar(&mut self, json: &[u8], start: usize, end: usize, escaped: bool) -> Option<()> {
        let ContentHasher { key, frames, spelled } = self;
        match frames.last_mut()? {
            Frame::Object { sum, name } => {
                // `name":value` as it lies in machine-written text is canonical already.
                let member = if !escaped && !name.escaped && start == name.end + 2 {
                    &json[name.start..end]
                } else {
                    spelled.clear();
                    spell(&json[name.start..name.end], name.escaped, spelled);
                    spelled.extend_from_slice(b"\":");
                    spell_value(&json[start..end], escaped, spelled);
                    spelled
                };
                *sum = sum.wrapping_add(key.hash(member).as_u128());
            }
            Frame::Array(hasher) if escaped => {
                spelled.clear();
                spell_value(&json[start..end], escaped, spelled);
                hasher.write(spelled);
                hasher.write(b",");
            }
            Frame::Array(hasher) => {
                hasher.write(&json[start..end]);
                hasher.write(b",");
            }
        }
        Some(())
    }

    /// Counts in an object or array that has been closed.
    fn container(&mut self, json: &[u8], open: u8, hash: u128) {
        let ContentHasher { key, frames, spelled } = self;
        spelled.clear();
        match frames.last_mut() {
            Some(Frame::Object { sum, name }) => {
                spell(&json[name.start..name.end], name.escaped, spelled);
                spelled.extend_from_slice(b"\":");
                spelled.push(open);
                spelled.extend_from_slice(&hash.to_le_bytes());
                *sum = sum.wrapping_add(key.hash(spelled).as_u128());
            }
            Some(Frame::Array(hasher)) => {
                spelled.push(open);
                spelled.extend_from_slice(&hash.to_le_bytes());
                hasher.write(spelled);
            }
            None => {}
        }
    }
}

/// A string with its quotes, or another value as it is.
fn spell_value(value: &[u8], escaped: bool, out: &mut Vec<u8>) {
    if escaped && let Some(inner) = value.get(1..value.len() - 1) {
        out.push(b'"');
        spell(inner, true, out);
        out.push(b'"');
    } else {
        out.extend_from_slice(value);
    }
}

/// The inside of a string with no escape that is not needed. Where an escape decodes to U+FFFD, as half a surrogate pair
/// does, the string counts as it is written: two different ones must not be taken for one.
fn spell(raw: &[u8], escaped: bool, out: &mut Vec<u8>) {
    if !escaped {
        return out.extend_from_slice(raw);
    }
    let decoded = Text::new(raw).decode();
    if decoded.contains(char::REPLACEMENT_CHARACTER) {
        // No byte of UTF-8 is 0xff.
        out.push(0xff);
        return out.extend_from_slice(raw);
    }
    for &byte in decoded.as_bytes() {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
}

fn is_delimiter(byte: u8) -> bool {
    matches!(byte, b',' | b'}' | b']' | b' ' | b'\t' | b'\r' | b'\n' | b':')
}

/// Skips what stands between names and values.
#[inline(always)]
fn separators(json: &[u8], from: usize) -> usize {
    let mut at = from;
    while matches!(json.get(at), Some(b',' | b':' | b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::ContentHasher;

    fn hash(json: &str) -> u128 {
        ContentHasher::new([7, 11]).content(json.as_bytes())
    }

    #[test]
    fn one_content_in_many_spellings() {
        let plain = r#"{"a":"x\"y\\","b":[1,"z",{"c":null,"d":true}],"é":{}}"#;
        for same in [
            r#" {"b" : [ 1 , "z" , { "d":true, "c":null } ],"é":{ },"a":"x\"y\\"} "#,
            r#"{"\u0061":"x\u0022y\u005c","b":[1,"\u007a",{"c":null,"d":true}],"\u00e9":{}}"#,
        ] {
            assert_eq!(hash(plain), hash(same), "{same}");
        }
    }

    #[test]
    fn different_contents_differ() {
        let texts = [
            r#"{}"#,
            r#"{"a":{}}"#,
            r#"{"a":[]}"#,
            r#"{"a":[{}]}"#,
            r#"{"a":[[]]}"#,
            r#"{"a":null}"#,
            r#"{"a":"null"}"#,
            r#"{"a":1}"#,
            r#"{"a":1.0}"#,
            r#"{"a":[1]}"#,
            r#"{"a":[1,2]}"#,
            r#"{"a":[2,1]}"#,
            r#"{"a":[12]}"#,
            r#"{"a":["1,2"]}"#,
            r#"{"a":["1","2"]}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":"b","c":"d"}"#,
            r#"{"a":"b\",\"c\":\"d"}"#,
            r#"{"a":"d","c":"b"}"#,
            r#"{"a\":\"b":"c"}"#,
            r#"{"a":"b\":\"c"}"#,
            r#"{"a":"\ud800"}"#,
            r#"{"a":"\ud801"}"#,
            r#"{"a":{"b":1},"c":{"d":2}}"#,
            r#"{"a":{"d":2},"c":{"b":1}}"#,
            r#"{"a":{"b":1,"d":2},"c":{}}"#,
        ];
        for (index, one) in texts.iter().enumerate() {
            for other in &texts[index + 1..] {
                assert_ne!(hash(one), hash(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn depth_is_no_matter_and_broken_text_does_not_panic() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
        assert_ne!(hash(&deep), hash("{}"));
        let text = r#"{"a":[1,{"b":"c\"d"}],"e":-1.5e3,"\u0066":"\ud83d\ude00"}"#;
        let mut seen: Vec<u128> = (0..=text.len()).map(|cut| hash(&text[..cut])).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), text.len() + 1);
    }

    #[test]
    fn another_key_gives_another_hash() {
        let with = |key| ContentHasher::new(key).content(b"{\"a\":1}");
        assert_ne!(with([1, 2]), with([2, 1]));
    }
}
