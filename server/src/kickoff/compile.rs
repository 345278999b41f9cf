//! The request held against the profile and compiled, so that a job which is taken does not fail for what was known.
//!
//! Both tell all that is wrong, with its place. What lenient handling forgives is taken out, and the rest is asked again.

use std::ops::Range;

use fhirehose_core::plan::Plan;
use fhirehose_core::problem::{Problem, Problems};
use fhirehose_core::profile::check::{self, Asked, Violation};
use fhirehose_core::profile::{Answer, Parameter};
use fhirehose_core::request::Request;

use super::decide::{Lenient, Situation};
use super::fault::{Fault, Note, Place};
use super::values::{Draft, List};
use super::{Call, Kickoff, Reading};

/// Checks everything that the values say together.
pub(super) fn check(draft: &mut Draft, call: &Call<'_>, reading: &mut Reading<'_>) {
    let had_types = !draft.types.items.is_empty();
    loop {
        let violations = violations(draft, call, reading);
        let mut faults = Vec::new();
        let mut forgiven = Vec::new();
        for violation in violations {
            let fault = fault(violation, draft, reading);
            let verdict = fault
                .situation
                .map_or(Lenient::Refuse, |situation| reading.lenient(situation));
            match verdict {
                Lenient::Drop => forgiven.push(fault),
                _ => faults.push(fault),
            }
        }
        if !faults.is_empty() {
            // What is refused stays refused, even if it is in an item that could be left out.
            reading.faults.extend(faults);
            return;
        }
        if forgiven.is_empty() {
            return;
        }
        let dropped = drop_items(draft, &forgiven);
        if had_types && draft.types.items.is_empty() {
            // Without a list every type would be exported, so the last item is not left out.
            reading.faults.extend(told_as_none_left(forgiven));
            return;
        }
        if !dropped {
            reading.faults.extend(forgiven);
            return;
        }
        for fault in forgiven {
            reading.note(Note::forgiven(&fault, "ignored"));
        }
    }
}

fn told_as_none_left(forgiven: Vec<Fault>) -> Vec<Fault> {
    let of_types = |fault: &Fault| fault.problem.option == Parameter::Type.name();
    let own = forgiven.into_iter().filter(of_types);
    own.map(|fault| Fault {
        situation: Some(Situation::NoTypeLeft),
        ..fault
    })
    .collect()
}

/// What profile and plan say of the draft.
fn violations(draft: &Draft, call: &Call<'_>, reading: &Reading<'_>) -> Vec<Violation> {
    let setting = reading.setting;
    let rules = setting.profile.rules;
    let patients = draft.patients.ids.as_ref().map(Vec::len);
    let asked = Asked {
        level: Some(call.door.level()),
        // Where references were none the list is not called empty as well.
        patients: patients.map(|count| count.max(usize::from(draft.patients.has_bad))),
        types: &draft.types.items,
        type_filters: &draft.type_filters.items,
        since: draft.since.as_deref(),
        until: draft.until.as_deref(),
        elements: &draft.elements.items,
        associated_data: &draft.associated_data.items,
        organize_by: draft.organize_by.items.first().map(String::as_str),
    };
    let violations = check::check(rules, &asked, setting.registry);
    let problems = match Plan::compile(&request(draft, call, reading), setting.registry) {
        Ok(_) => Problems(Vec::new()),
        Err(problems) => problems,
    };
    check::with_problems(rules, violations, problems)
}

/// The request that the job would run.
fn request(draft: &Draft, call: &Call<'_>, reading: &Reading<'_>) -> Request {
    let kickoff = Kickoff {
        door: call.door.clone(),
        url: String::new(),
        guide: reading.setting.profile.guide,
        types: draft.types.items.clone(),
        type_filters: draft.type_filters.items.clone(),
        since: draft.since.clone(),
        until: draft.until.clone(),
        elements: draft.elements.items.clone(),
        associated_data: draft.associated_data.items.clone(),
        organize_by: draft.organize_by.items.first().cloned(),
        patients: None,
        partial_manifests: false,
        minimum_file_size: None,
        maximum_file_size: None,
        separate_status: false,
        forgives_unknown_patients: false,
        notes: Vec::new(),
    };
    kickoff.request(kickoff.cohort(), reading.setting)
}

fn fault(violation: Violation, draft: &Draft, reading: &Reading<'_>) -> Fault {
    let Violation { problem, status, code } = violation;
    let parameters = reading.setting.profile.parameters.iter().map(|rule| rule.parameter);
    let parameter = parameters
        .into_iter()
        .find(|parameter| parameter.option() == problem.option);
    let situation = situation(&problem, draft, reading);
    let listed = list(draft, problem.option).and_then(|list| list.place(&problem.text));
    let name = parameter.map_or(problem.option, Parameter::name);
    let place = match listed {
        Some(place) => place.clone(),
        None if problem.option == Parameter::Until.option() => draft.window.clone().unwrap_or(Place::Path),
        None => Place::Query(name.to_owned()),
    };
    let answer = Answer { status, code };
    let problem = Problem {
        option: name,
        ..problem
    };
    Fault::answered(situation, answer, problem, place)
}

fn list<'d>(draft: &'d Draft, option: &str) -> Option<&'d List> {
    let is = |parameter: Parameter| parameter.option() == option;
    let lists = [
        (Parameter::Type, &draft.types),
        (Parameter::TypeFilter, &draft.type_filters),
        (Parameter::Elements, &draft.elements),
        (Parameter::IncludeAssociatedData, &draft.associated_data),
        (Parameter::OrganizeOutputBy, &draft.organize_by),
    ];
    lists
        .into_iter()
        .find(|(parameter, _)| is(*parameter))
        .map(|(_, list)| list)
}

/// Which row of the table it is.
fn situation(problem: &Problem, draft: &Draft, reading: &Reading<'_>) -> Situation {
    let is = |parameter: Parameter| parameter.option() == problem.option;
    if is(Parameter::Type) {
        // What is said of the list as a whole stands at no item of it.
        match draft.types.place(&problem.text) {
            Some(_) => Situation::UnsupportedType,
            None => Situation::NoTypeLeft,
        }
    } else if is(Parameter::TypeFilter) {
        if is_of_other_type(&problem.text, &problem.span, draft, reading) {
            Situation::FilterOfOtherType
        } else {
            Situation::BadFilter
        }
    } else if is(Parameter::Elements) {
        Situation::BadElement
    } else if is(Parameter::IncludeAssociatedData) {
        Situation::BadAssociatedData
    } else if is(Parameter::OrganizeOutputBy) {
        Situation::UnsupportedOrganizeBy
    } else if is(Parameter::Until) || is(Parameter::Since) {
        Situation::EmptyWindow
    } else {
        Situation::BadPatient
    }
}

/// Whether a filter is refused because its type, which there is, was not asked for: then it decides nothing.
fn is_of_other_type(text: &str, span: &Range<usize>, draft: &Draft, reading: &Reading<'_>) -> bool {
    let type_name = &text[..text.find('?').unwrap_or(0)];
    let is_asked_for = draft.types.items.iter().any(|name| name == type_name);
    *span == (0..type_name.len())
        && !is_asked_for
        && !draft.types.items.is_empty()
        && reading.setting.registry.is_type(type_name)
}

/// Takes out what is forgiven. Whether there was anything of it to take.
fn drop_items(draft: &mut Draft, forgiven: &[Fault]) -> bool {
    let mut was_any = false;
    for fault in forgiven {
        let name = fault.problem.option;
        let lists = [
            (Parameter::Type, &mut draft.types),
            (Parameter::TypeFilter, &mut draft.type_filters),
            (Parameter::Elements, &mut draft.elements),
            (Parameter::IncludeAssociatedData, &mut draft.associated_data),
            (Parameter::OrganizeOutputBy, &mut draft.organize_by),
        ];
        for (parameter, list) in lists {
            was_any |= parameter.name() == name && list.remove(&fault.problem.text);
        }
    }
    was_any
}
