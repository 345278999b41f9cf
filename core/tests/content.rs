//! Content hashes against the slow obvious version: one value in any two spellings is one, and another value is another.

use fhirehose_core::content::ContentHasher;
use serde_json::{Map, Number, Value};

/// SplitMix64: the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % most
    }

    fn text(&mut self) -> String {
        const LETTERS: [char; 12] = ['a', 'b', '"', '\\', '/', '\n', '\u{1}', 'é', '😀', ':', ',', '\u{fffd}'];
        (0..self.below(5)).map(|_| LETTERS[self.below(12) as usize]).collect()
    }

    fn value(&mut self, depth: u64) -> Value {
        const NUMBERS: [&str; 6] = ["0", "1", "1.0", "-1", "1e3", "10"];
        match self.below(if depth == 0 { 4 } else { 7 }) {
            0 => Value::Null,
            1 => Value::Bool(self.below(2) == 0),
            2 => Value::Number(NUMBERS[self.below(6) as usize].parse::<Number>().expect("a number")),
            3 => Value::String(self.text()),
            4 | 5 => self.object(depth - 1),
            _ => Value::Array((0..self.below(4)).map(|_| self.value(depth - 1)).collect()),
        }
    }

    fn object(&mut self, depth: u64) -> Value {
        let members: Map<String, Value> = (0..self.below(5)).map(|_| (self.text(), self.value(depth))).collect();
        Value::Object(members)
    }

    fn blanks(&mut self, out: &mut String) {
        out.push_str(["", "", "", " ", "\t", "  "][self.below(6) as usize]);
    }

    /// Writes a value in one of its many spellings.
    fn spell(&mut self, value: &Value, out: &mut String) {
        self.blanks(out);
        match value {
            Value::Object(members) => {
                let mut members: Vec<_> = members.iter().collect();
                for index in (1..members.len()).rev() {
                    members.swap(index, self.below(index as u64 + 1) as usize);
                }
                out.push('{');
                for (index, (name, value)) in members.into_iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    self.blanks(out);
                    self.spell_text(name, out);
                    self.blanks(out);
                    out.push(':');
                    self.spell(value, out);
                }
                out.push('}');
            }
            Value::Array(items) => {
                out.push('[');
                for (index, item) in items.iter().enumerate() {
                    out.push_str(if index > 0 { "," } else { "" });
                    self.spell(item, out);
                }
                out.push(']');
            }
            Value::String(text) => self.spell_text(text, out),
            plain => out.push_str(&plain.to_string()),
        }
        self.blanks(out);
    }

    fn spell_text(&mut self, text: &str, out: &mut String) {
        out.push('"');
        for letter in text.chars() {
            let must = letter < ' ' || letter == '"' || letter == '\\';
            // A string with an escape in it that has U+FFFD counts as it is written, so that stays plain.
            if must || (self.below(3) == 0 && !text.contains('\u{fffd}')) {
                for unit in letter.encode_utf16(&mut [0; 2]) {
                    out.push_str(&format!("\\u{unit:04x}"));
                }
            } else {
                out.push(letter);
            }
        }
        out.push('"');
    }
}

#[test]
fn hashes_are_equal_where_values_are() {
    let mut random = Random(7);
    let mut hasher = ContentHasher::new([3, 5]);
    let mut all: Vec<(Value, u128)> = Vec::new();
    for _ in 0..4000 {
        let value = random.object(3);
        let hashes: Vec<u128> = (0..3)
            .map(|_| {
                let mut text = String::new();
                random.spell(&value, &mut text);
                hasher.content(text.as_bytes())
            })
            .collect();
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{value}");
        all.push((value, hashes[0]));
    }
    all.sort_by_key(|(_, hash)| *hash);
    let mut equal = 0;
    for pair in all.windows(2) {
        // The slow obvious version: serde_json compares objects without order, and numbers as they are written.
        assert_eq!(
            pair[0].0 == pair[1].0,
            pair[0].1 == pair[1].1,
            "{} {}",
            pair[0].0,
            pair[1].0
        );
        equal += u32::from(pair[0].1 == pair[1].1);
    }
    assert!(equal > 100, "small values come often");
    let different: std::collections::HashSet<u128> = all.iter().map(|(_, hash)| *hash).collect();
    assert!(different.len() > 1000);
}
