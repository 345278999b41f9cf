//! An export over files: what to read, where to write, with how many threads.

use std::path::PathBuf;
use std::sync::Arc;

use fhirehose_core::manifest::{Generation, ManifestFacts};
use fhirehose_core::membership::Membership;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;

use crate::codec_out::Compression;
use crate::cohort::CohortRequest;
use crate::cohort_error::CohortError;
use crate::inputs::InputPlace;
use crate::output_error::OutputError;
use crate::publish::Listener;

/// Everything that an export over files needs besides its plan.
#[derive(Clone, Debug)]
pub struct Job {
    /// The request, for what has to be compiled anew once the cohort and the references are known.
    pub request: Request,
    /// The request compiled, with an empty cohort in place of one that has yet to be found.
    pub plan: Plan,
    /// Whose records are asked for; `None`: everybody's, or the request names them itself.
    pub cohort: Option<CohortRequest>,
    /// Inputs in order.
    pub inputs: Vec<InputPlace>,
    /// Where kept lines go.
    pub output: Output,
    /// When a file is full.
    pub limits: Limits,
    /// How files are compressed.
    pub compression: Compression,
    /// Threads that read, sieve and write; at least 1.
    pub threads: usize,
    /// Bytes read at once; 256 KB unless a test wants otherwise.
    pub chunk: usize,
}

/// Where kept lines go.
#[derive(Clone, Debug)]
pub enum Output {
    /// A folder that receives the files and the manifest.
    Folder(FolderOutput),
    /// Kept lines in input order on standard output; nothing else is written.
    Stdout,
}

/// A folder of output.
#[derive(Clone, Debug)]
pub struct FolderOutput {
    /// The folder; made if it does not exist.
    pub path: PathBuf,
    /// Take a folder that is not empty: files of an earlier export in it are replaced.
    pub force: bool,
    /// Wait until everything is on the disk before it gets its names, so that no loss of power leaves less behind a manifest
    /// than it says.
    pub is_durable: bool,
    /// What the manifest says besides the files.
    pub manifest: ManifestOptions,
    /// Put what belongs to a patient together; `None`: one type a file.
    pub organize: Option<Organize>,
}

impl FolderOutput {
    /// What the manifest says besides the report.
    pub(crate) fn facts(&self) -> ManifestFacts {
        let options = &self.manifest;
        ManifestFacts {
            generation: options.generation,
            transaction_time: options.transaction_time.clone(),
            request: options.request.clone(),
            requires_access_token: false,
            base_url: options.base_url.clone(),
            output_format: "application/fhir+ndjson".to_owned(),
            organized_by: self.organize.as_ref().map(|_| "Patient".to_owned()),
            has_counts: true,
            next: None,
        }
    }
}

/// Output in blocks, one for each patient.
#[derive(Clone, Debug)]
pub struct Organize {
    /// Bytes of memory to sort in; what is more goes to temporary files in the output folder.
    pub memory: u64,
    /// Whose a resource is.
    pub membership: Membership,
}

/// What a manifest says besides the files.
#[derive(Clone, Debug)]
pub struct ManifestOptions {
    /// Shape.
    pub generation: Generation,
    /// The instant of the snapshot.
    pub transaction_time: String,
    /// The kick-off URL.
    pub request: String,
    /// Put before each file's path.
    pub base_url: Option<String>,
}

/// What a server says in the error files of a job's output, and what it does not.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// OperationOutcomes, each a line with its newline; they stand behind those about bad lines. For a cohort that the
    /// server knew: who was asked for and is not there, as a cohort that the job finds is told.
    pub outcomes: Vec<String>,
    /// Inputs are named without their folders.
    pub hides_folders: bool,
    /// Hears of compressed files of one type as soon as they are complete, in a folder that was empty. From then on the
    /// export cannot begin again: deletions that are found where nobody looked for them end it
    /// ([`JobError::LateDeletions`]).
    pub listener: Option<Listener>,
}

/// How far a job is; shared with whoever shows it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes of the inputs, as stored, that have been read.
    pub read: std::sync::atomic::AtomicU64,
    /// Resources kept so far.
    pub kept: std::sync::atomic::AtomicU64,
    /// Lines read so far.
    pub lines: std::sync::atomic::AtomicU64,
}

/// A handle that others may hold while a job runs.
pub type SharedProgress = Arc<Progress>;

/// Why a job ended early. What it had written is gone.
#[derive(Debug)]
#[non_exhaustive]
pub enum JobError {
    /// An input could not be read to its end.
    Input(crate::inflate::InputError),
    /// A document (Bundle, array) could not be taken apart.
    Document {
        /// The input.
        name: String,
        /// What and where.
        error: crate::unpack::UnpackError,
    },
    /// A file or folder of the output: which, and what went wrong.
    Output(OutputError),
    /// Standard output was closed by its reader: a quiet end.
    ClosedPipe,
    /// Whose records are asked for could not be found out.
    Cohort(CohortError),
    /// A set of ids that a later pass needs is full.
    TooManyIds,
    /// An input was written to between two passes over it.
    Changed(String),
    /// Deletions were read after resources that they may be about, and what has left cannot be taken back.
    LateDeletions,
    /// A bad line, and the request says to stop at the first; the text says where.
    BadLine(String),
    /// An input is not what its manifest says, or not what it was when it was read first.
    Mismatch {
        /// The input.
        name: String,
        /// What is wrong.
        text: String,
    },
    /// Somebody asked to stop.
    Interrupted,
}

impl std::fmt::Display for JobError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            JobError::Input(error) => write!(f, "{error}"),
            JobError::Document { name, error } => write!(f, "{name}: {error}"),
            JobError::Output(error) => write!(f, "{error}"),
            JobError::ClosedPipe => f.write_str("standard output was closed"),
            JobError::Cohort(error) => write!(f, "{error}"),
            JobError::TooManyIds => f.write_str(
                "more resources of one type than a set of ids can hold (four gigabytes of them): ask for fewer at once",
            ),
            JobError::Changed(name) => write!(
                f,
                "{name} was changed while it was read; the export needs several passes"
            ),
            JobError::LateDeletions => f.write_str(
                "the input tells of deletions, which have to be known before the first line is written: \
                 read them from files in a folder named deleted, and export into a folder",
            ),
            JobError::BadLine(place) => f.write_str(place),
            JobError::Mismatch { name, text } => write!(f, "{name}: {text}"),
            JobError::Interrupted => f.write_str("interrupted"),
        }
    }
}

impl std::error::Error for JobError {}

impl From<OutputError> for JobError {
    fn from(error: OutputError) -> Self {
        JobError::Output(error)
    }
}

impl From<CohortError> for JobError {
    fn from(error: CohortError) -> Self {
        JobError::Cohort(error)
    }
}
