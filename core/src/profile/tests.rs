//! Every rule of both profiles, with places and answers.

use super::check::{Asked, Violation, check, group_size, unsupported, with_problems};
use super::*;
use crate::plan::Plan;
use crate::problem::{Problem, Problems};
use crate::request::Request;
use crate::search::table::Registry;

/// Types and filters as written; nothing else is asked for, and the level is not known.
fn held(profile: &Profile, types: &[&str], filters: &[&str]) -> Vec<Violation> {
    let (types, type_filters) = (owned(types), owned(filters));
    let asked = Asked {
        types: &types,
        type_filters: &type_filters,
        ..Asked::default()
    };
    check(profile, &asked, &Registry::r4())
}

fn owned(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

/// Option, marked text, status and code of each.
fn told(violations: &[Violation]) -> Vec<(&'static str, &str, u16, &'static str)> {
    violations
        .iter()
        .map(|violation| {
            let problem = &violation.problem;
            let marked = &problem.text[problem.span.clone()];
            (problem.option, marked, violation.status, violation.code)
        })
        .collect()
}

#[track_caller]
fn refused(types: &[&str], filters: &[&str], expected: &[(&str, &str, u16)]) {
    let violations = held(&ORACLE, types, filters);
    let expected: Vec<_> = expected
        .iter()
        .map(|&(option, marked, status)| (option, marked, status, "invalid"))
        .collect();
    assert_eq!(told(&violations), expected, "{violations:#?}");
    assert_eq!(held(&IG, types, filters), [], "the guide takes it");
}

#[track_caller]
fn taken(types: &[&str], filters: &[&str]) {
    assert_eq!(held(&ORACLE, types, filters), []);
}

const CLINICAL: [&str; 17] = [
    "AllergyIntolerance",
    "CarePlan",
    "CareTeam",
    "Condition",
    "Coverage",
    "Device",
    "DiagnosticReport",
    "DocumentReference",
    "Encounter",
    "Goal",
    "Immunization",
    "MedicationDispense",
    "MedicationRequest",
    "Observation",
    "Patient",
    "Procedure",
    "ServiceRequest",
];

const DEPENDENT: [&str; 5] = [
    "Location",
    "Organization",
    "Practitioner",
    "Provenance",
    "RelatedPerson",
];

#[test]
fn profiles_by_name() {
    assert_eq!(Profile::named("ig").map(|profile| profile.name), Some("ig"));
    assert_eq!(Profile::named("oracle").map(|profile| profile.name), Some("oracle"));
    assert!(Profile::named("Oracle").is_none());
}

#[test]
fn the_table_speaks_of_types_and_parameters_that_there_are() {
    let registry = Registry::r4();
    let rules = ORACLE.levels.iter().filter_map(|level| level.types).flatten();
    for rule in rules {
        assert!(registry.is_type(rule.name), "{}", rule.name);
        let Usable::Only(parameters) = rule.usable else {
            continue;
        };
        for parameter in parameters {
            let is_known = registry.param(rule.name, parameter.code).is_some();
            // Names of Oracle's own begin with a hyphen.
            assert_eq!(is_known, !parameter.code.starts_with('-'), "{}", parameter.code);
            assert!(!ORACLE.filters.forbidden.contains(&parameter.code));
        }
    }
}

#[test]
fn types_of_each_level() {
    let mut all: Vec<&str> = CLINICAL.into_iter().chain(DEPENDENT).collect();
    all.sort_unstable();
    for level in [None, Some(Level::System), Some(Level::Patient), Some(Level::Group)] {
        assert_eq!(ORACLE.default_types(level), all);
        assert_eq!(IG.default_types(level), [""; 0], "every type");
    }
    taken(&all, &[]);
    for name in CLINICAL {
        taken(&[name], &[]);
    }
}

#[test]
fn types_that_oracle_does_not_export() {
    refused(
        &["Patient, Appointment", "Binary"],
        &[],
        &[("type", "Appointment", 400), ("type", "Binary", 400)],
    );
    let violations = held(&ORACLE, &["Appointment,Binary,Devicemetric,DeviceMetric"], &[]);
    let helps: Vec<Option<&str>> = violations.iter().map(|of| of.problem.help.as_deref()).collect();
    assert!(helps[0].is_some_and(|help| help.starts_with("exported: AllergyIntolerance, CarePlan, ")));
    assert_eq!(
        helps[1..],
        [None, None],
        "the list is told once, unknown names are the plan's"
    );
}

#[test]
fn dependent_types_need_a_clinical_one() {
    for name in DEPENDENT {
        refused(&[name], &[], &[("type", name, 400)]);
        taken(&[name, "Condition"], &[]);
        taken(&[&format!(" ,Condition, {name}")], &[]);
    }
    let all = DEPENDENT.join(",");
    refused(&[&all], &[], &[("type", "Location", 400)]);
    let violations = held(&ORACLE, &["Location", "Practitioner"], &[]);
    assert_eq!(
        violations[0].problem.to_string(),
        format!(
            "type: Location and Practitioner are only exported beside a clinical type under the oracle profile\n  \
             Location\n  ^^^^^^^^\n  add at least one of {}",
            CLINICAL.join(", ")
        )
    );
    // The misspelled one is told by the plan, and may be the clinical one.
    assert_eq!(held(&ORACLE, &["Location,Conditon"], &[]), []);
}

#[test]
fn t1_filters_need_types_that_hold_theirs() {
    let filter = "Condition?category=problem-list-item";
    refused(&[], &[filter], &[("type", "", 400)]);
    refused(&["Patient"], &[filter], &[("type-filter", "Condition", 400)]);
    taken(&["Patient,Condition"], &[filter]);
    // Not exported, not asked for: both are to be mended.
    refused(
        &[],
        &["Task?status=draft"],
        &[("type", "", 400), ("type-filter", "Task", 422)],
    );
}

#[test]
fn t2_one_filter_a_type() {
    let (first, second) = ("Condition?clinical-status=active", "Condition?category=a,b");
    refused(&["Condition"], &[first, second], &[("type-filter", second, 400)]);
    let list = format!("{first}, {second},Goal?target-date=2020");
    refused(&["Condition,Goal"], &[&list], &[("type-filter", second, 400)]);
    taken(&["Condition,Goal"], &[second, "Goal?target-date=2020"]);
}

#[test]
fn t3_types_without_filters() {
    for (name, pair) in [
        ("Location", "name=a"),
        ("Organization", "name=a"),
        ("Patient", "gender=male"),
        ("Practitioner", "name=a"),
        ("Provenance", "recorded=2020"),
    ] {
        let filter = format!("{name}?{pair}");
        refused(&["Condition", name], &[&filter], &[("type-filter", name, 422)]);
    }
}

#[test]
fn t4_names_that_must_not_stand_in_a_filter() {
    for name in ORACLE.filters.forbidden {
        let filter = format!("Condition?category=a&{name}=1");
        let violations = held(&ORACLE, &["Condition"], &[&filter]);
        assert_eq!(told(&violations), [("type-filter", *name, 422, "invalid")]);
        assert_eq!(
            violations[0].problem.message,
            format!("`{name}` must not stand in a filter under the oracle profile")
        );
    }
    assert_eq!(ORACLE.filters.forbidden.len(), 15);
    refused(
        &["Condition"],
        &["Condition?patient=1"],
        &[("type-filter", "patient", 422)],
    );
    refused(
        &["Condition"],
        &["Condition?subject:Patient=1"],
        &[("type-filter", "subject:Patient", 422)],
    );
}

#[test]
fn t5_usable_parameters_of_each_type() {
    let usable: [(&str, &[&str]); 17] = [
        ("AllergyIntolerance", &["clinical-status"]),
        ("CarePlan", &["date", "category"]),
        ("CareTeam", &["category", "status"]),
        ("Condition", &["clinical-status", "category"]),
        ("Coverage", &[]),
        ("Device", &[]),
        ("DiagnosticReport", &["date", "category", "code"]),
        ("DocumentReference", &["type", "category", "date", "period"]),
        ("Encounter", &["account", "date", "status"]),
        ("Goal", &["target-date"]),
        ("Immunization", &["date", "target-disease"]),
        ("MedicationDispense", &[]),
        ("MedicationRequest", &["status", "intent", "-timing-boundsPeriod"]),
        ("Observation", &["code", "date", "category"]),
        ("Procedure", &["date"]),
        ("ServiceRequest", &["code"]),
        ("RelatedPerson", &[]),
    ];
    let registry = Registry::r4();
    for (name, usable) in usable {
        let types = [name, "Goal"];
        for param in registry.params(name) {
            let code = param.code.as_str();
            let filter = format!("{name}?{code}=ge2020");
            if usable.contains(&code) {
                taken(&types, &[&filter]);
            } else {
                let marked = if usable.is_empty() { name } else { code };
                refused(&types, &[&filter], &[("type-filter", marked, 422)]);
            }
        }
        for code in usable {
            taken(&types, &[&format!("{name}?{code}=ge2020")]);
        }
    }
    let violations = held(&ORACLE, &["Condition"], &["Condition?category=a&code=b"]);
    assert_eq!(
        violations[0].problem.to_string(),
        "type-filter: a filter of Condition cannot use `code` under the oracle profile\n  \
         Condition?category=a&code=b\n                       ^^^^\n  usable: clinical-status, category"
    );
}

#[test]
fn t5_prefixes_and_how_often() {
    for value in ["2020", "eq2020", "ne2020", "sa2020", "eb2020", "ap2020"] {
        let filter = format!("Encounter?date={value}");
        refused(&["Encounter"], &[&filter], &[("type-filter", value, 422)]);
    }
    for value in ["ge2020", "gt2020", "le2020", "lt2020"] {
        taken(
            &["Encounter"],
            &[&format!("Encounter?date={value}&date={value}&date={value}")],
        );
    }
    for value in ["ne2020", "sa2020", "eb2020", "ap2020"] {
        // Percent-encoded: the place is that of what was written.
        let filter = format!("Observation?date=ge2019,%{:x}{}", value.as_bytes()[0], &value[1..]);
        let marked = &filter["Observation?date=ge2019,".len()..];
        refused(&["Observation"], &[&filter], &[("type-filter", marked, 422)]);
    }
    for value in ["2020", "eq2020", "ge2020", "gt2020", "le2020", "lt2020"] {
        taken(&["Observation"], &[&format!("Observation?date={value}")]);
    }
    let message = |filter: &str| {
        let violations = held(&ORACLE, &["Encounter,Observation"], &[filter]);
        violations.first().map(|of| of.problem.message.clone())
    };
    assert_eq!(
        message("Encounter?date=2020").as_deref(),
        Some("`date` of Encounter needs ge, gt, le or lt before its value under the oracle profile")
    );
    assert_eq!(
        message("Observation?date=ne2020").as_deref(),
        Some("`date` of Observation takes eq, ge, gt, le or lt before its value, or nothing, under the oracle profile")
    );
    taken(&["Observation"], &["Observation?date=ge2020&code=a,b&date=lt2021"]);
    refused(
        &["Observation"],
        &["Observation?date=ge2020&date=lt2021&date=lt2022"],
        &[("type-filter", "date=lt2022", 422)],
    );
}

#[test]
fn t5_modifiers_are_not_offered() {
    refused(
        &["Encounter"],
        &["Encounter?status:not=planned"],
        &[("type-filter", "status:not", 422)],
    );
}

#[test]
fn t6_bad_content_is_422_and_is_told_once() {
    let request = Request {
        types: owned(&["Condition,Goal,Obsarvation"]),
        type_filters: owned(&[
            r"Condition?clinical-status=a\b&_count=3&code=c",
            "Goal?target-date=20x0",
            "Patient?gender=male",
            "Nobody?a=b",
            "Goal",
        ]),
        ..Request::default()
    };
    let registry = Registry::r4();
    let answers = |profile: &Profile| {
        let asked = Asked {
            types: &request.types,
            type_filters: &request.type_filters,
            ..Asked::default()
        };
        let violations = check(profile, &asked, &registry);
        let problems = Plan::compile(&request, &registry).map_or_else(|problems| problems, |_| Problems(Vec::new()));
        let all = with_problems(profile, violations, problems);
        let marked = |of: &Violation| of.problem.text[of.problem.span.clone()].to_owned();
        all.iter()
            .map(|of| (marked(of), of.status))
            .collect::<Vec<(String, u16)>>()
    };
    let mut oracle = answers(&ORACLE);
    oracle.sort();
    let expected = [
        ("20x0", 422),
        ("Goal", 422),
        ("Nobody", 422),
        ("Obsarvation", 400),
        ("Patient", 400),
        ("\\", 422),
        ("_count", 422),
        ("code", 422),
    ];
    assert_eq!(oracle, expected.map(|(marked, status)| (marked.to_owned(), status)));
    let ig = answers(&IG);
    assert!(ig.iter().all(|(_, status)| *status == 400), "{ig:?}");
    assert!(!ig.iter().any(|(marked, _)| marked == "code"), "{ig:?}");
    assert_eq!(ig.len(), 7);
}

#[test]
fn a_whole_text_gives_way_to_its_part() {
    let text = "LatestProvenanceResource,RelevantProvenanceResources";
    let associated_data = owned(&[text]);
    let asked = Asked {
        associated_data: &associated_data,
        ..Asked::default()
    };
    let violations = check(&ORACLE, &asked, &Registry::r4());
    assert_eq!(violations.len(), 1);
    let of_plan = |option, text: &str| Problem::whole(option, text, "of the plan");
    let problems = vec![
        of_plan("include-associated-data", text),
        of_plan("include-associated-data", "another"),
        of_plan("elements", text),
    ];
    let all = with_problems(&ORACLE, violations.clone(), Problems(problems));
    assert_eq!(all[0], violations[0]);
    let others: Vec<&str> = all[1..].iter().map(|of| &*of.problem.text).collect();
    assert_eq!(others, ["another", text]);
}

#[test]
fn p4_associated_data_beside_types_needs_provenance() {
    let registry = Registry::r4();
    let held = |profile: &Profile, types: &[&str], values: &[&str]| {
        let (types, associated_data) = (owned(types), owned(values));
        let asked = Asked {
            types: &types,
            associated_data: &associated_data,
            ..Asked::default()
        };
        check(profile, &asked, &registry)
    };
    let both = "LatestProvenanceResources, RelevantProvenanceResources";
    for value in ["LatestProvenanceResources", "RelevantProvenanceResources", both] {
        assert_eq!(held(&ORACLE, &[], &[value]), []);
        assert_eq!(held(&ORACLE, &["Condition,Provenance"], &[value]), []);
        let violations = held(&ORACLE, &["Condition"], &[value]);
        assert_eq!(told(&violations), [("include-associated-data", value, 400, "invalid")]);
        assert_eq!(held(&IG, &["Condition"], &[value]), []);
    }
    for profile in ALL {
        let violations = held(
            profile,
            &[],
            &["_own,LatestProvenanceResource", "relevantProvenanceResources"],
        );
        let expected = ["_own", "LatestProvenanceResource", "relevantProvenanceResources"]
            .map(|marked| ("include-associated-data", marked, 400, "invalid"));
        assert_eq!(told(&violations), expected);
        let help = violations[1].problem.help.as_deref();
        assert_eq!(help, Some("did you mean `LatestProvenanceResources`?"));
    }
}

#[test]
fn parameters_that_oracle_does_not_take() {
    let elements = owned(&["id", "Patient.name"]);
    let asked = Asked {
        since: Some("2020-01-01T00:00:00Z"),
        until: Some("2021-01-01T00:00:00Z"),
        elements: &elements,
        organize_by: Some("Patient"),
        ..Asked::default()
    };
    let violations = check(&ORACLE, &asked, &Registry::r4());
    let expected = [
        ("until", "2021-01-01T00:00:00Z", 400, "invalid"),
        ("elements", "id", 400, "invalid"),
        ("organize-by", "Patient", 400, "invalid"),
    ];
    assert_eq!(told(&violations), expected);
    assert_eq!(check(&IG, &asked, &Registry::r4()), []);
    assert!(unsupported(&ORACLE, Parameter::AllowPartialManifests, "true").is_some());
    assert!(unsupported(&ORACLE, Parameter::OutputFormat, "ndjson").is_none());
    assert!(unsupported(&IG, Parameter::AllowPartialManifests, "true").is_none());
}

#[test]
fn levels_and_how_many_patients() {
    let registry = Registry::r4();
    let answer = |profile: &Profile, level, patients| {
        let asked = Asked {
            level: Some(level),
            patients,
            ..Asked::default()
        };
        let violations = check(profile, &asked, &registry);
        assert!(violations.len() <= 1, "{violations:?}");
        violations.first().map(|of| (of.status, of.code))
    };
    use Level::{Group, Patient, System};
    let cases = [
        (System, None, None, Some((400, "required"))),
        (System, Some(1), Some((400, "not-supported")), Some((400, "required"))),
        (Patient, None, None, Some((400, "required"))),
        (Patient, Some(0), Some((400, "required")), Some((400, "required"))),
        (Patient, Some(1), None, None),
        (Patient, Some(20_000), None, None),
        (Patient, Some(20_001), None, Some((400, "too-costly"))),
        (Patient, Some(5_000_000), None, Some((400, "too-costly"))),
        (Group, None, None, None),
        (Group, Some(0), Some((400, "required")), Some((400, "invalid"))),
        (Group, Some(1), None, Some((400, "invalid"))),
    ];
    for (level, patients, ig, oracle) in cases {
        assert_eq!(answer(&IG, level, patients), ig, "ig {level:?} {patients:?}");
        assert_eq!(
            answer(&ORACLE, level, patients),
            oracle,
            "oracle {level:?} {patients:?}"
        );
    }
}

#[test]
fn a_level_that_is_not_offered_hides_nothing_else() {
    let (types, type_filters) = (owned(&["Task", "Patient"]), owned(&["Patient?gender=male"]));
    let asked = Asked {
        level: Some(Level::System),
        types: &types,
        type_filters: &type_filters,
        ..Asked::default()
    };
    let violations = check(&ORACLE, &asked, &Registry::r4());
    let expected = [
        ("patient", "", 400, "required"),
        ("type", "Task", 400, "invalid"),
        ("type-filter", "Patient", 422, "invalid"),
    ];
    assert_eq!(told(&violations), expected);
}

#[test]
fn the_size_of_a_group() {
    assert_eq!(ORACLE.most_patients(), Some(20_000));
    assert_eq!(IG.most_patients(), None);
    assert_eq!(group_size(&ORACLE, "g", 20_000), None);
    assert_eq!(
        group_size(&ORACLE, "g", 0),
        None,
        "an empty group exports nothing and succeeds"
    );
    assert_eq!(group_size(&IG, "g", 5_000_000), None);
    let violation = group_size(&ORACLE, "g", 20_001).expect("too many");
    assert_eq!((violation.status, violation.code), (400, "too-costly"));
    assert_eq!(
        violation.problem.to_string(),
        "group: the group has 20001 patients; the profile takes at most 20000\n  g\n  ^"
    );
}
