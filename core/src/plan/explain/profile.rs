//! A profile, for people and for programs.

use super::push_wrapped;
use crate::order;
use crate::profile::{Level, PatientList, Profile, TypeRule, Usable};
use crate::quote::Tree;

/// What the profile takes, in the form of the first lines of [`Plan::explain`](crate::plan::Plan::explain). One without limits
/// is one line.
pub fn text(profile: &Profile) -> String {
    let mut out = format!("{:12}{}: {}\n", "profile", profile.name, profile.about);
    let types = types(profile);
    if types.is_empty() {
        return out;
    }
    let mut list = |name: &str, names: &[&str]| {
        out.push_str(&format!("  {name}\n"));
        push_wrapped(&mut out, "    ", names);
    };
    let levels: Vec<String> = profile.levels.iter().map(|rule| level(rule.level, rule.list)).collect();
    list("levels", &levels.iter().map(String::as_str).collect::<Vec<_>>());
    if let Some(most) = profile.most_patients {
        list("patients", &[&format!("at most {most}")]);
    }
    list("parameters", &parameters(profile));
    list("types", &names(&types, |rule| !rule.dependent));
    list(
        "types that need one of these beside them",
        &names(&types, |rule| rule.dependent),
    );
    list(
        "filters",
        &filter_rules(profile).iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let usable: Vec<String> = types.iter().filter_map(|rule| usable(rule)).collect();
    list(
        "filters can use",
        &usable.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    out.push('\n');
    out
}

/// The same for programs: `name`, `about`, `levels` (each with `level` and `patients`: `required`, `optional` or `refused`),
/// `mostPatients` (or null), `parameters`, `associatedData`, `filters` (`needTypes`, `mostOfAType` or null, `forbidden`,
/// `modifiers`), `types` (or null: all; each with `type`, `dependent` and `filters`:
/// the parameters that filters can use).
pub fn tree(profile: &Profile) -> Tree {
    let levels = profile.levels.iter().map(|rule| {
        let list = match rule.list {
            PatientList::Required => "required",
            PatientList::Optional => "optional",
            PatientList::Refused => "refused",
        };
        Tree::Object(vec![
            ("level", Tree::text(level_name(rule.level))),
            ("patients", Tree::text(list)),
        ])
    });
    let types = types(profile);
    let of_type = |rule: &&TypeRule| {
        let codes: Vec<&str> = match rule.usable {
            Usable::NoFilter => Vec::new(),
            Usable::Only(list) => list.iter().map(|parameter| parameter.code).collect(),
        };
        Tree::Object(vec![
            ("type", Tree::text(rule.name)),
            ("dependent", Tree::Boolean(rule.dependent)),
            ("filters", Tree::texts(codes)),
        ])
    };
    Tree::Object(vec![
        ("name", Tree::text(profile.name)),
        ("about", Tree::text(profile.about)),
        ("levels", Tree::List(levels.collect())),
        (
            "mostPatients",
            profile
                .most_patients
                .map_or(Tree::Null, |most| Tree::Number(most as u64)),
        ),
        ("parameters", Tree::texts(parameters(profile))),
        ("associatedData", Tree::texts(profile.associated_data.iter().copied())),
        ("filters", filters_tree(profile)),
        (
            "types",
            if types.is_empty() {
                Tree::Null
            } else {
                Tree::List(types.iter().map(of_type).collect())
            },
        ),
    ])
}

fn filters_tree(profile: &Profile) -> Tree {
    let rules = &profile.filters;
    let count = |most: usize| Tree::Number(most as u64);
    Tree::Object(vec![
        ("needTypes", Tree::Boolean(rules.need_types)),
        ("mostOfAType", rules.most_of_a_type.map_or(Tree::Null, count)),
        ("forbidden", Tree::texts(rules.forbidden.iter().copied())),
        ("modifiers", Tree::Boolean(rules.modifiers)),
    ])
}

/// The rules of types, each type once, sorted. Empty: all types, without rules.
fn types(profile: &Profile) -> Vec<&'static TypeRule> {
    let levels = profile.levels.iter();
    let mut types: Vec<&TypeRule> = levels.filter_map(|rule| rule.types).flatten().collect();
    order::sort_by(&mut types, |one, other| one.name.cmp(other.name));
    types.dedup_by_key(|rule| rule.name);
    types
}

fn names(types: &[&'static TypeRule], is_meant: impl Fn(&TypeRule) -> bool) -> Vec<&'static str> {
    let meant = types.iter().filter(|rule| is_meant(rule));
    meant.map(|rule| rule.name).collect()
}

fn parameters(profile: &Profile) -> Vec<&'static str> {
    profile.parameters.iter().map(|parameter| parameter.name()).collect()
}

fn level_name(level: Level) -> &'static str {
    match level {
        Level::System => "system",
        Level::Patient => "patient",
        Level::Group => "group",
    }
}

fn level(level: Level, list: PatientList) -> String {
    let list = match list {
        PatientList::Required => " (with a list of patients)",
        PatientList::Optional => "",
        PatientList::Refused => " (without a list of patients)",
    };
    format!("{}{list}", level_name(level))
}

/// `at most 1 of a type`
fn filter_rules(profile: &Profile) -> Vec<String> {
    let rules = &profile.filters;
    let types = rules.need_types.then(|| "with a list of types only".to_owned());
    let most = rules.most_of_a_type.map(|most| format!("at most {most} of a type"));
    let modifiers = (!rules.modifiers).then(|| "without modifiers".to_owned());
    types.into_iter().chain(most).chain(modifiers).collect()
}

/// `Observation (code, date)`
fn usable(rule: &TypeRule) -> Option<String> {
    match rule.usable {
        Usable::NoFilter | Usable::Only([]) => None,
        Usable::Only(list) => {
            let codes: Vec<&str> = list.iter().map(|parameter| parameter.code).collect();
            Some(format!("{} ({})", rule.name, codes.join(", ")))
        }
    }
}
