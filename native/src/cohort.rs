//! Whose records: the cohort that is asked for, and who it turned out to be.

use std::sync::Arc;

use fhirehose_core::cohort::{Groups, LeftOut, Resolved};
use fhirehose_core::ids::IdSet;
use fhirehose_core::request::Cohort;
use fhirehose_core::roll::Roll;
use fhirehose_core::search::kind::date::Nanos;

use crate::cohort_error::CohortError;

/// Whose records are asked for.
#[derive(Clone, Debug)]
pub struct CohortRequest {
    /// These patients; `None`: all members of the group.
    pub patients: Option<Arc<IdSet>>,
    /// The members of this Group.
    pub group: Option<String>,
    /// Leave out what belongs to other patients too.
    pub exclusive: bool,
    /// The instant at which memberships must hold.
    pub at: Nanos,
    /// The data's own FHIR base.
    pub base: Option<String>,
    /// Patients who are not in the input, or not in the group, are told and do not end the export.
    pub lenient: bool,
    /// Most patients; more are an error.
    pub most: Option<usize>,
}

/// The cohort, and who is not in it although somebody might think so.
#[derive(Clone, Debug)]
pub struct FoundCohort {
    /// For the request of the main pass.
    pub cohort: Cohort,
    /// Members of the group that do not count.
    pub left_out: LeftOut,
    /// Groups in the group that the input does not hold.
    pub missing_groups: Vec<String>,
    /// How many patients that were asked for are not in the input; none but in lenient exports.
    pub unknown: usize,
    /// Patients that were asked for and are no members of the group; likewise.
    pub strangers: IdSet,
    /// How many of the patients that were asked for occur several times with different content.
    pub differing: usize,
}

impl CohortRequest {
    /// The cohort in place of one that has yet to be found, so that the request can be checked.
    pub fn provisional(&self) -> Cohort {
        Cohort {
            patients: self.patients.clone().unwrap_or_default(),
            exclusive: self.exclusive,
            group: self.group.clone(),
        }
    }

    /// A roll of everything that decides the cohort.
    pub(crate) fn roll(&self) -> Arc<Roll> {
        let groups = self.group.as_ref().map(|_| self.groups());
        Arc::new(Roll::new(self.patients.clone(), groups))
    }

    pub(crate) fn groups(&self) -> Groups {
        Groups::new(self.at, self.base.as_deref())
    }

    /// The cohort by a roll of the whole input.
    pub(crate) fn found(&self, roll: &Roll) -> Result<FoundCohort, CohortError> {
        let found = self.by_groups(roll)?;
        let unknown = roll.unknown().count();
        if unknown > 0 && !self.lenient {
            return Err(CohortError::UnknownPatients(roll.unknown().collect()));
        }
        let mut cohort = found.cohort;
        if unknown > 0 {
            // Whoever is not in the input is as if not asked for: what refers to them stays, too.
            let mut known = IdSet::default();
            known.extend(cohort.patients.iter().filter(|id| !roll.misses(id)));
            cohort.patients = Arc::new(known);
        }
        Ok(FoundCohort {
            cohort,
            unknown,
            differing: roll.differing(),
            ..found
        })
    }

    /// The cohort by the Groups of a roll; whether each patient is in the input is not asked.
    pub(crate) fn by_groups(&self, roll: &Roll) -> Result<FoundCohort, CohortError> {
        let resolved = match &self.group {
            Some(group) => roll.resolve(group).map_err(CohortError::Group)?,
            None => Resolved::default(),
        };
        let mut strangers = IdSet::default();
        if let (Some(wanted), Some(_)) = (&self.patients, &self.group) {
            let is_stranger = |id: &&[u8]| !resolved.patients.contains(id);
            strangers.extend(wanted.iter().filter(is_stranger));
        }
        if !strangers.is_empty() && !self.lenient {
            return Err(CohortError::NoMembers(strangers.iter().collect()));
        }
        let Resolved {
            patients,
            left_out,
            missing,
        } = resolved;
        let patients = match &self.patients {
            Some(wanted) if strangers.is_empty() => wanted.clone(),
            Some(wanted) => {
                let mut members = IdSet::default();
                members.extend(wanted.iter().filter(|id| patients.contains(id)));
                Arc::new(members)
            }
            None => Arc::new(patients),
        };
        if let Some(most) = self.most.filter(|most| patients.len() > *most) {
            return Err(CohortError::TooMany {
                patients: patients.len(),
                most,
            });
        }
        Ok(FoundCohort {
            cohort: Cohort {
                patients,
                exclusive: self.exclusive,
                group: self.group.clone(),
            },
            left_out,
            missing_groups: missing,
            unknown: 0,
            strangers,
            differing: 0,
        })
    }
}

impl FoundCohort {
    /// Whether both are the same people.
    pub(crate) fn agrees(&self, other: &FoundCohort) -> bool {
        let (own, theirs) = (&self.cohort.patients, &other.cohort.patients);
        own.len() == theirs.len() && own.iter().all(|id| theirs.contains(id))
    }
}
