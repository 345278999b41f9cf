//! Where the server's words go: the log to standard error, and who exported what to a file of its own.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::sync::Mutex;

use tracing::Level;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Layer as _, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{Registry, fmt};

use super::args::{LogFormat, LogLevel};

/// What is told of exports: ids of jobs and clients, counts; nothing of records.
const AUDIT: &str = "audit";

/// Begins to write the log, and the audit log into the state folder.
///
/// # Errors
/// The file of the audit log cannot be written.
pub(super) fn begin(format: LogFormat, level: LogLevel, state: &Path) -> io::Result<()> {
    let audit = open(&state.join("audit.log"))?;
    let audit = fmt::layer()
        .json()
        .flatten_event(true)
        .with_target(false)
        .with_current_span(false)
        .with_span_list(false)
        .with_writer(Mutex::new(audit))
        .with_filter(Targets::new().with_target(AUDIT, Level::INFO));
    let level = match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
    };
    // Of libraries only what went wrong: in their details they may quote what they were given.
    let told = Targets::new()
        .with_default(LevelFilter::WARN.min(level))
        .with_target("fhirehose_server", level)
        .with_target(AUDIT, LevelFilter::OFF);
    let log = fmt::layer().with_writer(io::stderr).with_target(false);
    let log = match format {
        LogFormat::Text => log.with_filter(told).boxed(),
        LogFormat::Json => log.json().flatten_event(true).with_filter(told).boxed(),
    };
    // A second server in one process keeps the log of the first.
    let _ = Registry::default().with(log).with(audit).try_init();
    Ok(())
}

/// For the server's owner only.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.create(true).append(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
