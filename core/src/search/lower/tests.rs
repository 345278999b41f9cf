//! Expressions: the standard's own against its tables, and each piece of the grammar.

use super::*;
use crate::search::expr::parse;
use crate::search::table::Rule;

/// Rows whose published expression does not give the table's paths, and why.
const EXCEPTIONS: [(&str, &str, &str); 4] = [
    ("CarePlan", "activity-date", BELOW_ROOT),
    ("PlanDefinition", "definition", BELOW_ROOT),
    ("RiskAssessment", "probability", BELOW_ROOT),
    ("Specimen", "collected", BELOW_ROOT),
];

const BELOW_ROOT: &str = "a bare choice element below the root: the tables list no variants there, a cast is asked for";

const PUBLISHED: &str = include_str!("../generated/r4_expressions.txt");

/// `(type, code, search type, expression)` of every row that R4 publishes with an expression.
fn published() -> Vec<(&'static str, &'static str, SearchType, &'static str)> {
    let mut rows = Vec::new();
    for line in PUBLISHED.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.splitn(4, ' ');
        let mut field = || fields.next().expect("four fields");
        let (code, kind, bases, expression) = (field(), field(), field(), field());
        let kind = SearchType::from_code(kind).expect("search type");
        rows.extend(bases.split(',').map(|base| (base, code, kind, expression)));
    }
    rows
}

#[test]
fn published_expressions_give_the_paths_of_the_table() {
    let r4 = Registry::r4();
    let rows = published();
    assert_eq!(rows.len(), 1703, "1,706 rows, three of them without an expression");
    let mut wrong = Vec::new();
    let mut excused = 0;
    for (type_name, code, kind, expression) in rows {
        let row = r4.param(type_name, code).expect("a row of the table");
        let outcome = parse(expression).and_then(|expr| Ok((lower(&expr, type_name, kind, &r4)?, expr.rule())));
        let fits = outcome
            .as_ref()
            .is_ok_and(|(paths, rule)| *paths == row.paths && *rule == row.rule);
        let exception = EXCEPTIONS.iter().any(|(t, c, _)| (*t, *c) == (type_name, code));
        excused += usize::from(exception && !fits);
        if fits == exception {
            wrong.push(format!(
                "{type_name}.{code}: {expression}\n  {outcome:?}\n  {:?}",
                row.paths
            ));
        }
    }
    assert!(wrong.is_empty(), "{} rows:\n{}", wrong.len(), wrong.join("\n"));
    assert_eq!(excused, EXCEPTIONS.len());
}

fn lowered(expression: &str, type_name: &str, kind: SearchType) -> Result<Vec<String>, ExprError> {
    let expr = parse(expression)?;
    let paths = lower(&expr, type_name, kind, &Registry::r4())?;
    Ok(paths.iter().map(shown).collect())
}

/// The form of the generated tables.
fn shown(path: &PathSpec) -> String {
    let mut out = String::new();
    for at in 0..=path.names.len() {
        if at > 0 {
            let dot = if at > 1 { "." } else { "" };
            out.push_str(&format!("{dot}{}", path.names[at - 1]));
        }
        for test in path.wheres.iter().filter(|test| test.at == at) {
            out.push_str(&match &test.test {
                WhereTest::Member(member, text) => format!("[{}={text}]", member.join(".")),
                WhereTest::Index(index) => format!("[{index}]"),
                WhereTest::Extension(url) => format!("[@{url}]"),
            });
        }
    }
    let first = if path.first { "!" } else { "" };
    let only = path.ref_is.as_ref().map_or(String::new(), |only| format!("^{only}"));
    format!("{first}{out}:{}{only}", path.leaf)
}

#[track_caller]
fn gives(expression: &str, type_name: &str, kind: SearchType, paths: &[&str]) {
    assert_eq!(
        lowered(expression, type_name, kind).expect(expression),
        paths,
        "{expression}"
    );
}

#[track_caller]
fn refused(expression: &str, type_name: &str, kind: SearchType, place: &str, message: &str) {
    let error = lowered(expression, type_name, kind).expect_err(expression);
    assert!(error.message.contains(message), "{expression}: {error}");
    assert_eq!(&expression[error.span.clone()], place, "{expression}: {error}");
}

#[test]
fn both_spellings_of_a_cast_are_alike() {
    use SearchType::{Quantity, String};
    for expression in [
        "(Observation.value as Quantity)",
        "Observation.value as Quantity",
        "Observation.value.as(Quantity)",
        "Observation.value.ofType(Quantity)",
        "Observation.value.ofType( FHIR.Quantity )",
        "value.ofType(Quantity)",
    ] {
        gives(expression, "Observation", Quantity, &["valueQuantity:Quantity"]);
    }
    gives(
        "(Observation.value as CodeableConcept).text",
        "Observation",
        String,
        &["valueCodeableConcept.text:string"],
    );
    gives(
        "Observation.value.as(dateTime)",
        "Observation",
        SearchType::Date,
        &["valueDateTime:dateTime"],
    );
    gives(
        "Observation.interpretation as CodeableConcept",
        "Observation",
        SearchType::Token,
        &["interpretation:CodeableConcept"],
    );
}

#[test]
fn a_bare_choice_is_every_variant_at_the_root_and_an_error_below() {
    use SearchType::Date;
    let onset = [
        "onsetDateTime:dateTime",
        "onsetAge:Age",
        "onsetPeriod:Period",
        "onsetRange:Range",
        "onsetString:string",
    ];
    gives("Condition.onset", "Condition", Date, &onset);
    refused(
        "Observation.component.value",
        "Observation",
        Date,
        ".value",
        "a cast must say which",
    );
    refused(
        "Observation.value.text",
        "Observation",
        Date,
        ".value",
        "a cast must say which",
    );
}

#[test]
fn only_branches_of_the_type_count() {
    use SearchType::{Date, Token};
    let expression = "Patient.birthDate | Observation.issued|Resource.meta.lastUpdated | DomainResource.text.status";
    gives(
        expression,
        "Observation",
        Date,
        &["issued:unknown", "meta.lastUpdated:instant", "text.status:code"],
    );
    gives(expression, "Bundle", Date, &["meta.lastUpdated:instant"]);
    gives("Resource.meta.tag", "Resource", Token, &["meta.tag:Coding"]);
    gives("Patient.gender | Patient.gender", "Patient", Token, &["gender:code"]);
    gives(
        "name | alias",
        "Organization",
        SearchType::String,
        &["name:string", "alias:string"],
    );
    refused("Patient.gender", "Observation", Token, "Patient.gender", "no branch");
    refused(
        "Patient.gender | Patiant.active",
        "Patient",
        Token,
        "Patiant",
        "no resource type",
    );
    refused("name | aliaz", "Organization", Token, "aliaz", "no element `aliaz`");
    refused("Patient.sex", "Patient", Token, ".sex", "no element `sex`");
    refused(
        "Observation.value.ofType(canonical)",
        "Observation",
        Token,
        ".ofType(canonical)",
        "never of the datatype",
    );
    refused(
        "Patient.birthDate as Period",
        "Patient",
        Date,
        "as Period",
        "of the datatype date",
    );
}

#[test]
fn tests_narrow_the_items() {
    use SearchType::{Reference, Token};
    let phone = ["telecom[system=phone]:ContactPoint"];
    for test in [
        "system='phone'",
        " system = 'phone' ",
        "system=\"phone\"",
        r"system='ph\one'",
    ] {
        let expression = format!("Patient.telecom.where({test})");
        let expected = if test.contains('\\') {
            Err(())
        } else {
            Ok(phone.map(str::to_owned).to_vec())
        };
        assert_eq!(
            lowered(&expression, "Patient", Token).map_err(drop),
            expected,
            "{expression}"
        );
    }
    gives(
        r"Patient.name.where(text='O\'Neil').family",
        "Patient",
        SearchType::String,
        &["name[text=O'Neil].family:string"],
    );
    gives(
        "Observation.subject.where(resolve() is Patient)",
        "Observation",
        Reference,
        &["subject:Reference^Patient"],
    );
    gives(
        "Procedure.performer.actor.where( resolve()  is  Device )",
        "Procedure",
        Reference,
        &["performer.actor:Reference^Device"],
    );
    gives(
        "MedicationRequest.medication.where(resolve() is Medication)",
        "MedicationRequest",
        Reference,
        &["medicationReference:Reference^Medication"],
    );
    refused(
        "Observation.subject.where(resolve() is Patient)",
        "Observation",
        Token,
        ".where(resolve() is Patient)",
        "for reference parameters",
    );
    refused(
        "Observation.subject.where(resolve() is Human)",
        "Observation",
        Reference,
        ".where(resolve() is Human)",
        "no resource type",
    );
    refused(
        "Patient.name.where(use != 'old')",
        "Patient",
        Token,
        "!=",
        "`=` was expected",
    );
    refused(
        "Patient.name.where(use='old' and text='x')",
        "Patient",
        Token,
        "and",
        "`)` was expected",
    );
}

#[test]
fn positions_count_items() {
    use SearchType::{Date, Reference, String};
    gives(
        "Bundle.entry[0].resource",
        "Bundle",
        Reference,
        &["entry[0].resource:Resource"],
    );
    gives(
        "Bundle.entry[0].resource as Composition",
        "Bundle",
        Reference,
        &["entry[0].resource[resourceType=Composition]:Composition"],
    );
    gives(
        "Patient.name.first().given",
        "Patient",
        String,
        &["name[0].given:string"],
    );
    let expr = parse("Bundle.entry[0].resource as Composition").expect("parses");
    let paths = lower(&expr, "Bundle", Reference, &Registry::r5()).expect("as published in R5");
    let bundle = ["entry[0].resource[resourceType=Composition]:Composition"];
    assert_eq!(paths.iter().map(shown).collect::<Vec<_>>(), bundle);
    let both = ["!start:instant", "!requestedPeriod.start:unknown"];
    gives("(start | requestedPeriod.start).first()", "Appointment", Date, &both);
    gives(
        "Encounter.period | (start | requestedPeriod.start).first()",
        "Encounter",
        Date,
        &["period:Period"],
    );
    refused(
        "Appointment.created | (start | end).first()",
        "Appointment",
        Date,
        "Appointment.created | (start | end).first()",
        "only some",
    );
    refused(
        "(start | end).first() | (created | end).first()",
        "Appointment",
        Date,
        "(created | end)",
        "twice",
    );
    refused(
        "Patient.name.where(use='old')[0]",
        "Patient",
        String,
        "[0]",
        "after where()",
    );
    refused(
        "(Patient.name | Patient.contact.name)[1]",
        "Patient",
        String,
        "[1]",
        "in a union",
    );
}

#[test]
fn extensions_have_both_spellings() {
    use SearchType::Token;
    let expected = ["extension[url=http://x.org/e].valueCodeableConcept:CodeableConcept"];
    gives(
        "Patient.extension('http://x.org/e').value as CodeableConcept",
        "Patient",
        Token,
        &expected,
    );
    gives(
        "Patient.extension.where(url = 'http://x.org/e').value.ofType(CodeableConcept)",
        "Patient",
        Token,
        &expected,
    );
    gives(
        "Patient.extension('http://x.org/e').value.ofType(Coding).code",
        "Patient",
        Token,
        &["extension[url=http://x.org/e].valueCoding.code:code"],
    );
    gives(
        "Patient.contact.where(extension('u').exists()).gender",
        "Patient",
        Token,
        &["contact[@u].gender:unknown"],
    );
    let dates = [
        "Date:date",
        "DateTime:dateTime",
        "Instant:instant",
        "Period:Period",
        "Timing:Timing",
    ];
    let dates = dates.map(|variant| format!("extension[url=u].value{variant}"));
    gives(
        "Patient.extension('u').value",
        "Patient",
        SearchType::Date,
        &dates.each_ref().map(String::as_str),
    );
    refused(
        "Patient.extension('u').value",
        "Patient",
        SearchType::Special,
        ".value",
        "a cast must say which",
    );
    let codes = [
        "extension[url=u].extension.valueCoding.code:code",
        "extension[url=u].extension.valueQuantity.code:code",
        "extension[url=u].extension.valueTiming.code:CodeableConcept",
    ];
    gives("Patient.extension('u').extension.value.code", "Patient", Token, &codes);
    refused(
        "Patient.extension('u').value.nothing",
        "Patient",
        Token,
        ".value",
        "a cast must say which",
    );
}

#[test]
fn datatypes_come_from_the_tables_or_the_common_datatypes() {
    use SearchType::{String, Token};
    gives(
        "Observation.code.coding.display",
        "Observation",
        String,
        &["code.coding.display:string"],
    );
    gives(
        "Patient.identifier.type",
        "Patient",
        Token,
        &["identifier.type:CodeableConcept"],
    );
    gives("Patient.photo.title", "Patient", String, &["photo.title:unknown"]);
    // Not known to be a choice element: whichever of the two keys the JSON has.
    let both = [
        "location.physicalType:CodeableConcept",
        "location.physicalTypeCodeableConcept:CodeableConcept",
    ];
    gives(
        "Encounter.location.physicalType as CodeableConcept",
        "Encounter",
        Token,
        &both,
    );
    gives(
        "Observation.component.value as Ratio",
        "Observation",
        Token,
        &["component.valueRatio:Ratio"],
    );
}

#[test]
fn the_one_computed_form_is_read() {
    let expr = parse("Patient.deceased.exists() and Patient.deceased != false").expect("the standard's own");
    assert_eq!(expr.rule(), Some(Rule::ExistsAndNotFalse));
    for other in [
        "Patient.deceased.exists()",
        "Patient.deceased and Patient.deceased != false",
        "Patient.deceased.exists() and Patient.active != false",
        "Patient.active | Patient.deceased.exists() and Patient.deceased != false",
        "Patient.deceased.exists() and Patient.deceased != true",
        "(Patient.deceased.exists() and Patient.deceased != false)",
    ] {
        assert!(parse(other).is_err(), "{other}");
    }
}

#[test]
fn paths_that_double_with_each_cast_come_to_an_end() {
    let casts = |count| format!("Patient.link{}", ".x.as(y)".repeat(count));
    let paths = lowered(&casts(9), "Patient", SearchType::Token).expect("512 paths");
    assert_eq!(paths.len(), 512);
    for count in [10, 200, 100_000] {
        let text = casts(count);
        let error = lowered(&text, "Patient", SearchType::Token).unwrap_err();
        assert_eq!(error.message, "here the expression stands for more than 512 paths");
        assert_eq!(
            (&text[error.span.clone()], error.span.start),
            (".as(y)", casts(9).len() + 2)
        );
    }
    let long = format!("Patient.link{}", ".x".repeat(100_000));
    let error = lowered(&long, "Patient", SearchType::Token).unwrap_err();
    assert_eq!(
        (&*error.message, error.span.start),
        ("a path of more than 64 names", "Patient.link".len() + 2 * 63)
    );
    let union = format!("Patient.id{}", " | Patient.id".repeat(100_000));
    assert!(
        lowered(&union, "Patient", SearchType::Token)
            .unwrap_err()
            .message
            .contains("512 paths")
    );
}

#[test]
fn anything_else_is_refused_and_nothing_panics() {
    for text in [
        "",
        " ",
        "|",
        "Patient.",
        "Patient..name",
        "Patient.name |",
        "(Patient.name",
        "Patient.name)",
        "Patient.name[",
        "Patient.name[x]",
        "Patient.name[99999999999999999999999]",
        "Patient.name.where(use='old",
        "Patient.name.where(use='\\u0041')",
        "Patient name",
        "Patient.name.trace('x')",
        "Patient.name as",
        "Patient.näme",
        "Patient.name + 'x'",
        "%resource.name",
        "'x'",
        "12",
        "as",
        "\u{0}",
        "Patient.name.where(",
        "Patient.name.where(x(",
        "Patient.name.exists() and",
        "Patient.name.exists(",
        "Patient.name.as()",
    ] {
        let outcome = lowered(text, "Patient", SearchType::String);
        let error = outcome.expect_err(text);
        assert!(text.get(error.span.clone()).is_some(), "{text}: {error}");
    }
    let deep = "(".repeat(100_000);
    assert!(parse(&deep).expect_err("deep").message.contains("nested"));
    let long = format!("Patient{}", ".extension".repeat(50_000));
    assert!(parse(&long).is_ok());
}

const MAIDEN: Fields<'static> = Fields {
    code: "maiden",
    kind: "string",
    bases: &["Patient", "Person"],
    expression: "Patient.name.where(use='maiden').family | Person.name.where(use='maiden').family",
    targets: &[],
};

#[test]
fn fields_of_a_resource_become_parameters() {
    let r4 = Registry::r4();
    let params = from_fields(&MAIDEN, &r4).expect("fits");
    assert_eq!(params.len(), 2);
    let mut registry = r4.clone();
    for (type_name, param) in params {
        assert_eq!(
            param.paths.iter().map(shown).collect::<Vec<_>>(),
            ["name[use=maiden].family:string"]
        );
        registry = registry.with_params(&type_name, vec![param]);
    }
    assert!(registry.param("Person", "maiden").is_some() && registry.param("Practitioner", "maiden").is_none());

    let half = Fields {
        expression: "Patient.name.family",
        ..MAIDEN
    };
    let params = from_fields(&half, &r4).expect("one base is reached");
    assert!(params[0].1.unresolved.is_none() && params[1].1.unresolved.is_some() && params[1].1.paths.is_empty());

    let patient = Fields {
        kind: "reference",
        bases: &["Basic"],
        expression: "Basic.subject",
        targets: &["Patient", "Group"],
        ..MAIDEN
    };
    assert_eq!(
        from_fields(&patient, &r4).expect("fits")[0].1.targets,
        ["Group", "Patient"]
    );
}

#[test]
fn fields_that_do_not_fit_are_refused() {
    let r4 = Registry::r4();
    let refused = [
        (
            Fields {
                kind: "composite",
                ..MAIDEN
            },
            "composite",
        ),
        (
            Fields {
                kind: "special",
                ..MAIDEN
            },
            "special",
        ),
        (
            Fields {
                kind: "strange",
                ..MAIDEN
            },
            "unknown search type",
        ),
        (Fields { code: "a:b", ..MAIDEN }, "code"),
        (Fields { bases: &[], ..MAIDEN }, "no base"),
        (
            Fields {
                bases: &["Human"],
                ..MAIDEN
            },
            "no resource type",
        ),
        (
            Fields {
                bases: &["Group", "Basic"],
                ..MAIDEN
            },
            "no branch",
        ),
        (
            Fields {
                expression: "Patient.nam",
                ..MAIDEN
            },
            "no element",
        ),
    ];
    for (fields, reason) in refused {
        let error = from_fields(&fields, &r4).expect_err(reason);
        assert!(error.message.contains(reason), "{error}");
    }
}
