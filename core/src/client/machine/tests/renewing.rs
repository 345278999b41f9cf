//! Fresh URLs by which files cannot be told apart: nothing is fetched twice, and nothing never.

use super::stage::{Stage, manifest_of, order};
use crate::client::{FileState, Phase, Settings, Step, What};

/// A manifest of files whose names say nothing, of the same type and without counts.
fn blind(walk: usize, files: usize) -> String {
    let urls: Vec<String> = (0..files)
        .map(|at| format!("https://h.example/{}", walk * 100 + at))
        .collect();
    manifest_of(&urls.iter().map(String::as_str).collect::<Vec<_>>(), "")
}

fn with_next(page: &str) -> String {
    page.replace(
        r#""error":[]"#,
        r#""error":[],"link":[{"relation":"next","url":"/page2"}]"#,
    )
}

/// A client with so many files, of which the first is safe, the second refused, and the manifest asked for again.
fn refused(files: usize) -> Stage {
    let mut stage = Stage::accepted(order(), &Settings::default());
    stage.call();
    stage.answer(200, &[], &blind(1, files));
    stage.fetches();
    stage.fetched(0);
    stage.unfetched(1, 403, &[], "");
    assert_eq!(stage.call().what, What::Status);
    stage
}

#[test]
fn what_cannot_be_told_apart_is_all_fetched_from_one_walk() {
    let mut stage = refused(3);
    stage.answer(200, &[], &blind(2, 3));
    let fetches = stage.fetches();
    let urls: Vec<&str> = fetches.iter().map(|fetch| fetch.url.as_str()).collect();
    assert_eq!(
        urls,
        [
            "https://h.example/200",
            "https://h.example/201",
            "https://h.example/202"
        ]
    );
    assert_eq!(
        fetches.iter().map(|fetch| fetch.file).collect::<Vec<_>>(),
        [3, 4, 5],
        "no number is used twice"
    );
    assert!(stage.warnings().contains("fetched anew"), "{}", stage.warnings());
    // One that was under way with its old URL comes, and is not wanted any more.
    stage.fetched(2);
    assert_eq!(stage.client.file(0), None);
    stage.fetched(3);
    assert!(matches!(stage.step(), Step::Wait { .. }));
    assert!(matches!(
        stage.client.phase(),
        Phase::Fetching { done: 1, total: 3, .. }
    ));
    // Whoever resumes has the new ones, too.
    let mut again = stage.resumed(&Settings::default());
    for stage in [&mut stage, &mut again] {
        stage.fetches();
        stage.fetched(4);
        stage.fetched(5);
        assert_eq!(stage.call().what, What::Delete);
        let known: Vec<(usize, FileState)> = stage.client.files().map(|file| (file.number, file.state)).collect();
        assert_eq!(
            known,
            [(3, FileState::Safe), (4, FileState::Safe), (5, FileState::Safe)]
        );
    }
}

#[test]
fn where_files_can_be_told_apart_each_gets_its_own_url() {
    let mut stage = refused(3);
    let urls = [
        "https://h.example/102?s=1",
        "https://h.example/101?s=1",
        "https://h.example/100?s=1",
    ];
    stage.answer(200, &[], &manifest_of(&urls, ""));
    let fetch = stage.fetch();
    assert_eq!((fetch.file, fetch.url.as_str()), (1, urls[1]));
    assert_eq!(stage.file(0).state, FileState::Safe);
}

#[test]
fn on_a_later_page_all_pages_are_seen_again() {
    let mut stage = Stage::accepted(order(), &Settings::default());
    stage.call();
    stage.answer(200, &[], &with_next(&blind(1, 2)));
    assert_eq!(stage.call().what, What::Page);
    stage.answer(200, &[], &blind(2, 2));
    stage.fetches();
    stage.fetched(0);
    stage.unfetched(3, 403, &[], "");
    assert_eq!(stage.call().what, What::Status);
    // None of this page needs a fresh URL, so that they may keep what they have; on the next one, one does.
    stage.answer(200, &[], &with_next(&blind(3, 2)));
    assert_eq!(stage.call().what, What::Page);
    stage.answer(200, &[], &blind(4, 2));
    assert_eq!(stage.call().what, What::Status);
    stage.answer(200, &[], &with_next(&blind(5, 2)));
    assert_eq!(stage.call().what, What::Page);
    stage.answer(200, &[], &blind(6, 2));
    let known: Vec<&str> = stage.client.files().map(|file| file.url).collect();
    let numbers = [500, 501, 600, 601].map(|number| format!("https://h.example/{number}"));
    assert_eq!(known, numbers);
    assert!(stage.client.files().all(|file| file.receipt.is_none()));
}

#[test]
fn it_is_not_begun_anew_for_ever() {
    let mut stage = refused(2);
    for walk in 2..4 {
        stage.answer(200, &[], &blind(walk, 2));
        let fetch = stage.fetch();
        stage.unfetched(fetch.file, 403, &[], "");
        stage.fetches();
        assert_eq!(stage.call().what, What::Status);
    }
    for walk in 4..8 {
        stage.answer(200, &[], &blind(walk, 2));
        stage.fetches();
        if walk < 7 {
            assert_eq!(stage.call().what, What::Status);
        }
    }
    stage.fetched(5);
    let failure = stage.failure();
    assert_eq!((failure.code, failure.resumable), ("manifest-changed", true));
}

#[test]
fn anew_there_must_not_be_fewer_files_than_before() {
    let mut stage = Stage::accepted(order(), &Settings::default());
    stage.call();
    stage.answer(200, &[], &with_next(&blind(1, 1)));
    stage.call();
    stage.answer(200, &[], &blind(2, 2));
    stage.fetches();
    stage.unfetched(0, 403, &[], "");
    stage.call();
    stage.answer(200, &[], &with_next(&blind(3, 1)));
    assert_eq!(stage.call().what, What::Page);
    let mut again = stage.resumed(&Settings::default());
    assert_eq!(again.call().what, What::Status);
    again.answer(200, &[], &with_next(&blind(3, 1)));
    assert_eq!(again.call().what, What::Page);
    for stage in [&mut stage, &mut again] {
        stage.answer(200, &[], &blind(4, 1));
        assert!(!stage.client.facts().is_complete, "a file is missing");
    }
}

#[test]
fn a_running_job_with_other_urls_each_time_is_waited_for() {
    let partial = crate::client::Order {
        partial: true,
        ..order()
    };
    let mut stage = Stage::accepted(partial, &Settings::default());
    stage.call();
    stage.answer(202, &[], &blind(1, 2));
    stage.fetches();
    stage.fetched(0);
    stage.fetched(1);
    for walk in 2..5 {
        assert_eq!(stage.call().what, What::Status);
        stage.answer(202, &[], &blind(walk, 3));
        assert!(stage.fetches().is_empty(), "which one is new cannot be told");
    }
    assert_eq!(stage.call().what, What::Status);
    stage.answer(200, &[], &blind(5, 2));
    // Nothing is new at all.
    assert_eq!(stage.call().what, What::Delete);
}
