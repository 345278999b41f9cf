//! Being asked to stop: SIGINT and SIGTERM, or Ctrl-C where there are no signals.
//!
//! SIGHUP is left alone. `nohup` has it ignored, and a handler of ours would undo that: a long export would end with the
//! terminal that started it. (The crate `ctrlc` takes all three or SIGINT alone, so on Unix it is not used.)

use std::io;

/// A file over the limit that the system sets shall be an error of the write, not the end of the process, which would
/// leave without a word.
#[cfg(unix)]
pub(crate) fn survive_limits() {
    // Without it a run ends as it would have.
    let _ = signal_hook::flag::register(signal_hook::consts::signal::SIGXFSZ, Default::default());
}

/// There is no such signal.
#[cfg(not(unix))]
pub(crate) fn survive_limits() {}

/// Calls `stop` at each such signal, on a thread of its own, from now on.
///
/// # Errors
/// The system does not let us listen.
#[cfg(unix)]
pub(crate) fn on_stop(stop: impl Fn() + Send + 'static) -> io::Result<()> {
    use signal_hook::consts::{SIGINT, SIGTERM};
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])?;
    let listen = move || signals.forever().for_each(|_| stop());
    std::thread::Builder::new()
        .name("signals".to_owned())
        // It does little, and is to be had where memory for others is short.
        .stack_size(512 << 10)
        .spawn(listen)
        .map(drop)
}

/// Calls `stop` at each Ctrl-C, on a thread of its own, from now on.
///
/// # Errors
/// The system does not let us listen.
#[cfg(not(unix))]
pub(crate) fn on_stop(stop: impl Fn() + Send + 'static) -> io::Result<()> {
    ctrlc::set_handler(stop).map_err(io::Error::other)
}
