//! Every case through every door, in chunks of several sizes, and before the oracle.

use fhirehose_tests::cases::{Case, folder, load, read};
use fhirehose_tests::door::{Answer, Door, Refusal, core_push, native, stream};
use fhirehose_tests::side_by_side::side_by_side;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;

/// Inputs of more bytes are not cut into single ones where that is slow.
const SMALL: usize = 4 << 10;

fn cases() -> Vec<(String, Case)> {
    load(&folder()).expect("every file of cases reads")
}

/// Every failure of a check, each with the file and the name of its case.
fn failures(check: impl Fn(&Case) -> Result<(), String> + Sync) -> Vec<String> {
    let failed = |(file, case): &(String, Case)| {
        let told = check(case).err()?;
        Some(format!("{file}: {}: {told}", case.name))
    };
    side_by_side(&cases(), failed).into_iter().flatten().collect()
}

/// What two doors say of one question, where it is not the same to the last field of the report.
fn difference(one: &Result<Answer, Refusal>, other: &Result<Answer, Refusal>) -> Option<String> {
    let differ = |one: &dyn Debug, other: &dyn Debug| {
        let (one, other) = (format!("{one:?}"), format!("{other:?}"));
        (one != other).then(|| format!("{one}\n  and {other}"))
    };
    match (one, other) {
        (Ok(one), Ok(other)) if one.files != other.files => differ(&one.files, &other.files),
        (Ok(one), Ok(other)) if one.report != other.report => differ(&one.report, &other.report),
        (Ok(_), Ok(_)) => None,
        _ => differ(one, other),
    }
}

fn through(door: Door, chunks: &[usize], is_taken: impl Fn(&Case, usize) -> bool + Sync) {
    for &chunk in chunks {
        let failed = failures(|case| {
            if !is_taken(case, chunk) {
                return Ok(());
            }
            let question = case.question()?;
            let outcome = door(&question, chunk);
            case.judge(&outcome)?;
            match difference(&core_push(&question, 1 << 16), &outcome) {
                Some(told) => Err(format!("core push and this door differ:\n  {told}")),
                None => Ok(()),
            }
        });
        assert!(failed.is_empty(), "chunks of {chunk}:\n{}", failed.join("\n"));
    }
}

#[test]
fn every_case_through_core_push() {
    through(core_push, &[1, 3, 64, 1000, 1 << 16, 8 << 20], |_, _| true);
}

#[test]
fn every_case_through_the_stream() {
    through(stream, &[1, 3, 1000, 1 << 16], |_, _| true);
}

#[test]
fn every_case_through_files_and_threads() {
    through(native, &[1, 1 << 16], |case, chunk| {
        chunk > 1 || case.input().len() <= SMALL
    });
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
