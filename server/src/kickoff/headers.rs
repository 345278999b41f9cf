//! `Accept`, `Prefer` and `Content-Type`, each a list that may come in several lines.

use fhirehose_core::problem::Problem;

use super::fault::{Fault, Place};
use crate::profile::AcceptRule;

/// The media types that a body can have.
const BODIES: [&str; 3] = ["application/fhir+json", "application/json", "application/json+fhir"];

/// What `Prefer` says, as far as it is known here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Preferences {
    /// `respond-async`
    pub(super) respond_async: bool,
    /// `handling=lenient`
    pub(super) lenient: bool,
    /// `separate-export-status`
    pub(super) separate_status: bool,
}

/// All headers of a request, in their order.
pub type Headers<'a> = [(&'a str, &'a str)];

fn values<'a>(headers: &Headers<'a>, name: &str) -> Vec<&'a str> {
    let own = headers.iter().filter(|(other, _)| other.eq_ignore_ascii_case(name));
    own.map(|(_, value)| *value).collect()
}

/// Splits at a separator that does not stand in quotes; parts without blanks around them, empty ones left out.
fn parts(text: &str, separator: char) -> Vec<&str> {
    let mut out = Vec::new();
    let (mut start, mut is_quoted, mut is_escaped) = (0, false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => is_escaped = true,
            '"' => is_quoted = !is_quoted,
            _ if character == separator && !is_quoted => {
                out.push(text[start..at].trim());
                start = at + separator.len_utf8();
            }
            _ => {}
        }
    }
    out.push(text[start..].trim());
    out.retain(|part| !part.is_empty());
    out
}

/// `name` or `name=value`, the value without its quotes.
fn name_and_value(text: &str) -> (&str, Option<String>) {
    let Some((name, value)) = text.split_once('=') else {
        return (text, None);
    };
    let value = value.trim();
    let inner = value.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    let value = inner.map_or_else(|| value.to_owned(), |inner| inner.replace('\\', ""));
    (name.trim(), Some(value))
}

/// Reads `Prefer`. Of what is said twice the first counts (RFC 7240); what is not known is ignored, as it is there.
pub(super) fn preferences(headers: &Headers<'_>) -> Preferences {
    let mut found = Preferences::default();
    let mut handling = None;
    for preference in values(headers, "prefer").iter().flat_map(|line| parts(line, ',')) {
        // What follows a semicolon are parameters of the preference; none is known.
        let Some(first) = parts(preference, ';').first().copied() else {
            continue;
        };
        let (name, value) = name_and_value(first);
        match name.to_ascii_lowercase().as_str() {
            "respond-async" => found.respond_async = true,
            "separate-export-status" => found.separate_status = true,
            "handling" => {
                handling.get_or_insert(value.unwrap_or_default());
            }
            _ => {}
        }
    }
    found.lenient = handling.is_some_and(|value| value.eq_ignore_ascii_case("lenient"));
    found
}

fn missing(name: &'static str, line: &str, why: &str) -> Fault {
    let problem = Problem::whole(name, "", format!("the header is missing: {why}"));
    let problem = problem.with_help(Some(format!("add the line `{line}`")));
    Fault::at(Place::Header(name), 400, "required", problem)
}

/// What is wrong with `Accept`. Nothing at all is assumed only where the server was told to.
#[must_use]
pub fn accept(headers: &Headers<'_>, rule: &AcceptRule, assume: bool) -> Option<Fault> {
    let usual = rule.media_types.first().copied().unwrap_or_default();
    let lines = values(headers, "accept");
    let ranges: Vec<&str> = lines.iter().flat_map(|line| parts(line, ',')).collect();
    if ranges.is_empty() {
        let why = "it says what the client can read";
        let line = format!("Accept: {usual}");
        return (rule.required && !assume).then(|| missing("Accept", &line, why));
    }
    if ranges.iter().any(|range| is_accepted(range, rule)) {
        return None;
    }
    let message = format!("no media type that is answered in here; expected {usual}, or */* for anything");
    let problem = Problem::whole("Accept", &lines.join(", "), message);
    Some(Fault::at(Place::Header("Accept"), 406, rule.code, problem))
}

fn is_accepted(range: &str, rule: &AcceptRule) -> bool {
    let mut parts = parts(range, ';').into_iter();
    let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    // With a weight of nothing it is what the client does not want.
    let is_wanted = parts.map(name_and_value).all(|(name, value)| {
        let weight = value.and_then(|value| value.parse::<f32>().ok());
        !name.eq_ignore_ascii_case("q") || weight != Some(0.0)
    });
    let is_any = ["*/*", "application/*"].contains(&media_type.as_str());
    is_wanted && (is_any || rule.media_types.contains(&media_type.as_str()))
}

/// Whether the client asked for a job, and not for an answer at once.
pub(super) fn asks_for_a_job(preferences: Preferences, headers: &Headers<'_>, assume: bool) -> Option<Fault> {
    if preferences.respond_async || assume {
        return None;
    }
    let why = "an export is a job";
    let lines = values(headers, "prefer");
    if lines.is_empty() {
        return Some(missing("Prefer", "Prefer: respond-async", why));
    }
    let problem = Problem::whole(
        "Prefer",
        &lines.join(", "),
        format!("`respond-async` is missing: {why}"),
    );
    let problem = problem.with_help(Some("add the line `Prefer: respond-async`".to_owned()));
    Some(Fault::at(Place::Header("Prefer"), 400, "required", problem))
}

/// Whether a body is JSON by its own word.
pub(super) fn content_type(headers: &Headers<'_>) -> Option<Fault> {
    let fault = |text: &str, message: &str| {
        let problem = Problem::whole("Content-Type", text, message);
        let problem = problem.with_help(Some("add the line `Content-Type: application/fhir+json`".to_owned()));
        Some(Fault::at(Place::Header("Content-Type"), 415, "not-supported", problem))
    };
    let lines = values(headers, "content-type");
    let text = match lines.as_slice() {
        [] => return fault("", "the header is missing: the body needs a media type"),
        [one] => *one,
        _ => return fault(&lines.join(", "), "a body has one media type, not several"),
    };
    let mut parts = parts(text, ';').into_iter();
    let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
    if !BODIES.contains(&media_type.as_str()) {
        return fault(text, "no media type that is read here; expected application/fhir+json");
    }
    let is_utf8 = parts.map(name_and_value).all(|(name, value)| {
        let charset = value.unwrap_or_default();
        !name.eq_ignore_ascii_case("charset") || ["utf-8", "utf8"].contains(&charset.to_ascii_lowercase().as_str())
    });
    if is_utf8 {
        None
    } else {
        fault(text, "JSON is read in UTF-8 only")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{IG, Route};

    fn held(headers: &Headers<'_>, route: Route, assume: bool) -> Option<u16> {
        accept(headers, IG.accept(route)?, assume).map(|fault| fault.status)
    }

    fn accepts(value: &str) -> Option<u16> {
        held(&[("accept", value)], Route::KickOff, false)
    }

    #[test]
    fn accept_is_a_list_with_weights() {
        for good in [
            "application/fhir+json",
            "APPLICATION/JSON",
            "application/json+fhir",
            "*/*",
            "application/*",
            "text/html, application/fhir+json;q=0.9",
            "application/fhir+json; fhirVersion=4.0",
            "text/html;note=\"a,b\", */*;q=0.1",
        ] {
            assert_eq!(accepts(good), None, "{good}");
        }
        for bad in [
            "text/html",
            "application/fhir+xml",
            "application/fhir+json;q=0",
            "application/json; q=0.000",
            "text/html;note=\"a,*/*\"",
        ] {
            assert_eq!(accepts(bad), Some(406), "{bad}");
        }
        assert_eq!(accepts(" , "), Some(400), "a header that says nothing is none");
        let two_lines = [("Accept", "text/html"), ("accept", "application/json")];
        assert_eq!(held(&two_lines, Route::KickOff, false), None);
        assert_eq!(held(&[], Route::KickOff, true), None);
        assert_eq!(held(&[], Route::KickOff, false), Some(400));
        assert_eq!(held(&[], Route::Status, false), None);
        let ndjson = [("Accept", "application/fhir+ndjson")];
        assert_eq!(held(&ndjson, Route::File, false), None);
        assert_eq!(held(&ndjson, Route::Status, false), Some(406));
    }

    #[test]
    fn preferences_are_lists_of_which_the_first_counts() {
        let read = |lines: &[&str]| {
            let headers: Vec<(&str, &str)> = lines.iter().map(|line| ("Prefer", *line)).collect();
            let found = preferences(&headers);
            (found.respond_async, found.lenient, found.separate_status)
        };
        assert_eq!(read(&["respond-async"]), (true, false, false));
        assert_eq!(read(&["Respond-Async, Handling=Lenient"]), (true, true, false));
        assert_eq!(
            read(&["respond-async;wait=10; x", "handling=\"lenient\""]),
            (true, true, false)
        );
        assert_eq!(read(&["handling=strict, handling=lenient"]), (false, false, false));
        assert_eq!(
            read(&["handling = lenient", "separate-export-status"]),
            (false, true, true)
        );
        assert_eq!(read(&["return=minimal, \"respond-async\""]), (false, false, false));
        assert_eq!(read(&[]), (false, false, false));
    }

    #[test]
    fn a_body_says_that_it_is_json_in_utf8() {
        let status = |value: &str| content_type(&[("Content-Type", value)]).map(|fault| fault.status);
        for good in [
            "application/fhir+json",
            "application/json; charset=UTF-8",
            "application/json+fhir;charset=\"utf-8\"; fhirVersion=4.0",
        ] {
            assert_eq!(status(good), None, "{good}");
        }
        for bad in [
            "application/x-www-form-urlencoded",
            "application/fhir+xml",
            "text/plain",
            "application/json; charset=latin1",
            "",
        ] {
            assert_eq!(status(bad), Some(415), "{bad}");
        }
        assert_eq!(content_type(&[]).map(|fault| fault.status), Some(415));
    }
}
