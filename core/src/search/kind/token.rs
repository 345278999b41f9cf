//! Tokens: `code`, `system|code`, `|code`, `system|`, against codings, identifiers, codes, booleans and texts.

mod table;

use std::sync::Arc;

pub use table::TokenTable;

use super::ValueError;
use super::folding;
use super::string::{Mode, StringMatcher};
use crate::scan::json::{Json, Kind};
use crate::scan::spare::Spare;
use crate::scan::text::Text;
use crate::search::code_list::CodeList;
use crate::search::leaf::Leaf;
use crate::search::needle::{Needle, Needles, any_of};
use crate::search::query::{split, unescape};
use crate::search::table::ImpliedSystem;

/// A token search value.
#[derive(Clone, Debug)]
pub enum TokenMatcher {
    /// No modifier.
    Code(Code),
    /// `:text`: the text or display of the coded value.
    Text(StringMatcher),
    /// `:of-type`: an identifier by the coding of its type, and its value.
    OfType {
        /// System of the type's coding.
        system: String,
        /// Code of the type's coding.
        code: String,
        /// Value of the identifier.
        value: String,
    },
    /// `:in`: one of a list of codes.
    In(Arc<CodeList>),
    /// `:below` on a MIME type.
    Mime(String),
}

/// `[system|]code`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Code {
    system: System,
    /// `None`: any code of the system.
    code: Option<String>,
    /// The code in lower case, for the comparisons that do not mind case.
    lower: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum System {
    /// Not asked for.
    Any,
    /// `|code`: there must be none.
    Absent,
    /// Exactly this one.
    Is(String),
}

/// What a leaf tells a token besides its datatype.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TokenLeaf {
    /// System of a `code` by its binding.
    pub implied: Option<ImpliedSystem>,
    /// Compare case as written whatever was asked: `_id`.
    pub exact: bool,
}

impl TokenMatcher {
    /// Reads `code`, `system|code`, `|code` or `system|`, still escaped.
    pub fn code(value: &str) -> Result<TokenMatcher, ValueError> {
        let pieces = split(value, '|');
        let text = |index: usize| unescape(value, pieces[index].clone());
        let (system, code) = match pieces.len() {
            1 => (System::Any, text(0)?),
            2 => match text(0)? {
                system if system.is_empty() => (System::Absent, text(1)?),
                system => (System::Is(system), text(1)?),
            },
            _ => return Err(ValueError::whole(value, "expected code, system|code, |code or system|")),
        };
        if code.is_empty() && !matches!(system, System::Is(_)) {
            return Err(ValueError::whole(value, "expected a code after the `|`"));
        }
        let lower = lower_case(&code).into_string();
        Ok(TokenMatcher::Code(Code {
            system,
            code: (!code.is_empty()).then_some(code),
            lower,
        }))
    }

    /// Reads the text of `:text`.
    pub fn text(value: &str) -> Result<TokenMatcher, ValueError> {
        let text = unescape(value, 0..value.len())?;
        StringMatcher::new(&text, Mode::Start).map(TokenMatcher::Text)
    }

    /// Reads `system|code|value` of `:of-type`.
    pub fn of_type(value: &str) -> Result<TokenMatcher, ValueError> {
        let pieces = split(value, '|');
        if pieces.len() != 3 || pieces.iter().any(|piece| piece.is_empty()) {
            return Err(ValueError::whole(
                value,
                "`:of-type` needs all three of system|code|value",
            ));
        }
        let text = |index: usize| unescape(value, pieces[index].clone());
        Ok(TokenMatcher::OfType {
            system: text(0)?,
            code: text(1)?,
            value: text(2)?,
        })
    }

    /// Reads the MIME type of `:below`.
    pub fn mime(value: &str) -> Result<TokenMatcher, ValueError> {
        unescape(value, 0..value.len()).map(|text| TokenMatcher::Mime(lower_case(&text).into_string()))
    }

    /// Whether the value names a system, which some datatypes do not have.
    pub fn names_system(&self) -> bool {
        matches!(self, TokenMatcher::Code(code) if code.system != System::Any)
    }

    /// The plain code that was asked for, if no system was.
    pub fn bare_code(&self) -> Option<&str> {
        match self {
            TokenMatcher::Code(Code {
                system: System::Any,
                code: Some(code),
                ..
            }) => Some(code),
            _ => None,
        }
    }

    /// Whether a stored value matches.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub fn matches(&self, leaf: Leaf, json: Json<'_>, info: &TokenLeaf) -> bool {
        match leaf {
            Leaf::CodeableReference => json
                .get("concept")
                .is_some_and(|concept| self.matches(Leaf::CodeableConcept, concept, info)),
            Leaf::CodeableConcept => {
                json.each_of("coding")
                    .any(|coding| self.matches_coding(Coding::read(coding)))
                    || matches!(self, TokenMatcher::Text(text) if says(json, "text", |t| text.accepts(t, false)))
            }
            Leaf::Coding => self.matches_coding(Coding::read(json)),
            Leaf::Identifier => self.matches_identifier(json),
            Leaf::ContactPoint => {
                let value = json.get("value").and_then(Json::text);
                value.is_some_and(|value| self.matches_plain(value, info))
            }
            Leaf::Code => json.text().is_some_and(|code| self.matches_code(code, info)),
            Leaf::Boolean => {
                json.kind() == Kind::Boolean && self.bare_code().is_some_and(|code| code.as_bytes() == json.raw())
            }
            Leaf::Id | Leaf::Uri | Leaf::Canonical => {
                let exact = TokenLeaf {
                    implied: None,
                    exact: true,
                };
                json.text().is_some_and(|text| self.matches_plain(text, &exact))
            }
            _ => json.text().is_some_and(|text| self.matches_plain(text, info)),
        }
    }

    /// Whether the computed boolean of a rule matches.
    pub fn matches_boolean(&self, value: bool) -> bool {
        self.bare_code() == Some(if value { "true" } else { "false" })
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn matches_coding(&self, Coding { system, code, display }: Coding<'_>) -> bool {
        match self {
            TokenMatcher::Code(wanted) => wanted.matches(system, code),
            TokenMatcher::Text(text) => display.is_some_and(|display| text.accepts(display, false)),
            TokenMatcher::In(list) => {
                let system = system.map(Text::decode);
                code.is_some_and(|code| list.contains(system.as_deref().unwrap_or_default(), &code.decode()))
            }
            TokenMatcher::Mime(base) => code.is_some_and(|code| is_mime_below(&code.decode(), base)),
            TokenMatcher::OfType { .. } => false,
        }
    }

    fn matches_identifier(&self, json: Json<'_>) -> bool {
        let member = |name: &str| json.get(name).and_then(Json::text);
        match self {
            TokenMatcher::Code(wanted) => {
                // Identifier values keep their case, with or without a system.
                let value = member("value");
                let same = wanted
                    .code
                    .as_deref()
                    .is_none_or(|code| value.is_some_and(|value| value.is(code)));
                same && wanted.has_system(member("system"))
            }
            TokenMatcher::Text(text) => json
                .get("type")
                .is_some_and(|kind| says(kind, "text", |t| text.accepts(t, false))),
            TokenMatcher::OfType { system, code, value } => {
                let typed = |kind: Json<'_>| {
                    kind.each_of("coding").any(|coding| {
                        says(coding, "system", |text| text.is(system)) && says(coding, "code", |text| text.is(code))
                    })
                };
                member("value").is_some_and(|text| text.is(value)) && json.get("type").is_some_and(typed)
            }
            TokenMatcher::In(_) | TokenMatcher::Mime(_) => false,
        }
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn matches_code(&self, code: Text<'_>, info: &TokenLeaf) -> bool {
        match self {
            TokenMatcher::Code(wanted) => match &wanted.system {
                System::Any => wanted.says(code, info.exact),
                System::Absent => info.implied.is_none() && wanted.says(code, info.exact),
                System::Is(system) => {
                    system_of(info, code).is_some_and(|own| own == *system) && wanted.says(code, true)
                }
            },
            TokenMatcher::In(list) => list.contains(system_of(info, code).unwrap_or_default(), &code.decode()),
            TokenMatcher::Mime(base) => is_mime_below(&code.decode(), base),
            TokenMatcher::Text(_) | TokenMatcher::OfType { .. } => false,
        }
    }

    /// Values that have no system: a search that names one does not match them.
    fn matches_plain(&self, text: Text<'_>, info: &TokenLeaf) -> bool {
        match self {
            TokenMatcher::Code(wanted) => wanted.system == System::Any && wanted.says(text, info.exact),
            TokenMatcher::Mime(base) => is_mime_below(&text.decode(), base),
            _ => false,
        }
    }

    /// What raw bytes a value holds that matches.
    pub fn needles(&self, leaf: Leaf, info: &TokenLeaf) -> Needles {
        let one = |needle: Option<Needle>| needle.map(|needle| vec![needle]);
        let of_codes = |needle: Needle| {
            if info.implied.is_some() {
                needle.of_few()
            } else {
                needle
            }
        };
        match self {
            TokenMatcher::Code(wanted) => one(wanted.needle(leaf, info).map(of_codes)),
            TokenMatcher::OfType { value, .. } => one(Needle::whole(value)),
            TokenMatcher::In(list) if !list.is_empty() && list.len() <= MOST_LISTED => {
                any_of(list.iter().map(|(_, code)| one(Needle::whole(code).map(of_codes))))
            }
            TokenMatcher::In(_) | TokenMatcher::Text(_) | TokenMatcher::Mime(_) => None,
        }
    }

    /// For `explain`.
    pub fn describe(&self) -> String {
        match self {
            TokenMatcher::Code(code) => {
                let text = code
                    .code
                    .as_deref()
                    .map_or("any code".to_owned(), |text| format!("code `{text}`"));
                match &code.system {
                    System::Any => format!("{text} of any system, case ignored"),
                    System::Absent => format!("{text} without system"),
                    System::Is(system) => format!("{text} of `{system}`"),
                }
            }
            TokenMatcher::Text(text) => format!("text or display {}", text.describe()),
            TokenMatcher::OfType { system, code, value } => format!("identifier `{value}` of type `{system}|{code}`"),
            TokenMatcher::In(list) => format!("one of {} listed codes", list.len()),
            TokenMatcher::Mime(base) => format!("MIME type at or below `{base}`"),
        }
    }
}

/// Lists of more codes are not looked for in raw bytes.
const MOST_LISTED: usize = 64;
/// What a coding says.
#[derive(Clone, Copy, Default)]
struct Coding<'a> {
    system: Option<Text<'a>>,
    code: Option<Text<'a>>,
    display: Option<Text<'a>>,
}

impl<'a> Coding<'a> {
    fn read(json: Json<'a>) -> Coding<'a> {
        let mut coding = Coding::default();
        for (key, value) in json.members() {
            if key.is("code") {
                coding.code = value.text();
            } else if key.is("system") {
                coding.system = value.text();
            } else if key.is("display") {
                coding.display = value.text();
            }
        }
        coding
    }
}

impl Code {
    fn needle(&self, leaf: Leaf, info: &TokenLeaf) -> Option<Needle> {
        let has_system = matches!(
            leaf,
            Leaf::Coding | Leaf::CodeableConcept | Leaf::CodeableReference | Leaf::Identifier
        );
        let is_exact = match leaf {
            Leaf::Identifier | Leaf::Id | Leaf::Uri | Leaf::Canonical => true,
            Leaf::Coding | Leaf::CodeableConcept | Leaf::CodeableReference => matches!(self.system, System::Is(_)),
            Leaf::Code => info.exact || matches!(self.system, System::Is(_)),
            Leaf::ContactPoint | Leaf::Text => info.exact,
            // A boolean is no text, and what is told from the JSON may be one.
            _ => return None,
        };
        let of_code = self.code.as_deref().and_then(|code| match is_exact {
            true => Needle::whole(code),
            false => Needle::in_any_case(code),
        });
        let of_system = match &self.system {
            System::Is(system) if has_system => Needle::whole(system),
            _ => None,
        };
        of_code.or(of_system)
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn matches(&self, system: Option<Text<'_>>, code: Option<Text<'_>>) -> bool {
        // `system|` asks for the system alone: the standard compares nothing else.
        let says = |code| self.says(code, matches!(self.system, System::Is(_)));
        self.has_system(system) && code.map_or(self.code.is_none(), says)
    }

    fn has_system(&self, system: Option<Text<'_>>) -> bool {
        match &self.system {
            System::Any => true,
            System::Absent => system.is_none(),
            System::Is(wanted) => system.is_some_and(|system| system.is(wanted)),
        }
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn says(&self, text: Text<'_>, exact: bool) -> bool {
        match &self.code {
            None => true,
            Some(code) if exact => text.is(code),
            Some(_) => is_in_lower_case(text, &self.lower),
        }
    }
}

#[cfg_attr(target_arch = "wasm32", inline)]
fn says(json: Json<'_>, name: &str, test: impl Fn(Text<'_>) -> bool) -> bool {
    json.get(name).and_then(Json::text).is_some_and(test)
}

fn is_in_lower_case(text: Text<'_>, lower: &str) -> bool {
    let raw = text.raw();
    if !text.is_escaped() && raw.is_ascii() {
        return raw.eq_ignore_ascii_case(lower.as_bytes());
    }
    *lower_case(&text.decode()) == lower
}

/// The text in small letters, in memory that is used again.
fn lower_case(text: &str) -> Spare {
    let mut out = Spare::take();
    text.chars()
        .for_each(|character| folding::push_small(character, &mut out));
    out
}

/// The system that a code implies: the only one of the binding, or the one that the code belongs to.
fn system_of<'a>(info: &'a TokenLeaf, code: Text<'_>) -> Option<&'a str> {
    let implied = info.implied.as_ref()?;
    let index = match implied.systems.len() {
        0 => return None,
        1 => 0,
        _ => implied.codes.iter().find(|(name, _)| code.is(name))?.1,
    };
    implied.systems.get(index).map(String::as_str)
}

/// `text/xml` also finds `text/xml; charset=UTF-8`, and `text` finds every `text/…`.
fn is_mime_below(stored: &str, base: &str) -> bool {
    let stored = lower_case(stored);
    match stored.strip_prefix(base) {
        Some("") => true,
        Some(rest) => rest.trim_start().starts_with(';') || (!base.contains('/') && rest.starts_with('/')),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(search: &str, leaf: Leaf, stored: &str) -> bool {
        matches_with(search, leaf, stored, &TokenLeaf::default())
    }

    fn matches_with(search: &str, leaf: Leaf, stored: &str, info: &TokenLeaf) -> bool {
        TokenMatcher::code(search)
            .expect(search)
            .matches(leaf, Json::new(stored.as_bytes()), info)
    }

    #[test]
    fn four_forms_on_codings() {
        let stored = r#"{"text":"t","coding":[{"system":"http://a","code":"X1"},{"code":"y"},{"system":"http://b"}]}"#;
        for (search, expected) in [
            ("X1", true),
            ("x1", true),
            ("http://a|X1", true),
            ("http://a|x1", false),
            ("http://b|X1", false),
            ("http://a|", true),
            ("http://b|", true),
            ("|y", true),
            ("|Y", true),
            ("|X1", false),
            ("y", true),
            ("t", false),
        ] {
            assert_eq!(matches(search, Leaf::CodeableConcept, stored), expected, "{search}");
        }
        for bad in ["|", "a|b|c", r"a\b"] {
            assert!(TokenMatcher::code(bad).is_err(), "{bad}");
        }
        assert!(matches(
            r"http://a\|b|c",
            Leaf::Coding,
            r#"{"system":"http://a|b","code":"c"}"#
        ));
    }

    #[test]
    fn codes_imply_their_system() {
        let one = ImpliedSystem {
            systems: vec!["http://hl7.org/fhir/administrative-gender".into()],
            codes: vec![],
        };
        let gender = TokenLeaf {
            implied: Some(one),
            exact: false,
        };
        let stored = "\"female\"";
        assert!(matches_with(
            "http://hl7.org/fhir/administrative-gender|female",
            Leaf::Code,
            stored,
            &gender
        ));
        assert!(matches_with(
            "http://hl7.org/fhir/administrative-gender|",
            Leaf::Code,
            stored,
            &gender
        ));
        assert!(!matches_with("http://example.org|female", Leaf::Code, stored, &gender));
        assert!(!matches_with("|female", Leaf::Code, stored, &gender));
        assert!(matches_with("FEMALE", Leaf::Code, stored, &gender));
        assert!(matches("|female", Leaf::Code, stored));
        assert!(!matches("http://x|female", Leaf::Code, stored));
        let two = ImpliedSystem {
            systems: vec!["s0".into(), "s1".into()],
            codes: vec![("a".into(), 0), ("b".into(), 1)],
        };
        let both = TokenLeaf {
            implied: Some(two),
            exact: false,
        };
        assert!(matches_with("s1|b", Leaf::Code, "\"b\"", &both));
        assert!(!matches_with("s0|b", Leaf::Code, "\"b\"", &both));
    }

    #[test]
    fn identifiers_keep_case_and_others_do_not() {
        let stored = r#"{"system":"http://mrn","value":"Ab1"}"#;
        assert!(matches("Ab1", Leaf::Identifier, stored));
        assert!(!matches("ab1", Leaf::Identifier, stored));
        assert!(matches("http://mrn|", Leaf::Identifier, stored));
        assert!(matches("http://mrn|", Leaf::Identifier, r#"{"system":"http://mrn"}"#));
        assert!(matches("ab1", Leaf::ContactPoint, stored));
        assert!(!matches("|ab1", Leaf::ContactPoint, stored));
        assert!(matches("TRUE_x", Leaf::Text, "\"true_X\""));
        assert!(matches("true", Leaf::Boolean, "true"));
        assert!(!matches("TRUE", Leaf::Boolean, "true"));
        assert!(!matches("true", Leaf::Boolean, "\"true\""));
        assert!(!matches("A", Leaf::Id, "\"a\""));
    }

    #[test]
    fn modifiers() {
        let info = TokenLeaf::default();
        let stored = Json::new(
            br#"{"type":{"coding":[{"system":"http://v2","code":"MR"}],"text":"Medical Record"},"value":"12"}"#,
        );
        let of_type = |value: &str| {
            TokenMatcher::of_type(value)
                .expect(value)
                .matches(Leaf::Identifier, stored, &info)
        };
        assert!(of_type("http://v2|MR|12"));
        assert!(!of_type("http://v2|MR|13"));
        assert!(!of_type("http://v2|MC|12"));
        assert!(TokenMatcher::of_type("MR|12").is_err() && TokenMatcher::of_type("|MR|12").is_err());
        let text = |value: &str| {
            TokenMatcher::text(value)
                .expect(value)
                .matches(Leaf::Identifier, stored, &info)
        };
        assert!(text("medical") && !text("record"));
        let mime = |value: &str, stored: &str| {
            TokenMatcher::mime(value)
                .expect(value)
                .matches(Leaf::Code, Json::new(stored.as_bytes()), &info)
        };
        assert!(mime("text/xml", "\"text/xml; charset=UTF-8\"") && mime("text/xml", "\"TEXT/XML\""));
        assert!(mime("image", "\"image/png\"") && !mime("text/xml", "\"text/xmlx\""));
    }
}
