//! A request held against a profile: every violation, as a problem for people and as a status and code for servers.

mod filters;

use std::ops::Range;

use super::{Answer, Level, Parameter, PatientList, Profile, TypeRule};
use crate::order;
use crate::problem::{Problem, Problems, did_you_mean};
use crate::search::table::Registry;

/// What the user asked for, in the user's own texts. A part that was not given is empty.
#[derive(Clone, Copy, Debug, Default)]
pub struct Asked<'a> {
    /// Where; `None`: not known, and then nothing is said about patients.
    pub level: Option<Level>,
    /// How many patients are listed, each once; `None`: there is no list.
    pub patients: Option<usize>,
    /// `_type`; items may be comma lists.
    pub types: &'a [String],
    /// `_typeFilter`; items may be comma lists.
    pub type_filters: &'a [String],
    /// `_since`
    pub since: Option<&'a str>,
    /// `_until`
    pub until: Option<&'a str>,
    /// `_elements`
    pub elements: &'a [String],
    /// `includeAssociatedData`; items may be comma lists.
    pub associated_data: &'a [String],
    /// `organizeOutputBy`
    pub organize_by: Option<&'a str>,
}

/// What a profile does not take.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// For people.
    pub problem: Problem,
    /// HTTP status.
    pub status: u16,
    /// FHIR issue code.
    pub code: &'static str,
}

impl Violation {
    fn new(problem: Problem, answer: Answer) -> Self {
        Violation {
            problem,
            status: answer.status,
            code: answer.code,
        }
    }
}

/// Holds a request against a profile. What is wrong by itself (unknown types, malformed filters) is the plan's to tell:
/// [`with_problems`] joins both.
///
/// ```
/// use fhirehose_core::profile::{ORACLE, check};
/// use fhirehose_core::search::table::Registry;
///
/// let types = ["Location".to_owned()];
/// let asked = check::Asked { types: &types, ..check::Asked::default() };
/// let violations = check::check(&ORACLE, &asked, &Registry::r4());
/// assert_eq!(violations[0].status, 400);
/// ```
#[must_use]
pub fn check(profile: &Profile, asked: &Asked<'_>, registry: &Registry) -> Vec<Violation> {
    let mut violations: Vec<Violation> = patients(profile, asked).into_iter().collect();
    let texts = |texts: &[String]| texts.first().cloned();
    let given = [
        (Parameter::Type, texts(asked.types)),
        (Parameter::TypeFilter, texts(asked.type_filters)),
        (Parameter::Since, asked.since.map(str::to_owned)),
        (Parameter::Until, asked.until.map(str::to_owned)),
        (Parameter::Elements, texts(asked.elements)),
        (Parameter::IncludeAssociatedData, texts(asked.associated_data)),
        (Parameter::OrganizeOutputBy, asked.organize_by.map(str::to_owned)),
    ];
    for (parameter, text) in given {
        violations.extend(text.and_then(|text| unsupported(profile, parameter, &text)));
    }
    let checker = Checker {
        profile,
        asked,
        registry,
        wanted: asked.types.iter().flat_map(|text| items(text)).collect(),
    };
    if profile.supports(Parameter::Type) {
        checker.types(&mut violations);
    }
    if profile.supports(Parameter::IncludeAssociatedData) {
        checker.associated_data(&mut violations);
    }
    if profile.supports(Parameter::TypeFilter) {
        filters::check(&checker, &mut violations);
    }
    violations
}

/// A parameter that the profile does not support. `text` is its value, as written.
#[must_use]
pub fn unsupported(profile: &Profile, parameter: Parameter, text: &str) -> Option<Violation> {
    if profile.supports(parameter) {
        return None;
    }
    let message = format!("not supported under the {} profile", profile.name);
    let problem = Problem::whole(parameter.option(), text, message);
    Some(Violation::new(problem, profile.answers.unsupported))
}

/// A group that has more members than the profile takes; for when its members are known.
#[must_use]
pub fn group_size(profile: &Profile, group: &str, members: usize) -> Option<Violation> {
    let most = profile.most_patients.filter(|most| members > *most)?;
    let message = format!("the group has {members} patients; the profile takes at most {most}");
    let problem = Problem::whole("group", group, message);
    Some(Violation::new(problem, profile.answers.too_many))
}

/// The violations, then the problems of the plan, each with its answer.
///
/// Where both speak of the same place in the same text, the profile's word is the narrower one and stands alone; so it does
/// where the plan speaks of a whole text of which the profile names the part.
#[must_use]
pub fn with_problems(profile: &Profile, mut violations: Vec<Violation>, problems: Problems) -> Vec<Violation> {
    let own: Vec<Problem> = violations.iter().map(|violation| violation.problem.clone()).collect();
    let is_told = |problem: &Problem| {
        let is_whole = problem.span == (0..problem.text.len());
        let mut same = own
            .iter()
            .filter(|own| own.option == problem.option && own.text == problem.text);
        // Problems with nothing written have no place.
        !problem.text.is_empty() && same.any(|own| is_whole || own.span == problem.span)
    };
    let others = problems.0.into_iter().filter(|problem| !is_told(problem));
    violations.extend(others.map(|problem| {
        let answer = profile.answer_to(problem.option);
        Violation::new(problem, answer)
    }));
    violations
}

/// Whether the level is offered, and whether the list of patients is what it takes.
fn patients(profile: &Profile, asked: &Asked<'_>) -> Option<Violation> {
    let answers = &profile.answers;
    let name = profile.name;
    let level = asked.level?;
    let Some(rule) = profile.level(level) else {
        let message = format!("the {name} profile exports a group or a list of patients, never everybody's records");
        return Some(told("patient", message, answers.missing));
    };
    let (message, answer) = match (rule.list, asked.patients) {
        (PatientList::Refused, Some(_)) => {
            let what = match level {
                Level::System => "of the whole system",
                Level::Patient => "of all patients",
                Level::Group => "of a group",
            };
            let message = format!("the {name} profile takes no list of patients for an export {what}");
            (message, answers.unsupported)
        }
        (_, Some(0)) => {
            let message = "the list of patients is empty; an empty list never means everybody".to_owned();
            (message, answers.missing)
        }
        (PatientList::Required, None) => {
            let message = format!("the {name} profile needs a list of patients, at least one");
            (message, answers.missing)
        }
        (_, Some(count)) => {
            let most = profile.most_patients.filter(|most| count > *most)?;
            let message = format!("{count} patients are listed; the {name} profile takes at most {most}");
            (message, answers.too_many)
        }
        (_, None) => return None,
    };
    Some(told("patient", message, answer))
}

/// A violation with no place in a text.
fn told(option: &'static str, message: String, answer: Answer) -> Violation {
    Violation::new(Problem::whole(option, "", message), answer)
}

/// One item of a comma list, with its place.
struct Item<'a> {
    text: &'a str,
    span: Range<usize>,
    list: &'a str,
}

impl Item<'_> {
    fn problem(&self, option: &'static str, message: String, help: Option<String>) -> Problem {
        Problem {
            option,
            text: self.list.into(),
            span: self.span.clone(),
            message,
            help,
        }
    }
}

/// The items of a comma list without the blanks around them; empty ones are none.
fn items(list: &str) -> impl Iterator<Item = Item<'_>> {
    let mut start = 0;
    list.split(',').filter_map(move |part| {
        let at = start + (part.len() - part.trim_start().len());
        start += part.len() + 1;
        let text = part.trim();
        let span = at..at + text.len();
        (!text.is_empty()).then_some(Item { text, span, list })
    })
}

/// One check under way.
struct Checker<'a> {
    profile: &'a Profile,
    asked: &'a Asked<'a>,
    registry: &'a Registry,
    /// Items of the list of types.
    wanted: Vec<Item<'a>>,
}

impl Checker<'_> {
    /// The rule of a type at the level that is asked for. `None`: not exportable, or no rule because all types are.
    fn rule(&self, name: &str) -> Option<&'static TypeRule> {
        let rules = self.profile.at(self.asked.level);
        let mut types = rules.filter_map(|rule| rule.types).flatten();
        types.find(|rule| rule.name == name)
    }

    fn is_exportable(&self, name: &str) -> bool {
        let mut rules = self.profile.at(self.asked.level);
        rules.any(|rule| rule.types.is_none()) || self.rule(name).is_some()
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.wanted.iter().any(|item| item.text == name)
    }

    /// Types that are not exportable, and dependent ones without company.
    fn types(&self, violations: &mut Vec<Violation>) {
        let name = self.profile.name;
        let known: Vec<&Item<'_>> = self
            .wanted
            .iter()
            .filter(|item| self.registry.is_type(item.text))
            .collect();
        let mut is_listed = false;
        for item in known.iter().filter(|item| !self.is_exportable(item.text)) {
            let exported = self.profile.default_types(self.asked.level);
            // The list is long: once is enough.
            let help = did_you_mean(item.text, exported.iter().copied())
                .or_else(|| (!is_listed).then(|| format!("exported: {}", exported.join(", "))));
            is_listed = true;
            let message = format!("{} is not exported under the {name} profile", item.text);
            let problem = item.problem("type", message, help);
            violations.push(Violation::new(problem, self.profile.answers.invalid));
        }
        let is_dependent = |name: &str| self.rule(name).is_some_and(|rule| rule.dependent);
        // A type that is misspelled or not exportable may be the one that is missed.
        let all_are_dependent = self.wanted.iter().all(|item| is_dependent(item.text));
        if let (true, Some(first)) = (all_are_dependent, known.first()) {
            let mut names: Vec<&str> = known.iter().map(|item| item.text).collect();
            order::sort(&mut names);
            names.dedup();
            let verb = if names.len() == 1 { "is" } else { "are" };
            let message = format!(
                "{} {verb} only exported beside a clinical type under the {name} profile",
                listed(&names, "and")
            );
            let clinical: Vec<&str> = self
                .profile
                .default_types(self.asked.level)
                .into_iter()
                .filter(|name| !is_dependent(name))
                .collect();
            let help = format!("add at least one of {}", clinical.join(", "));
            let problem = first.problem("type", message, Some(help));
            violations.push(Violation::new(problem, self.profile.answers.invalid));
        }
    }

    /// Values of `includeAssociatedData`, and the type that has to be in a list of types beside it.
    fn associated_data(&self, violations: &mut Vec<Violation>) {
        let option = Parameter::IncludeAssociatedData.option();
        let answer = self.profile.answers.invalid;
        let known = self.profile.associated_data;
        let mut first = None;
        for item in self.asked.associated_data.iter().flat_map(|text| items(text)) {
            if !known.contains(&item.text) {
                let message = format!("unknown value; expected {}", listed(known, "or"));
                let help = did_you_mean(item.text, known.iter().copied());
                violations.push(Violation::new(item.problem(option, message, help), answer));
            }
            first.get_or_insert(item);
        }
        if let (Some(first), Some(needed)) = (first, self.profile.associated_data_needs)
            && !self.wanted.is_empty()
            && !self.is_wanted(needed)
        {
            let message = format!(
                "the list of types must hold {needed} beside this under the {} profile",
                self.profile.name
            );
            violations.push(Violation::new(Problem::whole(option, first.list, message), answer));
        }
    }
}

/// `a, b or c`
fn listed(names: &[&str], last: &str) -> String {
    match names {
        [] => String::new(),
        [one] => (*one).to_owned(),
        [before @ .., end] => format!("{} {last} {end}", before.join(", ")),
    }
}
