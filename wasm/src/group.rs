//! The members of a group, found by the Groups of the input in a pass before the others.

use std::sync::Arc;

use fhirehose_core::cohort::{Groups, Resolved};
use fhirehose_core::ids::IdSet;
use fhirehose_core::plan::Plan as Compiled;
use fhirehose_core::plan::associated::Stage;
use fhirehose_core::quote::Tree;
use fhirehose_core::request::{Cohort, Request};
use fhirehose_core::roll::Roll;
use fhirehose_core::search::kind::date;

use crate::fault;
use crate::plan::Plan;

/// What the pass is called.
pub(crate) const NAME: &str = "cohort";

/// Most patients that a message names.
const MOST_NAMED: usize = 20;

/// A pass that looks for the Groups.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// Reads no more than it has to.
    pub(crate) plan: Compiled,
    pub(crate) roll: Arc<Roll>,
}

/// The pass that a plan needs before anything can be judged.
pub(crate) fn search(plan: &Plan) -> Option<Search> {
    let request = &plan.asked.request;
    if !has_group(request.cohort.as_ref()) || plan.compiled.stage() != Stage::Main {
        return None;
    }
    let at = request.transaction_time.as_ref().or(request.now.as_ref());
    let at = at.and_then(|text| date::read_instant(&text.replace(' ', "+")));
    let groups = Groups::new(at.unwrap_or_default(), request.fhir_base.as_deref());
    let few = Request {
        types: vec!["Group".to_owned()],
        max_line: plan.compiled.max_line(),
        ..Request::default()
    };
    let few = Compiled::compile(&few, &plan.asked.registry);
    Some(Search {
        plan: few.unwrap_or_else(|_| plan.compiled.clone()),
        roll: Arc::new(Roll::new(None, Some(groups))),
    })
}

/// Whether the cohort is a group's.
pub(crate) fn has_group(cohort: Option<&Cohort>) -> bool {
    cohort.is_some_and(|cohort| cohort.group.is_some())
}

/// Puts the members into a cohort that names a group; patients that were asked for have to be among them. Gives what a report
/// says of it.
///
/// # Errors
///
/// There is no such Group, or another one of the same id; somebody is no member.
pub(crate) fn resolve(roll: &Roll, cohort: &mut Cohort) -> Result<Tree, String> {
    let group = cohort.group.as_deref().unwrap_or_default();
    let found = roll.resolve(group);
    let found = found.map_err(|error| fault::plain("group", &error.to_string()))?;
    let (members, told) = told(found);
    if cohort.patients.is_empty() {
        cohort.patients = Arc::new(members);
        return Ok(told);
    }
    let strangers = cohort.patients.iter().filter(|id| !members.contains(id));
    let strangers: Vec<_> = strangers.take(MOST_NAMED).map(String::from_utf8_lossy).collect();
    if strangers.is_empty() {
        return Ok(told);
    }
    let message = format!("no members of the group: {}", strangers.join(", "));
    Err(fault::plain("group", &message))
}

fn told(found: Resolved) -> (IdSet, Tree) {
    let Resolved {
        patients,
        left_out,
        missing,
    } = found;
    let number = |name, count| (name, Tree::Number(count));
    let told = Tree::Object(vec![
        number("patients", patients.len() as u64),
        number("inactive", left_out.inactive),
        number("outsidePeriod", left_out.outside_period),
        number("otherTypes", left_out.other_types.iter().map(|(_, count)| count).sum()),
        number("elsewhere", left_out.elsewhere),
        ("missingGroups", Tree::texts(missing)),
    ]);
    (patients, told)
}
