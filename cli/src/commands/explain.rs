//! `fhirehose explain`: what a request reads and tests.

use fhirehose_core::plan::explain::profile;
use fhirehose_core::quote::Tree;

use crate::args::{ExplainArgs, ReportArg};
use crate::exit::Exit;
use crate::messages::Faults;
use crate::request;

/// Prints the plan.
pub(super) fn run(args: &ExplainArgs) -> Exit {
    let mut faults = Faults::default();
    let Some((_, plan)) = request::compile(&args.request, &args.checks, None, None, &request::now(), &mut faults)
    else {
        return faults.tell();
    };
    let of_profile = request::profile(&args.request);
    let told = match args.report {
        ReportArg::Text => profile::text(of_profile) + &plan.explain(),
        ReportArg::Json => {
            let mut members = vec![("profile", profile::tree(of_profile))];
            members.extend(plan.explain_members());
            Tree::Object(members).pretty()
        }
    };
    super::print(told.as_bytes())
}
