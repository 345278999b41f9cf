//! The passes of an export: what is exported by its own right, then Provenance of that, then what all of it refers to.
//!
//! A request that needs one pass takes one. Each later pass reads only those inputs that the main pass saw to hold its
//! types.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use fhirehose_core::deletion;
use fhirehose_core::gather::{Follows, Gathered};
use fhirehose_core::links::Links;
use fhirehose_core::plan::Plan;
use fhirehose_core::plan::associated::{Found, Stage};
use fhirehose_core::request::Request;
use fhirehose_core::roll::Roll;
use fhirehose_core::router::{Router, TypeSet};
use fhirehose_core::sink::Sink;

use crate::ahead::Ahead;
use crate::cancel::Cancel;
use crate::cohort::{CohortRequest, FoundCohort};
use crate::cohort_error::CohortError;
use crate::compress::Queue;
use crate::inputs::InputPlace;
use crate::job::{FolderOutput, Job, JobError, Output, Progress, Told};
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
    /// What is in it, in the plural: `patients`.
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
    Again(Box<Ahead>),
}

/// One export while it runs.
pub(crate) struct Passes<'j> {
    pub(crate) job: &'j Job,
    pub(crate) told: &'j Told,
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
            return Ok(Ended::Again(Box::new(Ahead {
                cohort: seen,
                roll: roll.or_else(|| ahead.roll.clone()),
                deleted: Arc::new(passed.gathered.deleted),
            })));
        }
        let Passed { router, sink, gathered } = passed;
        let mut state = State::new(gathered, found, seen.as_ref());
        state.passes.push(PassFacts {
            stage: Stage::Main,
            inputs: self.job.inputs.len(),
            kept: router.kept(),
        });
        let (mut router, mut sink) = self.later(&request, &plan, router, sink, &mut state)?;
        let deletions = state.tell_deletions(&plan, &mut router, &mut sink)?;
        Ok(Ended::Done(Box::new(Exporting {
            router,
            sink,
            cohort: seen,
            roll: roll.or_else(|| ahead.roll.clone()),
            deletions,
            stored,
            passes: state.passes,
            sets: state.sets,
        })))
    }

    /// The passes behind the main one, in order; those that have nothing to find are left out.
    fn later<S>(
        &self,
        request: &Request,
        plan: &Plan,
        mut router: Router<S::File>,
        mut sink: S,
        state: &mut State,
    ) -> Result<(Router<S::File>, S), JobError>
    where
        S: Sink + Send,
        S::File: Send,
    {
        for &stage in plan.stages() {
            if stage == Stage::Associated {
                state.close_links();
            }
            let inputs = self.holding(plan, stage, &state.found, router.held());
            if inputs.is_empty() || state.has_nothing_for(stage, request) {
                continue;
            }
            let stage_plan = self.compile(request, stage, &state.found)?;
            let before = router.kept();
            router.next_pass(stage_plan.clone());
            let passed = self.pass(&stage_plan, &inputs, None, router, sink)?;
            (router, sink) = (passed.router, passed.sink);
            state.take(stage, passed.gathered);
            state.passes.push(PassFacts {
                stage,
                inputs: inputs.len(),
                kept: router.kept() - before,
            });
        }
        Ok((router, sink))
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
            hides_folders: self.told.hides_folders,
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
            Stage::Main | Stage::Received => return self.job.inputs.clone(),
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

/// What the passes know of each other.
struct State {
    found: Found,
    links: Links,
    follows: Follows,
    /// Exported resources that had been deleted before they were changed.
    returned: Links,
    withheld: u64,
    passes: Vec<PassFacts>,
    sets: Vec<SetFacts>,
}

impl State {
    fn new(gathered: Gathered, found: Found, cohort: Option<&FoundCohort>) -> State {
        let mut sets = Vec::new();
        if let Some(found) = cohort {
            let patients = &found.cohort.patients;
            sets.push(set("patients", patients.len(), patients.memory()));
        }
        if !gathered.kept.is_empty() {
            sets.push(set("exported", gathered.kept.len(), gathered.kept.memory()));
        }
        State {
            found: Found {
                kept: Arc::new(gathered.kept),
                ..found
            },
            links: gathered.links,
            follows: gathered.follows,
            returned: gathered.returned,
            withheld: gathered.withheld,
            passes: Vec::new(),
            sets,
        }
    }

    /// What is referred to is complete: every pass that could add to it has run.
    fn close_links(&mut self) {
        self.follows.close(&mut self.links);
        if !self.links.is_empty() {
            self.sets
                .push(set("referred to", self.links.len(), self.links.memory()));
        }
        // What was exported is not needed any more.
        self.found.kept = Arc::default();
        self.found.links = Arc::new(std::mem::take(&mut self.links));
    }

    /// Whether there is no resource that Provenance could be of.
    fn has_nothing_for(&self, stage: Stage, request: &Request) -> bool {
        // Of a cohort's patients it is exported even where nothing else is.
        let patients = request.cohort.as_ref().map(|cohort| &cohort.patients);
        let is_of_nobody = patients.is_none_or(|patients| patients.is_empty());
        stage != Stage::Associated && self.found.kept.is_empty() && is_of_nobody
    }

    fn take(&mut self, stage: Stage, gathered: Gathered) {
        self.links.merge(gathered.links);
        self.returned.merge(gathered.returned);
        self.withheld += gathered.withheld;
        if stage == Stage::Rank {
            self.found.newest = Arc::new(gathered.newest);
        }
    }

    /// Writes the deletions that the request asks for.
    fn tell_deletions<S: Sink>(
        &self,
        plan: &Plan,
        router: &mut Router<S::File>,
        sink: &mut S,
    ) -> Result<DeletionFacts, JobError> {
        let is_asked = |type_index, id: &str, time| plan.asks_for_deletion(type_index, id, time);
        let asked = self.found.deleted.asked(plan.registry(), &self.returned, is_asked);
        let asked: Vec<_> = asked.collect();
        let lines = deletion::lines(asked.iter().copied());
        if !lines.is_empty() {
            router.deletions(&lines, sink).map_err(pool::from_core)?;
        }
        Ok(DeletionFacts {
            listed: asked.len(),
            withheld: self.withheld,
            returned: self.returned.len(),
        })
    }
}

fn linked_types(links: &Links, plan: &Plan) -> Vec<usize> {
    let types = 0..plan.registry().types().len();
    types.filter(|&index| links.of(index).is_some()).collect()
}

fn set(name: &'static str, len: usize, memory: usize) -> SetFacts {
    SetFacts { name, len, memory }
}
