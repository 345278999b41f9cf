//! What `serve` and `client` can be told: each option by a flag, by the environment, or by the configuration file.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};

const SERVE_HELP: &str = "\
Examples:
  Try it out on this machine, without authorization:
    fhirehose serve --data data/ --open

  For others, with SMART Backend Services and TLS:
    fhirehose client add research --jwks research.jwks.json --scope 'system/*.read'
    fhirehose serve --data /srv/fhir --state /var/lib/fhirehose --listen 0.0.0.0:443 \\
        --tls-cert cert.pem --tls-key key.pem --public-url https://ehr.example.org/fhir

Every option can stand in the file of --config too (TOML, the names without dashes before
them), and in the environment as FHIREHOSE_SERVE_ and its name. A flag goes before the
environment, and that before the file. --print-config shows what came of it.

Exit codes: 0 stopped by a signal, 2 usage, 3 input or output.";

const CLIENT_HELP: &str = "\
Examples:
  fhirehose client add research --jwks research.jwks.json --scope 'system/*.read'
  fhirehose client add lab --jwks https://lab.example.org/jwks.json \\
      --scope 'system/Patient.rs system/Observation.rs?category=laboratory'
  fhirehose client list
  fhirehose client remove research

A running server knows of a change at once.";

/// `serve`.
#[derive(Debug, Args)]
#[command(after_help = SERVE_HELP)]
pub(crate) struct ServeArgs {
    /// Read options from this TOML file
    #[arg(long, value_name = "FILE", env = "FHIREHOSE_SERVE_CONFIG", hide_env = true)]
    pub(crate) config: Option<PathBuf>,

    /// Print the options that come of flags, environment and file, and end
    #[arg(long)]
    pub(crate) print_config: bool,

    /// The options.
    #[command(flatten)]
    pub(crate) options: Options,
}

/// Everything that can be told in each of the three ways.
#[derive(Clone, Debug, Default, Args, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Options {
    /// The folder of NDJSON to serve, in any compression; read anew when it changes
    #[arg(long, value_name = "DIR", env = "FHIREHOSE_SERVE_DATA", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) data: Option<PathBuf>,

    /// The folder for jobs, clients and secrets; made if it is not there [default: fhirehose-state]
    #[arg(long, value_name = "DIR", env = "FHIREHOSE_SERVE_STATE", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) state: Option<PathBuf>,

    /// The folder for the files of jobs [default: jobs in the state folder]
    #[arg(long, value_name = "DIR", env = "FHIREHOSE_SERVE_STORE", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) store: Option<PathBuf>,

    /// Address and port; port 0 takes one that is free [default: 127.0.0.1:8088]
    #[arg(long, value_name = "ADDRESS", env = "FHIREHOSE_SERVE_LISTEN", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) listen: Option<SocketAddr>,

    /// Path of the FHIR base [default: /fhir]
    #[arg(long, value_name = "PATH", env = "FHIREHOSE_SERVE_BASE_PATH", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base_path: Option<String>,

    /// The FHIR base as clients see it, where a proxy stands before the server
    #[arg(long, value_name = "URL", env = "FHIREHOSE_SERVE_PUBLIC_URL", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) public_url: Option<String>,

    /// What to be: a server by HL7's guide, or by Oracle's Bulk Export [default: ig]
    #[arg(long, value_name = "NAME", env = "FHIREHOSE_SERVE_PROFILE", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) profile: Option<ServeProfile>,

    /// Generation of the guide: 3 (and what came before), or the ballot of 4 [default: 3]
    #[arg(long, value_name = "N", env = "FHIREHOSE_SERVE_IG", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ig: Option<ServeIg>,

    /// No authorization: everybody on this machine may have everything
    #[arg(long, env = "FHIREHOSE_SERVE_OPEN", hide_env = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) open: Option<bool>,

    /// Pages of this origin may ask the FHIR routes in browsers, as in `https://app.example.org`; `*`: of every one (repeatable)
    #[arg(
        long = "browser-origin",
        value_name = "ORIGIN",
        env = "FHIREHOSE_SERVE_BROWSER_ORIGIN",
        hide_env = true,
        value_delimiter = ','
    )]
    #[serde(rename = "browser-origin", skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) browser_origins: Vec<String>,

    /// The folder of a built demo page, served at /browser [default: the one in this program, if any]
    #[arg(long, value_name = "DIR", env = "FHIREHOSE_SERVE_BROWSER_PAGE", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) browser_page: Option<PathBuf>,

    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", env = "FHIREHOSE_SERVE_TLS_CERT", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_cert: Option<PathBuf>,

    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", env = "FHIREHOSE_SERVE_TLS_KEY", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) tls_key: Option<PathBuf>,

    /// Plain HTTP beyond this machine, because a proxy does TLS
    #[arg(long, env = "FHIREHOSE_SERVE_INSECURE", hide_env = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) insecure: Option<bool>,

    /// How long results are kept, as in 24h or 30d [default: by the profile]
    #[arg(long, value_name = "TIME", env = "FHIREHOSE_SERVE_EXPIRES", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expires: Option<String>,

    /// Jobs that run at the same time [default: 2]
    #[arg(long, value_name = "N", env = "FHIREHOSE_SERVE_MAX_JOBS", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_jobs: Option<std::num::NonZeroUsize>,

    /// Jobs that may wait for their turn [default: 100]
    #[arg(long, value_name = "N", env = "FHIREHOSE_SERVE_MAX_QUEUED", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_queued: Option<u32>,

    /// Threads of each job [default: as many as processors]
    #[arg(long, value_name = "N", env = "FHIREHOSE_SERVE_THREADS", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,

    /// How files are stored; those who do not take gzip get them inflated [default: gzip]
    #[arg(long, value_name = "HOW", env = "FHIREHOSE_SERVE_COMPRESS", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) compress: Option<ServeCompress>,

    /// Most resources in a file
    #[arg(long, value_name = "N", env = "FHIREHOSE_SERVE_MAX_RESOURCES", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_resources: Option<std::num::NonZeroU64>,

    /// Most bytes in a file, before compression, as in 500MB [default: no limit, and what the profile says]
    #[arg(long, value_name = "SIZE", env = "FHIREHOSE_SERVE_MAX_BYTES", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_bytes: Option<String>,

    /// Most files of a page of a manifest [default: 10000]
    #[arg(long, value_name = "N", env = "FHIREHOSE_SERVE_PAGE", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) page: Option<std::num::NonZeroUsize>,

    /// The same where a client takes pages while the job runs (allowPartialManifests) [default: 10]
    #[arg(long, value_name = "N", env = "FHIREHOSE_SERVE_PARTIAL_PAGE", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) partial_page: Option<std::num::NonZeroUsize>,

    /// Take kick-offs without Accept and without Prefer: respond-async
    #[arg(long, env = "FHIREHOSE_SERVE_ASSUME_ASYNC", hide_env = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) assume_async: Option<bool>,

    /// Do not read the data anew when they change; POST /admin/reload does
    #[arg(long, env = "FHIREHOSE_SERVE_NO_WATCH", hide_env = true, num_args = 0..=1, require_equals = true, default_missing_value = "true", value_name = "BOOL")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) no_watch: Option<bool>,

    /// FHIR base of absolute references in the data, if it is not the server's own
    #[arg(long, value_name = "URL", env = "FHIREHOSE_SERVE_FHIR_BASE", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fhir_base: Option<String>,

    /// Version of FHIR that the data is in [default: 4.0]
    #[arg(long, value_name = "VERSION", env = "FHIREHOSE_SERVE_FHIR_VERSION", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fhir_version: Option<ServeVersion>,

    /// SearchParameter resources of your own (repeatable)
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) search_parameters: Vec<PathBuf>,

    /// ValueSet resources for :in and :not-in (repeatable)
    #[arg(long, value_name = "FILE")]
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub(crate) value_sets: Vec<PathBuf>,

    /// How the log is written to standard error [default: text]
    #[arg(long, value_name = "HOW", env = "FHIREHOSE_SERVE_LOG", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log: Option<LogFormat>,

    /// What the log tells [default: warn]
    #[arg(long, value_name = "LEVEL", env = "FHIREHOSE_SERVE_LOG_LEVEL", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) log_level: Option<LogLevel>,

    /// How long running requests and jobs may take to end when the server is stopped [default: 10s]
    #[arg(long, value_name = "TIME", env = "FHIREHOSE_SERVE_GRACE", hide_env = true)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) grace: Option<String>,
}

/// A profile of the server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ServeProfile {
    // HL7's Bulk Data guide
    Ig,
    // Oracle's Bulk Export
    Oracle,
}

/// A generation of the guide.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum ServeIg {
    // STU1 to STU3
    #[value(name = "3", alias = "1", alias = "2")]
    #[serde(rename = "3", alias = "1", alias = "2")]
    Three,
    // STU4 (ballot)
    #[value(name = "4")]
    #[serde(rename = "4")]
    Four,
}

/// How files are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ServeCompress {
    // Not compressed
    None,
    // One gzip member a file
    Gzip,
}

/// A version of FHIR.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
pub(crate) enum ServeVersion {
    // R4, with the search parameters of US Core
    #[value(name = "4.0", alias = "4.0.1", alias = "R4", alias = "r4")]
    #[serde(rename = "4.0", alias = "4.0.1", alias = "R4")]
    R4,
    // R4B
    #[value(name = "4.3", alias = "4.3.0", alias = "R4B", alias = "r4b")]
    #[serde(rename = "4.3", alias = "4.3.0", alias = "R4B")]
    R4B,
    // R5
    #[value(name = "5.0", alias = "5.0.0", alias = "R5", alias = "r5")]
    #[serde(rename = "5.0", alias = "5.0.0", alias = "R5")]
    R5,
}

/// How the log is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    // For people
    Text,
    // One JSON object a line
    Json,
}

/// What the log tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogLevel {
    // What went wrong
    Error,
    // And what may be wrong
    Warn,
    // And every request
    Info,
    // And more
    Debug,
}

/// `client`.
#[derive(Debug, Args)]
#[command(after_help = CLIENT_HELP)]
pub(crate) struct ClientArgs {
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: ClientCommand,
}

/// Where the clients are kept.
#[derive(Debug, Args)]
pub(crate) struct StateArgs {
    /// The server's state folder; made if it is not there
    #[arg(
        long,
        value_name = "DIR",
        env = "FHIREHOSE_SERVE_STATE",
        hide_env = true,
        default_value = "fhirehose-state"
    )]
    pub(crate) state: PathBuf,
}

/// What can be done with clients.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientCommand {
    /// Add a client that may ask for tokens
    Add(Box<ClientAddArgs>),
    /// List the clients
    List(StateArgs),
    /// Remove a client; its tokens are void at once
    Remove(ClientRemoveArgs),
}

/// `client add`.
#[derive(Debug, Args)]
pub(crate) struct ClientAddArgs {
    /// What people call it
    #[arg(value_name = "NAME")]
    pub(crate) name: String,

    /// Its public keys: a JWKS file, or the URL of one
    #[arg(long, value_name = "FILE|URL", required_unless_present = "secret")]
    pub(crate) jwks: Option<String>,

    /// For Oracle's Basic authentication: make a secret, and print it once
    #[arg(long, conflicts_with = "jwks")]
    pub(crate) secret: bool,

    /// What it may have: SMART scopes, separated by blanks
    #[arg(long, value_name = "SCOPES")]
    pub(crate) scope: String,

    /// Its id; without it one is made
    #[arg(long, value_name = "ID")]
    pub(crate) id: Option<String>,

    /// Version of FHIR that the data is in
    #[arg(long, value_name = "VERSION", value_enum, default_value_t = ServeVersion::R4)]
    pub(crate) fhir_version: ServeVersion,

    /// The state.
    #[command(flatten)]
    pub(crate) state: StateArgs,
}

/// `client remove`.
#[derive(Debug, Args)]
pub(crate) struct ClientRemoveArgs {
    /// Its id or name
    #[arg(value_name = "ID|NAME")]
    pub(crate) client: String,

    /// The state.
    #[command(flatten)]
    pub(crate) state: StateArgs,
}
