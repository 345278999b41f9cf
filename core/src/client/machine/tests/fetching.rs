//! Files: how many at once, what is tried again and how often, and when URLs are dead.

use super::stage::{JOB, Stage, manifest, manifest_of, order, with_token};
use crate::client::{Event, FileState, Phase, Settings, Step, Trouble, Unfetched, What};

const FILES: &str = "https://h.example/files/";

fn listed(files: usize) -> Stage {
    Stage::listed(files, &Settings::default())
}

#[test]
fn four_begin_at_once_and_more_follow_as_they_come() {
    let mut stage = listed(100);
    let mut active: Vec<usize> = stage.fetches().iter().map(|fetch| fetch.file).collect();
    assert_eq!(active, [0, 1, 2, 3]);
    let mut most = 0;
    while let Some(file) = active.pop() {
        stage.fetched(file);
        active.extend(stage.fetches().iter().map(|fetch| fetch.file));
        most = most.max(active.len());
    }
    assert_eq!(most, 8);
    assert_eq!(stage.call().what, What::Delete);
}

#[test]
fn there_are_never_more_at_once_than_the_settings_say() {
    let settings = Settings {
        parallel: 2,
        ..Settings::default()
    };
    let mut stage = Stage::accepted(order(), &settings);
    stage.call();
    let urls: Vec<String> = (0..40).map(|at| format!("https://h{at}.example/f")).collect();
    stage.answer(
        200,
        &[],
        &manifest_of(&urls.iter().map(String::as_str).collect::<Vec<_>>(), ""),
    );
    assert_eq!(stage.fetches().len(), 2);
}

#[test]
fn a_busy_server_is_asked_for_half_as_many_after_the_wait_it_names() {
    let mut stage = listed(100);
    let first = stage.fetches();
    for fetch in &first {
        stage.unfetched(fetch.file, 429, &[("Retry-After", "20")], "");
    }
    let began = stage.now;
    assert!(matches!(stage.step(), Step::Wait { .. }));
    stage.fetch();
    assert_eq!(stage.now - began, 20_000);
    assert_eq!(stage.fetches().len(), 1);
}

#[test]
fn one_busy_server_does_not_slow_another() {
    let mut stage = Stage::accepted(order(), &Settings::default());
    stage.call();
    stage.answer(
        200,
        &[],
        &manifest_of(
            &["https://a.example/1", "https://a.example/2", "https://b.example/1"],
            "",
        ),
    );
    assert_eq!(stage.fetches().len(), 3);
    stage.unfetched(0, 503, &[("Retry-After", "60")], "");
    stage.broken(2, Trouble::Broken, false);
    let (step, waited) = stage.waited();
    assert!(matches!(step, Step::Fetch(fetch) if fetch.file == 2));
    assert!(waited <= 1_000);
}

#[test]
fn what_may_pass_is_tried_again_and_then_given_up_without_stopping_others() {
    let mut stage = listed(2);
    stage.fetches();
    stage.fetched(1);
    let mut attempts = 1;
    loop {
        stage.broken(0, Trouble::Broken, false);
        match stage.waited().0 {
            Step::Fetch(fetch) => {
                attempts += 1;
                assert_eq!(fetch.attempt, attempts);
            }
            Step::Failed(failure) => {
                assert_eq!((failure.code, failure.resumable, attempts), ("files-missing", true, 8));
                assert!(failure.message.contains("1 of 2") && failure.message.contains("ended in the middle"));
                break;
            }
            step => panic!("{step:?}"),
        }
    }
    assert_eq!(
        (stage.file(0).state, stage.file(1).state),
        (FileState::Lost, FileState::Safe)
    );
}

#[test]
fn attempts_are_counted_anew_when_some_of_it_came() {
    let mut stage = listed(1);
    for _ in 0..100 {
        let fetch = stage.fetch();
        stage.broken(fetch.file, Trouble::Broken, true);
    }
    let fetch = stage.fetch();
    stage.fetched(fetch.file);
    assert_eq!(stage.call().what, What::Delete);
}

#[test]
fn what_is_wrong_by_itself_is_not_tried_often() {
    for trouble in [Trouble::Count, Trouble::Content] {
        let mut stage = listed(1);
        let mut attempts = 0;
        while let Step::Fetch(fetch) = stage.waited().0 {
            attempts += 1;
            stage.broken(fetch.file, trouble, false);
        }
        assert_eq!(attempts, 4, "{trouble:?}");
    }
}

#[test]
fn a_server_that_gives_nothing_any_more_is_given_up_with_all_its_files() {
    let mut stage = listed(20_000);
    let mut attempts = 0;
    let failure = loop {
        match stage.waited().0 {
            Step::Fetch(fetch) => {
                attempts += 1;
                stage.broken(fetch.file, Trouble::Timeout, false);
            }
            Step::Failed(failure) => break failure,
            step => panic!("{step:?}"),
        }
    };
    assert_eq!(failure.code, "files-missing");
    assert!(failure.message.contains("20000 of 20000"), "{}", failure.message);
    assert!(attempts < 200, "{attempts}");
}

#[test]
fn a_file_that_is_gone_when_its_server_has_been_given_up_is_lost() {
    let urls: Vec<String> = (0..6).map(|at| format!("https://a.example/{at}")).collect();
    let mut urls: Vec<&str> = urls.iter().map(String::as_str).collect();
    urls.push("https://b.example/6");
    let mut stage = Stage::accepted(order(), &Settings::default());
    stage.call();
    stage.answer(200, &[], &manifest_of(&urls, ""));
    loop {
        match stage.waited().0 {
            Step::Fetch(fetch) => match fetch.file {
                0 => stage.fetched(0),
                6 => {}
                file => stage.broken(file, Trouble::Broken, false),
            },
            Step::Wait { until: None } => break,
            step => panic!("{step:?}"),
        }
    }
    assert_eq!(stage.file(5).state, FileState::Lost);
    stage.gone(0);
    stage.fetched(6);
    let failure = stage.failure();
    assert!(failure.message.contains("6 of 7 files"), "{}", failure.message);
}

#[test]
fn a_full_disk_stops_everything_at_once() {
    let mut stage = listed(3);
    stage.fetches();
    let why = Unfetched::Disk;
    stage.client.happened(
        Event::Unfetched {
            file: 1,
            why,
            progress: true,
        },
        stage.now,
    );
    let failure = stage.failure();
    assert_eq!((failure.code, failure.resumable), ("disk", true));
    // What was under way is safe all the same.
    stage.fetched(0);
    assert!(matches!(stage.step(), Step::Failed(_)));
    assert_eq!(stage.resumed(&Settings::default()).file(0).state, FileState::Safe);
}

#[test]
fn dead_urls_make_the_manifest_be_asked_for_again() {
    for status in [400, 403, 404, 410] {
        let mut stage = listed(10);
        let first = stage.fetches();
        for fetch in &first {
            stage.unfetched(fetch.file, status, &[], "");
        }
        let call = stage.call();
        assert_eq!((call.what, call.url.as_str()), (What::Status, JOB), "{status}");
        // While fresh URLs are on their way, dead ones are not tried.
        assert!(stage.fetches().is_empty());
        stage.answer(200, &[], &manifest("https://h.example/fresh/", 10));
        let fetches = stage.fetches();
        assert!(
            fetches
                .iter()
                .all(|fetch| fetch.url.starts_with("https://h.example/fresh/")),
            "{fetches:?}"
        );
        assert!(
            fetches
                .iter()
                .all(|fetch| first.iter().any(|old| old.file == fetch.file))
        );
    }
}

#[test]
fn a_fresh_url_that_has_come_meanwhile_is_taken_at_once() {
    let mut stage = listed(4);
    stage.fetches();
    stage.unfetched(0, 403, &[], "");
    assert_eq!(stage.call().what, What::Status);
    stage.answer(200, &[], &manifest("https://h.example/fresh/", 4));
    assert_eq!(stage.fetch().file, 0);
    // It began with the old one.
    stage.unfetched(1, 403, &[], "");
    let Step::Fetch(fetch) = stage.step() else {
        panic!("without asking for the manifest again")
    };
    assert_eq!(
        (fetch.file, fetch.url.as_str()),
        (1, "https://h.example/fresh/1.ndjson")
    );
}

#[test]
fn where_fresh_urls_do_not_help_the_others_are_not_held_up_by_asking_for_them() {
    let mut stage = listed(20);
    stage.fetches();
    stage.unfetched(0, 404, &[], "");
    assert_eq!(stage.call().what, What::Status);
    stage.fetched(1);
    assert!(stage.fetches().is_empty());
    stage.answer(200, &[], &manifest(FILES, 20));
    assert!(stage.fetches().iter().any(|fetch| fetch.file == 0));
    stage.unfetched(0, 404, &[], "");
    let others = stage.fetches();
    assert!(!others.is_empty() && others.iter().all(|fetch| fetch.file != 0));
}

#[test]
fn a_file_that_stays_refused_is_given_up_and_the_others_are_not() {
    let mut stage = listed(2);
    stage.fetches();
    let mut refused = 0;
    stage.unfetched(0, 404, &[], "");
    loop {
        match stage.waited().0 {
            Step::Send(call) if call.what == What::Status => stage.answer(200, &[], &manifest(FILES, 2)),
            Step::Fetch(fetch) => {
                assert_eq!(fetch.file, 0);
                refused += 1;
                stage.unfetched(0, 404, &[], "");
            }
            Step::Wait { until: None } => break,
            step => panic!("{step:?}"),
        }
    }
    assert_eq!(refused, 2);
    assert_eq!(stage.file(0).state, FileState::Lost);
    stage.fetched(1);
    assert_eq!(stage.failure().code, "files-missing");
}

#[test]
fn another_manifest_is_asked_for_again_and_then_refused() {
    let mut stage = listed(2);
    stage.fetches();
    stage.fetched(0);
    stage.unfetched(1, 403, &[], "");
    for _ in 0..4 {
        assert_eq!(stage.call().what, What::Status);
        stage.answer(200, &[], &manifest("https://h.example/fresh/", 3));
    }
    let failure = stage.failure();
    assert_eq!((failure.code, failure.resumable), ("manifest-changed", true));
}

#[test]
fn a_manifest_that_differs_once_is_forgiven() {
    let mut stage = listed(2);
    stage.fetches();
    stage.unfetched(1, 403, &[], "");
    stage.call();
    stage.answer(200, &[], &manifest("https://h.example/fresh/", 3));
    stage.call();
    stage.answer(200, &[], &manifest("https://h.example/fresh/", 2));
    assert_eq!(stage.fetch().url, "https://h.example/fresh/1.ndjson");
}

#[test]
fn without_fresh_urls_the_others_go_on() {
    let mut stage = listed(2);
    stage.fetches();
    stage.unfetched(0, 403, &[], "");
    stage.call();
    stage.answer(404, &[], "");
    assert_eq!(stage.step(), Step::Wait { until: None });
    stage.fetched(1);
    let failure = stage.failure();
    assert_eq!((failure.code, failure.resumable), ("gone", false));
    assert!(failure.message.contains("1 of 2"), "{}", failure.message);
}

#[test]
fn a_refused_token_is_renewed_once_and_then_the_url_counts_as_dead() {
    let mut stage = Stage::listed(1, &with_token());
    let authorized = stage.authorized;
    assert!(stage.fetch().with_token);
    stage.unfetched(0, 401, &[], "");
    assert!(stage.fetch().with_token);
    assert_eq!(stage.authorized, authorized + 1);
    stage.unfetched(0, 401, &[], "");
    assert_eq!(stage.call().what, What::Status);
}

#[test]
fn files_under_way_with_one_dead_token_ask_for_one_new_one() {
    let mut stage = Stage::listed(4, &with_token());
    let before = stage.authorized;
    for fetch in stage.fetches() {
        stage.unfetched(fetch.file, 401, &[], "");
    }
    assert_eq!(stage.fetches().len(), 4);
    assert_eq!(stage.authorized, before + 1);
}

#[test]
fn the_token_goes_to_files_of_the_servers_own_origin_that_need_it() {
    let listed = |token: bool| {
        let mut stage = Stage::accepted(order(), &with_token());
        stage.call();
        let body = manifest_of(
            &[
                "https://h.example/1",
                "https://store.example/2",
                "https://me:pw@h.example/3",
            ],
            "",
        );
        stage.answer(200, &[], &body.replace(":true", &format!(":{token}")));
        stage.fetches().iter().map(|fetch| fetch.with_token).collect::<Vec<_>>()
    };
    let by_origin = listed(true);
    assert_eq!(by_origin.iter().filter(|with_token| **with_token).count(), 1);
    assert_eq!(listed(false), [false; 3]);
}

#[test]
fn a_redirect_to_a_store_keeps_its_place_and_loses_the_token() {
    let mut stage = Stage::listed(9, &with_token());
    assert_eq!(stage.fetches().len(), 4);
    stage.unfetched(2, 307, &[("Location", "https://store.example/2?sig=x")], "");
    let Step::Fetch(fetch) = stage.step() else {
        panic!("it goes on at once")
    };
    assert_eq!(
        (fetch.file, fetch.url.as_str(), fetch.with_token),
        (2, "https://store.example/2?sig=x", false)
    );
    assert!(stage.fetches().is_empty());
    // The next try begins where the manifest says.
    stage.broken(2, Trouble::Broken, false);
    let again = stage.waited().0;
    assert!(
        matches!(&again, Step::Fetch(fetch) if fetch.url.starts_with(FILES)),
        "{again:?}"
    );
}

#[test]
fn a_redirect_of_a_file_out_of_https_or_without_end_is_not_followed() {
    let mut stage = listed(1);
    let mut fetches = 0;
    while let Step::Fetch(fetch) = stage.waited().0 {
        fetches += 1;
        stage.unfetched(fetch.file, 302, &[("Location", "http://h.example/x")], "");
    }
    assert_eq!(fetches, 4);
    let mut stage = listed(1);
    let mut fetches = 0;
    while let Step::Fetch(fetch) = stage.waited().0 {
        fetches += 1;
        stage.unfetched(fetch.file, 302, &[("Location", "/files/0.ndjson")], "");
    }
    assert_eq!(fetches, 4 * 6);
}

#[test]
fn counts_are_held_against_files_unless_they_cannot_be() {
    let body = |further: &str| manifest_of(&["/1"], further).replace(r#""url""#, r#""count":7,"url""#);
    let count = |settings: &Settings, body: &str| {
        let mut stage = Stage::accepted(order(), settings);
        stage.call();
        stage.answer(200, &[], body);
        stage.fetch().count
    };
    assert_eq!(count(&Settings::default(), &body("")), Some(7));
    let ignoring = Settings {
        ignore_counts: true,
        ..Settings::default()
    };
    assert_eq!(count(&ignoring, &body("")), None);
    assert_eq!(
        count(&Settings::default(), &body(r#","outputOrganizedBy":"Patient""#)),
        None
    );
}

#[test]
fn twenty_thousand_files_take_no_time() {
    let mut stage = Stage::listed(20_000, &with_token());
    let mut done = 0;
    let mut active = Vec::new();
    while done < 20_000 {
        active.extend(stage.fetches().iter().map(|fetch| fetch.file));
        let file = active.remove(0);
        // Every hundredth breaks once, two have a dead URL.
        let failed = stage.file(file).failed;
        match file {
            _ if failed > 0 || file % 100 != 7 => {
                stage.fetched(file);
                done += 1;
            }
            _ if file % 10_000 == 7 => stage.unfetched(file, 403, &[], ""),
            _ => stage.broken(file, Trouble::Broken, false),
        }
        if active.is_empty() {
            match stage.waited().0 {
                Step::Send(call) if call.what == What::Status => {
                    stage.answer(200, &[], &manifest(&format!("https://h.example/{done}/"), 20_000));
                }
                Step::Fetch(fetch) => active.push(fetch.file),
                Step::Send(_) => break,
                step => panic!("{step:?}"),
            }
        }
    }
    assert!(matches!(
        stage.client.phase(),
        Phase::Fetching { done: 20_000, .. } | Phase::Deleting
    ));
    let again = stage.resumed(&Settings::default());
    assert!(again.client.files().all(|file| file.state == FileState::Safe));
}
