//! The public push engine: one thread, any chunking.

use std::ops::Range;

use crate::error::Error;
use crate::frame::Framer;
use crate::partition::Limits;
use crate::plan::Plan;
use crate::report::Report;
use crate::router::Router;
use crate::sieve::{self, Batch, Scratch};
use crate::sink::Sink;

/// Filters NDJSON that is pushed in chunks of any size into a sink.
///
/// It is one pass. A plan that needs more ([`Plan::stages`]: Provenance and what a cohort's records refer to) gives what
/// its main pass keeps; the others have to be run behind it, over the same input.
///
/// ```
/// use fhirehose_core::export::Export;
/// use fhirehose_core::plan::Plan;
/// use fhirehose_core::request::Request;
/// use fhirehose_core::search::table::Registry;
/// use fhirehose_core::sink::MemorySink;
///
/// let request = Request { type_filters: vec!["Patient?gender=female".into()], ..Request::default() };
/// let plan = Plan::compile(&request, &Registry::r4())?;
/// let mut export = Export::new(plan, MemorySink::default());
/// export.push(b"{\"resourceType\":\"Patient\",\"id\":\"1\",\"gender\":\"female\"}\n{\"resourceType\":\"Pat")?;
/// export.push(b"ient\",\"id\":\"2\",\"gender\":\"male\"}")?;
/// export.end_input()?;
/// let (report, sink) = export.finish()?;
/// assert_eq!(report.kept(), 1);
/// assert_eq!(sink.files[0].0, "Patient.000.ndjson");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct Export<S: Sink> {
    plan: Plan,
    framer: Framer,
    router: Router<S::File>,
    sink: S,
    scratch: Scratch,
    batch: Batch,
    block: Vec<u8>,
    /// Inside an input: something was pushed since the last end.
    inside: bool,
}

impl<S: Sink> std::fmt::Debug for Export<S> {
    /// Says nothing of the records in its buffers.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export")
            .field("inside", &self.inside)
            .finish_non_exhaustive()
    }
}

impl<S: Sink> Export<S> {
    /// An export without limits on its files.
    pub fn new(plan: Plan, sink: S) -> Self {
        Export::with_limits(plan, sink, Limits::default())
    }

    /// An export whose files roll over.
    pub fn with_limits(plan: Plan, sink: S, limits: Limits) -> Self {
        Export {
            framer: Framer::new(plan.max_line()),
            router: Router::new(plan.clone(), limits),
            plan,
            sink,
            scratch: Scratch::default(),
            batch: Batch::default(),
            block: Vec::new(),
            inside: false,
        }
    }

    /// Names the next input, for reports. Ends the one before.
    pub fn begin_input(&mut self, name: &str) -> Result<(), Error> {
        self.end_input()?;
        self.router.begin_input(name);
        self.inside = true;
        Ok(())
    }

    /// Takes the next bytes of the input, decompressed, cut anywhere.
    pub fn push(&mut self, chunk: &[u8]) -> Result<(), Error> {
        if !self.inside {
            self.begin_input("input")?;
        }
        if let Some(cut) = self.framer.extend(chunk) {
            return self.sieve(cut.start..cut.end, cut.too_long);
        }
        let fresh = self.framer.begin(&mut self.block);
        self.block.truncate(fresh);
        self.block.extend_from_slice(chunk);
        let cut = self.framer.cut(&self.block, fresh);
        self.sieve(cut.start..cut.end, cut.too_long)
    }

    /// Ends the input; its last line may lack a newline.
    pub fn end_input(&mut self) -> Result<(), Error> {
        if !std::mem::take(&mut self.inside) {
            return Ok(());
        }
        let len = self.framer.finish(&mut self.block);
        self.framer = Framer::new(self.plan.max_line());
        self.sieve(0..len, false)
    }

    fn sieve(&mut self, lines: Range<usize>, too_long: bool) -> Result<(), Error> {
        let block = &self.block[lines];
        sieve::run(&self.plan, block, &mut self.scratch, &mut self.batch);
        self.router.take(block, &self.batch, too_long, &mut self.sink)
    }

    /// Completes every file. Gives the report and the sink.
    ///
    /// One pass cannot leave out what it learns of afterwards: an input that tells of deletions which the plan does not
    /// know ([`Found::deleted`](crate::plan::associated::Found)) is an error.
    pub fn finish(mut self) -> Result<(Report, S), Error> {
        self.end_input()?;
        if self.scratch.gathered.deleted != *self.plan.deleted() {
            return Err(Error::late_deletions());
        }
        let report = self.router.finish(&mut self.sink)?;
        Ok((report, self.sink))
    }
}
