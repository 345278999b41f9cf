//! What was asked for, on standard output.

use std::io::{ErrorKind, Write};

use crate::exit::Exit;
use crate::messages;

/// Writes what was asked for. A reader that has gone has read enough.
pub(crate) fn print(text: &[u8]) -> Exit {
    let mut out = std::io::stdout().lock();
    match out.write_all(text).and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            messages::error(format_args!("cannot write standard output: {error}"));
            Exit::Io
        }
        _ => Exit::Done,
    }
}
