//! `fhirehose explain`: what a request reads and tests.

use crate::args::{ExplainArgs, ReportArg};
use crate::exit::Exit;
use crate::messages::Faults;
use crate::request;

/// Prints the plan.
pub(super) fn run(args: &ExplainArgs) -> Exit {
    let mut faults = Faults::default();
    let Some((_, plan)) = request::compile(&args.request, &args.checks, None, &request::now(), &mut faults) else {
        return faults.tell();
    };
    super::print(
        match args.report {
            ReportArg::Text => plan.explain(),
            ReportArg::Json => plan.explain_json(),
        }
        .as_bytes(),
    )
}
