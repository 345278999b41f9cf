//! Going on from a journal, wherever it ends.

use super::stage::{JOB, Stage, manifest, order};
use crate::client::{Client, Event, FileState, Settings, Step, What, whole_lines};

fn settings() -> Settings {
    Settings::default()
}

#[test]
fn a_kick_off_without_an_answer_is_sent_again_with_a_warning() {
    let mut stage = Stage::start(order(), &settings());
    stage.call();
    let mut again = stage.resumed(&settings());
    assert_eq!(again.call().what, What::KickOff);
    assert!(again.warnings().contains("may have been left"));
    // A refusal is an answer.
    stage.answer(429, &[], "");
    stage.step();
    assert_eq!(stage.resumed(&settings()).warnings(), "");
}

#[test]
fn an_accepted_job_is_asked_for_and_not_kicked_off_again() {
    let mut stage = Stage::accepted(order(), &settings());
    stage.step();
    let call = stage.resumed(&settings()).call();
    assert_eq!((call.what, call.url.as_str()), (What::Status, JOB));
}

#[test]
fn files_with_receipts_are_not_fetched_again() {
    let mut stage = Stage::listed(5, &settings());
    stage.fetches();
    stage.fetched(1);
    stage.fetched(3);
    stage.step();
    let mut again = stage.resumed(&settings());
    let files: Vec<usize> = again.fetches().iter().map(|fetch| fetch.file).collect();
    assert_eq!(files, [0, 2, 4]);
    assert_eq!(again.file(1).receipt, Some(r#"{"file":1}"#));
    assert_eq!(again.client.facts().transaction_time, Some("2026-01-01T00:00:00Z"));
    assert_eq!(again.client.order(), Some(&order()));
}

#[test]
fn what_was_not_to_be_fetched_is_not_fetched_after_a_crash_either() {
    let mut stage = Stage::accepted(order(), &settings());
    stage.call();
    stage.answer(200, &[], &manifest("http://elsewhere.example/", 1));
    assert_eq!(stage.failure().code, "files-missing");
    let mut again = stage.resumed(&settings());
    assert_eq!(again.file(0).state, FileState::Lost);
    assert_eq!(again.failure().code, "files-missing");
}

#[test]
fn on_another_day_dead_urls_are_renewed() {
    let mut stage = Stage::listed(3, &settings());
    stage.fetches();
    stage.fetched(1);
    stage.step();
    let mut again = stage.resumed(&settings());
    for fetch in again.fetches() {
        again.unfetched(fetch.file, 403, &[], "");
    }
    assert_eq!(again.call().what, What::Status);
    again.answer(200, &[], &manifest("https://h.example/other-day/", 3));
    let urls: Vec<String> = again.fetches().into_iter().map(|fetch| fetch.url).collect();
    assert_eq!(urls.len(), 2);
    assert!(urls.iter().all(|url| url.contains("other-day")));
}

#[test]
fn a_manifest_that_was_not_complete_is_read_again_from_its_first_page() {
    let mut stage = Stage::accepted(order(), &settings());
    stage.call();
    let page = manifest("https://h.example/files/", 2);
    stage.answer(
        200,
        &[],
        &page.replace("}]", "}],\"link\":[{\"relation\":\"next\",\"url\":\"/p2\"}]"),
    );
    stage.call();
    stage.fetches();
    stage.fetched(0);
    stage.step();
    let mut again = stage.resumed(&settings());
    assert_eq!(again.call().what, What::Status);
    again.answer(200, &[], &page);
    assert_eq!(again.fetches().len(), 1);
}

#[test]
fn lost_files_get_another_chance() {
    let mut stage = Stage::listed(1, &settings());
    while let Step::Fetch(fetch) = stage.waited().0 {
        stage.broken(fetch.file, crate::client::Trouble::Broken, false);
    }
    assert_eq!(stage.file(0).state, FileState::Lost);
    assert_eq!(stage.resumed(&settings()).fetches().len(), 1);
}

#[test]
fn what_is_done_is_done() {
    let mut stage = Stage::listed(1, &settings());
    stage.fetches();
    stage.fetched(0);
    stage.call();
    // Before the answer: the deletion is sent again, and finds nothing.
    let mut again = stage.resumed(&settings());
    assert_eq!(again.call().what, What::Delete);
    again.answer(404, &[], "");
    assert_eq!(again.step(), Step::Done);
    assert_eq!(again.resumed(&settings()).step(), Step::Done);
    // Between the two last lines.
    again.journal.truncate(again.journal.len() - "{\"done\":true}\n".len());
    assert_eq!(again.resumed(&settings()).step(), Step::Done);
}

/// A client with both files of its job.
fn both(settings: &Settings) -> Stage {
    let mut stage = Stage::listed(2, settings);
    stage.fetches();
    stage.fetched(0);
    stage.fetched(1);
    stage
}

#[test]
fn what_a_receipt_promised_and_is_not_there_is_fetched_again() {
    let mut stage = Stage::listed(3, &settings());
    stage.fetches();
    stage.fetched(0);
    stage.fetched(1);
    stage.step();
    let mut again = stage.resumed(&settings());
    again.gone(1);
    assert!(
        matches!(again.client.next(again.now), Step::Remember { line, sync: true } if line == r#"{"gone":1}"#),
        "those who come later know"
    );
    again.journal.push_str("{\"gone\":1}\n");
    let files = |stage: &mut Stage| -> Vec<usize> { stage.fetches().iter().map(|fetch| fetch.file).collect() };
    assert_eq!(files(&mut again), [1, 2]);
    assert_eq!(again.file(1).receipt, None);
    let mut later = again.resumed(&settings());
    assert_eq!(files(&mut later), [1, 2]);
    // Of what is not safe nothing can be gone.
    later.gone(2);
    later.gone(7);
    later.fetched(1);
    later.step();
    assert_eq!(later.journal.matches("gone").count(), 1);
    assert_eq!(files(&mut later.resumed(&settings())), [2]);
}

#[test]
fn a_file_that_is_gone_before_the_deletion_is_fetched_before_it() {
    let mut stage = both(&settings());
    // The deletion is due, and has not been sent; and, the second time, it has been.
    stage.step();
    for mut stage in [stage.resumed(&settings()), stage] {
        stage.gone(0);
        assert_eq!(stage.fetch().file, 0);
        assert!(matches!(stage.step(), Step::Wait { .. }));
        stage.fetched(0);
        assert_eq!(stage.call().what, What::Delete);
        stage.answer(202, &[], "");
        assert_eq!(stage.step(), Step::Done);
        assert_eq!(stage.resumed(&settings()).step(), Step::Done);
    }
}

#[test]
fn a_file_that_is_gone_at_the_end_is_fetched_where_the_job_is_kept() {
    let settings = Settings {
        keep_job: true,
        ..settings()
    };
    let mut stage = both(&settings);
    assert_eq!(stage.step(), Step::Done);
    stage.gone(1);
    assert_eq!(stage.fetch().file, 1);
    let mut again = stage.resumed(&settings);
    assert_eq!(again.fetch().file, 1);
    again.fetched(1);
    assert_eq!(again.step(), Step::Done);
}

#[test]
fn a_file_that_is_gone_after_the_deletion_is_a_failure() {
    let mut stage = both(&settings());
    stage.call();
    stage.answer(202, &[], "");
    assert_eq!(stage.step(), Step::Done);
    let mut resumed = stage.resumed(&settings());
    for again in [&mut stage, &mut resumed] {
        again.gone(1);
        let failure = again.failure();
        assert_eq!((failure.code, failure.resumable), ("files-gone", false));
        assert!(failure.message.contains("1 of 2 files") && failure.message.contains("deleted"));
        let mut later = again.resumed(&settings());
        later.gone(0);
        assert!(later.failure().message.contains("2 of 2 files"));
        assert_eq!(later.file(0).state, FileState::Waiting);
    }
}

#[test]
fn what_is_cancelled_stays_so_whatever_is_gone() {
    let mut stage = Stage::listed(2, &settings());
    stage.fetches();
    stage.fetched(0);
    stage.client.happened(Event::Cancel, stage.now);
    stage.step();
    let mut again = stage.resumed(&settings());
    again.gone(0);
    assert_eq!(again.call().what, What::Delete);
    again.answer(202, &[], "");
    assert_eq!(again.failure().code, "cancelled");
    assert_eq!(again.resumed(&settings()).failure().code, "cancelled");
}

#[test]
fn torn_lines_at_the_end_are_passed_over_and_damage_before_is_told() {
    let mut stage = Stage::listed(2, &settings());
    stage.fetches();
    stage.fetched(0);
    stage.step();
    for torn in ["{\"safe\":1,\"rec", "\0\0\0\0", "{\"safe\":1,\"receipt\":\"\"}"] {
        let journal = format!("{}{torn}", stage.journal);
        let client = Client::resume(&journal, &settings(), 1).expect("a journal");
        assert_eq!(client.file(1).expect("a file").state, FileState::Waiting);
        assert_eq!(whole_lines(journal.as_bytes()), stage.journal.as_bytes());
    }
    let damaged = format!("{}nonsense\n", stage.journal);
    assert_eq!(
        Client::resume(&damaged, &settings(), 1).expect_err("damaged").code,
        "bad-journal"
    );
    assert_eq!(
        Client::resume("", &settings(), 1).expect_err("empty").code,
        "bad-journal"
    );
}

#[test]
fn the_journal_holds_no_token() {
    let mut stage = Stage::listed(2, &super::stage::with_token());
    stage.fetches();
    stage.fetched(0);
    stage.step();
    assert!(!stage.journal.to_ascii_lowercase().contains("bearer") && !stage.journal.contains("authorization"));
}
