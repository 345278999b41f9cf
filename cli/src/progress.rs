//! How far an export is: a line on standard error, on a terminal only.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::Duration;

use fhirehose_native::job::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::summary::{counted, grouped};

const KNOWN: &str =
    "{bar:20} {percent:>3}%  {decimal_bytes} of {decimal_total_bytes}  {decimal_bytes_per_sec}  {msg}  {eta} left";
const UNKNOWN: &str = "{spinner} {decimal_bytes}  {decimal_bytes_per_sec}  {msg}";
const EVERY: Duration = Duration::from_millis(100);

/// The line. It is gone when this is dropped.
pub(crate) struct Display {
    bar: ProgressBar,
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Display {
    /// Shows `progress` until the end. `total` is the bytes there are to read, if that is known.
    pub(crate) fn start(progress: Arc<Progress>, total: Option<u64>) -> Display {
        Self::show(progress, total, |progress| {
            let kept = grouped(progress.kept.load(Ordering::Relaxed));
            let lines = grouped(progress.lines.load(Ordering::Relaxed));
            format!("{kept} of {lines} kept")
        })
    }

    /// The same where nothing is kept.
    pub(crate) fn reading(progress: Arc<Progress>) -> Display {
        Self::show(progress, None, |progress| {
            counted(progress.lines.load(Ordering::Relaxed), "line")
        })
    }

    fn show(progress: Arc<Progress>, total: Option<u64>, message: fn(&Progress) -> String) -> Display {
        let template = if total.is_some() { KNOWN } else { UNKNOWN };
        Self::drawn(template, total, move |bar| {
            bar.set_message(message(&progress));
            bar.set_position(progress.read.load(Ordering::Relaxed));
        })
    }

    /// A line of another shape, which `draw` brings up to date ten times a second.
    pub(crate) fn drawn(
        template: &str,
        total: Option<u64>,
        mut draw: impl FnMut(&ProgressBar) + Send + 'static,
    ) -> Display {
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        let (stop, stopped) = mpsc::channel();
        let shown = bar.clone();
        let thread = std::thread::Builder::new().name("progress".to_owned()).spawn(move || {
            while stopped.recv_timeout(EVERY) == Err(RecvTimeoutError::Timeout) {
                draw(&shown);
            }
        });
        Display {
            bar,
            stop: Some(stop),
            // Where the system has no thread for it nothing is shown.
            thread: thread.ok(),
        }
    }

    /// The line itself, for a thread that must clear it before the process ends.
    pub(crate) fn bar(&self) -> ProgressBar {
        self.bar.clone()
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A thread that only draws cannot have failed in a way that matters.
            let _ = thread.join();
        }
        self.bar.finish_and_clear();
    }
}
