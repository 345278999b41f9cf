//! Scopes: their grammar, what is granted, and the grant held against a slow model.

use super::*;

fn registry() -> Registry {
    Registry::r4()
}

fn fault(text: &str) -> String {
    Scopes::parse(text, &registry()).map_or_else(|fault| fault.to_string(), |scopes| format!("took {scopes}"))
}

/// The text that is granted; what is refused begins with a `!`.
fn granted(asked: &str, registered: &str) -> String {
    granted_under(asked, registered, false)
}

fn granted_under(asked: &str, registered: &str, oracle: bool) -> String {
    let registry = registry();
    let registered = Scopes::parse(registered, &registry).expect("good scopes");
    match grant(Some(asked), &registered, &registry, oracle) {
        Ok(granted) => {
            let again = reach_of(&granted.text, &registry).expect("what was granted is good");
            assert_eq!(again, granted.reach);
            granted.text
        }
        Err(fault) => format!("!{fault}"),
    }
}

#[test]
fn everything_that_reads_is_granted_for_reading_in_its_own_spelling() {
    let all = "system/*.rs";
    assert_eq!(granted("system/Patient.read", all), "system/Patient.read");
    assert_eq!(granted("system/Patient.*", all), "system/Patient.read");
    assert_eq!(granted("system/Patient.rs", all), "system/Patient.rs");
    assert_eq!(granted("system/Patient.cruds", all), "system/Patient.rs");
    assert_eq!(granted("system/Patient.rus", all), "system/Patient.rs");
    assert_eq!(granted("system/*.*", all), "system/*.read");
    assert_eq!(granted("system/*.cruds", all), "system/*.rs");
    assert_eq!(
        granted("system/*.read  system/Patient.rs system/Patient.cruds", all),
        "system/*.read system/Patient.rs"
    );
}

#[test]
fn a_scope_without_read_is_refused() {
    for scope in ["system/Patient.write", "system/*.write"] {
        assert!(fault(scope).contains("only reads"), "{scope}");
    }
    for scope in [
        "system/Patient.r",
        "system/Patient.s",
        "system/Patient.cud",
        "system/*.r",
    ] {
        assert!(fault(scope).contains("needs both r and s"), "{scope}");
    }
    assert!(granted("system/Patient.read system/Patient.write", "system/*.rs").starts_with('!'));
}

#[test]
fn letters_out_of_order_or_unknown_are_refused() {
    for scope in [
        "system/Patient",
        "system/Patient.",
        "system/Patient.sr",
        "system/Patient.rrs",
        "system/Patient.Read",
        "system/Patient.rsx",
        "system/Patient.read.rs",
    ] {
        assert!(fault(scope).contains(".read or .rs is missing"), "{scope}");
    }
}

#[test]
fn what_is_no_fhir_type_is_refused() {
    for scope in [
        "system/Person2.read",
        "system/patient.read",
        "system/Resource.rs",
        "system/.rs",
        "system/bulk-submit.rs",
    ] {
        assert!(fault(scope).contains("names no resource type"), "{scope}");
    }
}

#[test]
fn scopes_of_people_and_launches_are_refused() {
    for scope in [
        "launch",
        "launch/patient",
        "patient/Patient.read",
        "user/*.rs",
        "openid",
        "offline_access",
        "System/Patient.rs",
        "system",
    ] {
        assert!(fault(scope).contains("begin with system/"), "{scope}");
    }
}

#[test]
fn no_scope_at_all_is_refused() {
    for text in ["", "   "] {
        assert!(fault(text).contains("a scope is needed"));
    }
    let registry = registry();
    let registered = Scopes::parse("system/*.rs", &registry).expect("good");
    assert!(grant(None, &registered, &registry, false).is_err());
}

#[test]
fn lists_have_a_most_length_and_number() {
    assert!(fault(&"a".repeat(MOST_BYTES + 1)).contains("too long"));
    let many: Vec<String> = (0..=MOST_SCOPES).map(|n| format!("system/Task.rs?_id={n}")).collect();
    assert!(fault(&many.join(" ")).contains("too many"));
    // Two lists that are short enough can be too long together.
    let searches = |code: &str| -> String {
        let scopes: Vec<String> = (0..30).map(|n| format!("system/Task.rs?{code}={n}")).collect();
        scopes.join(" ")
    };
    assert!(granted(&searches("_id"), &searches("code")).contains("too many"));
}

#[test]
fn searches_must_be_filters_of_their_type() {
    assert!(fault("system/Observation.rs?category=laboratory").starts_with("took"));
    assert!(fault("system/Observation.rs?category=http%3A%2F%2Fa%7Cb&status=final").starts_with("took"));
    for search in ["nonsense=1", "category", "date=notadate", "category=%zz", "&"] {
        let told = fault(&format!("system/Observation.rs?{search}"));
        assert!(told.contains("cannot apply"), "{search}: {told}");
    }
    for search in ["", "a=\"b\"", "a=b\\,c", "code=a,Observation?status=final", "code=ä"] {
        let told = fault(&format!("system/Observation.rs?{search}"));
        assert!(told.contains("cannot be read"), "{search}: {told}");
    }
    for scope in ["system/Observation.read?status=final", "system/*.rs?_id=1"] {
        assert!(fault(scope).contains("cannot have a search"), "{scope}");
    }
}

#[test]
fn a_fault_does_not_tell_the_search() {
    let told = fault("system/Patient.rs?_id=4711&nonsense=1");
    assert!(told.starts_with("system/Patient.rs "));
    assert!(!told.contains("4711"));
    let told = fault(&format!("\"\\{}\u{e4}", "x".repeat(100)));
    assert!(told.starts_with(&format!("{} is no scope", "x".repeat(60))));
}

#[test]
fn what_is_not_registered_is_left_out_and_nothing_left_is_refused() {
    let registered = "system/Patient.rs system/Condition.read";
    assert_eq!(
        granted("system/Patient.rs system/Task.rs", registered),
        "system/Patient.rs"
    );
    assert_eq!(
        granted("system/*.read", registered),
        "system/Condition.read system/Patient.read"
    );
    assert!(granted("system/Task.rs", registered).contains("none of these"));
}

#[test]
fn a_search_that_is_registered_narrows_what_is_asked() {
    let registered = "system/Observation.rs?category=laboratory system/Patient.rs";
    let narrow = "system/Observation.rs?category=laboratory";
    assert_eq!(granted("system/Observation.rs", registered), narrow);
    assert_eq!(granted("system/Observation.read", registered), narrow);
    assert_eq!(granted(narrow, registered), narrow);
    assert_eq!(
        granted("system/*.read", registered),
        format!("{narrow} system/Patient.read")
    );
    assert_eq!(granted_under("system/Observation.read", registered, true), narrow);
}

#[test]
fn a_search_that_is_asked_narrows_what_is_registered() {
    let asked = "system/Observation.rs?category=laboratory";
    assert_eq!(granted(asked, "system/*.rs"), asked);
    assert_eq!(granted(asked, "system/Observation.read"), asked);
    assert_eq!(
        granted(asked, "system/Observation.rs?status=final system/Observation.rs?code=a"),
        "system/Observation.rs?category=laboratory&status=final system/Observation.rs?category=laboratory&code=a"
    );
    assert_eq!(
        granted(asked, "system/Observation.rs?status=final system/Observation.rs"),
        asked
    );
}

#[test]
fn a_wildcard_reaches_every_type_and_nothing_reaches_everything() {
    let registry = registry();
    let all = Scopes::parse("system/*.rs system/Observation.rs?status=final", &registry).expect("good");
    let Reach::Types(types) = all.reach(&registry) else {
        panic!("a scope never reaches everything");
    };
    assert_eq!(types.len(), registry.types().len());
    assert!(types.values().all(|rows| *rows == Rows::All));
}

#[test]
fn oracle_takes_one_spelling_and_no_wildcards() {
    let all = "system/*.rs";
    assert_eq!(granted_under("system/Patient.read", all, true), "system/Patient.read");
    for asked in [
        "system/*.read",
        "system/*.rs",
        "system/Patient.rs",
        "system/Patient.rs?_id=1",
    ] {
        assert!(granted_under(asked, all, true).contains("is not supported"), "{asked}");
    }
}

/// Numbers that are the same in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap_or_default() % most
    }

    fn scopes(&mut self) -> String {
        let scope = |dice: &mut Dice| {
            let type_name = ["*", "Observation", "Observation", "Condition", "Patient"][dice.below(5)];
            let may = ["read", "*", "rs", "cruds"][dice.below(4)];
            if type_name == "*" || dice.below(2) == 0 {
                return format!("system/{type_name}.{may}");
            }
            let mut facts: Vec<&str> = FACTS.into_iter().filter(|_| dice.below(3) == 0).collect();
            if facts.is_empty() {
                facts.push(FACTS[dice.below(FACTS.len())]);
            }
            format!("system/{type_name}.rs?{}", facts.join("&"))
        };
        let count = 1 + self.below(4);
        let mut scopes: Vec<String> = (0..count).map(|_| scope(self)).collect();
        // Wildcards would hide the rest if they were in every other list.
        if self.below(4) > 0 {
            scopes.retain(|scope| !scope.contains("/*"));
        }
        if scopes.is_empty() {
            scopes.push("system/Patient.read".to_owned());
        }
        scopes.join(" ")
    }
}

/// Searches that the three types all have; a record of the model is a type and which of them hold.
const FACTS: [&str; 3] = ["_id=a", "_lastUpdated=ge2020", "_id:not=b"];

/// Whether a list as it is written allows a record: one of its scopes is of the type, and all of its search holds.
fn allows(scopes: &str, type_name: &str, holds: &[&str]) -> bool {
    scopes.split(' ').any(|scope| {
        let (name, search) = scope.split_once('?').unwrap_or((scope, ""));
        let is_of_type = name.starts_with("system/*.") || name.starts_with(&format!("system/{type_name}."));
        is_of_type && search.split('&').all(|fact| fact.is_empty() || holds.contains(&fact))
    })
}

/// Whether a reach allows it.
fn reaches(reach: &Reach, type_name: &str, holds: &[&str]) -> bool {
    match reach.rows(type_name) {
        None => false,
        Some(Rows::All) => true,
        Some(Rows::Matching(searches)) => searches
            .iter()
            .any(|search| search.split('&').all(|fact| holds.contains(&fact))),
    }
}

#[test]
fn granted_is_what_was_asked_for_and_is_registered_and_never_more() {
    let registry = registry();
    let mut dice = Dice(7);
    let mut was_granted = 0;
    for _ in 0..400 {
        let (asked, registered) = (dice.scopes(), dice.scopes());
        let list = Scopes::parse(&registered, &registry).expect("good scopes");
        let granted = grant(Some(&asked), &list, &registry, false);
        was_granted += usize::from(granted.is_ok());
        for type_name in ["Observation", "Condition", "Patient", "Task"] {
            for bits in 0..1 << FACTS.len() {
                let holding = FACTS.iter().enumerate().filter(|(index, _)| bits >> index & 1 == 1);
                let holds: Vec<&str> = holding.map(|(_, fact)| *fact).collect();
                let is_due = allows(&asked, type_name, &holds) && allows(&registered, type_name, &holds);
                let has = |reach: &Reach| reaches(reach, type_name, &holds);
                let is_had = granted.as_ref().is_ok_and(|granted| has(&granted.reach));
                assert_eq!(is_had, is_due, "{asked} | {registered} | {type_name} {holds:?}");
                let is_told = granted
                    .as_ref()
                    .is_ok_and(|granted| allows(&granted.text, type_name, &holds));
                assert_eq!(is_told, is_due, "{asked} | {registered} | {type_name} {holds:?}");
            }
        }
    }
    assert!(was_granted > 100 && was_granted < 400, "{was_granted}");
}
