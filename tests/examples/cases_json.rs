//! The cases as JSON with what the core answers, for doors that are not written in Rust: `cases_json FILE`.
//!
//! A request is as the npm package takes it. Bytes stand as text of which each character is one byte.
#![allow(clippy::print_stdout, reason = "it is a program that says how it is used")]

use std::fs::File;
use std::io::{BufWriter, Write as _};

use fhirehose_tests::cases::{self, Case};
use fhirehose_tests::door::{Refusal, core_push};
use serde_json::{Map, Value, json};

/// Bytes as text of the characters U+0000 to U+00FF.
fn text(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// The request under the names of the npm package.
fn request(case: &Case) -> Value {
    let mut request = Map::new();
    let mut put = |name: &str, value: Value| {
        let is_said = !matches!(&value, Value::Null | Value::Bool(false)) && value != json!([]);
        if is_said {
            request.insert(name.to_owned(), value);
        }
    };
    put("type", json!(case.types));
    put("typeFilter", json!(case.filters));
    put("elements", json!(case.elements));
    put("since", json!(case.since));
    put("until", json!(case.until));
    put("transactionTime", json!(case.transaction_time()));
    put("fhirBase", json!(case.fhir_base));
    let version = case.fhir_version.as_deref().filter(|version| *version != "us-core");
    put("fhirVersion", json!(version));
    put("trust", json!(case.trust));
    put("maxLine", json!(case.max_line));
    put("maxResources", json!(case.max_resources));
    put("maxBytes", json!(case.max_bytes));
    put("onBad", json!(case.stop.then_some("stop")));
    put("valueSets", json!(case.members().map(value_set).collect::<Vec<_>>()));
    Value::Object(request)
}

fn value_set((url, members): (String, Vec<(String, String)>)) -> Value {
    let codes = members.into_iter().map(|(system, code)| match system.as_str() {
        "" => json!({ "code": code }),
        system => json!({ "system": system, "code": code }),
    });
    let codes: Vec<Value> = codes.collect();
    json!({ "resourceType": "ValueSet", "url": url, "expansion": { "contains": codes } })
}

/// What the core makes of the case.
fn answer(case: &Case) -> Result<Value, String> {
    Ok(match core_push(&case.question()?, usize::MAX) {
        Ok(answer) => {
            let files: Map<String, Value> = answer
                .files
                .iter()
                .map(|(name, bytes)| (name.clone(), json!(text(bytes))))
                .collect();
            let bad: Vec<Value> = answer
                .bad()
                .into_iter()
                .map(|(line, kind)| json!([line, kind.code()]))
                .collect();
            json!({ "files": files, "bad": bad, "kept": answer.report.kept(), "lines": answer.report.lines })
        }
        Err(Refusal::Plan(told)) => {
            let told = told.into_iter().map(|told| json!([told.at, told.message]));
            json!({ "problems": told.collect::<Vec<_>>() })
        }
        Err(Refusal::Stopped(error)) => json!({ "stops": error.to_string() }),
        Err(Refusal::Broken(what)) => return Err(what),
    })
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let Some(path) = std::env::args_os().nth(1) else {
        println!("give a file to write the cases to");
        return Ok(());
    };
    let mut out = BufWriter::new(File::create(path)?);
    for (file, case) in cases::load(&cases::folder())? {
        let line = json!({
            "name": format!("{file}: {}", case.name),
            "request": request(&case),
            "usCore": case.fhir_version.as_deref() == Some("us-core"),
            "input": text(&case.input()),
            "answer": answer(&case)?,
        });
        writeln!(out, "{line}")?;
    }
    out.flush()?;
    Ok(())
}
