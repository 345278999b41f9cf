//! The command line: what can be written, and the help that says so.

use std::ffi::OsString;
use std::num::{NonZeroU64, NonZeroUsize};
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::pull::args::{LoginArgs, PullArgs};
use crate::serve::args::{ClientArgs, ServeArgs};
use crate::size;

const EXIT_CODES: &str = "\
Exit codes:
  0    done
  1    done, but some records were bad (or stopped at one: --on-bad stop)
  2    the command line or the request is wrong; every problem is listed
  3    a file could not be read or written
  130  interrupted";

const EXPORT_HELP: &str = "\
Examples:
  All laboratory results since 2020, as one file a type, with a manifest:
    fhirehose export data/ -o out --type-filter 'Observation?category=laboratory&date=ge2020'

  Patients and their conditions, compressed, changed after an instant:
    fhirehose export data/*.ndjson.gz -o out --type Patient,Condition --compress gzip \\
        --since 2024-01-01T00:00:00Z

  From a pipe into a pipe; only kept lines are written to standard output:
    zstdcat all.ndjson.zst | fhirehose export - -o - --type Encounter | wc -l

  Two filters of one type: a resource is kept if either lets it pass:
    fhirehose export data/ -o out --type-filter 'Condition?clinical-status=active' \\
        --type-filter 'Condition?onset-date=ge2024'

  What belongs to the members of a group:
    fhirehose export data/ -o out --group ten-patients --type Patient,Condition,Observation

Kept lines leave byte for byte as they came, unless --elements takes members out.
Lines that are not FHIR are left out, counted, and told in OUT/error with their place only.
`fhirehose explain` shows what a request reads; `fhirehose params TYPE` lists what filters can use.

Exit codes: 0 done, 1 done but some records were bad, 2 usage, 3 input or output, 130 interrupted.";

const EXPLAIN_HELP: &str = "\
Examples:
  What a filter reads and compares:
    fhirehose explain --type-filter 'Observation?category=laboratory&date=ge2020'

  The passes of a group export, and why each runs:
    fhirehose explain --group ten-patients --type Patient,Condition,Practitioner,Provenance";

const PARAMS_HELP: &str = "\
Examples:
  fhirehose params                 the resource types, with how many parameters each has
  fhirehose params Observation     what a filter on Observation can use";

const MERGE_HELP: &str = "\
Example:
  fhirehose merge monday/ tuesday/ wednesday/ -o current

Of each resource the version with the newest meta.lastUpdated is kept; where times are equal
or missing, the one of the later argument. What a later export lists as deleted goes, unless
it is known to be newer than that. Kept lines leave byte for byte as they came. A folder with
a manifest.json is read by it, and must be complete.

Exit codes: 0 done, 1 done but records were bad or an export contradicts itself, 2 usage,
3 input or output, 130 interrupted.";

const DIFF_HELP: &str = "\
Example:
  fhirehose diff monday/ tuesday/ -o tuesday-delta
  fhirehose merge monday/ tuesday-delta/ -o tuesday-again

The delta holds what is added or changed, and under OUT/deleted what is gone: merging OLD and
the delta gives NEW. Resources are compared by content: the order of members, blanks and
escapes do not matter, unless --bytes is given.

Exit codes: 0 done, 1 done but records were bad or the delta cannot say all, 2 usage,
3 input or output, 130 interrupted.";

const VERIFY_HELP: &str = "\
Examples:
  Everything the manifest says, and every line:
    fhirehose verify out/

  References to what is not there too, as facts for a program:
    fhirehose verify out/ --references --report json

Files named in OUT/SHA256SUMS (the format of sha256sum) are held against it. What is wrong is
told with file and line, never with ids or contents.

Exit codes: 0 all is well, 1 something is not, 2 usage, 3 input or output, 130 interrupted.";

const MANIFEST_CHECK_HELP: &str = "\
Examples:
  fhirehose manifest check manifest.json
  curl -s \"$STATUS_URL\" | fhirehose manifest check - --ig 2

Queries of URLs are not printed: they may be signatures.

Exit codes: 0 nothing is against the guide, 1 something is, 2 usage, 3 cannot be read.";

const SYNTH_HELP: &str = "\
Example:
  fhirehose synth --patients 100 --seed 1 -o sample

The same seed always gives the same bytes. No patient in them is or was a real one.";

/// Exports FHIR resources from bulk data files: exactly the right ones, at the speed of the disk
#[derive(Debug, Parser)]
#[command(name = "fhirehose", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Write the resources that a request asks for
    Export(Box<ExportArgs>),
    /// Show what a request reads and tests, without reading data
    Explain(Box<ExplainArgs>),
    /// List the search parameters that filters can use
    Params(ParamsArgs),
    /// Make one current set of a full export and later ones
    Merge(MergeArgs),
    /// Make a delta of two exports: added, changed and deleted
    Diff(DiffArgs),
    /// Check an export folder against its manifest
    Verify(VerifyArgs),
    /// Look at manifests
    Manifest(ManifestArgs),
    /// Serve exports over HTTP: Oracle's Bulk Export API and HL7's Bulk Data guide
    Serve(Box<ServeArgs>),
    /// Add, list and remove the clients of a server
    Client(ClientArgs),
    /// Fetch an export from a server, filtered on its way in
    Pull(Box<PullArgs>),
    /// Make synthetic patients with all that belongs to them
    Synth(SynthArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
    /// Print a manual page
    Man(ManArgs),
}

/// The request, in the words of the Bulk Data guide.
#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct RequestArgs {
    /// What kind of server the request is meant for: HL7's guide, or Oracle's Bulk Export with its types, limits and filters
    #[arg(long, value_name = "NAME", value_enum, default_value_t = ProfileArg::Ig)]
    pub(crate) profile: ProfileArg,

    /// Resource types to export; without it, every type of the profile
    #[arg(long = "type", value_name = "T,…")]
    pub(crate) types: Vec<String>,

    /// Keep of a type only what a search finds, as in 'Observation?date=ge2020'; filters of one type are joined by or
    #[arg(long = "type-filter", value_name = "TYPE?QUERY")]
    pub(crate) type_filters: Vec<String>,

    /// Only resources changed after this instant (meta.lastUpdated)
    #[arg(long, value_name = "INSTANT")]
    pub(crate) since: Option<String>,

    /// Only resources changed before this instant
    #[arg(long, value_name = "INSTANT")]
    pub(crate) until: Option<String>,

    /// Instant of the snapshot: nothing changed after it is exported, and the manifest names it [default: now, and no bound]
    #[arg(long, value_name = "INSTANT")]
    pub(crate) transaction_time: Option<String>,

    /// Root elements to keep, as in 'id,Patient.name'; mandatory ones stay
    #[arg(long, value_name = "E,…")]
    pub(crate) elements: Vec<String>,

    /// Provenance of what is exported: LatestProvenanceResources (the newest of each) or RelevantProvenanceResources
    /// (all); without it, that of a cohort's records if Provenance is among the types
    #[arg(long, value_name = "V,…")]
    pub(crate) include_associated_data: Vec<String>,

    /// Put what belongs to each patient together, in blocks with a header; TYPE is Patient
    #[arg(long, value_name = "TYPE")]
    pub(crate) organize_by: Option<String>,

    /// The data's own server: absolute references under this URL equal relative ones
    #[arg(long, value_name = "URL")]
    pub(crate) fhir_base: Option<String>,

    /// Code lists for :in and :not-in: ValueSet resources with their codes (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) value_sets: Vec<PathBuf>,

    /// What the search parameters are taken from.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Where search parameters come from.
#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct RegistryArgs {
    /// Version of FHIR that the data is in; 4.0 knows the search parameters of US Core too
    #[arg(long, value_name = "VERSION", value_enum, default_value_t = Version::R4)]
    pub(crate) fhir_version: Version,

    /// SearchParameter resources of your own (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) search_parameters: Vec<PathBuf>,
}

/// Whose records.
#[derive(Debug, Args)]
#[command(next_help_heading = "Cohort")]
pub(crate) struct CohortArgs {
    /// Only what is in the compartment of this patient: an id or Patient/id (repeatable, or with commas)
    #[arg(long, value_name = "ID")]
    pub(crate) patient: Vec<String>,

    /// The same with a file of ids or references, one a line; - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) patients: Option<PathBuf>,

    /// Only the members of this Group, which is looked for in the input
    #[arg(long, value_name = "ID")]
    pub(crate) group: Option<String>,

    /// Leave out what is in the compartment of another patient too
    #[arg(long)]
    pub(crate) exclusive: bool,

    /// Go on without patients who are not in the input or not in the group; error/ names each
    #[arg(long)]
    pub(crate) lenient: bool,
}

/// How lines are checked.
#[derive(Debug, Args)]
#[command(next_help_heading = "Checks")]
pub(crate) struct CheckArgs {
    /// What is done with lines that are not FHIR: skip them, or stop at the first and write nothing
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnBadArg::Skip)]
    pub(crate) on_bad: OnBadArg,

    /// Longest line; a longer one is bad. At most 1GiB
    #[arg(long, value_name = "SIZE", value_parser = max_line, default_value = "64MiB")]
    pub(crate) max_line: usize,

    /// Do not check the rest of a line once it is known that it is kept
    #[arg(long)]
    pub(crate) trust: bool,
}

/// How files are written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Files")]
pub(crate) struct FilesArgs {
    /// Most resources in a file
    #[arg(long, value_name = "N")]
    pub(crate) max_resources: Option<NonZeroU64>,

    /// Most bytes in a file, before compression
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) max_bytes: Option<u64>,

    /// Compression of the files
    #[arg(long, value_name = "HOW", value_enum, default_value_t = CompressArg::None)]
    pub(crate) compress: CompressArg,

    /// Level of compression: gzip 0 to 9, zstd 1 to 22
    #[arg(long, value_name = "N")]
    pub(crate) level: Option<u32>,

    /// Generation of the Bulk Data guide that the manifest follows
    #[arg(long, value_name = "N", value_enum, default_value_t = IgArg::Three)]
    pub(crate) ig: IgArg,

    /// Put before the files' names in the manifest; without it they are relative to the manifest
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
}

/// `export`.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_HELP)]
pub(crate) struct ExportArgs {
    /// Files, folders, 'patterns*' or - for standard input: NDJSON or JSON (Bundles, arrays), plain or as gzip, zstd,
    /// brotli, bzip2 or xz
    #[arg(value_name = "INPUT", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub(crate) inputs: Vec<OsString>,

    /// Folder to write, which must be empty or new; - for kept lines on standard output
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,

    /// Write into a folder that is not empty, and replace the files of an earlier export
    #[arg(long)]
    pub(crate) force: bool,

    /// Do not wait until the output is on the disk: after a loss of power files may be shorter than the manifest says
    #[arg(long)]
    pub(crate) no_sync: bool,

    /// The request.
    #[command(flatten)]
    pub(crate) request: RequestArgs,

    /// Whose records.
    #[command(flatten)]
    pub(crate) cohort: CohortArgs,

    /// How lines are checked.
    #[command(flatten)]
    pub(crate) checks: CheckArgs,

    /// How files are written.
    #[command(flatten)]
    pub(crate) files: FilesArgs,

    /// Threads to work with [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Run")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Most memory to plan for: fewer threads are used if need be; --max-line counts three times a thread. With
    /// --organize-by at least half of it is for sorting [default there: 1GiB]
    #[arg(long, value_name = "SIZE", value_parser = size::parse, help_heading = "Run")]
    pub(crate) memory: Option<u64>,

    /// Summary at the end: text on standard error, or JSON on standard output (with -o - on standard error)
    #[arg(long, value_name = "HOW", value_enum, default_value_t = ReportArg::Text, help_heading = "Run")]
    pub(crate) report: ReportArg,
}

/// `explain`.
#[derive(Debug, Args)]
#[command(after_help = EXPLAIN_HELP)]
pub(crate) struct ExplainArgs {
    /// The request.
    #[command(flatten)]
    pub(crate) request: RequestArgs,

    /// Whose records.
    #[command(flatten)]
    pub(crate) cohort: CohortArgs,

    /// How lines are checked.
    #[command(flatten)]
    pub(crate) checks: CheckArgs,

    /// How to print it: for people, or as JSON for programs
    #[arg(long, value_name = "HOW", value_enum, default_value_t = ReportArg::Text, help_heading = "Output")]
    pub(crate) report: ReportArg,
}

/// `params`.
#[derive(Debug, Args)]
#[command(after_help = PARAMS_HELP)]
pub(crate) struct ParamsArgs {
    /// Resource type; without it, all types are listed
    #[arg(value_name = "TYPE")]
    pub(crate) type_name: Option<String>,

    /// What the search parameters are taken from.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,

    /// How to print it: for people, or as JSON for programs
    #[arg(long, value_name = "HOW", value_enum, default_value_t = ReportArg::Text, help_heading = "Output")]
    pub(crate) report: ReportArg,
}

/// `merge`.
#[derive(Debug, Args)]
#[command(after_help = MERGE_HELP)]
pub(crate) struct MergeArgs {
    /// The full export: a folder with its manifest.json, or a folder, file or 'pattern*' of NDJSON
    #[arg(value_name = "FULL", value_hint = clap::ValueHint::AnyPath)]
    pub(crate) full: OsString,

    /// Later exports, in the order of their times
    #[arg(value_name = "DELTA", required = true, value_hint = clap::ValueHint::AnyPath)]
    pub(crate) deltas: Vec<OsString>,

    /// How both commands write.
    #[command(flatten)]
    pub(crate) shared: SnapshotArgs,
}

/// `diff`.
#[derive(Debug, Args)]
#[command(after_help = DIFF_HELP)]
pub(crate) struct DiffArgs {
    /// The earlier export: a folder with its manifest.json, or a folder, file or 'pattern*' of NDJSON
    #[arg(value_name = "OLD", value_hint = clap::ValueHint::AnyPath)]
    pub(crate) old: OsString,

    /// The later one
    #[arg(value_name = "NEW", value_hint = clap::ValueHint::AnyPath)]
    pub(crate) new: OsString,

    /// Compare lines byte for byte, instead of what they say
    #[arg(long)]
    pub(crate) bytes: bool,

    /// How both commands write.
    #[command(flatten)]
    pub(crate) shared: SnapshotArgs,
}

/// What `merge` and `diff` have in common.
#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    /// Folder to write, which must be empty or new
    #[arg(short, long, value_name = "OUT")]
    pub(crate) output: PathBuf,

    /// Write into a folder that is not empty, and replace the files of an earlier export
    #[arg(long)]
    pub(crate) force: bool,

    /// Version of FHIR that the data is in
    #[arg(long, value_name = "VERSION", value_enum, default_value_t = Version::R4)]
    pub(crate) fhir_version: Version,

    /// The data's own server: deletions of absolute URLs under this one are understood
    #[arg(long, value_name = "URL")]
    pub(crate) fhir_base: Option<String>,

    /// What is done with lines that are not FHIR: skip them, or stop at the first and write nothing
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = OnBadArg::Skip, help_heading = "Checks")]
    pub(crate) on_bad: OnBadArg,

    /// Longest line; a longer one is bad. At most 1GiB
    #[arg(long, value_name = "SIZE", value_parser = max_line, default_value = "64MiB", help_heading = "Checks")]
    pub(crate) max_line: usize,

    /// How files are written.
    #[command(flatten)]
    pub(crate) files: FilesArgs,

    /// Threads to work with [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Run")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Most memory to plan for: a quarter sorts ids, and what does not fit is sorted inside OUT; threads share the rest,
    /// and are fewer if need be [default: 1GiB, and no limit on threads]
    #[arg(long, value_name = "SIZE", value_parser = size::parse, help_heading = "Run")]
    pub(crate) memory: Option<u64>,

    /// Summary at the end: text on standard error, or JSON on standard output
    #[arg(long, value_name = "HOW", value_enum, default_value_t = ReportArg::Text, help_heading = "Run")]
    pub(crate) report: ReportArg,
}

/// `verify`.
#[derive(Debug, Args)]
#[command(after_help = VERIFY_HELP)]
pub(crate) struct VerifyArgs {
    /// The folder of an export
    #[arg(value_name = "OUT", value_hint = clap::ValueHint::DirPath)]
    pub(crate) output: PathBuf,

    /// Its manifest [default: OUT/manifest.json]
    #[arg(long, value_name = "FILE")]
    pub(crate) manifest: Option<PathBuf>,

    /// Look for references to resources that are not in the export, too
    #[arg(long)]
    pub(crate) references: bool,

    /// Version of FHIR that the data is in
    #[arg(long, value_name = "VERSION", value_enum, default_value_t = Version::R4)]
    pub(crate) fhir_version: Version,

    /// Longest line; a longer one is wrong. At most 1GiB
    #[arg(long, value_name = "SIZE", value_parser = max_line, default_value = "64MiB")]
    pub(crate) max_line: usize,

    /// Threads to work with [default: one for each processor]
    #[arg(long, value_name = "N", help_heading = "Run")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Most memory to plan for: at least half sorts ids, and what does not fit is sorted in the system's folder for
    /// temporary files [default: 1GiB, and no limit on threads]
    #[arg(long, value_name = "SIZE", value_parser = size::parse, help_heading = "Run")]
    pub(crate) memory: Option<u64>,

    /// How to print it: for people, or as JSON for programs
    #[arg(long, value_name = "HOW", value_enum, default_value_t = ReportArg::Text, help_heading = "Run")]
    pub(crate) report: ReportArg,
}

/// `manifest`.
#[derive(Debug, Args)]
pub(crate) struct ManifestArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ManifestCommand,
}

/// What can be done with a manifest.
#[derive(Debug, Subcommand)]
pub(crate) enum ManifestCommand {
    /// Hold a manifest against the rules of the Bulk Data guide
    Check(ManifestCheckArgs),
}

/// `manifest check`.
#[derive(Debug, Args)]
#[command(after_help = MANIFEST_CHECK_HELP)]
pub(crate) struct ManifestCheckArgs {
    /// A file or URL; - for standard input
    #[arg(value_name = "FILE|URL", value_hint = clap::ValueHint::AnyPath)]
    pub(crate) manifest: OsString,

    /// Generation of the guide whose rules hold, as in 3 for STU3 [default: the one that fits best]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(1..=4))]
    pub(crate) ig: Option<u8>,

    /// The manifest lies beside its files: URLs relative to it are right
    #[arg(long)]
    pub(crate) stored: bool,

    /// Who asks, where it is behind a URL; tokens need --token-url there.
    #[command(flatten)]
    pub(crate) login: LoginArgs,

    /// How to print it: for people, or as JSON for programs
    #[arg(long, value_name = "HOW", value_enum, default_value_t = ReportArg::Text, help_heading = "Output")]
    pub(crate) report: ReportArg,
}

/// `synth`.
#[derive(Debug, Args)]
#[command(after_help = SYNTH_HELP)]
pub(crate) struct SynthArgs {
    /// How many patients
    #[arg(long, value_name = "N")]
    pub(crate) patients: NonZeroU64,

    /// Another seed gives other patients
    #[arg(long, value_name = "S", default_value_t = 1)]
    pub(crate) seed: u64,

    /// Folder to write, which must be empty or new
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: PathBuf,

    /// Lines as one well-behaved server writes them, instead of every spelling that FHIR and JSON allow
    #[arg(long)]
    pub(crate) regular: bool,

    /// Write into a folder that is not empty, and replace files of the same names
    #[arg(long)]
    pub(crate) force: bool,
}

/// `completions`.
#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    #[arg(value_name = "SHELL", value_enum)]
    pub(crate) shell: clap_complete::Shell,
}

/// `man`.
#[derive(Debug, Args)]
pub(crate) struct ManArgs {
    /// Command whose page is printed; without it, the page of fhirehose itself
    #[arg(value_name = "COMMAND")]
    pub(crate) command: Option<String>,
}

// The values have plain comments: documented ones would each take a line of the help.

/// A version of FHIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Version {
    // R4, with the search parameters of US Core
    #[value(name = "4.0", alias = "4.0.1", alias = "R4", alias = "r4")]
    R4,
    // R4B
    #[value(name = "4.3", alias = "4.3.0", alias = "R4B", alias = "r4b")]
    R4B,
    // R5
    #[value(name = "5.0", alias = "5.0.0", alias = "R5", alias = "r5")]
    R5,
}

/// A profile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProfileArg {
    // The Bulk Data guide
    Ig,
    // Oracle's Bulk Export
    Oracle,
}

/// What is done with a bad line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnBadArg {
    // Leave it out, count and locate it
    Skip,
    // End at the first; nothing is written
    Stop,
}

/// How files are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum CompressArg {
    // Not at all
    None,
    // One gzip member a file
    Gzip,
    // Zstandard frames
    Zstd,
}

/// A generation of the Bulk Data guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum IgArg {
    // STU2
    #[value(name = "2")]
    Two,
    // STU3
    #[value(name = "3")]
    Three,
    // STU4
    #[value(name = "4")]
    Four,
}

/// How facts are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ReportArg {
    // For people
    Text,
    // For programs
    Json,
}

pub(crate) fn max_line(text: &str) -> Result<usize, String> {
    let most = fhirehose_core::frame::MAX_MAX_LINE;
    let size = size::parse(text)?;
    match usize::try_from(size) {
        Ok(size) if size <= most => Ok(size),
        _ => Err("expected at most 1GiB".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_defined() {
        super::Cli::command().debug_assert();
    }
}
