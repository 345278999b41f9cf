//! Every case through every door, in chunks of several sizes, and before the oracle.

use fhirehose_tests::cases::{Case, folder, load, read};
use fhirehose_tests::door::{Door, core_push};
use std::collections::{BTreeMap, BTreeSet};

const DOORS: [(&str, Door); 1] = [("core push", core_push)];

const CHUNKS: [usize; 6] = [1, 3, 64, 1000, 1 << 16, 8 << 20];

fn cases() -> Vec<(String, Case)> {
    load(&folder()).expect("every file of cases reads")
}

/// Every failure of a check, each with the file and the name of its case.
fn failures(check: impl Fn(&Case) -> Result<(), String>) -> Vec<String> {
    let failed = |(file, case): (String, Case)| {
        let told = check(&case).err()?;
        Some(format!("{file}: {}: {told}", case.name))
    };
    cases().into_iter().filter_map(failed).collect()
}

#[test]
fn every_case_through_every_door() {
    for (name, door) in DOORS {
        for chunk in CHUNKS {
            let failed = failures(|case| case.check(door, chunk));
            assert!(failed.is_empty(), "{name}, chunks of {chunk}:\n{}", failed.join("\n"));
        }
    }
}

#[test]
fn the_oracle_agrees_with_every_case_about_filters() {
    let failed = failures(|case| case.check_oracle().unwrap_or(Ok(())));
    assert!(failed.is_empty(), "{}", failed.join("\n"));
    let judged = cases().iter().filter(|(_, case)| case.check_oracle().is_some()).count();
    assert!(judged >= 150, "{judged} cases");
}

#[test]
fn there_are_many_cases_and_no_name_stands_twice() {
    let cases = cases();
    let mut by_file: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, _) in &cases {
        *by_file.entry(file).or_default() += 1;
    }
    eprintln!("{} cases: {by_file:?}", cases.len());
    assert!(cases.len() >= 220, "{} cases", cases.len());
    let names: BTreeSet<_> = cases.iter().map(|(file, case)| (file, &case.name)).collect();
    assert_eq!(names.len(), cases.len());
}

#[test]
fn a_file_without_cases_and_a_case_without_expectation_are_errors() {
    let lines = "lines = '{}'\n";
    for bad in [
        "",
        "[inputs]\na = 'x'\n",
        &format!("[[case]]\nname = 'a'\nrule = 'b'\n{lines}"),
        &format!("[[case]]\nname = 'a'\nrule = 'b'\n{lines}problems = []\n"),
        &format!("[[case]]\nname = 'a'\nrule = 'b'\n{lines}keep = [1]\nfiles = {{}}\n"),
        &format!("[[case]]\nname = 'a'\nrule = ''\n{lines}keep = [1]\n"),
        &format!("[[case]]\nname = 'a'\nrule = 'b'\n{lines}keep = [1]\nother = 1\n"),
        "[[case]]\nname = 'a'\nrule = 'b'\nkeep = []\n",
        "[[case]]\nname = 'a'\nrule = 'b'\ninput = 'none'\nkeep = []\n",
    ] {
        assert!(read("file", bad).is_err(), "{bad}");
    }
    let good = format!("[[case]]\nname = 'a'\nrule = 'b'\n{lines}keep = []\n");
    assert_eq!(read("file", &good).expect("valid").len(), 1);
}

#[test]
fn a_wrong_expectation_fails() {
    let text = "[[case]]\nname = 'a'\nrule = 'b'\nfilters = ['Patient?gender=male']\nkeep = [1]\n\
        lines = '{\"resourceType\":\"Patient\",\"gender\":\"female\"}'\n";
    let (_, case) = read("file", text).expect("valid").pop().expect("one case");
    assert!(case.check(core_push, 10).is_err());
    assert!(case.check_oracle().expect("its matter").is_err());
}
