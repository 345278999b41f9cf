//! The push engine: chunks of NDJSON go in, cut anywhere; files of kept lines come out.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use fhirehose_core::export::Export;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::MemorySink;

const INPUT: &[u8] = br#"{"resourceType":"Patient","id":"1","gender":"female","birthDate":"1970-03-01"}
{"resourceType":"Patient","id":"2","gender":"male","birthDate":"1999-12-24"}
{"resourceType":"Observation","id":"3","status":"final","subject":{"reference":"Patient/1"}}
{"resourceType":"Observation","id":"4","status":
{"resourceType":"Observation","id":"5","status":"preliminary","subject":{"reference":"Patient/2"}}
"#;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // A plan is compiled once. Whatever is wrong with the request is told here, every problem with its place.
    let request = Request {
        type_filters: vec!["Patient?birthdate=lt1980".into(), "Observation?status=final".into()],
        ..Request::default()
    };
    let plan = Plan::compile(&request, &Registry::r4())?;

    let mut export = Export::new(plan, MemorySink::default());
    export.begin_input("patients.ndjson")?;
    for chunk in INPUT.chunks(10) {
        export.push(chunk)?;
    }
    let (report, sink) = export.finish()?;

    println!("read {} lines, kept {} resources", report.lines, report.kept());
    for (name, lines) in &sink.files {
        println!("{name}: {} bytes", lines.len());
    }
    // A bad line is no error: it is counted, its place is told, and the rest goes on.
    for bad in &report.places {
        println!("{}:{}: {}", bad.input, bad.position, bad.kind);
    }
    Ok(())
}
