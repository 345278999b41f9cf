//! `fhirehose merge`: a full export and later ones become one current set.

use fhirehose_native::merge;
use fhirehose_native::snapshot::argument;

use crate::args::MergeArgs;
use crate::commands::snapshot::{self, Command};
use crate::exit::Exit;
use crate::snapshot_summary;

/// Merges.
pub(super) fn run(args: &MergeArgs) -> Exit {
    let named: Vec<_> = std::iter::once(&args.full).chain(&args.deltas).cloned().collect();
    snapshot::run(
        &named,
        &args.shared,
        &Command {
            name: "merge",
            by_bytes: false,
            transaction_time: |arguments| argument::newest_time(arguments),
            is_read_again: |_| true,
            run: merge::run,
            text: snapshot_summary::merge_text,
        },
    )
}
