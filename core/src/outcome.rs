//! OperationOutcomes about bad lines: where and what, never the contents.

use crate::error::BadLine;
use crate::quote::quoted;
use crate::report::BadPlace;

/// One OperationOutcome as a line of NDJSON, newline included.
pub fn bad_line(place: &BadPlace) -> String {
    let diagnostics = format!("{}:{}: {}", place.input, place.position, place.kind);
    format!(
        "{{\"resourceType\":\"OperationOutcome\",\"issue\":[{{\"severity\":\"error\",\"code\":\"{}\",\"diagnostics\":{}}}]}}\n",
        issue_code(place.kind),
        quoted(&diagnostics)
    )
}

/// A patient who was asked for and is not in the input; the export went on.
pub fn unknown_patient(id: &str) -> String {
    warning("not-found", &format!("there is no Patient/{id} in the data"))
}

/// A patient who was asked for and is no member of the group; the export went on.
pub fn no_member(id: &str) -> String {
    warning("not-found", &format!("Patient/{id} is no member of the group"))
}

fn warning(code: &str, diagnostics: &str) -> String {
    format!(
        "{{\"resourceType\":\"OperationOutcome\",\"issue\":[{{\"severity\":\"warning\",\"code\":\"{code}\",\"diagnostics\":{}}}]}}\n",
        quoted(diagnostics)
    )
}

/// The code of the issue (FHIR value set issue-type).
fn issue_code(kind: BadLine) -> &'static str {
    match kind {
        BadLine::NoResourceType => "required",
        BadLine::UnknownType => "not-supported",
        BadLine::TooLong => "too-long",
        BadLine::DuplicateName => "duplicate",
        _ => "structure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::position::Position;

    #[test]
    fn says_where_and_what() {
        let place = BadPlace {
            input: "a\"b.ndjson".into(),
            position: Position { line: 3, column: 7 },
            kind: BadLine::Syntax,
        };
        let line = bad_line(&place);
        let value: serde_json::Value = serde_json::from_str(&line).expect("valid JSON");
        assert_eq!(
            value["issue"][0]["diagnostics"],
            "a\"b.ndjson:3:7: the line is not valid JSON"
        );
        assert!(line.ends_with("}\n"));
    }
}
