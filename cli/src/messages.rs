//! What people are told, on standard error: problems, errors, and nothing of a record.

use std::fmt::Display;
use std::io::{IsTerminal, Write};
use std::sync::Once;

use fhirehose_core::problem::Problems;

use crate::exit::Exit;

/// Writes to standard error. If nobody listens there, there is nobody to tell.
pub(crate) fn note(text: impl Display) {
    let _ = writeln!(std::io::stderr().lock(), "{text}");
}

/// Tells an error: `error: …`, the word in colour on a terminal unless `NO_COLOR` is set.
pub(crate) fn error(text: impl Display) {
    if has_colour() {
        note(format_args!("\x1b[1;31merror:\x1b[0m {text}"));
    } else {
        note(format_args!("error: {text}"));
    }
}

/// Tells that somebody asked to stop; once, though both the signal's thread and the job may come to say it.
pub(crate) fn interrupted() {
    static TOLD: Once = Once::new();
    TOLD.call_once(|| note("interrupted"));
}

fn has_colour() -> bool {
    let is_off = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !is_off && std::io::stderr().is_terminal()
}

/// Keeps the payload of a panic to itself: it could quote a record.
pub(crate) fn quiet_panics() {
    std::panic::set_hook(Box::new(|info| match info.location() {
        Some(place) => error(format_args!(
            "a fault in this program at {}:{}; please report it",
            place.file(),
            place.line()
        )),
        None => error("a fault in this program; please report it"),
    }));
}

/// All that keeps a command from starting.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    told: Vec<(Exit, String)>,
}

impl Faults {
    /// What was asked for makes no sense.
    pub(crate) fn usage(&mut self, text: impl Display) {
        self.told.push((Exit::Usage, text.to_string()));
    }

    /// The system says no.
    pub(crate) fn io(&mut self, text: impl Display) {
        self.told.push((Exit::Io, text.to_string()));
    }

    /// Problems of the request; `source` is the file they stand in, if it was one.
    pub(crate) fn problems(&mut self, source: Option<&dyn Display>, problems: Problems) {
        for problem in problems.0 {
            match source {
                Some(source) => self.usage(format_args!("{source}: {problem}")),
                None => self.usage(problem),
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.told.is_empty()
    }

    /// Tells all of them. One that the user can mend in the command line decides the exit code.
    pub(crate) fn tell(self) -> Exit {
        for (_, text) in &self.told {
            error(text);
        }
        if self.told.len() > 1 {
            note(format_args!("{} problems; nothing was written", self.told.len()));
        }
        let is_usage = self.told.iter().any(|(exit, _)| *exit == Exit::Usage);
        if is_usage { Exit::Usage } else { Exit::Io }
    }
}
