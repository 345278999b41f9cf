//! `fhirehose explain`: what a request reads and tests.

use fhirehose_core::plan::explain::profile;
use fhirehose_core::quote::Tree;
use fhirehose_native::cohort::CohortRequest;

use crate::args::{ExplainArgs, ReportArg};
use crate::cohort;
use crate::exit::Exit;
use crate::messages::Faults;
use crate::request;

/// Prints the plan.
pub(super) fn run(args: &ExplainArgs) -> Exit {
    let mut faults = Faults::default();
    let now = request::now();
    let asked = cohort::asked_for(&args.cohort, &args.request, &now, false, &mut faults);
    let cohort = asked.as_ref().map(CohortRequest::provisional);
    // Where no cohort is named the request may be meant for one.
    let level = asked.as_ref().and_then(|asked| cohort::level(Some(asked)));
    let compiled = request::compile(&args.request, &args.checks, level, cohort, &now, &mut faults);
    let (Some((_, plan)), true) = (compiled, faults.is_empty()) else {
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
    crate::print::print(told.as_bytes())
}
