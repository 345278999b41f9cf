//! Why there is no cohort: groups and patients that the input does not hold.

use std::fmt;

use fhirehose_core::cohort::GroupError;
use fhirehose_core::problem::Problems;

/// Why there is no cohort.
#[derive(Debug)]
pub enum CohortError {
    /// The Group is not there, or is there twice.
    Group(GroupError),
    /// Patients that the input does not hold.
    UnknownPatients(Vec<String>),
    /// Patients that are no members of the group.
    NoMembers(Vec<String>),
    /// More patients than may be asked for.
    TooMany {
        /// How many.
        patients: usize,
        /// How many may be.
        most: usize,
    },
    /// The engine refused the request of this pass.
    Plan(Problems),
}

/// Most ids that a message names.
const MOST_NAMED: usize = 20;

impl fmt::Display for CohortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = |f: &mut fmt::Formatter<'_>, ids: &[String], what: &str| {
            let shown = ids
                .iter()
                .take(MOST_NAMED)
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", ");
            let more = ids.len().saturating_sub(MOST_NAMED);
            let rest = if more > 0 {
                format!(" and {more} more")
            } else {
                String::new()
            };
            write!(f, "{what}: {shown}{rest}")
        };
        match self {
            CohortError::Group(error) => write!(f, "{error}"),
            CohortError::UnknownPatients(ids) => named(f, ids, "there is no such Patient in the input"),
            CohortError::NoMembers(ids) => named(f, ids, "no members of the group"),
            CohortError::TooMany { patients, most } => {
                write!(f, "{patients} patients are asked for, and at most {most} may be")
            }
            CohortError::Plan(problems) => write!(f, "{problems}"),
        }
    }
}

impl std::error::Error for CohortError {}
