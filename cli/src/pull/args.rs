//! The flags of `fhirehose pull`.

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::args::{FilesArgs, RegistryArgs, ReportArg};
use crate::size;

const HELP: &str = "\
Examples:
  Everything of a group, from an open server:
    fhirehose pull https://server/fhir --group ten-patients -o out

  Laboratory results since 2020, with SMART Backend Services; what the server should not have sent
  never reaches the disk:
    fhirehose pull https://server/fhir --type Observation -o out \\
        --type-filter 'Observation?category=laboratory&date=ge2020' --client-id app --key key.jwk

  Oracle, with a system account:
    fhirehose pull https://fhir-ehr.cerner.com/r4/TENANT --group ID --type Patient,Condition -o out \\
        --basic ACCOUNT:secret.txt --token-url https://authorization.cerner.com/tenants/TENANT/…/token

  After a crash, a closed laptop, another day:
    fhirehose pull --resume out

OUT holds nothing but complete, checked files, or none: until all of it is there it lies in a hidden folder,
with a journal that --resume goes on from. Tokens go to the server's own origin only.

Exit codes: 0 done, 1 done but some records were bad, 2 usage, 3 server, network or disk (--resume goes on),
130 interrupted (--resume goes on).";

/// `pull`.
#[derive(Debug, Args)]
#[command(after_help = HELP, args_override_self = true)]
pub(crate) struct PullArgs {
    /// FHIR base of the server
    #[arg(value_name = "URL", required_unless_present_any = ["resume", "status", "cancel", "job"])]
    pub(crate) url: Option<String>,

    /// Folder to write, which must be empty or new
    #[arg(short, long, value_name = "OUT", required_unless_present_any = ["resume", "status", "cancel"])]
    pub(crate) output: Option<PathBuf>,

    /// Go on with what was begun in OUT; all else is remembered
    #[arg(long, value_name = "OUT", conflicts_with_all = ["url", "output", "status", "cancel", "job"])]
    pub(crate) resume: Option<PathBuf>,

    /// Say how far what was begun in OUT is
    #[arg(long, value_name = "OUT", conflicts_with_all = ["url", "output", "cancel", "job"])]
    pub(crate) status: Option<PathBuf>,

    /// End what was begun in OUT, and delete the job at the server
    #[arg(long, value_name = "OUT", conflicts_with_all = ["url", "output", "job"])]
    pub(crate) cancel: Option<PathBuf>,

    /// Fetch a job that was kicked off elsewhere, by the URL of its status
    #[arg(long, value_name = "URL")]
    pub(crate) job: Option<String>,

    /// What the server is asked for.
    #[command(flatten)]
    pub(crate) request: AskedArgs,

    /// Who asks.
    #[command(flatten)]
    pub(crate) login: LoginArgs,

    /// How it is fetched.
    #[command(flatten)]
    pub(crate) fetch: FetchArgs,

    /// How files are written.
    #[command(flatten)]
    pub(crate) files: FilesArgs,

    /// Summary at the end: text on standard error, or JSON on standard output
    #[arg(long, value_name = "HOW", value_enum, default_value_t = ReportArg::Text, help_heading = "Run")]
    pub(crate) report: ReportArg,

    /// Tell every request and answer on standard error; never what is in them
    #[arg(long, short, help_heading = "Run")]
    pub(crate) verbose: bool,
}

/// What the server is asked for.
#[derive(Debug, Args)]
#[command(next_help_heading = "Request")]
pub(crate) struct AskedArgs {
    /// Everything that the server has, instead of its patients' records
    #[arg(long, conflicts_with_all = ["group", "patient", "patients"])]
    pub(crate) system: bool,

    /// Only the members of this Group
    #[arg(long, value_name = "ID")]
    pub(crate) group: Option<String>,

    /// Only this patient's records: an id or Patient/id (repeatable, or with commas)
    #[arg(long, value_name = "ID")]
    pub(crate) patient: Vec<String>,

    /// The same with a file of ids or references, one a line; - for standard input
    #[arg(long, value_name = "FILE")]
    pub(crate) patients: Option<PathBuf>,

    /// Resource types
    #[arg(long = "type", value_name = "T,…")]
    pub(crate) types: Vec<String>,

    /// Of a type only what a search finds, as in 'Observation?date=ge2020'; filters of one type are joined by or
    #[arg(long = "type-filter", value_name = "TYPE?QUERY")]
    pub(crate) type_filters: Vec<String>,

    /// Only resources changed after this instant
    #[arg(long, value_name = "INSTANT")]
    pub(crate) since: Option<String>,

    /// Only resources changed before this instant
    #[arg(long, value_name = "INSTANT")]
    pub(crate) until: Option<String>,

    /// Root elements to keep, as in 'id,Patient.name'; mandatory ones stay
    #[arg(long, value_name = "E,…")]
    pub(crate) elements: Vec<String>,

    /// Provenance of what is exported: LatestProvenanceResources or RelevantProvenanceResources
    #[arg(long, value_name = "V,…")]
    pub(crate) include_associated_data: Vec<String>,

    /// Put what belongs to each patient together, in blocks with a header; TYPE is Patient. Done here, not by the server
    #[arg(long, value_name = "TYPE")]
    pub(crate) organize_by: Option<String>,

    /// Ask by GET, or by POST with a Parameters resource [default: get; post for patients and --ig 4]
    #[arg(long, value_name = "HOW", value_enum)]
    pub(crate) method: Option<MethodArg>,

    /// Let the server leave out parameters that it does not know (Prefer: handling=lenient)
    #[arg(long)]
    pub(crate) lenient: bool,

    /// Fetch files while the job runs, where the server can (allowPartialManifests)
    #[arg(long)]
    pub(crate) partial: bool,

    /// A further parameter of the kick-off (repeatable)
    #[arg(long = "parameter", value_name = "NAME=VALUE")]
    pub(crate) parameters: Vec<String>,

    /// Hold what comes against the request: auto does for all but --since, which a server may pass by for what belongs to
    /// younger records; always for that, too, and for each line even where nothing was asked for; never takes it as it comes
    #[arg(long, value_name = "WHEN", value_enum, default_value_t = EnforceArg::Auto)]
    pub(crate) enforce: EnforceArg,

    /// What is done with lines that are not FHIR, where lines are held against the request
    #[arg(long, value_name = "WHAT", value_enum, default_value_t = crate::args::OnBadArg::Skip)]
    pub(crate) on_bad: crate::args::OnBadArg,

    /// Absolute references under this URL equal relative ones [default: the server's URL]
    #[arg(long, value_name = "URL")]
    pub(crate) fhir_base: Option<String>,

    /// Code lists for :in and :not-in: ValueSet resources with their codes (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) value_sets: Vec<PathBuf>,

    /// What the search parameters are taken from.
    #[command(flatten)]
    pub(crate) registry: RegistryArgs,
}

/// Who asks.
#[derive(Debug, Args)]
#[command(next_help_heading = "Authorization")]
pub(crate) struct LoginArgs {
    /// Client of SMART Backend Services; needs --key
    #[arg(long, value_name = "ID", requires = "key")]
    pub(crate) client_id: Option<String>,

    /// Its private key: JWK, a set of them, or PEM (PKCS #8)
    #[arg(long, value_name = "FILE", requires = "client_id")]
    pub(crate) key: Option<PathBuf>,

    /// Under which id (kid) the server knows the key [default: the JWK's own]
    #[arg(long, value_name = "ID", requires = "key")]
    pub(crate) key_id: Option<String>,

    /// An account and a file with its secret, for the token endpoint
    #[arg(long, value_name = "USER:FILE", conflicts_with_all = ["client_id", "bearer_file"])]
    pub(crate) basic: Option<String>,

    /// A file with a token that somebody else renews; it is read anew whenever a token is needed
    #[arg(long, value_name = "FILE", conflicts_with = "client_id")]
    pub(crate) bearer_file: Option<PathBuf>,

    /// Token endpoint [default: what the server says]
    #[arg(long, value_name = "URL")]
    pub(crate) token_url: Option<String>,

    /// Scopes to ask for [default: system/T.read of each type asked for, or system/*.read]
    #[arg(long, value_name = "SCOPES")]
    pub(crate) scope: Option<String>,

    /// Another origin that may have the token: the files' host, where it is not the server's (repeatable)
    #[arg(long, value_name = "URL")]
    pub(crate) token_origin: Vec<String>,

    /// Send the token across redirects too, as far as they stay within origins that may have it
    #[arg(long)]
    pub(crate) token_across_redirects: bool,

    /// Send tokens and secrets over http to other machines
    #[arg(long)]
    pub(crate) insecure_http: bool,
}

/// How it is fetched.
#[derive(Debug, Args)]
#[command(next_help_heading = "Run")]
pub(crate) struct FetchArgs {
    /// Most downloads at once; fewer are made where the server does not like so many
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) parallel: NonZeroUsize,

    /// When to give up, from now, as in 12h
    #[arg(long, value_name = "TIME")]
    pub(crate) timeout: Option<String>,

    /// Longest silence of a connection; a file that brings next to nothing for ten times as long counts as silent
    #[arg(long, value_name = "TIME", default_value = "60s")]
    pub(crate) stall: String,

    /// Longest wait between two questions for the job's state, whatever the server says
    #[arg(long, value_name = "TIME", default_value = "15m")]
    pub(crate) longest_wait: String,

    /// Attempts at one thing that bring nothing
    #[arg(long, value_name = "N", default_value = "8")]
    pub(crate) attempts: u32,

    /// Do not delete the job at the server when all of it is safe
    #[arg(long)]
    pub(crate) keep_job: bool,

    /// Only kick off; --resume fetches
    #[arg(long, conflicts_with = "resume")]
    pub(crate) detach: bool,

    /// Do not hold the numbers of lines against the manifest
    #[arg(long)]
    pub(crate) ignore_counts: bool,

    /// Do not write SHA256SUMS
    #[arg(long)]
    pub(crate) no_checksums: bool,

    /// Believe these authorities (PEM) besides the system's (repeatable)
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Vec<PathBuf>,

    /// Threads and memory of the pass that --max-bytes, --max-resources and --organize-by need at the end
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<NonZeroUsize>,

    /// Most memory for that pass
    #[arg(long, value_name = "SIZE", value_parser = size::parse)]
    pub(crate) memory: Option<u64>,

    /// Longest line; a longer one is bad. At most 1GiB
    #[arg(long, value_name = "SIZE", value_parser = crate::args::max_line, default_value = "64MiB")]
    pub(crate) max_line: usize,
}

/// How a kick-off is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum MethodArg {
    // Parameters in the URL
    Get,
    // A Parameters resource
    Post,
}

/// Whether what comes is held against the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum EnforceArg {
    // Where something was asked for
    Auto,
    // Every line
    Always,
    // Not at all
    Never,
}
