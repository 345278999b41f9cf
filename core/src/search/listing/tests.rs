//! The listing against the compiler: every parameter of every type, with every modifier.

use std::collections::HashMap;
use std::sync::Arc;

use super::*;
use crate::plan::Plan;
use crate::request::Request;

const CODES: &str = "http://example.org/codes";

/// A value that the search type takes with that modifier.
fn sample(kind: SearchType, modifier: Option<&str>) -> &'static str {
    match (kind, modifier) {
        (_, Some("missing")) => "true",
        (SearchType::Token, Some("in" | "not-in")) => CODES,
        (SearchType::Token, Some("of-type")) => "http://example.org|MR|1",
        (SearchType::Token, Some("below")) => "text/plain",
        (SearchType::Token, _) => "true",
        (SearchType::Number | SearchType::Quantity, _) => "1",
        (SearchType::Date, _) => "2020-01-01",
        (SearchType::Uri, _) => "http://example.org/x",
        (SearchType::Reference, Some("identifier")) => "http://example.org|1",
        _ => "x",
    }
}

fn filter(type_name: &str, param: &Param, modifier: Option<&str>) -> String {
    let parts: Vec<&str> = param.components.iter().map(|part| sample(part.kind, None)).collect();
    let value = if param.kind == SearchType::Composite && modifier != Some("missing") && !parts.is_empty() {
        parts.join("$")
    } else {
        sample(param.kind, modifier).to_owned()
    };
    let modifier = modifier.map(|name| format!(":{name}")).unwrap_or_default();
    format!("{type_name}?{}{modifier}={value}", param.code)
}

/// Compiles many filters of one type at once: the messages, by the filter they are about.
fn messages(registry: &Registry, type_name: &str, filters: Vec<String>) -> HashMap<String, Vec<String>> {
    let request = Request {
        types: vec![type_name.to_owned()],
        type_filters: filters,
        value_sets: HashMap::from([(CODES.to_owned(), Arc::default())]),
        ..Request::default()
    };
    let mut found: HashMap<String, Vec<String>> = HashMap::new();
    if let Err(problems) = Plan::compile(&request, registry) {
        for problem in problems.0 {
            found.entry(problem.text.to_string()).or_default().push(problem.message);
        }
    }
    found
}

/// Every modifier that some search type has here or that the standard knows, and some that nobody has.
fn all_modifiers() -> Vec<&'static str> {
    let kinds = [
        SearchType::Number,
        SearchType::Date,
        SearchType::String,
        SearchType::Token,
        SearchType::Reference,
        SearchType::Composite,
        SearchType::Quantity,
        SearchType::Uri,
        SearchType::Special,
    ];
    let mut all: Vec<&'static str> = kinds.into_iter().flat_map(refusals::modifiers).copied().collect();
    all.extend([
        "below",
        "above",
        "text-advanced",
        "code-text",
        "iterate",
        "nonsense",
        "",
        "Nonsense",
    ]);
    all.sort_unstable();
    all.dedup();
    all
}

/// Compares listing and compiler over a whole registry; returns how many rows there are and how many are refused.
fn compare(registry: &Registry) -> (usize, usize) {
    let modifiers = all_modifiers();
    let (mut rows, mut refused) = (0, 0);
    for type_name in registry.types() {
        let params = registry.params(type_name);
        let listed = list(registry, type_name);
        assert_eq!(params.len(), listed.len());
        let mut expected = Vec::new();
        for (param, row) in params.into_iter().zip(&listed) {
            rows += 1;
            refused += usize::from(row.refused.is_some());
            assert_eq!(param.code, row.code);
            assert_eq!(
                row.refused.is_none(),
                !row.paths.is_empty(),
                "paths of {type_name}?{}",
                row.code
            );
            expected.push((filter(type_name, param, None), row.refused.is_none(), row));
            for modifier in &modifiers {
                let taken = row.modifiers.contains(modifier);
                expected.push((filter(type_name, param, Some(modifier)), taken, row));
            }
            if row.kind == SearchType::Reference {
                for target in registry.types() {
                    let taken = row.modifiers.contains(&TYPED)
                        && (row.targets.is_empty() || row.targets.iter().any(|known| known == target));
                    expected.push((filter(type_name, param, Some(target)), taken, row));
                }
            }
        }
        let found = messages(
            registry,
            type_name,
            expected.iter().map(|(text, ..)| text.clone()).collect(),
        );
        for (text, taken, row) in expected {
            let problems = found.get(&text);
            assert_eq!(problems.is_none(), taken, "{text}: {problems:?}");
            if let (Some(reason), Some(problems)) = (&row.refused, problems) {
                assert_eq!(problems, std::slice::from_ref(reason), "{text}");
            }
        }
        assert!(!found.contains_key(""), "{type_name} reads too many members at once");
    }
    (rows, refused)
}

#[test]
fn r4_is_listed_as_it_compiles() {
    assert_eq!(compare(&Registry::r4()), (3008, 442));
}

#[test]
fn r4b_is_listed_as_it_compiles() {
    assert_eq!(compare(&Registry::r4b()), (3564, 995));
}

#[test]
fn r5_is_listed_as_it_compiles() {
    assert_eq!(compare(&Registry::r5()), (4342, 1283));
}

#[test]
fn us_core_is_listed_as_it_compiles() {
    assert_eq!(compare(&Registry::r4().with_us_core()), (3014, 442));
}

#[test]
fn one_filter_alone_compiles_as_it_does_among_others() {
    let registry = Registry::r4();
    for row in list(&registry, "Patient") {
        let param = registry.param("Patient", row.code).expect("listed");
        let request = Request {
            type_filters: vec![filter("Patient", param, None)],
            ..Request::default()
        };
        assert_eq!(
            Plan::compile(&request, &registry).is_ok(),
            row.refused.is_none(),
            "{}",
            row.code
        );
    }
}

fn row<'a>(registry: &'a Registry, type_name: &str, code: &str) -> Listed<'a> {
    let mut rows = list(registry, type_name).into_iter();
    rows.find(|row| row.code == code).expect("listed")
}

#[test]
fn modifiers_follow_the_datatypes() {
    let registry = Registry::r4();
    let taken = |type_name, code| row(&registry, type_name, code).modifiers;
    assert!(taken("Patient", "identifier").contains(&"of-type"));
    assert!(!taken("Patient", "gender").contains(&"of-type"));
    assert!(taken("DocumentReference", "contenttype").contains(&"below"));
    assert!(!taken("Observation", "code").contains(&"below"));
    assert_eq!(taken("Observation", "subject"), ["identifier", "missing", TYPED]);
    assert_eq!(taken("CarePlan", "instantiates-canonical"), ["missing", TYPED]);
    assert_eq!(taken("Observation", "code-value-quantity"), [""; 0]);
    assert_eq!(taken("Location", "near"), [""; 0]);
}

#[test]
fn paths_are_written_as_one_reads_them() {
    let registry = Registry::r4();
    let paths = |type_name, code| row(&registry, type_name, code).paths;
    assert_eq!(
        paths("Patient", "phone"),
        ["telecom.where(system = 'phone') (ContactPoint)"]
    );
    assert_eq!(
        paths("Observation", "patient"),
        ["subject.where(resolve() is Patient) (Reference)"]
    );
    assert_eq!(paths("Bundle", "composition"), ["entry[0].resource (Resource)"]);
    assert_eq!(
        paths("Observation", "component-code-value-quantity"),
        ["component: code (CodeableConcept) $ valueQuantity (Quantity)"]
    );
}

#[test]
fn no_built_in_path_tests_the_resource_itself() {
    for registry in [Registry::r4().with_us_core(), Registry::r4b(), Registry::r5()] {
        for (type_name, param) in registry.all_pairs() {
            let at_root = |spec: &PathSpec| !spec.names.is_empty() && spec.wheres.iter().any(|test| test.at == 0);
            assert!(!param.paths.iter().any(at_root), "{type_name}?{}", param.code);
        }
    }
}

#[test]
fn an_unknown_type_has_nothing() {
    assert!(list(&Registry::r4(), "Nothing").is_empty());
    assert_eq!(text("Nothing", &[]), "Nothing: 0 search parameters\n");
}

#[test]
fn the_listing_in_text_and_in_json_says_the_same() {
    let registry = Registry::r4();
    let listed = list(&registry, "Observation");
    let as_text = text("Observation", &listed);
    let as_json: serde_json::Value = serde_json::from_str(&json("Observation", &listed)).expect("JSON");
    assert_eq!(as_json["type"], "Observation");
    let params = as_json["params"].as_array().expect("an array");
    assert_eq!(params.len(), listed.len());
    for (param, row) in params.iter().zip(&listed) {
        assert_eq!(param["code"], row.code);
        assert_eq!(param["modifiers"].as_array().map(Vec::len), Some(row.modifiers.len()));
        assert!(as_text.contains(&format!("\n{}  ", row.code)) || as_text.contains(&format!("\n{} ", row.code)));
    }
    assert!(as_text.lines().all(|line| line == line.trim_end()));
}

#[test]
fn a_block_of_the_text() {
    let registry = Registry::r4();
    let listed = [row(&registry, "Location", "near"), row(&registry, "Patient", "family")];
    let expected = "Location: 2 search parameters, 1 of them not supported\n\
                    \nnear    special    not supported\n        `near` is a special parameter with rules of its own, \
                    which are not supported\n\
                    \nfamily  string     :exact :contains :missing\n        name.family (string)\n";
    assert_eq!(text("Location", &listed), expected);
}

#[test]
fn few_rows_of_the_tables_are_refused() {
    // Most of the refused pairs above are `_content`, `_text` and their like, once for each type.
    let refused = |registry: Registry| {
        let rows = registry.all_pairs();
        rows.filter(|(_, param)| refusals::param(param).is_some()).count()
    };
    assert_eq!(refused(Registry::r4()), 10);
    assert_eq!(refused(Registry::r4().with_us_core()), 10);
    assert_eq!(refused(Registry::r4b()), 16);
    assert_eq!(refused(Registry::r5()), 28);
}
