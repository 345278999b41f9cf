//! How the process ends: the one list of exit codes.

use std::process::ExitCode;

/// An exit code, by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Exit {
    /// All was done.
    Done = 0,
    /// Done, but some records were bad; or stopped at a bad one, as asked.
    BadRecords = 1,
    /// The command line or the request makes no sense.
    Usage = 2,
    /// A file, folder or stream could not be read or written. A fault in this program ends so too.
    Io = 3,
    /// Somebody asked to stop.
    Interrupted = 130,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(exit as u8)
    }
}

/// Ends the process from the thread of a signal, where no value can be returned to `main`.
#[expect(
    clippy::disallowed_methods,
    reason = "the main thread may stand in a read that never returns; what was unfinished has been removed before"
)]
pub(crate) fn now(exit: Exit) -> ! {
    std::process::exit(i32::from(exit as u8))
}
