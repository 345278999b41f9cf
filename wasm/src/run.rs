//! One run of a plan over its inputs: bytes in, bytes of files out, in as many passes as the plan needs.

use std::ops::Range;
use std::sync::Arc;

use crate::bytes::Uint8Array;
use fhirehose_core::deletion;
use fhirehose_core::error::Error;
use fhirehose_core::frame::Framer;
use fhirehose_core::gather::Follows;
use fhirehose_core::ids::IdSet;
use fhirehose_core::links::Links;
use fhirehose_core::plan::Plan as Compiled;
use fhirehose_core::plan::associated::{Found, Stage};
use fhirehose_core::quote::Tree;
use fhirehose_core::report::Report;
use fhirehose_core::roll::Roll;
use fhirehose_core::router::{Router, TypeSet};
use fhirehose_core::sieve::{Batch, Scratch};
use wasm_bindgen::prelude::wasm_bindgen;

use crate::fault;
use crate::group::{self, Search};
use crate::plan::Plan;
use crate::report;
use crate::segments::{Open, Segments};

/// Input that is looked at together. More gains nothing, and the memory of a module never shrinks.
const PIECE: usize = 256 << 10;

/// A run. Whatever it gives out is a copy.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Run {
    plan: Plan,
    /// The plan of the present pass.
    pass: Compiled,
    /// `None` once it has ended or failed.
    router: Option<Router<Open>>,
    segments: Segments,
    framer: Framer,
    scratch: Scratch,
    batch: Batch,
    block: Vec<u8>,
    roll: Option<Arc<Roll>>,
    /// Patients that were asked for by their ids.
    wanted: Option<Arc<IdSet>>,
    /// While the members of a group are looked for.
    search: Option<Search>,
    /// What became of that, for the report.
    group: Option<Tree>,
    inside: bool,
    /// The main pass has ended, and what it saw of deletions agrees.
    settled: bool,
    state: State,
    report: Option<Report>,
}

/// What the passes know of each other.
#[derive(Debug, Default)]
struct State {
    found: Found,
    links: Links,
    follows: Follows,
    returned: Links,
    /// Passes that are still to come, the next one last.
    later: Vec<Stage>,
    withheld: u64,
    listed: u64,
}

#[wasm_bindgen]
impl Run {
    /// A run of a plan, before its first input.
    #[wasm_bindgen(constructor)]
    #[must_use]
    pub fn new(plan: &Plan) -> Run {
        let cohort = plan.asked.request.cohort.as_ref();
        let by_id = cohort.filter(|cohort| cohort.group.is_none() || !cohort.patients.is_empty());
        let mut run = Run {
            pass: plan.compiled.clone(),
            plan: plan.clone(),
            router: None,
            segments: Segments::default(),
            framer: Framer::new(plan.compiled.max_line()),
            scratch: Scratch::default(),
            batch: Batch::default(),
            block: Vec::new(),
            roll: None,
            wanted: by_id.map(|cohort| cohort.patients.clone()),
            search: group::search(plan),
            group: None,
            inside: false,
            settled: false,
            state: State::default(),
            report: None,
        };
        run.begin(plan.compiled.clone());
        run
    }

    /// Names the next input, for reports. Ends the one before.
    ///
    /// # Errors
    ///
    /// As for [`Run::push`].
    #[wasm_bindgen(js_name = beginInput)]
    pub fn begin_input(&mut self, name: &str) -> Result<usize, String> {
        let count = self.end_input()?;
        self.router()?.begin_input(name);
        self.inside = true;
        Ok(count)
    }

    /// Takes the next bytes of the input, cut anywhere. Gives the number of segments that wait to be fetched; they are gone
    /// at the next call that gives a number.
    ///
    /// # Errors
    ///
    /// A bad line that ends the run, or the run has ended. After an error the run is over.
    pub fn push(&mut self, chunk: &Uint8Array) -> Result<usize, String> {
        self.segments.clear();
        if !self.inside {
            self.router()?.begin_input("input");
            self.inside = true;
        }
        let mut from = 0;
        while from < chunk.length() {
            let to = chunk.length().min(from.saturating_add(PIECE as u32));
            self.piece(&chunk.subarray(from, to))?;
            from = to;
        }
        Ok(self.segments.count())
    }

    /// Ends the input; its last line may lack a newline.
    ///
    /// # Errors
    ///
    /// As for [`Run::push`].
    #[wasm_bindgen(js_name = endInput)]
    pub fn end_input(&mut self) -> Result<usize, String> {
        self.segments.clear();
        if std::mem::take(&mut self.inside) {
            let len = self.framer.finish(&mut self.block);
            self.framer = Framer::new(self.plan.compiled.max_line());
            self.sieve(0..len, false)?;
        }
        Ok(self.segments.count())
    }

    /// Number of the file that a segment belongs to; names are asked for with [`Run::file`].
    #[wasm_bindgen(js_name = segmentFile)]
    #[must_use]
    pub fn segment_file(&self, index: usize) -> usize {
        self.segments.get(index).map_or(usize::MAX, |segment| segment.file)
    }

    /// A copy of a segment's bytes: whole lines.
    #[wasm_bindgen(js_name = segmentBytes)]
    #[must_use]
    pub fn segment_bytes(&self, index: usize) -> Uint8Array {
        let lines = self.segments.get(index).map(|segment| segment.lines.as_slice());
        Uint8Array::of(lines.unwrap_or_default())
    }

    /// Path, kind and type of a file, as JSON.
    #[must_use]
    pub fn file(&self, number: usize) -> String {
        let Some(name) = self.segments.names.get(number) else {
            return "null".to_owned();
        };
        Tree::Object(vec![
            ("file", Tree::text(name.to_string())),
            ("kind", Tree::text(report::kind(name.kind))),
            ("type", Tree::text(&name.type_name)),
        ])
        .pretty()
    }

    /// Ends a pass over all inputs, and says what comes now: `done`; the name of the next pass, for which the inputs have to be
    /// handed in once more, `main` behind the one that finds a group; or `again`: what has come out so far is void, and the inputs have to be handed in anew, since they
    /// tell of deletions that have to be known beforehand.
    ///
    /// # Errors
    ///
    /// As for [`Run::push`].
    pub fn settle(&mut self) -> Result<String, String> {
        self.end_input()?;
        self.router()?;
        if let Some(search) = self.search.take() {
            return self.found(&search.roll);
        }
        if self.pass.stage() == Stage::Main && self.scratch.gathered.deleted != *self.state.found.deleted {
            let deleted = Arc::new(std::mem::take(&mut self.scratch.gathered.deleted));
            self.state = State::default();
            self.state.found.deleted = deleted;
            let plan = self.compile(Stage::Main)?;
            self.segments = Segments::default();
            self.begin(plan);
            return Ok("again".to_owned());
        }
        self.settled = true;
        self.gather()?;
        while let Some(stage) = self.state.later.pop() {
            if stage == Stage::Associated {
                self.close_links();
            }
            if !self.has_something_for(stage) {
                continue;
            }
            let plan = self.compile(stage)?;
            self.pass = plan.clone();
            self.scratch = Scratch::default();
            self.router()?.next_pass(plan);
            return Ok(name_of(stage).to_owned());
        }
        Ok("done".to_owned())
    }

    /// Whether the present pass may find something in an input, by its number from 0.
    #[must_use]
    pub fn wants(&self, input: usize) -> bool {
        let Some(router) = &self.router else { return false };
        let held = router.held().get(input).copied().unwrap_or_default();
        let holds = |held: &TypeSet, index: Option<usize>| index.is_some_and(|index| held.contains(index));
        match self.pass.stage() {
            Stage::Main | Stage::Received => true,
            Stage::Rank | Stage::Provenance => holds(&held, self.pass.registry().type_index("Provenance")),
            Stage::Associated => (0..self.pass.registry().types().len())
                .any(|index| self.state.found.links.of(index).is_some() && held.contains(index)),
        }
    }

    /// Completes every file, after the last pass; gives the number of segments, and makes the report.
    ///
    /// # Errors
    ///
    /// As for [`Run::push`]; and where the input tells of deletions that were not known when it was judged.
    pub fn finish(&mut self) -> Result<usize, String> {
        self.end_input()?;
        self.router()?;
        if !self.settled && self.scratch.gathered.deleted != *self.state.found.deleted {
            return Err(self.over(&Error::late_deletions()));
        }
        let ended = self.deletions().and_then(|()| match self.router.take() {
            Some(router) => router.finish(&mut self.segments).map(Some),
            None => Ok(None),
        });
        self.report = ended.map_err(|error| self.over(&error))?;
        Ok(self.segments.count())
    }

    /// What happened, as JSON; `null` before the end.
    #[must_use]
    pub fn report(&self) -> String {
        let Some(report) = &self.report else {
            return "null".to_owned();
        };
        let unknown = self.roll.as_ref().map_or(0, |roll| roll.unknown().count());
        report::json(
            report,
            unknown as u64,
            self.state.listed,
            self.state.withheld,
            self.group.clone(),
        )
    }

    /// Counts of the types so far, as JSON; of nothing after the end.
    #[must_use]
    pub fn counts(&self) -> String {
        let counts = self.router.as_ref().into_iter().flat_map(Router::counts);
        report::counts(counts).pretty()
    }

    /// Bytes of a module's memory that the run holds buffers in, for tests.
    #[wasm_bindgen(js_name = bufferedBytes)]
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.block.capacity() + self.framer.carried()
    }
}

impl Run {
    fn begin(&mut self, plan: Compiled) {
        self.roll = self
            .wanted
            .clone()
            .map(|wanted| Arc::new(Roll::new(Some(wanted), None)));
        let noted = self.search.as_ref().map(|search| search.roll.clone());
        let noted = noted.or_else(|| self.roll.clone());
        self.scratch = noted.map(Scratch::with_roll).unwrap_or_default();
        self.router = Some(Router::new(plan.clone(), self.plan.asked.limits));
        self.state.later = plan.stages().iter().rev().copied().collect();
        self.pass = plan;
    }

    /// The members of the group are known, and which deletions there are: everything else begins.
    fn found(&mut self, roll: &Roll) -> Result<String, String> {
        self.state.found.deleted = Arc::new(std::mem::take(&mut self.scratch.gathered.deleted));
        if let Some(cohort) = &mut self.plan.asked.request.cohort {
            self.group = Some(group::resolve(roll, cohort)?);
        }
        self.plan.compiled = self.compile(Stage::Main)?;
        self.begin(self.plan.compiled.clone());
        Ok(name_of(Stage::Main).to_owned())
    }

    fn router(&mut self) -> Result<&mut Router<Open>, String> {
        let ended = || fault::plain("ended", "the run has ended");
        self.router.as_mut().ok_or_else(ended)
    }

    /// Ends the run with an error.
    fn over(&mut self, error: &Error) -> String {
        self.router = None;
        self.inside = false;
        self.segments = Segments::default();
        self.block = Vec::new();
        self.framer = Framer::new(self.plan.compiled.max_line());
        self.scratch = Scratch::default();
        fault::of_error(error)
    }

    fn piece(&mut self, piece: &Uint8Array) -> Result<(), String> {
        self.read(piece.length() as usize, |place| piece.copy_to(place))
    }

    /// Takes bytes that are in the module already. Segments are added to those that wait.
    pub(crate) fn push_bytes(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.read(bytes.len(), |place| place.copy_from_slice(bytes))
    }

    /// What waited has been fetched.
    pub(crate) fn fetched(&mut self) {
        self.segments.clear();
    }

    pub(crate) fn waiting(&self) -> &Segments {
        &self.segments
    }

    /// The report, after the end.
    pub(crate) fn ended(&self) -> Option<&Report> {
        self.report.as_ref()
    }

    fn read(&mut self, length: usize, fill: impl FnOnce(&mut [u8])) -> Result<(), String> {
        let fresh = self.framer.begin(&mut self.block);
        let used = fresh + length;
        if self.block.len() < used {
            self.block.resize(used, 0);
        }
        fill(&mut self.block[fresh..used]);
        let cut = self.framer.cut(&self.block[..used], fresh);
        self.sieve(cut.start..cut.end, cut.too_long)
    }

    fn sieve(&mut self, lines: Range<usize>, too_long: bool) -> Result<(), String> {
        let Some(router) = &mut self.router else {
            return Err(fault::plain("ended", "the run has ended"));
        };
        let block = &self.block[lines];
        if let Some(search) = &self.search {
            // What goes by is told in the main pass.
            fhirehose_wasm_hot::sieve(&search.plan, block, &mut self.scratch, &mut self.batch);
            return Ok(());
        }
        fhirehose_wasm_hot::sieve(&self.pass, block, &mut self.scratch, &mut self.batch);
        let taken = router.take(block, &self.batch, too_long, &mut self.segments);
        taken.map_err(|error| self.over(&error))
    }

    fn compile(&mut self, stage: Stage) -> Result<Compiled, String> {
        let asked = &self.plan.asked;
        let plan = Compiled::compile_stage(&asked.request, &asked.registry, stage, &self.state.found);
        plan.map_err(|problems| fault::of_problems(&problems))
    }

    /// Takes over what the pass that has ended has gathered.
    fn gather(&mut self) -> Result<(), String> {
        let gathered = std::mem::take(&mut self.scratch.gathered);
        if gathered.is_incomplete() {
            self.router = None;
            return Err(fault::plain(
                "memory",
                "there are too many references to keep them in memory",
            ));
        }
        let state = &mut self.state;
        state.links.merge(gathered.links);
        state.returned.merge(gathered.returned);
        state.withheld += gathered.withheld;
        match self.pass.stage() {
            Stage::Main => {
                state.found.kept = Arc::new(gathered.kept);
                state.follows = gathered.follows;
            }
            Stage::Rank => state.found.newest = Arc::new(gathered.newest),
            Stage::Provenance | Stage::Associated | Stage::Received => {}
        }
        Ok(())
    }

    /// What is referred to is complete: every pass that could add to it has run.
    fn close_links(&mut self) {
        let state = &mut self.state;
        state.follows.close(&mut state.links);
        state.found.kept = Arc::default();
        state.found.links = Arc::new(std::mem::take(&mut state.links));
    }

    fn has_something_for(&self, stage: Stage) -> bool {
        if stage == Stage::Associated {
            return !self.state.found.links.is_empty();
        }
        let cohort = self.plan.asked.request.cohort.as_ref();
        let has_patients = cohort.is_some_and(|cohort| !cohort.patients.is_empty());
        !self.state.found.kept.is_empty() || has_patients
    }

    /// Writes the deletions that the request asks for.
    fn deletions(&mut self) -> Result<(), Error> {
        let plan = &self.plan.compiled;
        let is_asked = |type_index, id: &str, time| plan.asks_for_deletion(type_index, id, time);
        let asked = self
            .state
            .found
            .deleted
            .asked(plan.registry(), &self.state.returned, is_asked);
        let asked: Vec<_> = asked.collect();
        let lines = deletion::lines(asked.iter().copied());
        self.state.listed = asked.len() as u64;
        match &mut self.router {
            Some(router) if !lines.is_empty() => router.deletions(&lines, &mut self.segments),
            _ => Ok(()),
        }
    }
}

/// What a pass is called.
#[must_use]
pub fn name_of(stage: Stage) -> &'static str {
    match stage {
        Stage::Main => "main",
        Stage::Rank => "ages",
        Stage::Provenance => "provenance",
        Stage::Associated => "associated",
        Stage::Received => "received",
    }
}
