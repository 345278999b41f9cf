//! What only the data can tell of a kick-off: whether its Group and its patients are there.

use fhirehose_core::problem::Problem;
use fhirehose_core::profile::{Parameter, check};

use super::decide::Situation;
use super::fault::{Fault, Place, Refusal};
use super::{Door, Kickoff};
use crate::outcome::MOST_ISSUES;
use crate::profile::ServerProfile;

/// What was found of the Group and the listed patients.
#[derive(Clone, Copy, Debug, Default)]
pub struct Found<'a> {
    /// The Group's patients; `None`: there is no such Group, or none was asked for.
    pub members: Option<usize>,
    /// Listed patients who are not in the data.
    pub unknown: &'a [String],
    /// Listed patients who are no members of the Group.
    pub strangers: &'a [String],
}

/// Refuses what would end as an export of nothing, or of less than was asked for. An empty Group is no fault (C33, C34).
///
/// Where unknown patients are forgiven nothing is said here: the engine leaves them out and tells each in the error files.
pub fn check(kickoff: &Kickoff, found: &Found<'_>, profile: &'static ServerProfile) -> Result<(), Refusal> {
    if let Door::Group(id) = &kickoff.door {
        let Some(members) = found.members else {
            let problem = Problem::whole("Group", id, "there is no such Group in the data");
            return Err(Refusal::one(Fault::new(
                Situation::MissingGroup,
                profile,
                problem,
                Place::Path,
            )));
        };
        if let Some(violation) = check::group_size(profile.rules, id, members) {
            let problem = violation.problem;
            return Err(Refusal::one(Fault::at(
                Place::Path,
                violation.status,
                violation.code,
                problem,
            )));
        }
    }
    if kickoff.forgives_unknown_patients {
        return Ok(());
    }
    let unknown = found
        .unknown
        .iter()
        .map(|id| (id, "there is no such patient in the data"));
    let strangers = found.strangers.iter().map(|id| (id, "no member of the group"));
    let all = found.unknown.len() + found.strangers.len();
    let name = Parameter::Patient.name();
    let mut faults: Vec<Fault> = unknown
        .chain(strangers)
        // More are not told one by one anyway.
        .take(MOST_ISSUES - 1)
        .map(|(id, message)| {
            let problem = Problem::whole(name, &format!("Patient/{id}"), message);
            Fault::new(
                Situation::UnknownPatient,
                profile,
                problem,
                Place::Query(name.to_owned()),
            )
        })
        .collect();
    if all > faults.len() {
        let message = format!("{} more patients who are not there", all - faults.len());
        let problem = Problem::whole(name, "", message);
        faults.push(Fault::new(
            Situation::UnknownPatient,
            profile,
            problem,
            Place::Query(name.to_owned()),
        ));
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(Refusal {
            faults,
            allow: Vec::new(),
        })
    }
}
