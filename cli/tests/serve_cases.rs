//! Every case of the project through HTTP: kicked off by GET or POST, its files fetched, its refusals read.

mod binary;
mod printed;
mod serving;

use std::collections::BTreeMap;

use binary::Folder;
use fhirehose_core::error::BadLine;
use fhirehose_core::position::Position;
use fhirehose_core::report::{BadPlace, Report, TypeCount};
use fhirehose_tests::cases::{Case, folder, load};
use fhirehose_tests::door::{Answer, Question, Refusal, Told, core_push};
use fhirehose_tests::side_by_side::side_by_side;
use serde_json::{Value, json};
use serving::{ASYNC, Server};

/// The name that the input has in reports.
const INPUT: &str = "case.ndjson";

/// Cases of one server: it reads its data anew for each.
const MOST_OF_A_SERVER: usize = 60;

/// Cases that are told in other words, since a query has no lists without items: a part of the words.
const OTHER_WORDS: [(&str, &str, &str); 2] = [
    ("elements", "refused: ,", "the value is empty"),
    ("types", "an empty list", "the value is empty"),
];

/// Why a client cannot ask what the case asks; of the others each has to pass.
fn reason(file: &str, case: &Case) -> Option<&'static str> {
    let reasons = [
        (case.trust, "the server checks every line that it gives out"),
        (case.stop, "the server leaves bad lines out and tells them"),
        (case.max_line.is_some(), "the longest line is the server's own matter"),
        (
            case.max_resources.is_some() || case.max_bytes.is_some(),
            "the size of files is the server's own matter; clients may only hint",
        ),
        (
            case.transaction_time.is_some(),
            "the snapshot is the moment of the kick-off",
        ),
        (
            file == "versions" && case.name == "R4 alone has no race",
            "the server's 4.0 always knows US Core",
        ),
    ];
    reasons.into_iter().find(|(is_so, _)| *is_so).map(|(_, reason)| reason)
}

/// What a server is started with, beside its data.
type Options = (Vec<String>, String);

fn options(case: &Case) -> Options {
    let mut options = Vec::new();
    let version = case.fhir_version.as_deref().filter(|version| *version != "us-core");
    for (flag, value) in [("fhir-version", version), ("fhir-base", case.fhir_base.as_deref())] {
        options.extend(value.map(|value| format!("--{flag}={value}")));
    }
    let sets = value_sets(case);
    if !sets.is_empty() {
        options.push("--value-sets=sets.ndjson".to_owned());
    }
    (options, sets)
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

#[test]
fn every_case_through_http() {
    let cases = load(&folder()).expect("every file of cases reads");
    let (left_out, cases): (Vec<_>, Vec<_>) = cases.into_iter().partition(|(file, case)| reason(file, case).is_some());
    let mut told: BTreeMap<&str, usize> = BTreeMap::new();
    for (file, case) in &left_out {
        *told.entry(reason(file, case).unwrap_or_default()).or_default() += 1;
    }
    for (reason, count) in &told {
        eprintln!("not through HTTP: {count} cases: {reason}");
    }
    let mut by_server: BTreeMap<Options, Vec<(String, Case)>> = BTreeMap::new();
    for (file, case) in cases {
        by_server.entry(options(&case)).or_default().push((file, case));
    }
    let groups = by_server.iter();
    let work: Vec<(&Options, &[(String, Case)])> = groups
        .flat_map(|(options, cases)| cases.chunks(MOST_OF_A_SERVER).map(move |cases| (options, cases)))
        .collect();
    let outcomes: Vec<(bool, Result<(), String>)> = side_by_side(&work, |(options, cases)| serve(options, cases))
        .into_iter()
        .flatten()
        .collect();
    let refused = outcomes.iter().filter(|(is_refused, _)| *is_refused).count();
    let failed: Vec<&String> = outcomes
        .iter()
        .filter_map(|(_, outcome)| outcome.as_ref().err())
        .collect();
    eprintln!(
        "{} cases through {} servers, {refused} refused, {} left out",
        outcomes.len(),
        work.len(),
        left_out.len()
    );
    let list: Vec<&str> = failed.iter().map(|told| told.as_str()).collect();
    assert!(failed.is_empty(), "{} cases fail:\n{}", failed.len(), list.join("\n"));
    assert!(outcomes.len() > 400 && refused > 50 && left_out.len() < 60);
}

/// Runs cases through one server, one after the other.
fn serve((options, sets): &Options, cases: &[(String, Case)]) -> Vec<(bool, Result<(), String>)> {
    let folder = Folder::new();
    folder.write(&format!("data/{INPUT}"), "");
    folder.write("sets.ndjson", sets);
    let mut args = vec!["--open"];
    args.extend(options.iter().map(String::as_str));
    let server = Server::start(&folder, &args);
    let run = |(number, (file, case)): (usize, &(String, Case))| {
        let own = |(of_file, name, _): &&(&str, &str, &str)| of_file == file && *name == case.name;
        let mut case = case.clone();
        if let Some((_, _, words)) = OTHER_WORDS.iter().find(own) {
            case.problems = Some(vec![((*words).to_owned(), String::new())]);
        }
        let outcome = run(&case, &folder, &server, number % 2 == 1);
        let told = outcome.map_err(|told| format!("{file}: {}: {told}", case.name));
        (case.problems.is_some(), told)
    };
    cases.iter().enumerate().map(run).collect()
}

fn run(case: &Case, folder: &Folder, server: &Server, by_post: bool) -> Result<(), String> {
    // A new file under the old name: by its length and time it might be the one before.
    folder.write("next", case.input());
    std::fs::rename(folder.path("next"), folder.path(&format!("data/{INPUT}"))).map_err(|error| error.to_string())?;
    server.reload();
    let outcome = outcome(case, server, by_post)?;
    case.judge(&outcome)?;
    let question = Question {
        inputs: vec![(INPUT.to_owned(), case.input())],
        ..case.question()?
    };
    match (core_push(&question, 1 << 16), &outcome) {
        (Ok(core), Ok(served)) if core.files != served.files => Err(format!(
            "files: the core {:?}, the server {:?}",
            core.files, served.files
        )),
        (Ok(_), Ok(_)) | (Err(_), Err(_)) => Ok(()),
        _ => Err("only one of core and server refuses".to_owned()),
    }
}

/// The case's parameters, each value by itself.
fn parameters(case: &Case) -> Vec<(&'static str, &str)> {
    let lists = [
        ("_type", &case.types),
        ("_typeFilter", &case.filters),
        ("_elements", &case.elements),
    ];
    let listed = lists
        .into_iter()
        .flat_map(|(name, values)| values.iter().map(move |value| (name, value.as_str())));
    let times = [("_since", &case.since), ("_until", &case.until)];
    let times = times
        .into_iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)));
    listed.chain(times).collect()
}

/// Every byte that is no letter or digit as `%hh`.
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

fn outcome(case: &Case, server: &Server, by_post: bool) -> Result<Result<Answer, Refusal>, String> {
    let parameters = parameters(case);
    let started = if by_post {
        let member = |name: &str| match name {
            "_since" | "_until" => "valueInstant",
            _ => "valueString",
        };
        let one = |(name, value): &(&str, &str)| json!({ "name": name, member(name): value });
        server.post("$export", &parameters.iter().map(one).collect())
    } else {
        let pairs = parameters
            .iter()
            .map(|(name, value)| format!("{name}={}", encoded(value)));
        server.get(&format!("$export?{}", pairs.collect::<Vec<_>>().join("&")), &ASYNC)
    };
    match started.status {
        202 => {}
        400 | 422 => return refusal(&started.json(), by_post).map(Err),
        status => return Err(format!("{status}: {}", started.text())),
    }
    let ended = server.wait(started.header("content-location"));
    if ended.status != 200 {
        return Err(format!("the job failed: {} {}", ended.status, ended.text()));
    }
    answer(&ended.json(), server).map(Ok)
}

/// The issues of an OperationOutcome, each of which has to tell where it stands.
fn refusal(outcome: &Value, by_post: bool) -> Result<Refusal, String> {
    let issues = outcome["issue"].as_array().ok_or("no issues")?;
    let place = if by_post { "expression" } else { "location" };
    let mut told: Vec<Told> = Vec::new();
    for issue in issues {
        let text = issue["diagnostics"].as_str().unwrap_or_default();
        if !issue[place][0].is_string() {
            return Err(format!("an issue without {place}: {issue}"));
        }
        told.extend(printed::problems(&format!("error: {text}\n"))?);
    }
    Ok(Refusal::Plan(told))
}

/// What a manifest names, as any other door would say it.
fn answer(manifest: &Value, server: &Server) -> Result<Answer, String> {
    let mut answer = Answer::default();
    let mut types: BTreeMap<String, TypeCount> = BTreeMap::new();
    for (list, prefix) in [("output", ""), ("error", "error/")] {
        let mut numbers: BTreeMap<&str, usize> = BTreeMap::new();
        for item in manifest[list].as_array().ok_or("no list")? {
            let type_name = item["type"].as_str().ok_or("no type")?;
            let number = numbers.entry(type_name).or_default();
            let name = format!("{prefix}{type_name}.{number:03}.ndjson");
            *number += 1;
            let body = server.get(item["url"].as_str().ok_or("no URL")?, &[]).is(200).body;
            let lines = body.iter().filter(|&&byte| byte == b'\n').count() as u64;
            if item["count"] != lines {
                return Err(format!("{lines} lines, but {item}"));
            }
            if list == "output" {
                let count = types.entry(type_name.to_owned()).or_insert_with(|| TypeCount {
                    type_name: type_name.to_owned(),
                    read: 0,
                    kept: 0,
                    bytes: 0,
                });
                count.kept += lines;
                count.bytes += body.len() as u64;
            } else {
                answer.report.places.extend(places(&body)?);
            }
            answer.files.insert(name, body);
        }
    }
    answer.report = Report {
        types: types.into_values().collect(),
        ..answer.report
    };
    Ok(answer)
}

/// The places that a file of outcomes tells.
fn places(file: &[u8]) -> Result<Vec<BadPlace>, String> {
    let text = std::str::from_utf8(file).map_err(|error| error.to_string())?;
    let place = |line: &str| -> Result<BadPlace, String> {
        let told: Value = serde_json::from_str(line).map_err(|error| error.to_string())?;
        let text = told["issue"][0]["diagnostics"].as_str().unwrap_or_default();
        let mut parts = text.splitn(4, ':');
        let mut part = || parts.next().ok_or_else(|| format!("no place: {text}"));
        let (input, line, column, kind) = (part()?, part()?, part()?, part()?.trim_start());
        let number = |text: &str| text.parse().map_err(|_| format!("no number: {text}"));
        let kind = BadLine::ALL.into_iter().find(|known| known.to_string() == kind);
        Ok(BadPlace {
            input: input.to_owned(),
            position: Position {
                line: number(line)?,
                column: number(column)?,
            },
            kind: kind.ok_or_else(|| format!("no kind of bad line: {text}"))?,
        })
    };
    text.lines().map(place).collect()
}
