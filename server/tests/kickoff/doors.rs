//! Doors, methods and headers.

use super::*;

#[test]
fn headers_that_have_to_be_there() {
    let line = "GET $export";
    let status = |headers: &[(&str, &str)]| sent(&IG, line, headers, "").map_err(|refusal| refusal.status());
    assert!(status(&[ACCEPT, STRICT]).is_ok());
    assert!(status(&[("accept", "*/*"), ("PREFER", "Respond-Async")]).is_ok());
    assert!(
        status(&[ACCEPT, ("Prefer", "handling=lenient"), STRICT]).is_ok(),
        "several lines (C8)"
    );
    assert!(status(&[ACCEPT, ("Prefer", "respond-async,wait=10")]).is_ok());
    assert_eq!(status(&[STRICT]), Err(400));
    assert_eq!(status(&[ACCEPT]), Err(400));
    assert_eq!(status(&[ACCEPT, ("Prefer", "return=minimal")]), Err(400));
    assert_eq!(status(&[("Accept", "text/html"), STRICT]), Err(406));
    assert_eq!(
        status(&[("Accept", "application/fhir+ndjson")]),
        Err(406),
        "before the rest"
    );
    let refusal = refused(sent(&IG, line, &[], ""), "no headers");
    let helps: Vec<_> = refusal
        .faults
        .iter()
        .map(|fault| fault.problem.help.as_deref())
        .collect();
    let expected = [
        Some("add the line `Accept: application/fhir+json`"),
        Some("add the line `Prefer: respond-async`"),
    ];
    assert_eq!(helps, expected);
}

#[test]
fn what_is_missing_is_assumed_where_the_server_is_told_to() {
    let none = HashMap::new();
    let call = Call {
        method: Method::Get,
        door: Door::System,
        query: None,
        headers: &[],
        body: b"",
    };
    let setting = Setting {
        assume_async: true,
        ..setting(&IG, &none)
    };
    assert!(kickoff::read(&call, &setting).is_ok());
}

#[test]
fn a_separate_status_is_promised_where_it_is_kept() {
    let headers = [ACCEPT, ("Prefer", "respond-async, separate-export-status")];
    assert!(taken(sent(&IG, "GET $export", &headers, ""), "ig").separate_status);
    assert!(taken(sent(&IG4, "POST $export", &headers, ""), "ig4").separate_status);
    assert!(!taken(sent(&ORACLE, "GET Group/g/$export", &headers, ""), "oracle").separate_status);
    assert!(!taken(strictly(&IG, "GET $export", ""), "not asked").separate_status);
}

#[test]
fn doors_and_methods_of_each_profile() {
    for path in ["$export", "Patient/$export", "Group/g/$export"] {
        for method in ["GET", "POST"] {
            let line = format!("{method} {path}");
            taken(strictly(&IG, &line, ""), &line);
        }
        let line = format!("POST {path}");
        taken(strictly(&IG4, &line, ""), &line);
        let line = format!("GET {path}");
        let refusal = refused(strictly(&IG4, &line, ""), &line);
        assert_eq!(
            (refusal.status(), refusal.allow.as_slice()),
            (405, &["POST"][..]),
            "{line}"
        );
    }
    let oracle = |line: &str| {
        let result = strictly(
            &ORACLE,
            line,
            &if line.starts_with("POST P") {
                parameters(&patients(&["1"]))
            } else {
                String::new()
            },
        );
        result.map(|_| 202).unwrap_or_else(|refusal| refusal.status())
    };
    assert_eq!(oracle("GET Group/g/$export"), 202);
    assert_eq!(oracle("POST Patient/$export"), 202);
    assert_eq!(oracle("POST Group/g/$export"), 405);
    assert_eq!(oracle("GET Patient/$export"), 405);
    assert_eq!(oracle("GET $export"), 404);
    assert_eq!(oracle("POST $export"), 404);
    let reply = refused(strictly(&ORACLE, "POST Group/g/$export", ""), "POST").reply();
    assert_eq!(reply.headers, [("Allow", "GET".to_owned())]);
}
