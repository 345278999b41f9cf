//! Tokens of many askers at once: one look at a stored value tells all those that it matches.

use super::{TokenLeaf, TokenMatcher, lower_case};
use crate::order;
use crate::scan::json::{Json, Kind};
use crate::scan::text::Text;
use crate::search::leaf::Leaf;

/// `[system|]code` and `system|`, each with the bits of those who ask for it.
#[derive(Clone, Debug, Default)]
pub struct TokenTable {
    /// Those that name a code, sorted by its hash.
    coded: Vec<(u64, Asked)>,
    /// `system|`
    of_systems: Vec<Asked>,
}

#[derive(Clone, Debug)]
struct Asked {
    matcher: TokenMatcher,
    bits: u64,
}

impl TokenTable {
    /// A table of those that can be looked up: of the form `[system|]code` or `system|`. The others are left out.
    pub fn new<'m>(matchers: impl IntoIterator<Item = (&'m TokenMatcher, u64)>) -> TokenTable {
        let mut table = TokenTable::default();
        for (matcher, bits) in matchers {
            let TokenMatcher::Code(code) = matcher else { continue };
            let asked = Asked {
                matcher: matcher.clone(),
                bits,
            };
            match code.code {
                Some(_) => table.coded.push((hash(code.lower.as_bytes()), asked)),
                None => table.of_systems.push(asked),
            }
        }
        order::sort_by_key(&mut table.coded, |(hash, _)| *hash);
        table
    }

    /// Whether a matcher can be looked up.
    pub fn takes(matcher: &TokenMatcher) -> bool {
        matches!(matcher, TokenMatcher::Code(_))
    }

    /// The bits of all that a stored value matches.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn verdicts(&self, leaf: Leaf, json: Json<'_>, info: &TokenLeaf) -> u64 {
        if self.coded.is_empty() && self.of_systems.is_empty() {
            return 0;
        }
        let code = match leaf {
            Leaf::CodeableReference => {
                let concept = json.get("concept");
                return concept.map_or(0, |concept| self.verdicts(Leaf::CodeableConcept, concept, info));
            }
            Leaf::CodeableConcept => {
                return json
                    .each_of("coding")
                    .fold(0, |bits, coding| bits | self.of_coding(coding));
            }
            Leaf::Coding => return self.of_coding(json),
            Leaf::Identifier | Leaf::ContactPoint => json.get("value").and_then(Json::text),
            _ if json.kind() == Kind::Boolean => Some(Text::new(json.raw())),
            _ => json.text(),
        };
        self.asked(code)
            .filter(|asked| asked.matcher.matches(leaf, json, info))
            .fold(0, |bits, asked| bits | asked.bits)
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn of_coding(&self, json: Json<'_>) -> u64 {
        let coding = super::Coding::read(json);
        self.asked(coding.code)
            .filter(|asked| asked.matcher.matches_coding(coding))
            .fold(0, |bits, asked| bits | asked.bits)
    }

    /// Those who may ask for a value with this code. Whatever the datatype and its rules of case, what says the same as the
    /// code that was asked for says so in lower case too.
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn asked(&self, code: Option<Text<'_>>) -> impl Iterator<Item = &Asked> {
        let hash = code.map(hash_of);
        let from = hash.map_or(self.coded.len(), |hash| {
            self.coded.partition_point(|(other, _)| *other < hash)
        });
        let coded = self.coded[from..]
            .iter()
            .take_while(move |(other, _)| Some(*other) == hash);
        coded.map(|(_, asked)| asked).chain(&self.of_systems)
    }
}

#[cfg_attr(target_arch = "wasm32", inline)]
fn hash_of(text: Text<'_>) -> u64 {
    let raw = text.raw();
    if !text.is_escaped() && raw.is_ascii() {
        return hash(raw);
    }
    hash(lower_case(&text.decode()).as_bytes())
}

/// Of ASCII letters the case makes no difference.
#[cfg_attr(target_arch = "wasm32", inline)]
fn hash(bytes: &[u8]) -> u64 {
    const MIX: u64 = 0x9e37_79b9_7f4a_7c15;
    let mut hash = bytes.len() as u64;
    for piece in bytes.chunks(8) {
        let mut word = [0; 8];
        word[..piece.len()].copy_from_slice(piece);
        let word = u64::from_le_bytes(word) | 0x2020_2020_2020_2020;
        hash = (hash ^ word).wrapping_mul(MIX).rotate_left(29);
    }
    hash
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::table::ImpliedSystem;

    const ASKED: [&str; 22] = [
        "x1",
        "X1",
        "http://a|X1",
        "http://a|x1",
        "http://a|",
        "http://b|",
        "|X1",
        "|x1",
        "true",
        "false",
        "TRUE",
        "straße",
        "STRASSE",
        "ΟΔΟΣ",
        "οδος",
        "k",
        "\u{212a}",
        "http://a|k",
        "é",
        "É",
        "a longer code",
        "A Longer Code",
    ];

    const CODES: [&str; 15] = [
        "x1",
        "X1",
        "y",
        "true",
        "k",
        "K",
        "straße",
        "\\u0078\\u0031",
        "ΟΔΟΣ",
        "οδος",
        "\u{212a}",
        "é",
        "\\u00c9",
        "a Longer code",
        "",
    ];

    const LEAVES: [Leaf; 12] = [
        Leaf::CodeableReference,
        Leaf::CodeableConcept,
        Leaf::Coding,
        Leaf::Identifier,
        Leaf::ContactPoint,
        Leaf::Code,
        Leaf::Boolean,
        Leaf::Id,
        Leaf::Uri,
        Leaf::Canonical,
        Leaf::Text,
        Leaf::Other,
    ];

    fn stored() -> Vec<String> {
        let mut stored: Vec<String> = ["true", "false", "null", "1", "{}", "[]", "\"\""]
            .map(str::to_owned)
            .to_vec();
        for code in CODES {
            stored.push(format!("\"{code}\""));
            for system in [
                "",
                "\"system\":\"http://a\",",
                "\"system\":\"http:\\/\\/a\",",
                "\"system\":\"http://c\",",
            ] {
                let coding = format!("{{{system}\"code\":\"{code}\",\"value\":\"{code}\"}}");
                stored.push(format!(
                    "{{\"coding\":[{coding},{{\"system\":\"http://b\"}}],\"text\":\"x1\"}}"
                ));
                stored.push(format!("{{\"concept\":{{\"coding\":{coding}}}}}"));
                stored.push(coding);
            }
        }
        stored.push("{\"system\":\"http://a\"}".to_owned());
        stored
    }

    /// Each matcher alone is the judge of what the table says of all of them.
    #[test]
    fn says_what_each_token_says() {
        let matchers: Vec<TokenMatcher> = ASKED.map(|text| TokenMatcher::code(text).expect(text)).to_vec();
        let table = TokenTable::new(matchers.iter().enumerate().map(|(bit, matcher)| (matcher, 1 << bit)));
        let stored = stored();
        let implied = |systems: &[&str], codes: &[(&str, usize)]| {
            Some(ImpliedSystem {
                systems: systems.iter().map(|&system| system.to_owned()).collect(),
                codes: codes.iter().map(|&(code, system)| (code.to_owned(), system)).collect(),
            })
        };
        let infos = [
            (None, false),
            (None, true),
            (implied(&["http://a"], &[]), false),
            (implied(&["http://b", "http://a"], &[("X1", 1), ("k", 0)]), false),
        ];
        let mut said = 0;
        for (implied, exact) in infos {
            let info = TokenLeaf { implied, exact };
            for (leaf, text) in LEAVES
                .iter()
                .flat_map(|leaf| stored.iter().map(move |text| (*leaf, text)))
            {
                let json = Json::new(text.as_bytes());
                let verdicts = table.verdicts(leaf, json, &info);
                for (bit, matcher) in matchers.iter().enumerate() {
                    let alone = matcher.matches(leaf, json, &info);
                    assert_eq!(
                        verdicts >> bit & 1 == 1,
                        alone,
                        "{} {leaf:?} {text} {info:?}",
                        ASKED[bit]
                    );
                    said |= u64::from(alone) << bit;
                }
            }
        }
        // Every one but `STRASSE`, which lower case does not make `straße`, was found somewhere.
        let found: Vec<&str> = (0..ASKED.len())
            .filter(|bit| said >> bit & 1 == 0)
            .map(|bit| ASKED[bit])
            .collect();
        assert_eq!(found, ["STRASSE"]);
    }

    #[test]
    fn other_forms_are_left_out() {
        for other in [
            TokenMatcher::text("x"),
            TokenMatcher::mime("x"),
            TokenMatcher::of_type("a|b|c"),
        ] {
            let other = other.expect("valid");
            assert!(!TokenTable::takes(&other));
            let table = TokenTable::new([(&other, 1)]);
            assert_eq!(
                table.verdicts(Leaf::Code, Json::new(b"\"x\""), &TokenLeaf::default()),
                0
            );
        }
    }
}
