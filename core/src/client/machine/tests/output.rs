//! Files that go on in others.

use super::stage::{Stage, order};
use crate::client::Settings;

/// Which files of a manifest with these URLs go on in which.
fn continued(files: &[(&str, Option<&str>)]) -> Vec<(usize, usize)> {
    let mut stage = Stage::accepted(order(), &Settings::default());
    stage.call();
    let items = files.iter().map(|(url, to)| {
        let to = to.map_or(String::new(), |to| format!(r#","continuesInFile":"{to}""#));
        format!(r#"{{"type":"Patient","url":"{url}"{to}}}"#)
    });
    let items: Vec<String> = items.collect();
    let manifest = format!(
        r#"{{"transactionTime":"2026-01-01T00:00:00Z","request":"r","requiresAccessToken":false,"output":[{}],"error":[]}}"#,
        items.join(",")
    );
    stage.answer(200, &[], &manifest);
    stage.client.continuations()
}

#[test]
fn where_a_file_goes_on_is_a_url_or_the_end_of_one() {
    let all = [
        ("https://h/a/1", Some("https://h/b/1")),
        ("https://h/b/1", Some("2")),
        ("https://h/b/2", Some("../a/1")),
        ("https://h/b/12", Some("./b/2")),
        ("https://h/c/12", Some("12")),
        ("https://h/c/3", Some("nowhere")),
    ];
    assert_eq!(
        continued(&all),
        [(0, 1), (1, 2), (2, 0), (3, 2)],
        "12 is the end of two"
    );
    assert!(continued(&[("https://h/a/1", None)]).is_empty());
}

#[test]
fn very_many_files_that_go_on_take_no_time() {
    let names: Vec<(String, String)> = (0..100_000)
        .map(|at| (format!("https://h/job/{at}/data"), format!("{}/data", at + 1)))
        .collect();
    let files: Vec<(&str, Option<&str>)> = names
        .iter()
        .map(|(url, to)| (url.as_str(), Some(to.as_str())))
        .collect();
    assert_eq!(continued(&files).len(), 99_999);
}
