//! Counts and whole rows of the built-in tables.

use super::*;

fn path(dotted: &str, leaf: &str) -> PathSpec {
    let names = dotted.split('.').filter(|name| !name.is_empty());
    PathSpec {
        names: names.map(str::to_owned).collect(),
        leaf: leaf.to_owned(),
        wheres: Vec::new(),
        ref_is: None,
        first: false,
        root: false,
    }
}

fn param(code: &str, kind: SearchType, paths: Vec<PathSpec>) -> Param {
    Param {
        code: code.to_owned(),
        kind,
        paths,
        rule: None,
        unresolved: None,
        targets: Vec::new(),
        components: Vec::new(),
    }
}

fn member(at: usize, name: &str, value: &str) -> Where {
    let test = WhereTest::Member(vec![name.to_owned()], value.to_owned());
    Where { at, test }
}

#[test]
fn every_built_in_table_parses() {
    for version in [FhirVersion::R4, FhirVersion::R4B, FhirVersion::R5] {
        let table = text::parse(text::source(version)).expect("table parses");
        let described: Vec<&String> = table.elements.iter().map(|(name, _)| name).collect();
        assert_eq!(table.types.iter().collect::<Vec<_>>(), described);
    }
    let us_core = text::parse(text::US_CORE).expect("table parses");
    assert_eq!(us_core.params.values().map(Vec::len).sum::<usize>(), 6);
}

#[test]
fn a_table_that_comes_apart_is_the_built_in_one() {
    for version in [FhirVersion::R4, FhirVersion::R4B, FhirVersion::R5] {
        let text = text::source(version).as_bytes();
        let apart = Registry::from_table(version, text).expect("the table of this release");
        assert_eq!(apart.version(), version);
        assert!(apart.all_pairs().eq(Registry::new(version).all_pairs()));
        assert!(apart.is_type("Patient") && !apart.root_elements("Patient").is_empty());
    }
}

#[test]
fn types_of_any_version_are_those_of_all_tables() {
    let all = [Registry::r4(), Registry::r4b(), Registry::r5()];
    let later = all[1..].iter().flat_map(|registry| registry.types());
    let mut later: Vec<&str> = later.map(String::as_str).filter(|name| !all[0].is_type(name)).collect();
    later.sort_unstable();
    later.dedup();
    assert_eq!(later, LATER_TYPES);
    assert!(is_type_of_any_version("Patient") && is_type_of_any_version("Transport"));
    assert!(!is_type_of_any_version("Patent") && !is_type_of_any_version(""));
}

#[test]
fn a_table_of_another_version_or_release_is_refused() {
    let text = text::source(FhirVersion::R5);
    for foreign in [
        text.replacen("Account", "Bccount", 1),
        text[1..].to_owned(),
        String::new(),
    ] {
        let answer = Registry::from_table(FhirVersion::R5, foreign.as_bytes());
        assert_eq!(answer.err(), Some(ForeignTable));
    }
    assert!(Registry::from_table(FhirVersion::R4B, text.as_bytes()).is_err());
    assert!(Registry::from_table(FhirVersion::R4, &[0xff]).is_err());
}

#[test]
fn a_broken_table_names_its_line() {
    let broken = [
        ("x", 1),
        ("[what]", 1),
        ("[types]\nB\nA", 3),
        ("[params]\n@A\nc wrong a:string", 3),
        ("[params]\n@A\nc token a", 3),
        ("[params]\n@A\nc token a[b=c:string", 3),
        ("[params]\n@A\nc token", 3),
        ("[params]\n@A\nc token a:", 3),
        ("[elements]\nA v(Quantity", 2),
        ("[systems]\n@A\nstatus http://x =1:a", 3),
    ];
    for (source, line) in broken {
        let error = text::parse(source).expect_err(source);
        assert_eq!(error.line, line, "{source}: {}", error.reason);
    }
}

#[test]
fn counts_are_those_of_the_standard() {
    let facts = |registry: Registry| {
        let entries: Vec<usize> = registry.types().iter().map(|t| registry.compartment(t).len()).collect();
        (
            registry.all_pairs().count(),
            registry.types().len(),
            registry.all_pairs().filter(|(_, p)| p.unresolved.is_some()).count(),
            registry.all_pairs().map(|(_, p)| p.paths.len()).sum::<usize>(),
            entries.iter().filter(|&&n| n > 0).count(),
            entries.iter().sum::<usize>(),
        )
    };
    assert_eq!(facts(Registry::r4()), (1706, 146, 3, 1795, 66, 100));
    assert_eq!(facts(Registry::r4b()), (1745, 141, 8, 1833, 66, 100));
    assert_eq!(facts(Registry::r5()), (1988, 158, 16, 2075, 73, 105));
}

#[test]
fn components_are_complete() {
    let count = |registry: Registry| {
        let components = registry.all_pairs().flat_map(|(_, p)| &p.components);
        components.map(|c| c.paths.len()).sum::<usize>()
    };
    assert_eq!(count(Registry::r4()), 182);
    assert_eq!(count(Registry::r4b()), 179);
    assert_eq!(count(Registry::r5()), 199);
}

#[test]
fn rows_stand_in_full() {
    let r4 = Registry::r4();
    let quantity = vec![
        path("valueQuantity", "Quantity"),
        path("valueSampledData", "SampledData"),
    ];
    assert_eq!(
        r4.param("Observation", "value-quantity"),
        Some(&param("value-quantity", SearchType::Quantity, quantity))
    );

    let mut telecom = path("telecom", "ContactPoint");
    telecom.wheres = vec![member(1, "system", "phone")];
    assert_eq!(
        r4.param("Patient", "phone"),
        Some(&param("phone", SearchType::Token, vec![telecom]))
    );

    let deceased = vec![path("deceasedBoolean", "boolean"), path("deceasedDateTime", "dateTime")];
    let mut deceased = param("deceased", SearchType::Token, deceased);
    deceased.rule = Some(Rule::ExistsAndNotFalse);
    assert_eq!(r4.param("Patient", "deceased"), Some(&deceased));

    let mut entry = path("entry.resource", "Resource");
    entry.wheres = vec![Where {
        at: 1,
        test: WhereTest::Index(0),
    }];
    let mut composition = param("composition", SearchType::Reference, vec![entry]);
    composition.targets = vec!["Composition".to_owned()];
    assert_eq!(r4.param("Bundle", "composition"), Some(&composition));

    let mut subject = path("subject", "Reference");
    subject.ref_is = Some("Patient".to_owned());
    let mut patient = param("patient", SearchType::Reference, vec![subject]);
    patient.targets = vec!["Patient".to_owned()];
    assert_eq!(r4.param("Observation", "patient"), Some(&patient));
}

#[test]
fn rows_of_r5_stand_in_full() {
    let r5 = Registry::r5();
    let mut paths = vec![path("start", "instant"), path("requestedPeriod.start", "dateTime")];
    paths.iter_mut().for_each(|path| path.first = true);
    assert_eq!(
        r5.param("Appointment", "date"),
        Some(&param("date", SearchType::Date, paths))
    );

    let mut entry = path("entry.resource", "Composition");
    let index = Where {
        at: 1,
        test: WhereTest::Index(0),
    };
    entry.wheres = vec![index, member(2, "resourceType", "Composition")];
    assert_eq!(r5.param("Bundle", "composition").map(|p| &p.paths), Some(&vec![entry]));

    let mut answer = path("item.answer.valueReference", "Reference");
    let url = "http://hl7.org/fhir/StructureDefinition/questionnaireresponse-isSubject";
    answer.wheres = vec![Where {
        at: 1,
        test: WhereTest::Extension(url.to_owned()),
    }];
    let subject = param("item-subject", SearchType::Reference, vec![answer]);
    assert_eq!(r5.param("QuestionnaireResponse", "item-subject"), Some(&subject));
}

#[test]
fn a_component_may_start_at_the_root() {
    let part = |code: &str, kind, path| Component {
        code: code.to_owned(),
        kind,
        paths: vec![path],
    };
    let mut chromosome = path("referenceSeq.chromosome", "CodeableConcept");
    chromosome.root = true;
    let code = "chromosome-variant-coordinate";
    let mut expected = param(code, SearchType::Composite, vec![path("variant", "BackboneElement")]);
    expected.components = vec![
        part("chromosome", SearchType::Token, chromosome),
        part("variant-start", SearchType::Number, path("start", "integer")),
        part("variant-end", SearchType::Number, path("end", "integer")),
    ];
    assert_eq!(Registry::r4().param("MolecularSequence", code), Some(&expected));
}

#[test]
fn a_composite_may_start_at_the_resource_itself() {
    let r4 = Registry::r4();
    let found = r4.param("Observation", "code-value-quantity").expect("known");
    assert_eq!(found.paths, [path("", "Observation")]);
    assert_eq!(found.components[0].paths, [path("code", "CodeableConcept")]);
}

#[test]
fn a_code_is_looked_up_along_the_type_hierarchy() {
    let r4 = Registry::r4();
    let id = r4.param("Patient", "_id").expect("of Resource");
    assert_eq!(id.paths, [path("id", "id")]);
    assert!(r4.param("Patient", "_text").is_some(), "of DomainResource");
    assert!(r4.param("Bundle", "_text").is_none(), "no DomainResource");
    assert!(r4.param("Bundle", "_id").is_some());
    assert!(r4.param("DomainResource", "_id").is_some());
    assert!(r4.param("Resource", "_text").is_none());
    assert!(r4.param("Nonsense", "_id").is_none());
    assert!(r4.param("Patient", "nonsense").is_none());

    let all = r4.params("Patient");
    assert!(all.windows(2).all(|pair| pair[0].code < pair[1].code));
    assert!(all.iter().any(|p| p.code == "_id") && all.iter().any(|p| p.code == "birthdate"));
    for p in all {
        assert_eq!(r4.param("Patient", &p.code), Some(p));
    }
}

#[test]
fn types_have_positions() {
    let r4 = Registry::r4();
    assert_eq!(r4.type_index("Account"), Some(0));
    assert_eq!(r4.type_index("VisionPrescription"), Some(145));
    assert!(!r4.is_type("Resource") && !r4.is_type("patient"));
    assert_eq!(Registry::new(FhirVersion::R4B).version(), FhirVersion::R4B);
}

#[test]
fn us_core_adds_its_six_to_r4_only() {
    let r4 = Registry::r4();
    assert!(r4.param("Patient", "race").is_none());
    let us = r4.clone().with_us_core();
    assert_eq!(us.all_pairs().count(), 1712);
    // As published it ends at the code, and would lose the system.
    let mut race = path("extension.extension.valueCoding", "Coding");
    let url = "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race";
    race.wheres = vec![member(1, "url", url)];
    assert_eq!(
        us.param("Patient", "race"),
        Some(&param("race", SearchType::Token, vec![race]))
    );
    assert!(r4.param("Patient", "race").is_none(), "the original stays pure");
    assert_eq!(Registry::r5().with_us_core().all_pairs().count(), 1988);
}

#[test]
fn own_parameters_override() {
    let own = param("gender", SearchType::String, vec![path("gender", "code")]);
    let extra = param("aaa", SearchType::String, vec![path("language", "code")]);
    let registry = Registry::r4().with_params("Patient", vec![own.clone(), extra.clone()]);
    assert_eq!(registry.param("Patient", "gender"), Some(&own));
    assert_eq!(registry.param("Patient", "aaa"), Some(&extra));
    assert_eq!(registry.all_pairs().count(), 1707);
    let listed = registry.params("Patient");
    assert_eq!(
        listed.iter().filter(|p| p.code == "gender").collect::<Vec<_>>(),
        [&&own]
    );
}

#[test]
fn compartments_and_elements_are_those_of_the_standard() {
    let r4 = Registry::r4();
    assert_eq!(
        r4.compartment("AllergyIntolerance"),
        ["patient", "recorder", "asserter"]
    );
    assert!(r4.compartment("Medication").is_empty());
    for name in r4.types() {
        for code in r4.compartment(name) {
            assert!(r4.param(name, code).is_some(), "{name}.{code}");
        }
    }

    let elements = r4.root_elements("Patient");
    let deceased = elements.iter().find(|e| e.name == "deceased").expect("known");
    assert_eq!(deceased.keys, ["deceasedBoolean", "deceasedDateTime"]);
    assert!(deceased.modifier && deceased.primitive && !deceased.mandatory);
    let status = r4.root_elements("Observation").iter().find(|e| e.name == "status");
    let expected = RootElement {
        name: "status".to_owned(),
        keys: vec!["status".to_owned()],
        mandatory: true,
        modifier: true,
        primitive: true,
    };
    assert_eq!(status, Some(&expected));
    assert!(r4.root_elements("Nonsense").is_empty());
}

#[test]
fn systems_are_implied_by_path() {
    let r4 = Registry::r4();
    let severity = r4
        .implied_system("AllergyIntolerance", "reaction.severity")
        .expect("known");
    assert_eq!(severity.systems, ["http://hl7.org/fhir/reaction-event-severity"]);
    assert!(severity.codes.is_empty());
    assert!(r4.implied_system("Patient", "language").is_none());
    assert!(
        Registry::r5().implied_system("Patient", "language").is_some(),
        "of Resource"
    );

    let intent = r4.implied_system("Task", "intent").expect("known");
    let systems = ["http://hl7.org/fhir/request-intent", "http://hl7.org/fhir/task-intent"];
    assert_eq!(intent.systems, systems);
    assert_eq!(intent.codes.len(), 8);
    assert!(intent.codes.contains(&("order".to_owned(), 0)));

    let r5 = Registry::r5();
    let status = r5.implied_system("DetectedIssue", "status").expect("known");
    assert!(status.codes.contains(&("mitigated".to_owned(), 0)));
    assert!(status.codes.contains(&("final".to_owned(), 1)));
}
