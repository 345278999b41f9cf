//! The state of the job, the pages of its manifest, and what may be answered instead.

use super::stage::{BASE, JOB, Stage, manifest, manifest_of, order, outcome, with_token};
use crate::client::{Client, FileState, Order, Phase, Settings, Step, Trouble, What};

const FILES: &str = "https://h.example/files/";

fn accepted() -> Stage {
    let mut stage = Stage::accepted(order(), &Settings::default());
    assert_eq!(stage.call().what, What::Status);
    stage
}

fn partial() -> Stage {
    let order = Order {
        partial: true,
        ..order()
    };
    let mut stage = Stage::accepted(order, &Settings::default());
    stage.call();
    stage
}

#[test]
fn a_running_job_is_asked_again_when_the_server_likes() {
    let mut stage = accepted();
    stage.answer(202, &[("X-Progress", &"x".repeat(300)), ("Retry-After", "120")], "");
    let Phase::Waiting {
        progress: Some(text),
        next: Some(_),
    } = stage.client.phase()
    else {
        panic!("waits")
    };
    assert_eq!(text.chars().count(), 101);
    assert_eq!(stage.waited().1, 120_000);
}

#[test]
fn the_first_manifest_after_that_is_the_whole_one() {
    let mut stage = accepted();
    stage.answer(202, &[], "");
    stage.call();
    stage.answer(200, &[], &manifest(FILES, 1));
    assert!(stage.client.facts().is_complete);
    assert_eq!(stage.fetch().file, 0);
}

#[test]
fn without_a_word_of_the_server_polls_get_rarer() {
    let mut stage = accepted();
    let mut waits = Vec::new();
    for _ in 0..12 {
        stage.answer(202, &[], "");
        waits.push(stage.waited().1);
    }
    assert!(
        waits[0] <= 1_000 && waits[11] >= 30_000 && waits[11] <= 60_000,
        "{waits:?}"
    );
}

#[test]
fn an_absurd_retry_after_counts_as_the_most_that_is_believed() {
    let mut stage = accepted();
    stage.answer(202, &[("Retry-After", "864000")], "");
    assert_eq!(stage.waited().1, 15 * 60_000);
    assert!(stage.warnings().contains("Retry-After"));
}

#[test]
fn the_state_may_come_in_a_header_of_its_own() {
    let mut stage = accepted();
    stage.answer(200, &[("X-Export-Status", "202 Accepted")], "");
    assert_eq!(stage.call().what, What::Status);
    stage.answer(
        200,
        &[("X-Export-Status", "500 Internal Server Error")],
        &outcome("exception", "it broke"),
    );
    let failure = stage.failure();
    assert_eq!((failure.code, failure.resumable), ("job-failed", false));
    assert!(failure.message.contains("it broke"));
}

#[test]
fn what_may_pass_is_tried_again_a_bounded_number_of_times() {
    for way in 0..5 {
        let mut stage = accepted();
        let mut polls = 1;
        let failure = loop {
            match way {
                0 => stage.answer(500, &[], ""),
                1 => stage.answer(503, &[], &outcome("TRANSIENT", "x")),
                2 => stage.trouble(Trouble::Timeout),
                3 => stage.answer(502, &[], "<html>"),
                _ => stage.answer(408, &[], ""),
            }
            match stage.waited().0 {
                Step::Send(_) => polls += 1,
                Step::Failed(failure) => break failure,
                step => panic!("{step:?}"),
            }
        };
        assert_eq!(
            (failure.code, failure.resumable, polls),
            ("unreachable", true, 8),
            "{way}"
        );
    }
}

#[test]
fn failures_are_counted_anew_after_a_good_answer() {
    let mut stage = accepted();
    for _ in 0..50 {
        stage.answer(503, &[("Retry-After", "1")], "");
        stage.call();
        stage.answer(202, &[], "");
        stage.call();
    }
}

#[test]
fn too_fast_polls_wait_as_asked() {
    let mut stage = accepted();
    stage.answer(429, &[("Retry-After", "77")], "");
    assert_eq!(stage.waited().1, 77_000);
}

#[test]
fn a_failed_job_and_a_forgotten_one_are_final() {
    for (status, code, resumable) in [
        (404, "gone", false),
        (410, "gone", false),
        (400, "job-failed", false),
        (403, "unauthorized", true),
    ] {
        let mut stage = accepted();
        stage.answer(status, &[], &outcome("not-found", "why"));
        let failure = stage.failure();
        assert_eq!((failure.code, failure.resumable), (code, resumable), "{status}");
        assert!(failure.message.contains("why"));
    }
    let mut stage = accepted();
    stage.answer(500, &[], &outcome("processing", "why"));
    assert_eq!(stage.failure().code, "job-failed");
}

#[test]
fn what_is_no_manifest_is_asked_for_a_few_times() {
    for body in ["<html>please log in</html>", "{}", "", "[]", "{\"output\":7}"] {
        let mut stage = accepted();
        for _ in 0..3 {
            stage.answer(200, &[], body);
            stage.call();
        }
        stage.answer(200, &[], body);
        let failure = stage.failure();
        assert_eq!((failure.code, failure.resumable), ("no-manifest", true), "{body}");
        assert!(!failure.message.contains("log in"));
    }
    let mut stage = accepted();
    for _ in 0..3 {
        stage.trouble(Trouble::TooLarge);
        stage.call();
    }
    stage.trouble(Trouble::TooLarge);
    assert_eq!(stage.failure().code, "no-manifest");
}

#[test]
fn a_job_without_files_is_done() {
    let mut stage = accepted();
    stage.answer(200, &[], &manifest(FILES, 0));
    assert_eq!(stage.call().what, What::Delete);
    stage.answer(202, &[], "");
    assert_eq!(stage.step(), Step::Done);
    let facts = stage.client.facts();
    assert!(facts.is_complete && facts.is_deleted);
    assert_eq!(facts.transaction_time, Some("2026-01-01T00:00:00Z"));
}

#[test]
fn relative_urls_lead_from_the_manifest() {
    let mut stage = accepted();
    stage.answer(200, &[], &manifest_of(&["files/1", "/2?x=y"], ""));
    let urls: Vec<String> = stage.fetches().into_iter().map(|fetch| fetch.url).collect();
    assert_eq!(urls, ["https://h.example/jobs/files/1", "https://h.example/2?x=y"]);
}

#[test]
fn a_file_that_cannot_be_asked_for_does_not_stop_the_others() {
    let mut stage = accepted();
    stage.answer(
        200,
        &[],
        &manifest_of(&["ftp://x/1", "http://elsewhere.example/2", "https://h.example/3"], ""),
    );
    let fetch = stage.fetch();
    assert_eq!(
        (fetch.file, stage.file(0).state, stage.file(1).state),
        (2, FileState::Lost, FileState::Lost)
    );
    stage.fetched(2);
    let failure = stage.failure();
    assert_eq!((failure.code, failure.resumable), ("files-missing", true));
    assert!(
        failure.message.contains("2 of 3") && failure.message.contains("https to http"),
        "{}",
        failure.message
    );
}

#[test]
fn entries_without_a_url_are_missing_files() {
    let mut stage = accepted();
    let body = r#"{"transactionTime":"2026-01-01T00:00:00Z","request":"x","requiresAccessToken":false,"output":[{"type":"Patient"}],"error":[]}"#;
    stage.answer(200, &[], body);
    let failure = stage.failure();
    assert_eq!(failure.code, "files-missing");
    assert!(failure.message.contains("1 entries"), "{}", failure.message);
}

#[test]
fn pages_are_followed_and_their_files_begin_as_they_come() {
    let mut stage = accepted();
    stage.answer(
        200,
        &[],
        &manifest_of(
            &["https://h.example/f/0"],
            r#","link":[{"relation":"next","url":"/jobs/1/p2"}]"#,
        ),
    );
    let call = stage.call();
    assert_eq!(
        (call.what, call.url.as_str()),
        (What::Page, "https://h.example/jobs/1/p2")
    );
    assert_eq!(stage.fetch().file, 0);
    stage.answer(200, &[], &manifest_of(&["https://h.example/f/1"], ""));
    assert_eq!(stage.fetch().file, 1);
    assert!(matches!(
        stage.client.phase(),
        Phase::Fetching {
            total: 2,
            active: 2,
            is_complete: true,
            ..
        }
    ));
}

#[test]
fn pages_that_lead_in_a_circle_are_an_error() {
    for next in [JOB, "/jobs/1"] {
        let mut stage = accepted();
        stage.answer(
            200,
            &[],
            &manifest_of(&[], &format!(r#","link":[{{"relation":"next","url":"{next}"}}]"#)),
        );
        assert_eq!(stage.failure().code, "bad-page");
    }
}

#[test]
fn pages_without_end_are_an_error() {
    let mut stage = accepted();
    let mut pages = 0;
    let failure = loop {
        pages += 1;
        let link = format!(r#","link":[{{"relation":"next","url":"/p{pages}"}}]"#);
        stage.answer(200, &[], &manifest_of(&[], &link));
        match stage.waited().0 {
            Step::Send(_) => {}
            Step::Failed(failure) => break failure,
            step => panic!("{step:?}"),
        }
    };
    assert_eq!((failure.code, pages), ("bad-page", 10_000));
}

#[test]
fn pages_of_different_instants_are_asked_for_again_and_then_refused() {
    let mut stage = accepted();
    for round in 0..4 {
        stage.answer(
            200,
            &[],
            &manifest_of(&[], r#","link":[{"relation":"next","url":"/p2"}]"#),
        );
        assert_eq!(stage.call().what, What::Page);
        stage.answer(200, &[], &manifest_of(&[], "").replace("2026-01", "2026-02"));
        if round < 3 {
            assert_eq!(stage.call().what, What::Status);
        }
    }
    let failure = stage.failure();
    assert_eq!((failure.code, failure.resumable), ("manifest-changed", true));
}

#[test]
fn a_running_job_may_give_files_and_pages() {
    let mut stage = partial();
    stage.answer(202, &[], &manifest_of(&["https://h.example/f/0"], ""));
    assert_eq!(stage.fetch().file, 0);
    stage.fetched(0);
    // The same page again, now with a next one.
    let link = r#","link":[{"relation":"next","url":"/p2"}]"#;
    assert_eq!(stage.call().url, JOB);
    stage.answer(202, &[], &manifest_of(&["https://h.example/f/0"], link));
    assert_eq!(stage.call().url, "https://h.example/p2");
    stage.answer(202, &[], "");
    assert_eq!(stage.call().url, "https://h.example/p2");
    stage.answer(200, &[], &manifest_of(&["https://h.example/f/1"], ""));
    assert_eq!(stage.fetch().file, 1);
    stage.fetched(1);
    // The first page said that the job was running: the chain is seen once more, as of a finished job.
    assert_eq!(stage.call().url, JOB);
    assert!(!stage.client.facts().is_complete);
    stage.answer(200, &[], &manifest_of(&["https://h.example/f/0"], link));
    assert_eq!(stage.call().url, "https://h.example/p2");
    stage.answer(200, &[], &manifest_of(&["https://h.example/f/1"], ""));
    assert_eq!(stage.call().what, What::Delete);
}

#[test]
fn a_manifest_that_differs_now_and_then_does_not_add_up() {
    let mut stage = partial();
    stage.answer(202, &[], &manifest(FILES, 1));
    assert_eq!(stage.fetch().file, 0);
    for _ in 0..20 {
        stage.call();
        stage.answer(202, &[], &manifest(FILES, 1));
        stage.call();
        stage.answer(202, &[], &manifest(FILES, 0));
    }
    stage.call();
    stage.answer(200, &[], &manifest(FILES, 1));
    assert!(stage.client.facts().is_complete);
}

#[test]
fn a_running_jobs_page_may_grow_and_keeps_its_files() {
    let mut stage = partial();
    stage.answer(202, &[], &manifest_of(&["https://h.example/f/b"], ""));
    assert_eq!(stage.fetch().file, 0);
    stage.fetched(0);
    stage.call();
    stage.answer(
        200,
        &[],
        &manifest_of(&["https://h.example/f/a", "https://h.example/f/b"], ""),
    );
    let fetch = stage.fetch();
    assert_eq!((fetch.file, fetch.url.as_str()), (1, "https://h.example/f/a"));
    // The journal knows the page in its new order.
    let mut again = stage.resumed(&Settings::default());
    assert_eq!(again.fetch().url, "https://h.example/f/a");
    assert_eq!(again.file(0).state, FileState::Safe);
}

#[test]
fn a_running_job_that_was_not_asked_for_files_gives_none() {
    let mut stage = accepted();
    stage.answer(202, &[], &manifest(FILES, 2));
    assert_eq!(stage.client.files().len(), 0);
}

#[test]
fn the_same_list_of_errors_on_each_page_is_fetched_once() {
    let page = |further: &str| {
        let body = manifest_of(&[], further);
        body.replace(
            r#""error":[]"#,
            r#""error":[{"type":"OperationOutcome","url":"https://h.example/e"}]"#,
        )
    };
    let mut stage = accepted();
    stage.answer(
        200,
        &[],
        &page(r#","link":[{"relation":"next","url":"https://h.example/p2"}]"#),
    );
    stage.call();
    stage.answer(200, &[], &page(""));
    assert_eq!(stage.fetches().len(), 1);
    assert_eq!(stage.warnings(), "");
}

#[test]
fn a_file_that_is_listed_twice_is_fetched_once() {
    let mut stage = accepted();
    stage.answer(200, &[], &manifest_of(&["/f", "/f"], ""));
    assert_eq!(stage.fetches().len(), 1);
    assert!(stage.warnings().contains("more than once"));
}

/// One walk over two pages; the first question of it is under way.
fn walk(stage: &mut Stage, pages: [&[&str]; 2]) {
    assert_eq!(stage.call().what, What::Status);
    stage.answer(
        200,
        &[],
        &manifest_of(pages[0], r#","link":[{"relation":"next","url":"/p2"}]"#),
    );
    assert_eq!(stage.call().what, What::Page);
    stage.answer(200, &[], &manifest_of(pages[1], ""));
}

#[test]
fn a_file_on_two_pages_is_believed_when_another_walk_finds_the_same() {
    let begin = |pages: [&[&str]; 2], files| {
        let mut stage = Stage::accepted(order(), &Settings::default());
        walk(&mut stage, pages);
        assert_eq!(stage.fetches().len(), files, "they begin meanwhile");
        assert!(!stage.client.facts().is_complete, "another may be on none");
        stage
    };
    let mut stage = begin([&["/a", "/b"], &["/b", "/c"]], 3);
    (0..3).for_each(|file| stage.fetched(file));
    walk(&mut stage, [&["/b", "/a"], &["/b", "/c"]]);
    assert!(stage.client.facts().is_complete);
    assert_eq!(stage.call().what, What::Delete);

    // One that was on no page is found.
    let mut stage = begin([&["/a", "/b"], &["/b", "/c"]], 3);
    walk(&mut stage, [&["/a", "/b"], &["/b", "/c", "/d"]]);
    assert_eq!(stage.fetch().file, 3);
    assert!(!stage.client.facts().is_complete);
    walk(&mut stage, [&["/a", "/b"], &["/b", "/c", "/d"]]);
    assert!(stage.client.facts().is_complete);

    // The order is another one each time.
    let mut stage = begin([&["/a", "/b"], &["/b", "/c"]], 3);
    for nth in 0..3 {
        assert_eq!(stage.call().what, What::Status);
        stage.answer(200, &[], &manifest_of(&["/a", ["/c", "/d", "/c"][nth]], ""));
    }
    let failure = stage.failure();
    assert_eq!((failure.code, failure.resumable), ("manifest-changed", true));

    // Not even with something new in each walk does it go on for ever.
    let mut stage = begin([&["/a"], &["/a", "/0"]], 2);
    let mut files: Vec<String> = vec!["/a".into(), "/0".into()];
    for nth in 1..4 {
        files.push(format!("/{nth}"));
        let second: Vec<&str> = files.iter().map(String::as_str).collect();
        walk(&mut stage, [&["/a"], &second]);
        stage.fetches();
    }
    assert_eq!(stage.failure().code, "manifest-changed");
}

#[test]
fn what_is_wrong_with_a_manifest_is_told_at_the_end() {
    let mut stage = accepted();
    stage.answer(200, &[], &manifest(FILES, 1).replace(":true", ":\"true\""));
    assert!(stage.warnings().contains("manifest"), "{}", stage.warnings());
    assert_eq!(stage.client.facts().requires_access_token, Some(true));
}

#[test]
fn a_job_of_another_origin_is_asked_without_the_token() {
    let mut stage = Stage::start(order(), &with_token());
    stage.call();
    stage.answer(202, &[("Content-Location", "https://other.example/jobs/1")], "");
    assert!(!stage.call().with_token);
    stage.answer(401, &[], "");
    let failure = stage.failure();
    assert_eq!(failure.code, "unauthorized");
    assert!(failure.message.contains("origin"), "{}", failure.message);
}

#[test]
fn a_token_may_die_any_number_of_times_between_polls() {
    let mut stage = Stage::accepted(order(), &with_token());
    stage.call();
    for _ in 0..20 {
        stage.answer(401, &[], "");
        stage.call();
        stage.answer(202, &[], "");
        stage.call();
    }
    assert_eq!(stage.authorized, 21);
}

#[test]
fn a_job_that_exists_is_attended() {
    let mut stage = Stage::of(Client::attend(JOB, Some(BASE), &with_token(), 1).expect("a URL"));
    let call = stage.call();
    assert_eq!((call.url.as_str(), call.with_token), (JOB, true));
    assert_eq!(stage.client.order(), None);
    for (url, base) in [("jobs/1", None), ("https://me:pw@h/1", None), (JOB, Some("h"))] {
        assert_eq!(
            Client::attend(url, base, &Settings::default(), 1)
                .expect_err("no URL")
                .code,
            "bad-order"
        );
    }
}

#[test]
fn every_wait_ends_at_the_deadline() {
    let settings = Settings {
        deadline: Some(super::stage::START + 100_000),
        ..Settings::default()
    };
    let mut stage = Stage::accepted(order(), &settings);
    for _ in 0..100 {
        match stage.waited().0 {
            Step::Send(_) => stage.answer(202, &[("Retry-After", "60")], ""),
            Step::Failed(failure) => {
                assert_eq!((failure.code, failure.resumable), ("timeout", true));
                return;
            }
            step => panic!("{step:?}"),
        }
    }
    panic!("polled beyond the deadline");
}
