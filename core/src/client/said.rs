//! What a server says of its failures: the text of an OperationOutcome, and whether trying again may help (SPEC 1.8, 2.11, C66).

use super::json::{self, Node};

/// Most characters of a server's text that are passed on.
const LONGEST: usize = 500;
/// Most issues that are read; their texts are told one after another.
const ISSUES: usize = 20;

/// What an OperationOutcome says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// For people; empty where there is nothing to read. Bounded, on one line.
    pub(super) text: String,
    /// Codes of the issues that are errors, in small letters.
    codes: Vec<String>,
    /// Whether it was an OperationOutcome at all.
    pub(super) is_outcome: bool,
}

/// The codes below `transient`, and itself.
const TRANSIENT: [&str; 7] = [
    "transient",
    "lock-error",
    "no-store",
    "exception",
    "timeout",
    "incomplete",
    "throttled",
];

impl Said {
    /// Reads a body; of what is no OperationOutcome nothing is taken, since it may be anything.
    pub(super) fn read(body: &[u8]) -> Said {
        let Ok(document) = json::parse_marked(body) else {
            return Said::default();
        };
        let root = document.root();
        let is_outcome = root
            .get("resourceType")
            .and_then(Node::text)
            .is_some_and(|name| name == "OperationOutcome");
        if !is_outcome {
            return Said::default();
        }
        let mut wrong = Issues::default();
        let mut others = Issues::default();
        for issue in root.get("issue").into_iter().flat_map(Node::items).take(ISSUES) {
            let severity = lower(issue.get("severity"));
            let is_harmless = severity
                .as_deref()
                .is_some_and(|name| matches!(name, "information" | "warning" | "success"));
            if is_harmless {
                others.add(issue)
            } else {
                wrong.add(issue)
            }
        }
        // Where nothing is an error, the rest is better than silence.
        let told = if wrong.texts.is_empty() { others } else { wrong };
        Said {
            text: shortened(&told.texts.join("; "), LONGEST),
            codes: told.codes,
            is_outcome,
        }
    }

    /// Whether what it says may pass: at least one issue of the transient family, and no other.
    pub(super) fn is_transient(&self) -> bool {
        let mut codes = self.codes.iter();
        !self.codes.is_empty() && codes.all(|code| TRANSIENT.contains(&code.as_str()))
    }

    /// `: text` for the end of a message, or nothing.
    pub(super) fn tail(&self) -> String {
        if self.text.is_empty() {
            String::new()
        } else {
            format!(": {}", self.text)
        }
    }
}

#[derive(Default)]
struct Issues {
    texts: Vec<String>,
    codes: Vec<String>,
}

impl Issues {
    fn add(&mut self, issue: Node<'_>) {
        let code = lower(issue.get("code"));
        let details = issue.get("details");
        let coding = details
            .and_then(|details| details.get("coding"))
            .and_then(|list| list.items().next());
        let filled = |node: Option<Node<'_>>| {
            let text = node.and_then(Node::text).map(|text| text.trim().to_owned());
            text.filter(|text| !text.is_empty())
        };
        let text = filled(issue.get("diagnostics"))
            .or_else(|| filled(details.and_then(|details| details.get("text"))))
            .or_else(|| filled(coding.and_then(|coding| coding.get("display"))))
            .or_else(|| code.clone());
        let text = text.filter(|text| !self.texts.contains(text));
        self.texts.extend(text);
        self.codes.extend(code);
    }
}

fn lower(node: Option<Node<'_>>) -> Option<String> {
    let text = node.and_then(Node::text)?;
    Some(text.trim().to_ascii_lowercase()).filter(|text| !text.is_empty())
}

/// On one line, without control characters, at most so many characters.
pub(super) fn shortened(text: &str, most: usize) -> String {
    let mut out = String::new();
    let mut letters = 0;
    for word in text
        .split(|letter: char| letter.is_whitespace() || letter.is_control() || turns(letter))
        .filter(|word| !word.is_empty())
    {
        let gap = usize::from(letters > 0);
        let room = most.saturating_sub(letters + gap);
        if room == 0 {
            out.push('…');
            return out;
        }
        if gap == 1 {
            out.push(' ');
        }
        out.extend(word.chars().take(room));
        let length = word.chars().count();
        letters += gap + length.min(room);
        if length > room {
            out.push('…');
            return out;
        }
    }
    out
}

/// Whether a letter changes the direction in which others are shown.
fn turns(letter: char) -> bool {
    matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(body: &str) -> Said {
        Said::read(body.as_bytes())
    }

    #[test]
    fn diagnostics_come_before_details_and_those_before_the_code() {
        let issue = |rest: &str| {
            let body = format!(
                r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"invalid"{rest}}}]}}"#
            );
            said(&body).text
        };
        assert_eq!(issue(r#","diagnostics":"d","details":{"text":"t"}"#), "d");
        assert_eq!(issue(r#","diagnostics":" ","details":{"text":"t"}"#), "t");
        assert_eq!(issue(r#","details":{"coding":[{"display":"shown"}]}"#), "shown");
        assert_eq!(issue(""), "invalid");
    }

    #[test]
    fn errors_are_told_and_advice_is_not() {
        let body = r#"{"resourceType":"OperationOutcome","issue":[
            {"severity":"information","code":"informational","diagnostics":"hello"},
            {"severity":"FATAL","code":"Exception","diagnostics":"broken"},
            {"severity":"error","code":"STRUCTURE","details":{"text":"odd"}}]}"#;
        assert_eq!(said(body).text, "broken; odd");
        let only = r#"{"resourceType":"OperationOutcome","issue":[{"severity":"information","diagnostics":"hello"}]}"#;
        assert_eq!(said(only).text, "hello");
    }

    #[test]
    fn codes_are_read_in_any_case() {
        let coded = |code: &str| {
            let body =
                format!(r#"{{"resourceType":"OperationOutcome","issue":[{{"severity":"error","code":"{code}"}}]}}"#);
            said(&body).is_transient()
        };
        assert!(coded("THROTTLED") && coded("Transient") && coded("lock-error") && coded("timeout"));
        assert!(!coded("not-found") && !coded("processing"));
    }

    #[test]
    fn one_issue_that_does_not_pass_is_enough() {
        let body = r#"{"resourceType":"OperationOutcome","issue":[{"code":"timeout"},{"code":"not-found"}]}"#;
        assert!(!said(body).is_transient());
    }

    #[test]
    fn what_is_no_outcome_says_nothing() {
        for body in [
            "",
            "<html>secret</html>",
            "{}",
            r#"{"resourceType":"Patient","id":"secret"}"#,
            "[]",
            "{\"issue\":[]}",
        ] {
            assert_eq!(said(body), Said::default(), "{body}");
        }
    }

    #[test]
    fn texts_are_bounded_and_on_one_line() {
        let long = format!(
            r#"{{"resourceType":"OperationOutcome","issue":[{{"diagnostics":"a\nb\u001b[31m {}"}}]}}"#,
            "ü".repeat(10_000)
        );
        let text = said(&long).text;
        assert!(text.starts_with("a b [31m ü") && text.ends_with('…'), "{text}");
        assert_eq!(text.chars().count(), LONGEST + 1);
        assert_eq!(shortened("one\u{202e}two\u{2066}", 10), "one two");
        assert_eq!(shortened("one two", 7), "one two");
        assert_eq!(shortened("one two", 6), "one tw…");
        assert_eq!(shortened("one two", 4), "one…");
    }
}
