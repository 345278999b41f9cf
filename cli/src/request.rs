//! Flags and files into the core's request, registry and plan, with everything that is wrong about them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fhirehose_core::plan::Plan;
use fhirehose_core::problem::Problems;
use fhirehose_core::profile::check::{self, Asked};
use fhirehose_core::profile::{self, Level, Profile};
use fhirehose_core::request::{Cohort, OnBad, Request};
use fhirehose_core::search::code_list::CodeList;
use fhirehose_core::search::supplied;
use fhirehose_core::search::table::Registry;

use crate::args::{CheckArgs, OnBadArg, ProfileArg, RegistryArgs, RequestArgs, Version};
use crate::messages::Faults;

/// The clock, as an instant of FHIR.
pub(crate) fn now() -> String {
    jiff::Timestamp::now().strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

/// The profile that the request is held against.
pub(crate) fn profile(args: &RequestArgs) -> &'static Profile {
    match args.profile {
        ProfileArg::Ig => &profile::IG,
        ProfileArg::Oracle => &profile::ORACLE,
    }
}

/// The request and its plan, or `None` with faults. Without a level nothing is said about patients.
pub(crate) fn compile(
    args: &RequestArgs,
    checks: &CheckArgs,
    level: Option<Level>,
    cohort: Option<Cohort>,
    now: &str,
    faults: &mut Faults,
) -> Option<(Request, Plan)> {
    let registry = registry(&args.registry, faults);
    let value_sets = value_sets(&args.value_sets, faults);
    let profile = profile(args);
    let request = Request {
        types: if args.types.is_empty() {
            let names = profile.default_types(level);
            names.into_iter().map(str::to_owned).collect()
        } else {
            args.types.clone()
        },
        type_filters: args.type_filters.clone(),
        since: args.since.clone(),
        until: args.until.clone(),
        transaction_time: args.transaction_time.clone(),
        now: Some(now.to_owned()),
        elements: args.elements.clone(),
        organize_by: args.organize_by.clone(),
        fhir_base: args.fhir_base.clone(),
        value_sets: value_sets?,
        cohort,
        associated_data: args.include_associated_data.clone(),
        trust: checks.trust,
        max_line: checks.max_line,
        on_bad: match checks.on_bad {
            OnBadArg::Skip => OnBad::Skip,
            OnBadArg::Stop => OnBad::Stop,
        },
    };
    // Without the user's own definitions the plan would only name their absence again.
    let registry = registry?;
    let patients = request.cohort.as_ref().map(|cohort| cohort.patients.len());
    let asked = Asked {
        level,
        patients: patients.filter(|count| *count > 0),
        types: &args.types,
        type_filters: &args.type_filters,
        since: args.since.as_deref(),
        until: args.until.as_deref(),
        elements: &args.elements,
        associated_data: &args.include_associated_data,
        organize_by: args.organize_by.as_deref(),
    };
    let violations = check::check(profile, &asked, &registry);
    let (plan, problems) = match Plan::compile(&request, &registry) {
        Ok(plan) => (Some(plan), Problems(Vec::new())),
        Err(problems) => (None, problems),
    };
    let all = check::with_problems(profile, violations, problems);
    if let (Some(plan), true) = (plan, all.is_empty()) {
        return Some((request, plan));
    }
    let problems = all.into_iter().map(|violation| violation.problem);
    faults.problems(None, Problems(problems.collect()));
    None
}

/// The search parameters of a version of FHIR, with the user's own; or `None` with faults.
pub(crate) fn registry(args: &RegistryArgs, faults: &mut Faults) -> Option<Registry> {
    let mut registry = match args.fhir_version {
        Version::R4 => Registry::r4().with_us_core(),
        Version::R4B => Registry::r4b(),
        Version::R5 => Registry::r5(),
    };
    let mut is_whole = true;
    for path in &args.search_parameters {
        let Some(bytes) = read(path, faults) else {
            is_whole = false;
            continue;
        };
        match supplied::search_parameters(&bytes, &registry) {
            Ok(with_own) => registry = with_own,
            Err(problems) => {
                faults.problems(Some(&path.display()), problems);
                is_whole = false;
            }
        }
    }
    is_whole.then_some(registry)
}

/// Code lists by the URL of their value set; or `None` with faults.
pub(crate) fn value_sets(paths: &[PathBuf], faults: &mut Faults) -> Option<HashMap<String, Arc<CodeList>>> {
    let mut all = HashMap::new();
    let mut is_whole = true;
    for path in paths {
        let Some(bytes) = read(path, faults) else {
            is_whole = false;
            continue;
        };
        match supplied::value_sets(&bytes) {
            Ok(lists) => {
                for (url, list) in lists {
                    if all.contains_key(&url) {
                        faults.usage(format_args!(
                            "{}: value-sets: `{url}` is supplied twice",
                            path.display()
                        ));
                        is_whole = false;
                    }
                    all.insert(url, list);
                }
            }
            Err(problems) => {
                faults.problems(Some(&path.display()), problems);
                is_whole = false;
            }
        }
    }
    is_whole.then_some(all)
}

fn read(path: &Path, faults: &mut Faults) -> Option<Vec<u8>> {
    match fs::read(path) {
        Ok(bytes) => Some(bytes),
        Err(error) => {
            faults.io(format_args!("cannot read {}: {error}", path.display()));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use fhirehose_core::search::kind::date::read_instant;

    #[test]
    fn now_is_an_instant_of_utc_with_milliseconds() {
        let now = super::now();
        assert_eq!(now.len(), "2026-11-25T16:00:00.000Z".len());
        assert!(now.ends_with('Z'));
        assert!(read_instant(&now).is_some(), "{now}");
    }
}
