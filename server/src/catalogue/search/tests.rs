//! Tests of listing and reading Groups.

use serde_json::Value;

use super::*;
use crate::catalogue::tests::Place;

fn place() -> Place {
    let lines = [
        r#"{"resourceType":"Group","id":"a","name":"Ärzte Nord","type":"practitioner","actual":true,"identifier":[{"system":"urn:s","value":"1"}]}"#,
        r#"{"resourceType":"Group","id":"b","name":"Diabetes, north","type":"person","actual":true,"identifier":[{"value":"1"},{"system":"urn:s","value":"2"}]}"#,
        r#"{"resourceType":"Group","id":"c","name":"diabetes south","type":"person","actual":false}"#,
        r#"{"resourceType":"Group","id":"d e"}"#,
    ];
    Place::with(&[("a.ndjson", &lines.join("\n"))])
}

fn ask(query: &[(&str, &str)]) -> Result<Value, Reply> {
    let pairs: Vec<_> = query
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let text = search_groups(&place().catalogue(), &pairs, "http://own/fhir/", true)?;
    Ok(serde_json::from_str(&text).expect("valid JSON"))
}

#[track_caller]
fn found(query: &[(&str, &str)]) -> String {
    let bundle = ask(query).expect("accepted");
    let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
    assert_eq!(bundle["total"], entries.len());
    let ids = entries
        .iter()
        .map(|entry| entry["resource"]["id"].as_str().unwrap_or("?"));
    ids.collect::<Vec<_>>().join(" ")
}

#[test]
fn each_parameter_selects() {
    let cases: [(&[(&str, &str)], &str); 22] = [
        (&[], "a b c d e"),
        (&[("_id", "b")], "b"),
        (&[("_id", "b,x,c")], "b c"),
        (&[("_id", "b"), ("_id", "c")], ""),
        (&[("name", "DIA")], "b c"),
        (&[("name", "ärz")], "a"),
        (&[("name", "north")], ""),
        (&[("name:contains", "NORTH")], "b"),
        (&[("name:exact", "diabetes south")], "c"),
        (&[("name:exact", r"Diabetes\, north")], "b"),
        (&[("name:exact", "Diabetes south")], ""),
        (&[("type", "person")], "b c"),
        (&[("type", "http://hl7.org/fhir/group-type|practitioner")], "a"),
        (&[("type", "person,practitioner")], "a b c"),
        (&[("actual", "true")], "a b"),
        (&[("actual", "false")], "c"),
        (&[("actual", "true,false"), ("type", "person")], "b c"),
        (&[("identifier", "1")], "a b"),
        (&[("identifier", "urn:s|1")], "a"),
        (&[("identifier", "|1")], "b"),
        (&[("identifier", "urn:s|")], "a b"),
        (&[("_format", "application/fhir json"), ("_id", "a")], "a"),
    ];
    for (query, expected) in cases {
        assert_eq!(found(query), expected, "{query:?}");
    }
}

#[test]
fn a_bundle_is_a_searchset_with_whole_urls() {
    let bundle = ask(&[("_id", "d e,a")]).expect("accepted");
    assert_eq!(bundle["resourceType"], "Bundle");
    assert_eq!(bundle["type"], "searchset");
    assert_eq!(bundle["link"][0]["relation"], "self");
    assert_eq!(bundle["link"][0]["url"], "http://own/fhir/Group?_id=d%20e%2Ca");
    assert_eq!(bundle["entry"][1]["fullUrl"], "http://own/fhir/Group/d%20e");
    assert_eq!(bundle["entry"][0]["search"]["mode"], "match");
    assert_eq!(bundle["entry"][0]["resource"]["name"], "Ärzte Nord");
    let empty = ask(&[("_id", "x")]).expect("accepted");
    assert!(empty.get("entry").is_none());
}

#[test]
fn pages_lead_to_each_other_and_hold_everything_once() {
    let mut query: Vec<(String, String)> = vec![("_count".into(), "2".into()), ("actual".into(), "true,false".into())];
    let mut pages = Vec::new();
    loop {
        let pairs: Vec<(&str, &str)> = query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let bundle = ask(&pairs).expect("accepted");
        assert_eq!(bundle["total"], 3);
        let entries = bundle["entry"].as_array().cloned().unwrap_or_default();
        pages.push(
            entries
                .iter()
                .map(|entry| entry["resource"]["id"].to_string())
                .collect::<String>(),
        );
        let Some(next) = bundle["link"].get(1) else { break };
        assert_eq!(next["relation"], "next");
        assert_eq!(
            next["url"],
            "http://own/fhir/Group?_count=2&actual=true%2Cfalse&_page=b"
        );
        query.retain(|(name, _)| name != "_page");
        query.push(("_page".into(), "b".into()));
    }
    assert_eq!(pages, [r#""a""b""#, r#""c""#]);
    let count = ask(&[("_count", "0")]).expect("accepted");
    assert_eq!(count["total"], 4);
    assert!(count.get("entry").is_none() && count["link"].get(1).is_none());
}

#[test]
fn what_cannot_be_asked_for_is_refused_by_name() {
    let cases = [
        (("nmae", "x"), 400, "http.nmae"),
        (("member", "Patient/a"), 400, "http.member"),
        (("_count", "-1"), 400, "http._count"),
        (("_count", "many"), 400, "http._count"),
        (("actual", "yes"), 400, "http.actual"),
        (("_id", ""), 400, "http._id"),
        (("type", ","), 400, "http.type"),
        (("_format", "xml"), 406, "http._format"),
    ];
    for (pair, status, location) in cases {
        let reply = ask(&[pair]).expect_err("refused");
        assert_eq!(
            (reply.status, reply.issues[0].location.as_deref()),
            (status, Some(location)),
            "{pair:?}"
        );
    }
}

#[test]
fn who_may_not_read_groups_sees_none() {
    let catalogue = place().catalogue();
    assert_eq!(
        search_groups(&catalogue, &[], "http://own", false).map_err(|reply| reply.status),
        Err(403)
    );
    assert_eq!(
        read_group(&catalogue, "a", false).map_err(|reply| reply.status),
        Err(403)
    );
    // Not even whether there is one.
    assert_eq!(
        read_group(&catalogue, "x", false).map_err(|reply| reply.status),
        Err(403)
    );
}

#[test]
fn a_group_is_read_as_it_stands() {
    let catalogue = place().catalogue();
    assert_eq!(
        read_group(&catalogue, "d e", true),
        Ok(&br#"{"resourceType":"Group","id":"d e"}"#[..])
    );
    assert_eq!(
        read_group(&catalogue, "x", true).map_err(|reply| reply.status),
        Err(404)
    );
}
