//! Doors: the ways into the engine. One function each, all with the same question and the same answer.

mod native;
mod stream;
pub mod written;

pub use native::native;
pub use stream::stream;

use fhirehose_core::error::{BadLine, Error};
use fhirehose_core::export::Export;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::report::Report;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::MemorySink;
use std::collections::BTreeMap;

/// What a door is asked.
#[derive(Clone, Debug)]
pub struct Question {
    /// The request.
    pub request: Request,
    /// The tables of the asked version of FHIR.
    pub registry: Registry,
    /// When files are full.
    pub limits: Limits,
    /// Names and bytes of the inputs, in order.
    pub inputs: Vec<(String, Vec<u8>)>,
}

/// What came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    /// Every file by its name.
    pub files: BTreeMap<String, Vec<u8>>,
    /// What the engine says about it.
    pub report: Report,
}

/// Why nothing came out.
#[derive(Debug)]
pub enum Refusal {
    /// The request is wrong.
    Plan(Vec<Told>),
    /// The export ended early.
    Stopped(Error),
    /// The door broke a rule of its own, or could not be gone through: what happened.
    Broken(String),
}

/// One problem of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    /// Part of the request.
    pub option: String,
    /// The part of the user's text that is wrong.
    pub at: String,
    /// What is wrong.
    pub message: String,
}

/// A way into the engine. The number is the size of the chunks in which the inputs are handed over.
pub type Door = fn(&Question, usize) -> Result<Answer, Refusal>;

/// The push engine of the core, in one thread.
///
/// # Errors
///
/// The request is wrong, or a bad line ended the export.
pub fn core_push(question: &Question, chunk: usize) -> Result<Answer, Refusal> {
    let plan = plan(&question.request, &question.registry)?;
    push(&plan, question.limits, &question.inputs, chunk).map_err(Refusal::Stopped)
}

/// Compiles a request.
///
/// # Errors
///
/// Everything that is wrong with it.
pub fn plan(request: &Request, registry: &Registry) -> Result<Plan, Refusal> {
    Plan::compile(request, registry).map_err(|problems| {
        let told = problems.0.into_iter().map(|problem| Told {
            option: problem.option.to_owned(),
            at: problem.text.get(problem.span.clone()).unwrap_or_default().to_owned(),
            message: problem.message,
        });
        Refusal::Plan(told.collect())
    })
}

/// Pushes inputs through a plan.
///
/// # Errors
///
/// A bad line ended the export.
pub fn push(plan: &Plan, limits: Limits, inputs: &[(String, Vec<u8>)], chunk: usize) -> Result<Answer, Error> {
    let mut export = Export::with_limits(plan.clone(), MemorySink::default(), limits);
    for (name, bytes) in inputs {
        export.begin_input(name)?;
        for part in bytes.chunks(chunk.max(1)) {
            export.push(part)?;
        }
    }
    let (report, sink) = export.finish()?;
    Ok(Answer {
        files: sink.files.into_iter().collect(),
        report,
    })
}

impl Answer {
    /// The output of one type, its files one after the other.
    #[must_use]
    pub fn of_type(&self, type_name: &str) -> Vec<u8> {
        let start = format!("{type_name}.");
        let own = self.files.iter().filter(|(name, _)| name.starts_with(&start));
        own.flat_map(|(_, bytes)| bytes).copied().collect()
    }

    /// Lines and kinds of the bad lines whose places the report holds.
    #[must_use]
    pub fn bad(&self) -> Vec<(u64, BadLine)> {
        self.report
            .places
            .iter()
            .map(|place| (place.position.line, place.kind))
            .collect()
    }
}
