//! `organizeOutputBy`: for each type the places where its patients are named, which are those of a cohort's gate.

use std::sync::Arc;

use super::elements::Elements;
use super::gate::Window;
use super::{TypePlan, type_plan};
use crate::problem::Problem;
use crate::request::{Cohort, Request};
use crate::search::table::Registry;

/// The one type that output can be organized by.
const BY: &str = "Patient";

/// `None`: a file a type. Every type is read, exported or not: a pass of its own may export others than the main one.
pub(super) fn read(
    request: &Request,
    registry: &Registry,
    elements: &[Elements],
    problems: &mut Vec<Problem>,
) -> Option<Vec<Option<TypePlan>>> {
    let by = request.organize_by.as_ref()?;
    if by != BY {
        let message = format!("output can be organized by {BY} and by no other type");
        problems.push(Problem::whole("organize-by", by, message));
        return None;
    }
    // The gate of a cohort, whoever is in it.
    let of_cohort = Request {
        cohort: Some(Cohort {
            patients: Arc::default(),
            exclusive: false,
            group: None,
        }),
        fhir_base: request.fhir_base.clone(),
        ..Request::default()
    };
    let of_type = |type_name: &String| {
        let mut plan = type_plan(type_name, &[], Window::default(), None, &of_cohort, registry, problems);
        plan.elements = elements.iter().find(|entry| entry.type_name == *type_name).cloned();
        plan.gates.iter().any(|gate| gate.is_membership()).then_some(plan)
    };
    Some(registry.types().iter().map(of_type).collect())
}
