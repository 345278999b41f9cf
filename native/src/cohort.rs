//! What is known ahead: the cohort that is asked for, found out before the main pass and held against what that pass saw.
//!
//! Groups may stand anywhere in the input, but most often they stand in a file of their own. So the inputs that begin
//! with a Group are read first; the main pass, which reads everything, takes down Groups and Patients as they go by. If it
//! saw something that changes the cohort it is run again. So it is with deletions. Only where lines leave at once (standard output) everything is
//! read for the cohort beforehand.

use std::sync::Arc;

use fhirehose_core::cohort::{Groups, LeftOut, Resolved};
use fhirehose_core::deleted::Deleted;
use fhirehose_core::error::Error;
use fhirehose_core::ids::IdSet;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::roll::Roll;
use fhirehose_core::router::Router;
use fhirehose_core::search::kind::date::Nanos;
use fhirehose_core::sink::{FileName, Sink, Stored};

use crate::cancel::Cancel;
use crate::cohort_error::CohortError;
use crate::compress::Queue;
use crate::head;
use crate::inputs::InputPlace;
use crate::job::{Job, JobError, Progress};
use crate::pool::{self, Pass};

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

    fn groups(&self) -> Groups {
        Groups::new(self.at, self.base.as_deref())
    }

    /// The cohort by a roll of the whole input.
    pub(crate) fn found(&self, roll: &Roll) -> Result<FoundCohort, CohortError> {
        let found = self.by_groups(roll)?;
        let unknown = roll.unknown().count();
        if unknown > 0 && !self.lenient {
            return Err(CohortError::UnknownPatients(roll.unknown().collect()));
        }
        Ok(FoundCohort {
            unknown,
            differing: roll.differing(),
            ..found
        })
    }

    /// The cohort by the Groups of a roll; whether each patient is in the input is not asked.
    fn by_groups(&self, roll: &Roll) -> Result<FoundCohort, CohortError> {
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

/// What is known before the main pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ahead {
    pub(crate) cohort: Option<FoundCohort>,
    /// What the cohort was found by, if that was the whole input.
    pub(crate) roll: Option<Arc<Roll>>,
    pub(crate) deleted: Arc<Deleted>,
}

/// Looks ahead: the cohort by the inputs that begin with a Group, and the deletions by those in a folder `deleted`. Both
/// are guesses that the main pass confirms. With `whole` everything is read.
pub(crate) fn look_ahead(job: &Job, whole: bool, progress: &Progress, cancel: &Cancel) -> Result<Ahead, JobError> {
    let asked = job.cohort.as_ref();
    if let Some(asked) = asked.filter(|_| whole) {
        return certain(asked, job, progress, cancel);
    }
    let group = asked.and_then(|asked| asked.group.as_ref());
    let begins_with_group = |place: &InputPlace| head::first_type(place).is_none_or(|name| name == "Group");
    let is_likely = |place: &&InputPlace| is_of_deletions(place) || (group.is_some() && begins_with_group(place));
    let inputs: Vec<InputPlace> = job.inputs.iter().filter(is_likely).cloned().collect();
    let groups = asked.filter(|_| group.is_some()).map(CohortRequest::groups);
    let roll = Arc::new(Roll::new(None, groups));
    let deleted = read(job, &inputs, roll.clone(), progress, cancel)?;
    let found = match asked.map(|asked| (asked, asked.by_groups(&roll))) {
        None => None,
        Some((_, Ok(found))) if found.missing_groups.is_empty() => Some(found),
        // Somewhere else there may be more.
        Some((asked, _)) if inputs.len() < job.inputs.len() => return certain(asked, job, progress, cancel),
        Some((_, found)) => Some(found?),
    };
    Ok(Ahead {
        cohort: found,
        roll: None,
        deleted: Arc::new(deleted),
    })
}

/// Whether the input lies where the guide's exports keep their deletions.
fn is_of_deletions(place: &InputPlace) -> bool {
    let InputPlace::File(path) = place else { return false };
    path.parent()
        .and_then(std::path::Path::file_name)
        .is_some_and(|name| name == "deleted")
}

/// The cohort and the deletions by all inputs.
fn certain(asked: &CohortRequest, job: &Job, progress: &Progress, cancel: &Cancel) -> Result<Ahead, JobError> {
    let roll = asked.roll();
    let deleted = read(job, &job.inputs, roll.clone(), progress, cancel)?;
    Ok(Ahead {
        cohort: Some(asked.found(&roll)?),
        roll: Some(roll),
        deleted: Arc::new(deleted),
    })
}

/// Reads inputs for their Patients, Groups and deletions alone. Other lines are passed over at the speed of a search for
/// their newline; bad ones are told by the main pass.
fn read(
    job: &Job,
    inputs: &[InputPlace],
    roll: Arc<Roll>,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<Deleted, JobError> {
    let request = Request {
        types: vec!["Group".to_owned()],
        fhir_base: job.request.fhir_base.clone(),
        max_line: job.plan.max_line(),
        ..Request::default()
    };
    let plan = Plan::compile(&request, job.plan.registry()).map_err(CohortError::Plan)?;
    let router = Router::new(plan.clone(), Limits::default());
    let pass = Pass {
        job,
        plan: &plan,
        inputs,
        roll: Some(roll),
        queue: &Queue::default(),
        progress,
        cancel,
    };
    Ok(pool::run(&pass, router, Nowhere)?.gathered.deleted)
}

/// A sink that keeps nothing.
struct Nowhere;

impl Sink for Nowhere {
    type File = ();

    fn create(&mut self, _: &FileName) -> Result<(), Error> {
        Ok(())
    }

    fn write(&mut self, (): &mut (), _: &[u8]) -> Result<(), Error> {
        Ok(())
    }

    fn close(&mut self, (): ()) -> Result<Stored, Error> {
        Ok(Stored::default())
    }
}
