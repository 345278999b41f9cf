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
    UnknownPatients(Named),
    /// Patients that are no members of the group.
    NoMembers(Named),
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

/// Ids that a message names: the first of them, and how many there are.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    first: Vec<String>,
    count: usize,
}

/// Most ids that a message names.
const MOST_NAMED: usize = 1000;

impl<'i> FromIterator<&'i [u8]> for Named {
    fn from_iter<T: IntoIterator<Item = &'i [u8]>>(ids: T) -> Self {
        let mut named = Named::default();
        for id in ids {
            named.count += 1;
            if named.count <= MOST_NAMED {
                named.first.push(String::from_utf8_lossy(id).into_owned());
            }
        }
        named
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.first.join(", "))?;
        match self.count - self.first.len() {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

impl fmt::Display for CohortError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CohortError::Group(error) => write!(f, "{error}"),
            CohortError::UnknownPatients(ids) => write!(f, "there is no such Patient in the input: {ids}"),
            CohortError::NoMembers(ids) => write!(f, "no members of the group: {ids}"),
            CohortError::TooMany { patients, most } => {
                write!(
                    f,
                    "group: the group has {patients} patients; the profile takes at most {most}"
                )
            }
            CohortError::Plan(problems) => write!(f, "{problems}"),
        }
    }
}

impl std::error::Error for CohortError {}
