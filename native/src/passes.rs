//! What needs a pass of its own before the export: who is in the cohort.
//!
//! Group resources may stand anywhere in the input, and a patient who is asked for and does not exist is an error, so the
//! same engine runs over the same inputs once for the types Patient and Group alone. Other lines are passed over at the
//! speed of a search for their newline.

use std::sync::Arc;

use fhirehose_core::cohort::{GroupError, Groups, LeftOut};
use fhirehose_core::error::Error;
use fhirehose_core::ids::IdSet;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::problem::Problems;
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::scan::json::Json;
use fhirehose_core::search::kind::date::Nanos;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::{FileKind, FileName, Sink, Stored};

use crate::cancel::Cancel;
use crate::codec_out::Compression;
use crate::cohort_error::CohortError;
use crate::compress::Queue;
use crate::inputs::InputPlace;
use crate::job::{Job, JobError, Output, Progress};
use crate::pool;

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
}

/// How the inputs are read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Inputs in order; none of them standard input, which cannot be read twice.
    pub inputs: Vec<InputPlace>,
    /// Threads.
    pub threads: usize,
    /// Bytes read at once.
    pub chunk: usize,
    /// Longest line.
    pub max_line: usize,
}

/// The cohort, and who is not in it although somebody might think so.
#[derive(Debug)]
pub struct FoundCohort {
    /// For the request of the main pass.
    pub cohort: Cohort,
    /// Members of the group that do not count.
    pub left_out: LeftOut,
    /// Groups in the group that the input does not hold.
    pub missing_groups: Vec<String>,
}

/// Reads the inputs for the cohort.
pub fn find_cohort(
    request: &CohortRequest,
    registry: &Registry,
    reading: &Reading,
    progress: &Progress,
    cancel: &Cancel,
) -> Result<FoundCohort, JobError> {
    let sink = Roll {
        wanted: request.patients.clone(),
        seen: vec![0; request.patients.as_ref().map_or(0, |ids| ids.slots().div_ceil(64))],
        groups: Groups::new(request.at, request.base.as_deref()),
        failure: None,
    };
    let job = job(request, registry, reading).map_err(CohortError::Plan)?;
    let (_, roll) = pool::run(&job, sink, &Queue::default(), progress, cancel)?;
    Ok(roll.cohort(request)?)
}

fn job(request: &CohortRequest, registry: &Registry, reading: &Reading) -> Result<Job, Problems> {
    let mut types = Vec::new();
    types.extend(request.patients.as_ref().map(|_| "Patient".to_owned()));
    types.extend(request.group.as_ref().map(|_| "Group".to_owned()));
    let own = Request {
        types,
        max_line: reading.max_line,
        ..Request::default()
    };
    Ok(Job {
        plan: Plan::compile(&own, registry)?,
        inputs: reading.inputs.clone(),
        output: Output::Stdout,
        limits: Limits::default(),
        compression: Compression::None,
        threads: reading.threads,
        chunk: reading.chunk,
    })
}

/// A sink that keeps no line: it marks the patients and takes in the groups.
struct Roll {
    wanted: Option<Arc<IdSet>>,
    /// One bit for each slot of `wanted`.
    seen: Vec<u64>,
    groups: Groups,
    failure: Option<GroupError>,
}

impl Roll {
    fn patient(&mut self, line: &[u8]) {
        let id = Json::new(line.trim_ascii()).get("id").and_then(Json::text);
        let (Some(wanted), Some(id)) = (&self.wanted, id) else {
            return;
        };
        if let Some(slot) = wanted.slot(id.decode().as_bytes()) {
            self.seen[slot / 64] |= 1 << (slot % 64);
        }
    }

    fn was_seen(&self, slot: usize) -> bool {
        self.seen[slot / 64] >> (slot % 64) & 1 == 1
    }

    fn cohort(self, request: &CohortRequest) -> Result<FoundCohort, CohortError> {
        if let Some(failure) = self.failure {
            return Err(CohortError::Group(failure));
        }
        let resolved = match &request.group {
            Some(group) => Some(self.groups.resolve(group).map_err(CohortError::Group)?),
            None => None,
        };
        let name = |id: &[u8]| String::from_utf8_lossy(id).into_owned();
        if let Some(wanted) = &self.wanted {
            let is_unknown = |id: &&[u8]| !wanted.slot(id).is_some_and(|slot| self.was_seen(slot));
            let unknown: Vec<String> = wanted.iter().filter(is_unknown).map(name).collect();
            if !unknown.is_empty() {
                return Err(CohortError::UnknownPatients(unknown));
            }
            if let Some(resolved) = &resolved {
                let strangers: Vec<String> = wanted
                    .iter()
                    .filter(|id| !resolved.patients.contains(id))
                    .map(name)
                    .collect();
                if !strangers.is_empty() {
                    return Err(CohortError::NoMembers(strangers));
                }
            }
        }
        let resolved = resolved.unwrap_or_default();
        let patients = self.wanted.unwrap_or_else(|| Arc::new(resolved.patients));
        Ok(FoundCohort {
            cohort: Cohort {
                patients,
                exclusive: request.exclusive,
                group: request.group.clone(),
            },
            left_out: resolved.left_out,
            missing_groups: resolved.missing,
        })
    }
}

impl Sink for Roll {
    /// The type of the lines; `None`: outcomes about bad lines, which the main pass tells.
    type File = Option<String>;

    fn create(&mut self, name: &FileName) -> Result<Self::File, Error> {
        Ok((name.kind == FileKind::Output).then(|| name.type_name.clone()))
    }

    fn write(&mut self, file: &mut Self::File, lines: &[u8]) -> Result<(), Error> {
        for line in lines.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            match file.as_deref() {
                Some("Patient") => self.patient(line),
                Some("Group") => {
                    if let Err(error) = self.groups.add(line) {
                        self.failure.get_or_insert(error);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn close(&mut self, _: Self::File) -> Result<Stored, Error> {
        Ok(Stored::default())
    }
}
