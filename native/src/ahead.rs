//! What is known before the main pass: the cohort and the deletions, found out ahead and held against what that pass saw.
//!
//! Groups may stand anywhere in the input, but most often they stand in a file of their own. So the inputs that begin
//! with a Group are read first; the main pass, which reads everything, takes down Groups and Patients as they go by. If it
//! saw something that changes the cohort it is run again. So it is with deletions. Only where lines leave at once (standard
//! output) everything is read for the cohort beforehand.

use std::path::Path;
use std::sync::Arc;

use fhirehose_core::deleted::Deleted;
use fhirehose_core::error::Error;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::roll::Roll;
use fhirehose_core::router::Router;
use fhirehose_core::sink::{FileName, Sink, Stored};

use crate::cancel::Cancel;
use crate::cohort::{CohortRequest, FoundCohort};
use crate::cohort_error::CohortError;
use crate::compress::Queue;
use crate::head;
use crate::inputs::InputPlace;
use crate::job::{Job, JobError, Progress};
use crate::pool::{self, Pass};

/// What is known before the main pass.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ahead {
    pub(crate) cohort: Option<FoundCohort>,
    /// What the cohort was found by, if that was the whole input.
    pub(crate) roll: Option<Arc<Roll>>,
    pub(crate) deleted: Arc<Deleted>,
}

/// Looks ahead: the cohort by the inputs that begin with a Group (in lenient exports, or a Patient), and the deletions by those in a folder `deleted`. Both
/// are guesses that the main pass confirms. With `whole` everything is read.
pub(crate) fn look_ahead(job: &Job, whole: bool, progress: &Progress, cancel: &Cancel) -> Result<Ahead, JobError> {
    let asked = job.cohort.as_ref();
    if let Some(asked) = asked.filter(|_| whole) {
        return certain(asked, job, progress, cancel);
    }
    let wants_group = asked.is_some_and(|asked| asked.group.is_some());
    // Who is unknown decides the cohort only where that is no error.
    let listed = asked
        .filter(|asked| asked.lenient)
        .and_then(|asked| asked.patients.clone());
    let wanted = |name: &str| (wants_group && name == "Group") || (listed.is_some() && name == "Patient");
    let begins_well = |place: &InputPlace| head::first_type(place).is_none_or(|name| wanted(&name));
    let looks = wants_group || listed.is_some();
    let is_likely = |place: &&InputPlace| is_of_deletions(place) || (looks && begins_well(place));
    let inputs: Vec<InputPlace> = job.inputs.iter().filter(is_likely).cloned().collect();
    let groups = asked.filter(|_| wants_group).map(CohortRequest::groups);
    let roll = Arc::new(Roll::new(listed.clone(), groups));
    let deleted = read(job, &inputs, roll.clone(), progress, cancel)?;
    let find = |asked: &CohortRequest| match asked.lenient {
        true => asked.found(&roll),
        false => asked.by_groups(&roll),
    };
    let found = match asked.map(|asked| (asked, find(asked))) {
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
        .and_then(Path::file_name)
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
        hides_folders: false,
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
