//! What can be wrong with a line, and what can stop an export. Never holds record contents.

use std::fmt;

/// Why a line was not accepted. A bad line is data, not an error: it is counted, located and left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum BadLine {
    /// Not JSON by RFC 8259.
    Syntax,
    /// A string that is not UTF-8.
    Utf8,
    /// Something follows the JSON value.
    Trailing,
    /// The line is JSON, but not an object.
    NotAnObject,
    /// No `resourceType`, or one that is no string.
    NoResourceType,
    /// A `resourceType` that this version of FHIR does not have.
    UnknownType,
    /// A member that the export reads stands twice in one object.
    DuplicateName,
    /// The line is longer than the limit.
    TooLong,
    /// A Bundle of deletions that holds something else too, or deletes what is no `Type/id`; or a line of a `deleted`
    /// file that is no such Bundle.
    Deletions,
}

impl BadLine {
    /// All kinds, in the order of reports.
    pub const ALL: [BadLine; 9] = [
        BadLine::Syntax,
        BadLine::Utf8,
        BadLine::Trailing,
        BadLine::NotAnObject,
        BadLine::NoResourceType,
        BadLine::UnknownType,
        BadLine::DuplicateName,
        BadLine::TooLong,
        BadLine::Deletions,
    ];

    /// One word, stable, for programs.
    pub fn code(self) -> &'static str {
        match self {
            BadLine::Syntax => "syntax",
            BadLine::Utf8 => "utf8",
            BadLine::Trailing => "trailing",
            BadLine::NotAnObject => "not-an-object",
            BadLine::NoResourceType => "no-resource-type",
            BadLine::UnknownType => "unknown-type",
            BadLine::DuplicateName => "duplicate-name",
            BadLine::TooLong => "too-long",
            BadLine::Deletions => "deletions",
        }
    }
}

impl fmt::Display for BadLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BadLine::Syntax => "the line is not valid JSON",
            BadLine::Utf8 => "a string is not valid UTF-8",
            BadLine::Trailing => "something follows the JSON object",
            BadLine::NotAnObject => "the line is not a JSON object",
            BadLine::NoResourceType => "the object has no resourceType",
            BadLine::UnknownType => "the resourceType is not known in this version of FHIR",
            BadLine::DuplicateName => "a member that the export reads stands twice in one object",
            BadLine::TooLong => "the line is longer than the limit",
            BadLine::Deletions => "deletions are expected: a transaction Bundle with nothing but DELETE of Type/id",
        })
    }
}

/// What kind of error stopped an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The sink could not take the lines.
    Sink,
    /// A bad line, and the request says to stop at the first.
    BadLine,
    /// The input tells of deletions that were not known when its first line was judged.
    LateDeletions,
}

/// An error that ends an export. A bad record alone is not one; see [`BadLine`].
#[derive(Debug)]
pub struct Error {
    kind: ErrorKind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of the sink: what was being done, and what went wrong.
    pub fn sink(doing: impl Into<String>, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Error {
            kind: ErrorKind::Sink,
            message: doing.into(),
            source: Some(source.into()),
        }
    }

    /// Stops at a bad line, as the request asked for.
    pub fn bad_line(message: impl Into<String>) -> Self {
        Error {
            kind: ErrorKind::BadLine,
            message: message.into(),
            source: None,
        }
    }

    /// The input tells of deletions that the plan did not know: lines may have been kept that were deleted.
    pub fn late_deletions() -> Self {
        Error {
            kind: ErrorKind::LateDeletions,
            message: "the input tells of deletions, which have to be known before the first line is judged".to_owned(),
            source: None,
        }
    }

    /// The kind, for programs.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Some(source) => write!(f, "{}: {source}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_ref().map(|source| source.as_ref() as _)
    }
}
