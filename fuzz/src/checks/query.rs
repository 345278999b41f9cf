//! Any request is compiled or refused, each problem with a part of the user's text; a compiled one filters.
//!
//! The input is text, one part of the request a line, chosen by its first letter; see [`request`].

use fhirehose_core::export::Export;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::MemorySink;
use serde_json::Value;

use super::export::is_part;

/// Some lines that plans read.
pub const LINES: &str = include_str!("lines.ndjson");

pub fn check(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (request, registry) = request(text);
    match Plan::compile(&request, &registry) {
        Err(problems) => {
            assert!(!problems.0.is_empty(), "refused without a reason");
            for problem in &problems.0 {
                assert!(
                    problem.text.get(problem.span.clone()).is_some(),
                    "no part of the text: {problem:?}"
                );
                assert!(!problem.to_string().is_empty() && !problem.message.is_empty());
            }
        }
        Ok(plan) => {
            assert!(!plan.explain().is_empty());
            serde_json::from_str::<Value>(&plan.explain_json()).expect("the explanation is JSON");
            run(plan, request.elements.is_empty());
        }
    }
}

/// `t`ype, `f`ilter, `s`ince, `u`ntil, transaction time (`x`), `n`ow, `e`lements, `b`ase, FHIR version (`3`, `5`);
/// `a` first: all types.
fn request(text: &str) -> (Request, Registry) {
    let mut request = Request::default();
    let mut registry = super::registry().clone();
    for line in text.split('\n') {
        let mut letters = line.chars();
        let letter = letters.next();
        let rest = letters.as_str().to_owned();
        match letter {
            Some('t') => request.types.push(rest),
            Some('f') => request.type_filters.push(rest),
            Some('e') => request.elements.push(rest),
            Some('s') => request.since = Some(rest),
            Some('u') => request.until = Some(rest),
            Some('x') => request.transaction_time = Some(rest),
            Some('n') => request.now = Some(rest),
            Some('b') => request.fhir_base = Some(rest),
            Some('3') => registry = Registry::r4b(),
            Some('5') => registry = Registry::r5(),
            _ => {}
        }
    }
    if !text.starts_with('a') && request.types.is_empty() {
        // Compiling every type of the registry takes most of the time, so only those with a filter, unless asked for.
        let names = request
            .type_filters
            .iter()
            .filter_map(|filter| filter.split('?').next());
        request.types = names.filter(|name| registry.is_type(name)).map(str::to_owned).collect();
    }
    (request, registry)
}

fn run(plan: Plan, whole: bool) {
    let mut export = Export::new(plan, MemorySink::default());
    export.push(LINES.as_bytes()).expect("bad lines are skipped");
    let (report, sink) = export.finish().expect("a sink in memory");
    assert_eq!(report.bad_lines(), 0, "the lines are good");
    let lines: Vec<&[u8]> = LINES.as_bytes().split(|&byte| byte == b'\n').collect();
    for (_, file) in sink.files.iter().filter(|_| whole) {
        assert!(is_part(file, &lines), "kept lines are lines of the input, in order");
    }
}
