//! URIs: exact, or below and above by path segments.

use super::ValueError;
use crate::scan::json::Json;
use crate::search::leaf::Leaf;
use crate::search::needle::{Needle, Needles};

/// How a URI is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// The same text.
    Exact,
    /// The target is the value or lies below it.
    Below,
    /// The target is the value or lies above it.
    Above,
}

/// A uri search value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UriMatcher {
    mode: Mode,
    text: String,
    /// `meta.source`: a stored fragment does not count unless one was asked for.
    ignores_fragment: bool,
}

impl UriMatcher {
    /// Takes an unescaped text.
    pub fn new(text: &str, mode: Mode, ignores_fragment: bool) -> Result<UriMatcher, ValueError> {
        let is_urn = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
        if mode != Mode::Exact && is_urn {
            return Err(ValueError::whole(
                text,
                "`:below` and `:above` work on URLs; a URN has no hierarchy",
            ));
        }
        Ok(UriMatcher {
            mode,
            text: text.to_owned(),
            ignores_fragment: ignores_fragment && !text.contains('#'),
        })
    }

    /// Whether a stored value matches.
    pub fn matches(&self, leaf: Leaf, json: Json<'_>) -> bool {
        let Some(text) = json.text() else { return false };
        let decoded = text.decode();
        let mut stored: &str = &decoded;
        if leaf == Leaf::Canonical && !self.text.contains('|') {
            stored = stored.split('|').next().unwrap_or_default();
        }
        if self.ignores_fragment {
            stored = stored.split('#').next().unwrap_or_default();
        }
        match self.mode {
            Mode::Exact => stored == self.text,
            Mode::Below => is_below(stored, &self.text),
            Mode::Above => is_below(&self.text, stored),
        }
    }

    /// What raw bytes a value holds that matches.
    pub fn needles(&self, leaf: Leaf) -> Needles {
        let needle = match self.mode {
            Mode::Exact if leaf == Leaf::Uri && !self.ignores_fragment => Needle::whole(&self.text),
            Mode::Exact | Mode::Below => Needle::start(&self.text),
            // What lies above may be as short as you like.
            Mode::Above => None,
        };
        needle.map(|needle| vec![needle])
    }

    /// For `explain`.
    pub fn describe(&self) -> String {
        let how = match self.mode {
            Mode::Exact => "is",
            Mode::Below => "is at or below",
            Mode::Above => "is at or above",
        };
        format!("{how} `{}`", self.text)
    }
}

/// Whether `uri` is `base` or continues it by whole path segments.
fn is_below(uri: &str, base: &str) -> bool {
    match uri.strip_prefix(base) {
        Some("") => true,
        Some(rest) => !base.is_empty() && (base.ends_with('/') || rest.starts_with('/')),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(search: &str, mode: Mode, leaf: Leaf, stored: &str) -> bool {
        let json = format!("\"{stored}\"");
        UriMatcher::new(search, mode, true)
            .expect(search)
            .matches(leaf, Json::new(json.as_bytes()))
    }

    #[test]
    fn segments() {
        let below = |stored| matches("http://acme.org/fhir", Mode::Below, Leaf::Uri, stored);
        assert!(below("http://acme.org/fhir"));
        assert!(below("http://acme.org/fhir/ValueSet/123"));
        assert!(!below("http://acme.org/fhirx"));
        assert!(!below("http://acme.org"));
        let above = |stored| matches("http://acme.org/fhir/ValueSet/1", Mode::Above, Leaf::Uri, stored);
        assert!(above("http://acme.org/fhir"));
        assert!(above("http:\\/\\/acme.org\\/fhir"));
        assert!(!above("http://acme.org/fhir/ValueSet/12"));
        assert!(UriMatcher::new("urn:oid:1.2", Mode::Below, false).is_err());
    }

    #[test]
    fn versions_and_fragments_count_only_when_asked_for() {
        assert!(matches("http://x/p", Mode::Exact, Leaf::Canonical, "http://x/p|4.0"));
        assert!(matches(
            "http://x/p|4.0",
            Mode::Exact,
            Leaf::Canonical,
            "http://x/p|4.0"
        ));
        assert!(!matches(
            "http://x/p|5.0",
            Mode::Exact,
            Leaf::Canonical,
            "http://x/p|4.0"
        ));
        assert!(!matches("http://x/p", Mode::Exact, Leaf::Uri, "http://x/p|4.0"));
        assert!(matches("http://x/s", Mode::Exact, Leaf::Uri, "http://x/s#f1"));
        assert!(!matches("http://x/s#f2", Mode::Exact, Leaf::Uri, "http://x/s#f1"));
    }
}
