//! What is wrong with a kick-off, where, and the answer that tells it all.

use fhirehose_core::problem::Problem;
use fhirehose_core::profile::Answer;
use serde::{Deserialize, Serialize};

use super::decide::{self, Situation};
use crate::outcome::{self, Issue, MOST_ISSUES, Reply, Severity};
use crate::profile::ServerProfile;

/// Most bytes of a message: it may quote what the client wrote, at any length.
const MOST_MESSAGE: usize = 400;

/// A problem for people. Of long texts the part around the mistake is shown.
fn shown(problem: &Problem) -> String {
    let message = &problem.message;
    if message.len() <= MOST_MESSAGE {
        return problem.to_string();
    }
    let half = MOST_MESSAGE / 2;
    let start = message.floor_char_boundary(half);
    let end = message.ceil_char_boundary(message.len() - half);
    Problem {
        message: format!("{}…{}", &message[..start], &message[end..]),
        ..problem.clone()
    }
    .to_string()
}

/// Where something stands in the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A header.
    Header(&'static str),
    /// A parameter of the query, or something that is missing from it.
    Query(String),
    /// The body; FHIRPath.
    Body(String),
    /// The path.
    Path,
}

/// Most characters of a name in `location`.
const MOST_NAME: usize = 60;

impl Place {
    fn put(&self, issue: &mut Issue) {
        match self {
            Place::Header(name) => issue.location = Some(format!("http.{name}")),
            Place::Query(name) => {
                let name: String = name.chars().take(MOST_NAME).collect();
                issue.location = Some(format!("http.{name}"));
            }
            Place::Body(path) => issue.expression = Some(path.clone()),
            Place::Path => {}
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its row of the table; `None`: a matter of headers or of the path.
    pub situation: Option<Situation>,
    /// HTTP status.
    pub status: u16,
    /// FHIR issue code.
    pub code: &'static str,
    /// Name of the parameter or header (`option`), the user's text, the span in it, and what would be right.
    pub problem: Problem,
    /// Where it stands.
    pub place: Place,
}

impl Fault {
    pub(super) fn new(situation: Situation, profile: &ServerProfile, problem: Problem, place: Place) -> Fault {
        Fault::answered(situation, decide::answer(situation, profile), problem, place)
    }

    pub(super) fn answered(situation: Situation, answer: Answer, problem: Problem, place: Place) -> Fault {
        Fault {
            situation: Some(situation),
            status: answer.status,
            code: answer.code,
            problem,
            place,
        }
    }

    /// A fault of a header or of the path.
    pub(super) fn at(place: Place, status: u16, code: &'static str, problem: Problem) -> Fault {
        Fault {
            situation: None,
            status,
            code,
            problem,
            place,
        }
    }

    fn issue(&self) -> Issue {
        let mut issue = Issue::new(Severity::Error, self.code, shown(&self.problem));
        self.place.put(&mut issue);
        issue
    }
}

/// What was not done as it was asked for, to be told in the manifest's error files.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Name of the parameter.
    pub parameter: String,
    /// FHIR issue code.
    pub code: String,
    /// Whether something was ignored; otherwise it is a word of advice.
    pub is_warning: bool,
    /// What was ignored, and why.
    pub diagnostics: String,
}

impl Note {
    /// A fault that is forgiven. `verb`: what was done with it.
    pub(super) fn forgiven(fault: &Fault, verb: &str) -> Note {
        let parameter = match fault.situation {
            // Its name is what is wrong.
            Some(Situation::UnknownParameter) => fault.problem.text.chars().take(MOST_NAME).collect(),
            _ => fault.problem.option.to_owned(),
        };
        Note {
            parameter,
            code: fault.code.to_owned(),
            is_warning: true,
            diagnostics: format!("{verb}: {}", shown(&fault.problem)),
        }
    }

    /// One OperationOutcome as a line of NDJSON, newline included.
    #[must_use]
    pub fn line(&self) -> String {
        let severity = if self.is_warning {
            Severity::Warning
        } else {
            Severity::Information
        };
        let issue = Issue::new(severity, self.code.clone(), self.diagnostics.as_str());
        let mut line = outcome::json(&[issue]);
        line.push('\n');
        line
    }
}

/// A kick-off that is not taken: everything that is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// At least one.
    pub faults: Vec<Fault>,
    /// Methods to name in `Allow`, with `405`.
    pub allow: Vec<&'static str>,
}

/// Where several faults have several statuses, the first of these that occurs is the answer's: what the request is before
/// what it asks for, and what the client has to mend before what the data has to have.
const STATUSES: [u16; 6] = [405, 406, 415, 400, 422, 404];

impl Refusal {
    pub(crate) fn one(fault: Fault) -> Refusal {
        Refusal {
            faults: vec![fault],
            allow: Vec::new(),
        }
    }

    /// HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        let occurs = |status: &u16| self.faults.iter().any(|fault| fault.status == *status);
        STATUSES.into_iter().find(occurs).unwrap_or(400)
    }

    /// The answer, with an issue for each fault, as far as they are told one by one.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let told = if self.faults.len() > MOST_ISSUES {
            MOST_ISSUES - 1
        } else {
            self.faults.len()
        };
        let mut issues: Vec<Issue> = self.faults[..told].iter().map(Fault::issue).collect();
        if let Some(next) = self.faults.get(told) {
            issues.push(outcome::rest(self.faults.len() - told, Severity::Error, next.code));
        }
        let headers = if self.allow.is_empty() {
            Vec::new()
        } else {
            vec![("Allow", self.allow.join(", "))]
        };
        Reply {
            status: self.status(),
            headers,
            issues,
        }
    }
}
