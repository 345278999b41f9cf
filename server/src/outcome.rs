//! Every OperationOutcome that the server answers with, and the status and headers beside it.
//!
//! Texts name parameters, places and what would be right; nothing of a record is ever in them.

use std::borrow::Cow;
use std::fmt::Write;

use fhirehose_core::quote::push_quoted;

/// Media type of a body that is an OperationOutcome.
pub const CONTENT_TYPE: &str = "application/fhir+json";

/// Most issues that one outcome tells; the last says how many there are beside them.
pub const MOST_ISSUES: usize = 100;

/// How bad it is (FHIR value set issue-severity).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The server has a fault.
    Fatal,
    /// The request was not done.
    Error,
    /// It was done, but not as it was asked for.
    Warning,
    /// Good to know.
    Information,
}

impl Severity {
    /// The code.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Severity::Fatal => "fatal",
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Information => "information",
        }
    }
}

/// One issue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Issue {
    /// How bad it is.
    pub severity: Severity,
    /// What kind it is of (FHIR value set issue-type).
    pub code: Cow<'static, str>,
    /// For people; some clients read nothing else.
    pub diagnostics: String,
    /// `http.` and the name of a header or of a parameter of the query.
    pub location: Option<String>,
    /// FHIRPath of what is meant in the body that came.
    pub expression: Option<String>,
}

impl Issue {
    /// An issue that has no place in the request.
    #[must_use]
    pub fn new(severity: Severity, code: impl Into<Cow<'static, str>>, diagnostics: impl Into<String>) -> Self {
        Issue {
            severity,
            code: code.into(),
            diagnostics: diagnostics.into(),
            location: None,
            expression: None,
        }
    }

    fn push(&self, out: &mut String) {
        // Writing to a string cannot fail.
        let _ = write!(
            out,
            r#"{{"severity":"{}","code":"{}","diagnostics":"#,
            self.severity.code(),
            self.code
        );
        push_quoted(out, &self.diagnostics);
        for (name, text) in [("location", &self.location), ("expression", &self.expression)] {
            if let Some(text) = text {
                let _ = write!(out, r#","{name}":["#);
                push_quoted(out, text);
                out.push(']');
            }
        }
        out.push('}');
    }
}

/// The issue that stands for so many others.
pub(crate) fn rest(count: usize, severity: Severity, code: impl Into<Cow<'static, str>>) -> Issue {
    Issue::new(severity, code, format!("{count} more that are not listed"))
}

/// An OperationOutcome as one line of JSON, without newline.
#[must_use]
pub fn json(issues: &[Issue]) -> String {
    let mut out = r#"{"resourceType":"OperationOutcome","issue":["#.to_owned();
    let shown = if issues.len() > MOST_ISSUES {
        MOST_ISSUES - 1
    } else {
        issues.len()
    };
    for (index, issue) in issues[..shown].iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        issue.push(&mut out);
    }
    if let Some(first) = issues.get(shown) {
        out.push(',');
        rest(issues.len() - shown, first.severity, first.code.clone()).push(&mut out);
    }
    out.push_str("]}");
    out
}

/// An answer that is an OperationOutcome.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers beside `Content-Type`.
    pub headers: Vec<(&'static str, String)>,
    /// At least one.
    pub issues: Vec<Issue>,
}

impl Reply {
    /// An answer with one error.
    #[must_use]
    pub fn error(status: u16, code: &'static str, diagnostics: impl Into<String>) -> Self {
        let severity = if status == 500 {
            Severity::Fatal
        } else {
            Severity::Error
        };
        Reply {
            status,
            headers: Vec::new(),
            issues: vec![Issue::new(severity, code, diagnostics)],
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// No token, or one that is not good.
    #[must_use]
    pub fn unauthorized(has_expired: bool) -> Self {
        let (code, text, challenge) = if has_expired {
            let challenge = r#"Bearer error="invalid_token", error_description="the token has expired""#;
            ("expired", "the access token has expired; ask for a new one", challenge)
        } else {
            let text = "an access token is needed: add the line `Authorization: Bearer` with the token";
            ("login", text, "Bearer")
        };
        Reply::error(401, code, text).with_header("WWW-Authenticate", challenge)
    }

    /// The client is known, and may not.
    #[must_use]
    pub fn forbidden(diagnostics: impl Into<String>) -> Self {
        Reply::error(403, "forbidden", diagnostics)
    }

    /// There is no such thing, or not any more. `what` is a job, a file, a Group.
    #[must_use]
    pub fn not_found(what: &str) -> Self {
        Reply::error(404, "not-found", format!("there is no such {what}"))
    }

    /// The route is there, the method is not.
    #[must_use]
    pub fn method_not_allowed(allowed: &[&str]) -> Self {
        let list = allowed.join(", ");
        Reply::error(405, "not-supported", format!("this takes {list}")).with_header("Allow", list)
    }

    /// A body that is longer than is taken.
    #[must_use]
    pub fn too_large(most_bytes: u64) -> Self {
        Reply::error(
            413,
            "too-long",
            format!("the body is too long; at most {most_bytes} bytes are taken"),
        )
    }

    /// Too many requests of the client, or too many jobs.
    #[must_use]
    pub fn throttled(diagnostics: impl Into<String>, retry_after_seconds: u64) -> Self {
        Reply::error(429, "throttled", diagnostics).with_header("Retry-After", retry_after_seconds.to_string())
    }

    /// The server cannot just now; trying again may help.
    #[must_use]
    pub fn unavailable(diagnostics: impl Into<String>, retry_after_seconds: u64) -> Self {
        Reply::error(503, "transient", diagnostics).with_header("Retry-After", retry_after_seconds.to_string())
    }

    /// A fault of the server's own. What it was is in the log, under the id of the request.
    #[must_use]
    pub fn internal(request_id: &str) -> Self {
        let text = format!("the server failed; its log has more under request {request_id}");
        Reply::error(500, "exception", text)
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> String {
        json(&self.issues)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn read(text: &str) -> Value {
        serde_json::from_str(text).expect("valid JSON")
    }

    #[test]
    fn an_outcome_is_one_line_of_json() {
        let issue = Issue {
            location: Some("http._type".into()),
            expression: Some("Parameters.parameter[0]".into()),
            ..Issue::new(Severity::Warning, "invalid", "a \"b\"\nc")
        };
        let text = json(&[issue]);
        assert!(!text.contains('\n'));
        let value = read(&text);
        assert_eq!(value["resourceType"], "OperationOutcome");
        let issue = &value["issue"][0];
        assert_eq!(issue["severity"], "warning");
        assert_eq!(issue["code"], "invalid");
        assert_eq!(issue["diagnostics"], "a \"b\"\nc");
        assert_eq!(issue["location"][0], "http._type");
        assert_eq!(issue["expression"][0], "Parameters.parameter[0]");
    }

    #[test]
    fn long_lists_end_with_the_number_of_the_rest() {
        let many = |count| vec![Issue::new(Severity::Error, "not-found", "x"); count];
        let told = |count| {
            read(&json(&many(count)))["issue"]
                .as_array()
                .cloned()
                .unwrap_or_default()
        };
        assert_eq!(told(MOST_ISSUES).len(), MOST_ISSUES);
        let cut = told(MOST_ISSUES + 1);
        assert_eq!(cut.len(), MOST_ISSUES);
        assert_eq!(cut[MOST_ISSUES - 1]["diagnostics"], "2 more that are not listed");
        assert_eq!(cut[MOST_ISSUES - 2]["diagnostics"], "x");
    }

    #[test]
    fn replies_have_the_status_code_and_header_of_their_kind() {
        let header = |reply: &Reply| reply.headers.first().cloned();
        let cases = [
            (
                Reply::unauthorized(false),
                401,
                "error",
                "login",
                Some("WWW-Authenticate"),
            ),
            (
                Reply::unauthorized(true),
                401,
                "error",
                "expired",
                Some("WWW-Authenticate"),
            ),
            (Reply::forbidden("no"), 403, "error", "forbidden", None),
            (Reply::not_found("job"), 404, "error", "not-found", None),
            (
                Reply::method_not_allowed(&["GET", "POST"]),
                405,
                "error",
                "not-supported",
                Some("Allow"),
            ),
            (Reply::too_large(9), 413, "error", "too-long", None),
            (
                Reply::throttled("busy", 7),
                429,
                "error",
                "throttled",
                Some("Retry-After"),
            ),
            (Reply::internal("r-1"), 500, "fatal", "exception", None),
            (
                Reply::unavailable("locked", 2),
                503,
                "error",
                "transient",
                Some("Retry-After"),
            ),
        ];
        for (reply, status, severity, code, name) in cases {
            assert_eq!(reply.status, status);
            assert_eq!(header(&reply).map(|(name, _)| name), name);
            let value = read(&reply.body());
            assert_eq!(value["issue"][0]["severity"], severity);
            assert_eq!(value["issue"][0]["code"], code);
        }
        assert_eq!(header(&Reply::throttled("busy", 7)), Some(("Retry-After", "7".into())));
        let allow = header(&Reply::method_not_allowed(&["GET", "POST"]));
        assert_eq!(allow, Some(("Allow", "GET, POST".into())));
    }
}
