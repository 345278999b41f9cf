//! The rules of Provenance in exports, one by one: binary and oracle must both keep what the rule says.

mod binary;
mod exported;
mod rules;

use rules::{bare, check, observation, patients, refuse, text, to, with};
use serde_json::{Value, json};

/// Provenance of `o`, by id, recorded and changed when.
fn provenance(id: &str, recorded: Option<&str>, updated: Option<&str>) -> Value {
    let mut value = with(&format!("Provenance/{id}"), json!({"target": [to("Observation/o")]}));
    if let Some(recorded) = recorded {
        value["recorded"] = json!(recorded);
    }
    if let Some(updated) = updated {
        value["meta"] = json!({"lastUpdated": updated});
    }
    value
}

const LATEST: &str =
    "patient = ['a']\ntype = ['Observation']\ninclude-associated-data = ['LatestProvenanceResources']\n";

#[track_caller]
fn latest(provenance: &[Value], expected: &str) {
    let lines = [patients(), vec![observation("o", &[])], provenance.to_vec()].concat();
    check(&lines, LATEST, &["Observation/o", expected]);
    let turned: Vec<Value> = lines.iter().rev().cloned().collect();
    check(&turned, LATEST, &["Observation/o", expected]);
}

#[test]
fn latest_provenance_is_the_last_recorded_as_an_instant() {
    let offset = provenance(
        "offset",
        Some("2020-01-01T01:00:00+02:00"),
        Some("2024-01-01T00:00:00Z"),
    );
    let utc = provenance("utc", Some("2020-01-01T00:00:00Z"), Some("2020-01-01T00:00:00Z"));
    latest(&[offset.clone(), utc.clone()], "Provenance/utc");
    let finer = provenance("finer", Some("2020-01-01T00:00:00.000001Z"), None);
    latest(&[finer, utc, offset], "Provenance/finer");
}

#[test]
fn latest_provenance_of_equal_instants_is_the_last_changed_then_the_greatest_id() {
    let same = "2020-01-01T00:00:00Z";
    let old = provenance("z", Some("2020-01-01T01:00:00+01:00"), Some("2020-01-01T00:00:00Z"));
    let new = provenance("a", Some(same), Some("2020-01-02T00:00:00Z"));
    latest(&[old.clone(), new.clone()], "Provenance/a");
    let greater = provenance("b", Some("2020-01-01T00:00:00.000Z"), Some("2020-01-02T00:00:00.000Z"));
    latest(&[greater.clone(), old.clone(), new.clone()], "Provenance/b");
    // By bytes: a small letter is after a capital one, 9 after 10.
    let (nine, ten) = (provenance("9", Some(same), None), provenance("10", Some(same), None));
    latest(&[nine, ten], "Provenance/9");
    let (small, capital) = (provenance("k", Some(same), None), provenance("K9", Some(same), None));
    latest(&[small, capital], "Provenance/k");
}

#[test]
fn latest_provenance_without_a_value_is_older_than_with_one() {
    let ancient = provenance("ancient", Some("1900-01-01T00:00:00Z"), None);
    let unrecorded = provenance("unrecorded", None, Some("2024-01-01T00:00:00Z"));
    latest(&[ancient.clone(), unrecorded], "Provenance/ancient");
    let changed = provenance("a", Some("1900-01-01T00:00:00Z"), Some("1900-01-01T00:00:00Z"));
    latest(&[ancient, changed], "Provenance/a");
}

#[test]
fn latest_provenance_is_chosen_among_what_the_filters_pass_and_the_snapshot_holds() {
    let lines = [
        patients(),
        vec![observation("o", &[])],
        vec![
            provenance("one", Some("2020-01-01T00:00:00Z"), None),
            provenance("two", Some("2021-01-01T00:00:00Z"), None),
            provenance("future", Some("2022-01-01T00:00:00Z"), Some("2030-01-01T00:00:00Z")),
        ],
    ]
    .concat();
    check(&lines, LATEST, &["Observation/o", "Provenance/two"]);
    let named = LATEST.replace("['Observation']", "['Observation,Provenance']");
    check(
        &lines,
        &format!("{named}type-filter = ['Provenance?recorded=lt2021']"),
        &["Observation/o", "Provenance/one"],
    );
    check(
        &lines,
        &format!("{named}since = '2024-01-01T00:00:00Z'"),
        &["Observation/o", "Provenance/two"],
    );
}

#[test]
fn provenance_of_what_is_kept_by_default_relevant_and_both() {
    let about = |id: &str, names: &[&str], time: &str| {
        let targets: Vec<Value> = names.iter().map(|name| to(name)).collect();
        with(
            &format!("Provenance/{id}"),
            json!({"target": targets, "recorded": time, "meta": {"lastUpdated": time}}),
        )
    };
    let (old, new) = ("2020-01-01T00:00:00Z", "2024-01-01T00:00:00Z");
    let lines = [
        patients(),
        vec![
            observation("o", &["Practitioner/p"]),
            bare("Practitioner/p"),
            about("patient", &["Patient/a"], old),
            about("old", &["Observation/o"], old),
            about("new", &["Observation/o/_history/2", "Patient/b"], new),
            about("practitioner", &["Practitioner/p"], new),
            about("other", &["Patient/b"], new),
            about("provenance", &["Provenance/old"], new),
        ],
    ]
    .concat();
    let kept = |names: &[&'static str]| [&["Observation/o"], names].concat();
    let default = "patient = ['a']\ntype = ['Observation,Provenance']\n";
    let all = kept(&["Provenance/new", "Provenance/old", "Provenance/patient"]);
    check(&lines, default, &all);
    // The window holds for Provenance of the patient only.
    let windowed = kept(&["Provenance/new", "Provenance/old"]);
    check(&lines, &format!("{default}since = '2021-01-01T00:00:00Z'"), &windowed);
    // The rest is about what is not exported here.
    let relevant = format!("{default}include-associated-data = ['RelevantProvenanceResources']");
    check(&lines, &relevant, &windowed);
    let both = format!("{default}include-associated-data = ['LatestProvenanceResources,RelevantProvenanceResources']");
    check(&lines, &both, &windowed);
    let latest = format!("{default}include-associated-data = ['LatestProvenanceResources']");
    check(&lines, &latest, &kept(&["Provenance/new"]));
    check(
        &lines,
        &format!("{latest}\nexclusive = true"),
        &kept(&["Provenance/old"]),
    );
    check(
        &lines,
        &format!("{default}exclusive = true"),
        &kept(&["Provenance/old", "Provenance/patient"]),
    );
    let files = [("data.ndjson", text(&lines))];
    refuse(&files, "patient = ['a']\ninclude-associated-data = ['_mine']", "_mine");
}

#[test]
fn provenance_without_a_cohort_is_a_type_like_any_other_unless_it_is_associated() {
    let lines = [
        vec![bare("Location/l"), bare("Organization/n")],
        vec![
            with("Provenance/of-location", json!({"target": [to("Location/l")]})),
            with("Provenance/of-organization", json!({"target": [to("Organization/n")]})),
            with("Provenance/of-nothing", json!({"target": [to("Location/gone")]})),
        ],
    ]
    .concat();
    check(
        &lines,
        "type = ['Provenance']",
        &[
            "Provenance/of-location",
            "Provenance/of-nothing",
            "Provenance/of-organization",
        ],
    );
    for value in ["LatestProvenanceResources", "RelevantProvenanceResources"] {
        let request = format!("include-associated-data = ['{value}']\n");
        check(
            &lines,
            &format!("{request}type = ['Location']"),
            &["Location/l", "Provenance/of-location"],
        );
        check(&lines, &format!("{request}type = ['Provenance']"), &[]);
        check(
            &lines,
            &request,
            &[
                "Location/l",
                "Organization/n",
                "Provenance/of-location",
                "Provenance/of-organization",
            ],
        );
    }
}
