//! Every case of the project through the binary: what its flags, exit codes, files and messages make of it.

mod binary;
mod printed;

use std::collections::BTreeMap;

use binary::{Folder, Ran};
use fhirehose_core::error::Error;
use fhirehose_core::search::table::Registry;
use fhirehose_tests::cases::{Case, folder, load};
use fhirehose_tests::door::{Answer, Question, Refusal, core_push, written};
use fhirehose_tests::side_by_side::side_by_side;
use serde_json::{Value, json};

/// Cases that the command line cannot express, each with its reason. A case that is not here has to pass.
const INEXPRESSIBLE: [(&str, &str, &str); 1] = [(
    "versions",
    "R4 alone has no race",
    "the command line's 4.0 always knows US Core",
)];

/// What became of a case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Ended {
    Kept,
    Bad,
    Refused,
    Stopped,
}

#[test]
fn every_case_through_the_binary() {
    let cases = load(&folder()).expect("every file of cases reads");
    let (listed, cases): (Vec<_>, Vec<_>) = cases.into_iter().partition(|(file, case)| reason(file, case).is_some());
    for (file, case) in &listed {
        eprintln!(
            "not through the binary: {file}: {}: {}",
            case.name,
            reason(file, case).unwrap_or_default()
        );
    }
    assert_eq!(listed.len(), INEXPRESSIBLE.len(), "a listed case is gone");
    let outcomes = side_by_side(&cases, |(file, case)| {
        run(case).map_err(|told| format!("{file}: {}: {told}", case.name))
    });
    let mut counts: BTreeMap<Ended, usize> = BTreeMap::new();
    let mut failed = Vec::new();
    for outcome in outcomes {
        match outcome {
            Ok(ended) => *counts.entry(ended).or_default() += 1,
            Err(told) => failed.push(told),
        }
    }
    eprintln!("{counts:?}, {} not expressible", listed.len());
    assert!(failed.is_empty(), "{} cases fail:\n{}", failed.len(), failed.join("\n"));
    assert_eq!(counts.values().sum::<usize>(), cases.len());
    assert_eq!(counts.len(), 4, "every way to end is met: {counts:?}");
}

fn reason(file: &str, case: &Case) -> Option<&'static str> {
    let is_it = |(of_file, name, _): &&(&str, &str, &str)| *of_file == file && *name == case.name;
    INEXPRESSIBLE.iter().find(is_it).map(|(_, _, reason)| *reason)
}

/// Runs a case, holds what comes out against what the case expects, and against every byte of the core's own answer.
fn run(case: &Case) -> Result<Ended, String> {
    let folder = Folder::new();
    // The name that inputs of cases have in reports: then messages and error files agree to the byte.
    folder.write("case", case.input());
    let flags = flags(case, &folder);
    let mut args = vec!["export", "case", "-o", "out", "--report", "json"];
    args.extend(flags.iter().map(String::as_str));
    let ran = folder.run(&args);
    let (outcome, ended) = outcome(&folder, &ran).map_err(|told| format!("{told}\n  {ran:?}"))?;
    case.judge(&outcome)?;
    let question = question(case)?;
    match (core_push(&question, 1 << 16), &outcome) {
        (Ok(core), Ok(binary)) => same(&core, binary)?,
        (Err(core), Err(binary)) if format!("{core:?}") != format!("{binary:?}") => {
            return Err(format!("the core says {core:?}, the binary {binary:?}"));
        }
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => return Err("only one of core and binary refuses".to_owned()),
        (Err(_), Err(_)) => {}
    }
    Ok(ended)
}

fn same(core: &Answer, binary: &Answer) -> Result<(), String> {
    if core.files != binary.files {
        return Err(format!(
            "files: the core {:?}, the binary {:?}",
            core.files, binary.files
        ));
    }
    if core.report != binary.report {
        return Err(format!(
            "report: the core {:?}, the binary {:?}",
            core.report, binary.report
        ));
    }
    Ok(())
}

/// The case's question with what the command line always adds to it.
fn question(case: &Case) -> Result<Question, String> {
    let mut question = case.question()?;
    if matches!(case.fhir_version.as_deref(), None | Some("4.0")) {
        question.registry = Registry::r4().with_us_core();
    }
    Ok(question)
}

fn flags(case: &Case, folder: &Folder) -> Vec<String> {
    let version = case.fhir_version.as_deref().map(|version| match version {
        "us-core" => "4.0",
        other => other,
    });
    let number = |number: Option<u64>| number.map(|number| number.to_string());
    let mut flags = Vec::new();
    // One argument for both, so that a value may start with a hyphen.
    let mut give = |flag: &str, value: &str| flags.push(format!("--{flag}={value}"));
    case.types.iter().for_each(|text| give("type", text));
    case.filters.iter().for_each(|text| give("type-filter", text));
    case.elements.iter().for_each(|text| give("elements", text));
    for (flag, value) in [
        ("since", case.since.clone()),
        ("until", case.until.clone()),
        ("transaction-time", case.transaction_time()),
        ("fhir-base", case.fhir_base.clone()),
        ("fhir-version", version.map(str::to_owned)),
        ("max-line", number(case.max_line.map(|most| most as u64))),
        ("max-resources", number(case.max_resources)),
        ("max-bytes", number(case.max_bytes)),
        ("on-bad", case.stop.then(|| "stop".to_owned())),
    ] {
        value.iter().for_each(|value| give(flag, value));
    }
    if !case.value_sets.is_empty() {
        folder.write("sets.ndjson", value_sets(case));
        give("value-sets", "sets.ndjson");
    }
    if case.trust {
        flags.push("--trust".to_owned());
    }
    flags
}

/// The case's value sets as resources, each with its expansion.
fn value_sets(case: &Case) -> String {
    let code = |(system, code): (String, String)| match system.as_str() {
        "" => json!({ "code": code }),
        _ => json!({ "system": system, "code": code }),
    };
    let resource = |(url, members): (String, Vec<(String, String)>)| {
        let contains: Value = members.into_iter().map(code).collect();
        let set = json!({ "resourceType": "ValueSet", "url": url, "expansion": { "contains": contains } });
        format!("{set}\n")
    };
    case.members().map(resource).collect()
}

/// What a run left, as any other door would say it; the exit code has to fit.
fn outcome(folder: &Folder, ran: &Ran) -> Result<(Result<Answer, Refusal>, Ended), String> {
    let out = folder.path("out");
    if out.exists() {
        let (files, manifest) = written::read(&out)?;
        let printed: Value = serde_json::from_str(&ran.out).map_err(|error| format!("report: {error}"))?;
        let report = printed::report(&printed)?;
        if manifest["transactionTime"] != printed["transactionTime"] {
            return Err(format!("manifest: {manifest}, report: {printed}"));
        }
        let (code, ended) = match report.bad_lines() {
            0 => (0, Ended::Kept),
            _ => (1, Ended::Bad),
        };
        let told = error_lines(&files);
        if ran.code != Some(code) || told as u64 != report.bad_lines() || !ran.err.is_empty() {
            return Err(format!("{} bad lines, {told} in error files", report.bad_lines()));
        }
        return Ok((Ok(Answer { files, report }), ended));
    }
    if !ran.out.is_empty() {
        return Err("something is printed though nothing is written".to_owned());
    }
    match (ran.code, ran.err.strip_prefix("error: stopped at a bad line: ")) {
        (Some(1), Some(place)) => {
            let error = Error::bad_line(place.trim_end());
            Ok((Err(Refusal::Stopped(error)), Ended::Stopped))
        }
        (Some(2), None) => Ok((Err(Refusal::Plan(printed::problems(&ran.err)?)), Ended::Refused)),
        _ => Err("neither files nor a known refusal".to_owned()),
    }
}

/// Lines in the files about bad lines.
fn error_lines(files: &written::Files) -> usize {
    let errors = files.iter().filter(|(name, _)| name.starts_with("error/"));
    errors
        .flat_map(|(_, bytes)| bytes)
        .filter(|&&byte| byte == b'\n')
        .count()
}
