//! URIs: exact, above and below.

/// How the search relates to what is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UriMode {
    /// The same.
    Exact,
    /// `:below`: what is stored lies at or under the search.
    Below,
    /// `:above`: what is stored lies at or over the search.
    Above,
}

/// One URI of a search.
#[derive(Clone, Debug)]
pub(crate) struct UriSearch {
    text: String,
    mode: UriMode,
    /// `_source`: a stored fragment counts only if the search has one.
    drop_fragment: bool,
}

impl UriSearch {
    /// Takes an unescaped URI. URNs have no hierarchy.
    pub(crate) fn new(text: String, mode: UriMode, is_source: bool) -> Result<UriSearch, String> {
        let is_urn = text.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("urn:"));
        if is_urn && mode != UriMode::Exact {
            return Err(format!("'{text}' has nothing above or below it"));
        }
        Ok(UriSearch {
            drop_fragment: is_source && !text.contains('#'),
            text,
            mode,
        })
    }

    /// Whether a stored URI of this datatype is meant.
    pub(crate) fn matches(&self, leaf: &str, stored: &str) -> bool {
        let mut compared = stored;
        if leaf == "canonical" && !self.text.contains('|') {
            compared = compared.split('|').next().unwrap_or_default();
        }
        if self.drop_fragment {
            compared = compared.split('#').next().unwrap_or_default();
        }
        match self.mode {
            UriMode::Exact => compared == self.text,
            UriMode::Below => is_at_or_under(compared, &self.text),
            UriMode::Above => is_at_or_under(&self.text, compared),
        }
    }
}

/// Equal, or continued after a slash.
fn is_at_or_under(lower: &str, upper: &str) -> bool {
    match lower.strip_prefix(upper) {
        Some(rest) => rest.is_empty() || rest.starts_with('/') || upper.ends_with('/'),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mode: UriMode, search: &str, leaf: &str, stored: &str, expected: bool) {
        let uri = UriSearch::new(search.to_owned(), mode, leaf == "source").expect(search);
        assert_eq!(uri.matches(leaf, stored), expected, "{mode:?} {search} on {stored}");
    }

    #[test]
    fn exact_is_case_sensitive_and_whole() {
        check(UriMode::Exact, "http://x/a", "uri", "http://x/a", true);
        check(UriMode::Exact, "http://x/A", "uri", "http://x/a", false);
        check(UriMode::Exact, "http://x", "uri", "http://x/a", false);
        check(UriMode::Exact, "http://x/a", "uri", "http://x/a|1", false);
    }

    #[test]
    fn below_and_above_go_by_segments() {
        check(UriMode::Below, "http://x/a", "uri", "http://x/a", true);
        check(UriMode::Below, "http://x/a", "uri", "http://x/a/b", true);
        check(UriMode::Below, "http://x/a", "uri", "http://x/ab", false);
        check(UriMode::Below, "http://x/", "uri", "http://x/ab", true);
        check(UriMode::Above, "http://x/a/b", "uri", "http://x/a", true);
        check(UriMode::Above, "http://x/a/b", "uri", "http://x/a/", true);
        check(UriMode::Above, "http://x/a", "uri", "http://x/a/b", false);
        check(UriMode::Above, "http://x/ab", "uri", "http://x/a", false);
    }

    #[test]
    fn versions_and_fragments_count_only_when_asked_for() {
        check(UriMode::Exact, "http://x/P", "canonical", "http://x/P|3.1", true);
        check(UriMode::Exact, "http://x/P|3.1", "canonical", "http://x/P|3.1", true);
        check(UriMode::Exact, "http://x/P|3.2", "canonical", "http://x/P|3.1", false);
        check(UriMode::Exact, "http://x/P|3.1", "canonical", "http://x/P", false);
        check(UriMode::Exact, "http://x", "source", "http://x#f", true);
        check(UriMode::Exact, "http://x#f", "source", "http://x#f", true);
        check(UriMode::Exact, "http://x#g", "source", "http://x#f", false);
        check(UriMode::Exact, "http://x", "uri", "http://x#f", false);
    }

    #[test]
    fn urns_have_no_hierarchy() {
        assert!(UriSearch::new("urn:oid:1".to_owned(), UriMode::Below, false).is_err());
        assert!(UriSearch::new("URN:oid:1".to_owned(), UriMode::Above, false).is_err());
        assert!(UriSearch::new("urn:oid:1".to_owned(), UriMode::Exact, false).is_ok());
    }
}
