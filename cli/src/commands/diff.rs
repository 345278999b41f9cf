//! `fhirehose diff`: two exports become a delta.

use fhirehose_native::diff;
use fhirehose_native::snapshot::argument;

use crate::args::DiffArgs;
use crate::commands::snapshot::{self, Command};
use crate::exit::Exit;
use crate::snapshot_summary;

/// Compares.
pub(super) fn run(args: &DiffArgs) -> Exit {
    snapshot::run(
        &[args.old.clone(), args.new.clone()],
        &args.shared,
        &Command {
            name: "diff",
            by_bytes: args.bytes,
            transaction_time: |arguments| argument::newest_time(arguments.get(1..).unwrap_or_default()),
            is_read_again: |index| index == 1,
            run: diff::run,
            text: snapshot_summary::diff_text,
        },
    )
}
