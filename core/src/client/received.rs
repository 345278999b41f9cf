//! What of a request is held against what a server sends, line by line, and what the server is asked for.

use crate::names::Named;
use crate::plan::Plan;
use crate::plan::associated::{Found, Stage};
use crate::problem::Problems;
use crate::request::Request;
use crate::search::table::Registry;

/// Whether what comes is held against the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enforce {
    /// Where the request leaves anything out; but for `_since`: the guide lets older records come along, and to drop those
    /// may lose data.
    #[default]
    Auto,
    /// All of the request.
    Always,
    /// Not at all.
    Never,
}

/// What lines have to pass as they come; `None`: they are taken as they are. All of the request is compiled, also where nothing
/// is enforced: a filter that makes no sense is told before the server is asked.
///
/// # Errors
/// Everything that is wrong with the request.
pub fn received(request: &Request, registry: &Registry, enforce: Enforce) -> Result<Option<Plan>, Problems> {
    let compile = |request| Plan::compile_stage(request, registry, Stage::Received, &Found::default());
    compile(request)?;
    let mut line_by_line = Request {
        organize_by: None,
        ..request.clone()
    };
    // What divides the output anew needs the whole resources.
    if request.organize_by.is_some() {
        line_by_line.elements.clear();
    }
    match enforce {
        Enforce::Never => return Ok(None),
        Enforce::Always => {}
        Enforce::Auto => {
            line_by_line.since = None;
            if !narrows(&line_by_line) {
                return Ok(None);
            }
        }
    }
    Ok(Some(compile(&line_by_line)?.with_plain_bundles()))
}

/// Whether a request leaves anything out.
fn narrows(request: &Request) -> bool {
    !request.types.is_empty()
        || !request.type_filters.is_empty()
        || !request.elements.is_empty()
        || request.since.is_some()
        || request.until.is_some()
        || request.cohort.is_some()
}

/// Whether the server is asked for `_elements`. What it takes out cannot be looked at any more: where lines are held against
/// filters, whose records they are, or put together by patient, `_elements` is applied here alone.
#[must_use]
pub fn asks_for_elements(request: &Request, is_enforced: bool) -> bool {
    let looks = !request.type_filters.is_empty() || request.cohort.is_some();
    request.organize_by.is_none() && !(looks && is_enforced)
}

/// What a server did not do of what it was asked, as far as what it sent shows: for each type the resources that came (`read`)
/// and those that were kept.
pub fn undone<'t>(plan: &Plan, seen: impl IntoIterator<Item = (&'t str, u64, u64)>) -> Vec<String> {
    let mut dropped: Named<u64> = Named::default();
    for (name, read, kept) in seen {
        *dropped.slot(name) += read.saturating_sub(kept);
    }
    let text = |(name, count): (&str, &u64)| {
        let index = plan.registry().type_index(name);
        let cause = match index.and_then(|index| plan.type_plan(index)) {
            None => "no type that was asked for, or none that can be a patient's",
            Some(of_type) if !of_type.filters.is_empty() => "`_typeFilter`, or another condition, leaves them out",
            Some(_) => "a condition of the request leaves them out",
        };
        format!("the server sent {count} {name} that it was not asked for ({cause}); they were dropped")
    };
    dropped.iter().filter(|(_, count)| **count > 0).map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(request: &Request, enforce: Enforce) -> Option<Plan> {
        received(request, &Registry::r4(), enforce).expect("a good request")
    }

    #[test]
    fn older_records_are_dropped_only_where_that_is_wanted() {
        let since = Request {
            since: Some("2020-01-01T00:00:00Z".into()),
            ..Request::default()
        };
        assert!(plan(&since, Enforce::Auto).is_none());
        assert!(plan(&since, Enforce::Never).is_none());
        assert!(plan(&since, Enforce::Always).is_some());
        assert!(plan(&Request::default(), Enforce::Always).is_some());
    }

    #[test]
    fn what_makes_no_sense_is_told_also_where_nothing_is_enforced() {
        let wrong = Request {
            type_filters: vec!["Patient?nonsense=1".into()],
            ..Request::default()
        };
        assert!(received(&wrong, &Registry::r4(), Enforce::Never).is_err());
    }

    #[test]
    fn elements_are_left_to_the_server_where_nothing_else_is_looked_at() {
        let with = |filters: &[&str], organize: Option<&str>| Request {
            type_filters: filters.iter().map(ToString::to_string).collect(),
            organize_by: organize.map(str::to_owned),
            elements: vec!["id".into()],
            ..Request::default()
        };
        assert!(asks_for_elements(&with(&[], None), true));
        assert!(!asks_for_elements(&with(&["Patient?gender=male"], None), true));
        assert!(asks_for_elements(&with(&["Patient?gender=male"], None), false));
        assert!(!asks_for_elements(&with(&[], Some("Patient")), false));
    }

    #[test]
    fn a_server_that_ignores_a_filter_is_named() {
        let request = Request {
            type_filters: vec!["Patient?gender=male".into()],
            types: vec!["Patient".into()],
            ..Request::default()
        };
        let plan = plan(&request, Enforce::Auto).expect("something is left out");
        let told = undone(&plan, [("Patient", 3, 1), ("Patient", 1, 1), ("Observation", 2, 0)]);
        assert_eq!(told.len(), 2);
        assert!(
            told[0].contains("2 Observation") && told[0].contains("no type"),
            "{}",
            told[0]
        );
        assert!(
            told[1].contains("2 Patient") && told[1].contains("_typeFilter"),
            "{}",
            told[1]
        );
        assert!(undone(&plan, [("Patient", 3, 3)]).is_empty());
    }
}
