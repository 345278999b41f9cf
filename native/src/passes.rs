//! The passes of an export: what is exported by its own right, then Provenance of that, then what all of it refers to.
//!
//! A request that needs one pass takes one. Each later pass reads only those inputs that the main pass saw to hold its
//! types.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fhirehose_core::deletion;
use fhirehose_core::gather::Gathered;
use fhirehose_core::links::Links;
use fhirehose_core::plan::Plan;
use fhirehose_core::plan::associated::{Found, Stage};
use fhirehose_core::request::Request;
use fhirehose_core::roll::Roll;
use fhirehose_core::router::{Router, TypeSet};
use fhirehose_core::sink::Sink;

use crate::cancel::Cancel;
use crate::cohort::{Ahead, CohortRequest, FoundCohort};
use crate::cohort_error::CohortError;
use crate::compress::Queue;
use crate::inputs::InputPlace;
use crate::job::{FolderOutput, Job, JobError, Output, Progress};
use crate::pool::{self, Pass, Passed};

/// A pass that was run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PassFacts {
    /// What it was for.
    pub stage: Stage,
    /// How many inputs it read.
    pub inputs: usize,
    /// Resources that it kept.
    pub kept: u64,
}

/// What the deletions of the input came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeletionFacts {
    /// Deletions that the request asks for, in `deleted/`.
    pub listed: usize,
    /// Resources that would have been exported, and were deleted.
    pub withheld: u64,
    /// Resources that are exported, because they were changed after their deletion.
    pub returned: usize,
}

/// A set of resources or patients that a pass needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SetFacts {
    /// What is in it.
    pub name: &'static str,
    /// How many.
    pub len: usize,
    /// Bytes of memory.
    pub memory: usize,
}

/// What the passes left to be finished.
pub(crate) struct Exporting<S: Sink> {
    pub(crate) router: Router<S::File>,
    pub(crate) sink: S,
    pub(crate) cohort: Option<FoundCohort>,
    /// Who is in the input.
    pub(crate) roll: Option<Arc<Roll>>,
    pub(crate) deletions: DeletionFacts,
    /// Bytes of the inputs as stored.
    pub(crate) stored: u64,
    pub(crate) passes: Vec<PassFacts>,
    pub(crate) sets: Vec<SetFacts>,
}

/// How a run of the passes ended.
pub(crate) enum Ended<S: Sink> {
    /// Everything that was asked for is in the sink.
    Done(Box<Exporting<S>>),
    /// The main pass saw another cohort or other deletions than it had been told: it has to be run anew with these.
    Again(Ahead),
}

/// One export while it runs.
pub(crate) struct Passes<'j> {
    pub(crate) job: &'j Job,
    pub(crate) queue: &'j Queue,
    pub(crate) progress: &'j Progress,
    pub(crate) cancel: &'j Cancel,
}

impl Passes<'_> {
    /// Runs all passes into a sink.
    pub(crate) fn run<S>(&self, ahead: &Ahead, sink: S) -> Result<Ended<S>, JobError>
    where
        S: Sink + Send,
        S::File: Send,
    {
        let mut request = self.job.request.clone();
        if let Some(found) = &ahead.cohort {
            request.cohort = Some(found.cohort.clone());
        }
        let found = Found {
            deleted: ahead.deleted.clone(),
            ..Found::default()
        };
        let plan = self.compile(&request, Stage::Main, &found)?;
        let asked = self.job.cohort.as_ref();
        let roll = asked.filter(|_| ahead.roll.is_none()).map(CohortRequest::roll);
        let router = Router::new(plan.clone(), self.job.limits);
        let read_before = self.progress.read.load(Ordering::Relaxed);
        let passed = self.pass(&plan, &self.job.inputs, roll.clone(), router, sink)?;
        let stored = self.progress.read.load(Ordering::Relaxed) - read_before;
        let seen = match (asked, &roll) {
            (Some(asked), Some(roll)) => Some(asked.found(roll)?),
            _ => ahead.cohort.clone(),
        };
        let agrees = match (&ahead.cohort, &seen) {
            (Some(before), Some(seen)) => before.agrees(seen),
            (before, seen) => before.is_none() && seen.is_none(),
        };
        if !agrees || passed.gathered.deleted != *ahead.deleted {
            return Ok(Ended::Again(Ahead {
                cohort: seen,
                roll: roll.or_else(|| ahead.roll.clone()),
                deleted: Arc::new(passed.gathered.deleted),
            }));
        }
        let exporting = self.later(&request, &plan, found, passed, seen)?;
        let roll = roll.or_else(|| ahead.roll.clone());
        Ok(Ended::Done(Box::new(Exporting {
            roll,
            stored,
            ..exporting
        })))
    }

    fn later<S>(
        &self,
        request: &Request,
        plan: &Plan,
        mut found: Found,
        passed: Passed<S>,
        cohort: Option<FoundCohort>,
    ) -> Result<Exporting<S>, JobError>
    where
        S: Sink + Send,
        S::File: Send,
    {
        let Passed {
            mut router,
            mut sink,
            gathered,
        } = passed;
        let Gathered {
            mut links,
            kept,
            follows,
            mut returned,
            mut withheld,
            ..
        } = gathered;
        let mut facts = vec![PassFacts {
            stage: Stage::Main,
            inputs: self.job.inputs.len(),
            kept: router.kept(),
        }];
        let mut sets = Vec::new();
        if let Some(found) = &cohort {
            let patients = &found.cohort.patients;
            sets.push(set("patients", patients.len(), patients.memory()));
        }
        if !kept.is_empty() {
            sets.push(set("exported", kept.len(), kept.memory()));
        }
        found.kept = Arc::new(kept);
        for &stage in plan.stages() {
            if stage == Stage::Associated {
                follows.close(&mut links);
                if !links.is_empty() {
                    sets.push(set("referred to", links.len(), links.memory()));
                }
                // What was exported is not needed any more.
                found.kept = Arc::default();
                found.links = Arc::new(std::mem::take(&mut links));
            }
            let inputs = self.holding(plan, stage, &found, router.held());
            if inputs.is_empty() {
                continue;
            }
            let stage_plan = self.compile(request, stage, &found)?;
            let before = router.kept();
            router.next_pass(stage_plan.clone());
            let passed = self.pass(&stage_plan, &inputs, None, router, sink)?;
            (router, sink) = (passed.router, passed.sink);
            links.merge(passed.gathered.links);
            returned.merge(passed.gathered.returned);
            withheld += passed.gathered.withheld;
            if stage == Stage::Rank {
                found.newest = Arc::new(passed.gathered.newest);
            }
            facts.push(PassFacts {
                stage,
                inputs: inputs.len(),
                kept: router.kept() - before,
            });
        }
        let asked = found.deleted.asked(plan.registry(), &returned, |type_index, id, time| {
            plan.asks_for_deletion(type_index, id, time)
        });
        let asked: Vec<_> = asked.collect();
        let lines = deletion::lines(asked.iter().copied());
        if !lines.is_empty() {
            router.deletions(&lines, &mut sink).map_err(pool::from_core)?;
        }
        let deletions = DeletionFacts {
            listed: asked.len(),
            withheld,
            returned: returned.len(),
        };
        Ok(Exporting {
            router,
            sink,
            cohort,
            roll: None,
            deletions,
            stored: 0,
            passes: facts,
            sets,
        })
    }

    fn compile(&self, request: &Request, stage: Stage, found: &Found) -> Result<Plan, JobError> {
        let plan = Plan::compile_stage(request, self.job.plan.registry(), stage, found);
        let plan = plan.map_err(CohortError::Plan)?;
        Ok(match &self.job.output {
            Output::Folder(FolderOutput {
                organize: Some(organize),
                ..
            }) => plan.with_late_elements(organize.membership.types()),
            _ => plan,
        })
    }

    fn pass<S>(
        &self,
        plan: &Plan,
        inputs: &[InputPlace],
        roll: Option<Arc<Roll>>,
        router: Router<S::File>,
        sink: S,
    ) -> Result<Passed<S>, JobError>
    where
        S: Sink + Send,
        S::File: Send,
    {
        let pass = Pass {
            job: self.job,
            plan,
            inputs,
            roll,
            queue: self.queue,
            progress: self.progress,
            cancel: self.cancel,
        };
        pool::run(&pass, router, sink)
    }

    /// The inputs that hold what a pass may keep.
    fn holding(&self, plan: &Plan, stage: Stage, found: &Found, held: &[TypeSet]) -> Vec<InputPlace> {
        let types: Vec<usize> = match stage {
            Stage::Main => return self.job.inputs.clone(),
            Stage::Rank | Stage::Provenance => plan.registry().type_index("Provenance").into_iter().collect(),
            Stage::Associated => linked_types(&found.links, plan),
        };
        let holds = |held: &TypeSet| types.iter().any(|&index| held.contains(index));
        let places = self.job.inputs.iter().zip(held);
        places
            .filter(|(_, held)| holds(held))
            .map(|(place, _)| place.clone())
            .collect()
    }
}

fn linked_types(links: &Links, plan: &Plan) -> Vec<usize> {
    let types = 0..plan.registry().types().len();
    types.filter(|&index| links.of(index).is_some()).collect()
}

fn set(name: &'static str, len: usize, memory: usize) -> SetFacts {
    SetFacts { name, len, memory }
}
