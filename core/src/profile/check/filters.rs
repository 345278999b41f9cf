//! What a profile takes of type filters: which types, how many, which parameters, prefixes and modifiers.

use std::ops::Range;
use std::sync::Arc;

use super::{Checker, Violation, listed};
use crate::problem::Problem;
use crate::profile::{Parameter, Usable, UsableParameter};
use crate::search::kind::prefix::Prefix;
use crate::search::query::{self, Pair, Query};

/// A filter as written.
struct Written {
    text: Arc<str>,
    query: Query,
}

/// Filters that cannot be read, and those of unknown types, are the plan's to tell.
pub(super) fn check(checker: &Checker<'_>, violations: &mut Vec<Violation>) {
    let filters = written(checker);
    let rules = &checker.profile.filters;
    if rules.need_types && checker.wanted.is_empty() && !checker.asked.type_filters.is_empty() {
        // Told of the list that is missing, not of the filters, which may have faults of their own.
        let message = format!(
            "filters need a list of types under the {} profile",
            checker.profile.name
        );
        let problem = Problem::whole(Parameter::Type.option(), "", message);
        violations.push(Violation::new(problem, checker.profile.answers.invalid));
    }
    for (index, filter) in filters.iter().enumerate() {
        let name = &filter.query.type_name;
        if rules.need_types && !checker.wanted.is_empty() && !checker.is_wanted(name) {
            let message = format!("the filter is about {name}, which is not among the types asked for");
            let problem = filter.problem(filter.query.type_span.clone(), message, None);
            violations.push(Violation::new(problem, checker.profile.answers.invalid));
            continue;
        }
        let before = filters.iter().take(index);
        let nth = before.filter(|other| other.query.type_name == *name).count() + 1;
        if let Some(most) = rules.most_of_a_type.filter(|most| nth > *most) {
            let message = format!(
                "filter number {nth} of {name}; the {} profile takes at most {most} of a type",
                checker.profile.name
            );
            let problem = filter.problem(0..filter.text.len(), message, None);
            violations.push(Violation::new(problem, checker.profile.answers.invalid));
        }
        for problem in content(checker, filter) {
            violations.push(Violation::new(problem, checker.profile.answers.filter));
        }
    }
}

fn written(checker: &Checker<'_>) -> Vec<Written> {
    let mut filters = Vec::new();
    for list in checker.asked.type_filters {
        for range in query::split_filters(list, |name| checker.registry.is_type(name)) {
            let text: Arc<str> = list[range].trim().into();
            if let Ok(query) = query::parse(&text)
                && checker.registry.is_type(&query.type_name)
            {
                filters.push(Written { text, query });
            }
        }
    }
    filters
}

/// What is wrong inside a filter.
fn content(checker: &Checker<'_>, filter: &Written) -> Vec<Problem> {
    let name = &filter.query.type_name;
    let profile = checker.profile.name;
    let type_span = filter.query.type_span.clone();
    let usable = match checker.rule(name).map(|rule| &rule.usable) {
        None if checker.is_exportable(name) => None,
        // Told where the type stands in the list of types.
        None if checker.is_wanted(name) => return Vec::new(),
        None => {
            let message = format!("{name} is not exported under the {profile} profile");
            return vec![filter.problem(type_span, message, None)];
        }
        Some(Usable::NoFilter) => {
            let message = format!("{name} takes no filters under the {profile} profile");
            return vec![filter.problem(type_span, message, None)];
        }
        Some(Usable::Only([])) => {
            let message = format!("no parameter of {name} can be used in a filter under the {profile} profile");
            return vec![filter.problem(type_span, message, None)];
        }
        Some(Usable::Only(list)) => Some(*list),
    };
    let pairs = filter.query.pairs.iter().enumerate();
    pairs
        .flat_map(|(index, pair)| of_pair(checker, filter, index, pair, usable))
        .collect()
}

fn of_pair(
    checker: &Checker<'_>,
    filter: &Written,
    index: usize,
    pair: &Pair,
    usable: Option<&[UsableParameter]>,
) -> Vec<Problem> {
    let profile = checker.profile;
    let at_name = |message: String, help| vec![filter.problem(pair.name_span.clone(), message, help)];
    let help = usable.map(|list| {
        let codes: Vec<&str> = list.iter().map(|parameter| parameter.code).collect();
        format!("usable: {}", codes.join(", "))
    });
    if profile.filters.forbidden.contains(&pair.name.as_str()) {
        let message = format!(
            "`{}` must not stand in a filter under the {} profile",
            pair.name, profile.name
        );
        return at_name(message, help);
    }
    let parameter = match usable {
        None => None,
        Some(list) => match list.iter().find(|parameter| parameter.code == pair.name) {
            None => {
                let type_name = &filter.query.type_name;
                let message = format!(
                    "a filter of {type_name} cannot use `{}` under the {} profile",
                    pair.name, profile.name
                );
                return at_name(message, help);
            }
            found => found,
        },
    };
    if pair.modifier.is_some() && !profile.filters.modifiers {
        let message = format!("modifiers are not supported under the {} profile", profile.name);
        return at_name(message, None);
    }
    parameter.map_or_else(Vec::new, |parameter| of_values(checker, filter, index, pair, parameter))
}

/// How often the parameter stands in the filter, and its prefixes.
fn of_values(
    checker: &Checker<'_>,
    filter: &Written,
    index: usize,
    pair: &Pair,
    parameter: &UsableParameter,
) -> Vec<Problem> {
    let profile = checker.profile.name;
    let mut problems = Vec::new();
    let before = filter.query.pairs.iter().take(index);
    let nth = before.filter(|other| other.name == pair.name).count() + 1;
    if let Some(most) = parameter.most.filter(|most| nth > *most) {
        let message = format!(
            "`{}` number {nth} of the filter; the {profile} profile takes at most {most}",
            pair.name
        );
        problems.push(filter.problem(pair.span.clone(), message, None));
    }
    let Some(prefixes) = parameter.prefixes else {
        return problems;
    };
    for item in &pair.items {
        // What is no prefix is no date either, which the plan tells.
        let Some((_, rest)) = Prefix::split(&item.text) else {
            continue;
        };
        let letters = &item.text[..item.text.len() - rest.len()];
        if !prefixes.contains(&letters) {
            let named: Vec<&str> = prefixes.iter().copied().filter(|prefix| !prefix.is_empty()).collect();
            let (takes, or_nothing) = if prefixes.contains(&"") {
                ("takes", ", or nothing,")
            } else {
                ("needs", "")
            };
            let message = format!(
                "`{}` of {} {takes} {} before its value{or_nothing} under the {profile} profile",
                pair.name,
                filter.query.type_name,
                listed(&named, "or")
            );
            problems.push(filter.problem(item.place(0..item.text.len()), message, None));
        }
    }
    problems
}

impl Written {
    fn problem(&self, span: Range<usize>, message: String, help: Option<String>) -> Problem {
        Problem {
            option: Parameter::TypeFilter.option(),
            text: self.text.clone(),
            span,
            message,
            help,
        }
    }
}
