//! The end of it: the deletion, and what is no reason to fail.

use super::stage::{JOB, Stage, outcome, with_token};
use crate::client::{Event, Settings, Step, Trouble, What};

fn fetched(settings: &Settings) -> Stage {
    let mut stage = Stage::listed(1, settings);
    let fetch = stage.fetch();
    stage.fetched(fetch.file);
    stage
}

#[test]
fn the_job_is_deleted_when_all_is_safe() {
    for status in [200, 202, 204, 303, 404, 410] {
        let mut stage = fetched(&Settings::default());
        let call = stage.call();
        assert_eq!(
            (call.what, call.method, call.url.as_str()),
            (What::Delete, "DELETE", JOB)
        );
        assert!(
            stage.journal.ends_with("{\"fetched\":true}\n"),
            "receipts are on the disk before: {}",
            stage.journal
        );
        stage.answer(status, &[], "");
        assert_eq!(stage.step(), Step::Done, "{status}");
        assert_eq!(stage.warnings(), "");
        assert!(
            stage.journal.ends_with("{\"deleted\":true}\n{\"done\":true}\n"),
            "{}",
            stage.journal
        );
    }
}

#[test]
fn a_job_may_be_kept() {
    let settings = Settings {
        keep_job: true,
        ..Settings::default()
    };
    assert_eq!(fetched(&settings).step(), Step::Done);
}

#[test]
fn a_deletion_that_fails_is_a_warning() {
    let mut stage = fetched(&Settings::default());
    stage.call();
    stage.answer(405, &[], &outcome("not-supported", "no deletion here"));
    assert_eq!(stage.step(), Step::Done);
    assert!(stage.warnings().contains("no deletion here"));
    let mut stage = fetched(&Settings::default());
    for _ in 0..3 {
        stage.call();
        stage.trouble(Trouble::Connect);
    }
    assert_eq!(stage.waited().0, Step::Done);
    assert!(stage.warnings().contains("no connection"));
}

#[test]
fn a_deletion_that_may_pass_is_tried_again() {
    let mut stage = fetched(&Settings::default());
    stage.call();
    stage.answer(503, &[("Retry-After", "9")], "");
    let (step, waited) = stage.waited();
    assert!(matches!(step, Step::Send(_)) && waited >= 9_000, "{waited}");
    stage.answer(202, &[], "");
    assert_eq!(stage.step(), Step::Done);
}

#[test]
fn a_deletion_carries_the_token_and_asks_for_a_fresh_one() {
    let mut stage = fetched(&with_token());
    assert!(stage.call().with_token);
    stage.answer(401, &[], "");
    assert!(stage.call().with_token);
    stage.answer(401, &[], "");
    assert_eq!(stage.step(), Step::Done);
}

#[test]
fn the_deadline_does_not_undo_what_is_safe() {
    let settings = Settings {
        deadline: Some(super::stage::START + 60_000),
        ..Settings::default()
    };
    let mut stage = fetched(&settings);
    stage.call();
    let (step, _) = stage.waited();
    assert_eq!(step, Step::Done);
    assert!(stage.warnings().contains("time is up"));
}

#[test]
fn cancelling_deletes_the_job_and_ends() {
    let mut stage = Stage::listed(3, &Settings::default());
    stage.fetches();
    stage.client.happened(Event::Cancel, stage.now);
    assert_eq!(stage.call().what, What::Delete);
    assert!(stage.fetches().is_empty());
    stage.answer(202, &[], "");
    let failure = stage.failure();
    assert_eq!((failure.code, failure.resumable), ("cancelled", false));
    assert!(failure.message.contains("was deleted"));
}

#[test]
fn a_cancelled_client_stays_cancelled_after_a_crash() {
    let mut stage = Stage::listed(3, &Settings::default());
    stage.client.happened(Event::Cancel, stage.now);
    stage.call();
    let mut again = stage.resumed(&Settings::default());
    assert_eq!(again.call().what, What::Delete);
    again.answer(500, &[], "");
    again.call();
    again.answer(404, &[], "");
    assert_eq!(again.failure().code, "cancelled");
    assert_eq!(again.resumed(&Settings::default()).failure().code, "cancelled");
}
