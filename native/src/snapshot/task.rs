//! What `merge` and `diff` need besides their arguments, and what they give.

use fhirehose_core::partition::Limits;
use fhirehose_core::report::Report;
use fhirehose_core::request::OnBad;
use fhirehose_core::search::table::Registry;

use crate::codec_out::Compression;
use crate::job::FolderOutput;
use crate::snapshot::argument::Argument;
use crate::snapshot::tally::{Changes, Finding, Numbers, Place};

/// A merge or a diff.
#[derive(Clone, Debug)]
pub struct Task {
    /// What is read, in order; none of it a pipe.
    pub arguments: Vec<Argument>,
    /// The types that there are.
    pub registry: Registry,
    /// The folder to write.
    pub output: FolderOutput,
    /// When a file is full.
    pub limits: Limits,
    /// How files are compressed.
    pub compression: Compression,
    /// Threads; at least 1.
    pub threads: usize,
    /// Bytes read at once; 256 KB unless a test wants otherwise.
    pub chunk: usize,
    /// Longest line.
    pub max_line: usize,
    /// Bytes of memory for sorting; what does not fit is sorted on disk, inside the output folder.
    pub memory: usize,
    /// What to do at a bad line.
    pub on_bad: OnBad,
    /// Two resources are the same only if their lines are, byte for byte.
    pub by_bytes: bool,
    /// The data's own FHIR base: deletions under it may be absolute.
    pub fhir_base: Option<String>,
}

/// What a merge or diff did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Counts, files and bad lines; resources read are those of all arguments.
    pub report: Report,
    /// One for each argument.
    pub arguments: Vec<ArgumentCount>,
    /// Numbers of resources.
    pub numbers: Numbers,
    /// What people should know, with how many resources it is true of.
    pub findings: Vec<(Finding, u64)>,
    /// Where the first of that is.
    pub places: Vec<Place>,
    /// Of a diff: what became of the types that there are, by name.
    pub changes: Vec<(String, Changes)>,
    /// Runs that were sorted on disk.
    pub runs_on_disk: u64,
}

/// What one argument held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ArgumentCount {
    /// As the user named it.
    pub name: String,
    /// Its time, as its manifest tells it.
    pub transaction_time: Option<String>,
    /// Resources read.
    pub resources: u64,
    /// Deletions read.
    pub deletions: u64,
    /// Bad lines.
    pub bad: u64,
}

impl Outcome {
    /// Whether something was wrong with the inputs, or could not be said in the output.
    pub fn has_faults(&self) -> bool {
        self.report.bad_lines() > 0 || self.findings.iter().any(|(finding, _)| finding.is_fault())
    }
}
