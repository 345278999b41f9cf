//! The kick-off and what may be answered to it.

use super::stage::{BASE, JOB, Stage, order, outcome, with_token};
use crate::client::{Event, Method, Order, Phase, Settings, Step, Trouble, What};

fn started() -> Stage {
    let mut stage = Stage::start(order(), &Settings::default());
    let call = stage.call();
    assert_eq!((call.what, call.method), (What::KickOff, "GET"));
    stage
}

#[test]
fn what_is_asked_for_is_remembered_before_it_is_sent() {
    let mut stage = Stage::start(order(), &Settings::default());
    let first = stage.client.next(0);
    assert!(
        matches!(&first, Step::Remember { line, sync: true } if line.contains("\"order\"")),
        "{first:?}"
    );
    let second = stage.client.next(0);
    assert!(
        matches!(&second, Step::Remember { line, sync: true } if line == r#"{"kick-off":true}"#),
        "{second:?}"
    );
    assert!(
        matches!(stage.client.next(0), Step::Send(call) if call.url == format!("{BASE}/Patient/$export?_type=Patient"))
    );
    assert!(matches!(stage.client.next(0), Step::Wait { until: None }));
}

#[test]
fn the_status_url_is_safe_before_the_first_poll() {
    let mut stage = started();
    stage.answer(202, &[("content-location", "../jobs/1")], "");
    let step = stage.client.next(stage.now);
    let expected = format!(r#"{{"status":"{JOB}"}}"#);
    // Relative to `/fhir/Patient/$export`.
    assert_eq!(
        step,
        Step::Remember {
            line: expected.replace("/jobs", "/fhir/jobs"),
            sync: true
        }
    );
    let call = stage.call();
    assert_eq!(
        (call.what, call.url.as_str()),
        (What::Status, "https://h.example/fhir/jobs/1")
    );
}

#[test]
fn a_status_url_behind_a_proxy_that_ends_tls_is_asked_with_https() {
    let mut stage = started();
    stage.answer(202, &[("Content-Location", "http://h.example/jobs/1")], "");
    assert_eq!(stage.call().url, JOB);
    assert!(stage.warnings().contains("https"));
}

#[test]
fn what_is_no_acceptance_of_a_job_is_final_and_has_a_reason() {
    for (status, headers, body, code, told) in [
        (202, vec![], "", "no-status-url", "Content-Location"),
        (
            202,
            vec![("Content-Location", "ftp://x/y")],
            "",
            "no-status-url",
            "http",
        ),
        (
            202,
            vec![("Content-Location", "http://other.example/jobs/1")],
            "",
            "no-status-url",
            "https to http",
        ),
        (200, vec![], "<html></html>", "not-accepted", "200"),
        (
            200,
            vec![],
            r#"{"transactionTime":"2026","output":[]}"#,
            "not-accepted",
            "manifest",
        ),
        (400, vec![], "", "refused", "400"),
        (404, vec![], "", "refused", "404"),
        (403, vec![], "", "refused", "403"),
        (409, vec![], "", "refused", "409"),
        (501, vec![], "", "refused", "501"),
    ] {
        let mut stage = started();
        stage.answer(status, &headers, body);
        let failure = stage.failure();
        assert_eq!((failure.code, failure.resumable), (code, false), "{status}");
        assert!(failure.message.contains(told), "{}", failure.message);
        assert_eq!(stage.client.phase(), Phase::Over);
    }
}

#[test]
fn the_servers_own_words_are_passed_on() {
    let mut stage = started();
    stage.answer(422, &[], &outcome("invalid", "no such search parameter: x"));
    let failure = stage.failure();
    assert!(failure.message.contains("422") && failure.message.contains("no such search parameter: x"));
}

#[test]
fn another_job_that_runs_is_waited_for() {
    let mut stage = started();
    stage.answer(429, &[("Retry-After", "30")], &outcome("throttled", "one at a time"));
    assert!(matches!(
        stage.client.phase(),
        Phase::KickingOff {
            tries: 1,
            next: Some(_)
        }
    ));
    let (step, waited) = stage.waited();
    assert!(matches!(step, Step::Send(_)));
    assert_eq!(waited, 30_000);
    // Without a word of the server the waits grow, and end.
    let mut last = 0;
    let mut times = 1;
    while times < 200 {
        stage.answer(429, &[], "");
        let (step, waited) = stage.waited();
        times += 1;
        match step {
            Step::Send(_) => last = waited,
            Step::Failed(failure) => {
                assert_eq!((failure.code, failure.resumable, times), ("busy", true, 100));
                break;
            }
            step => panic!("{step:?}"),
        }
    }
    assert!((150_000..=300_000).contains(&last), "{last}");
}

#[test]
fn a_kick_off_without_a_clear_answer_is_sent_three_times_and_a_job_may_be_left() {
    for way in 0..3 {
        let mut stage = started();
        for round in 0..3 {
            match way {
                0 => stage.answer(502, &[], "<html>"),
                1 => stage.trouble(Trouble::Broken),
                _ => stage.answer(500, &[], &outcome("transient", "again")),
            }
            if round < 2 {
                assert_eq!(stage.call().what, What::KickOff);
            }
        }
        let failure = stage.failure();
        assert_eq!((failure.code, failure.resumable), ("unreachable", true));
        assert!(stage.warnings().contains("may have been left"));
    }
}

#[test]
fn a_job_that_may_be_left_is_told_with_a_refusal_that_ends_all() {
    let mut stage = started();
    stage.answer(504, &[], "");
    stage.call();
    stage.answer(400, &[], "");
    let failure = stage.failure();
    assert_eq!((failure.code, failure.resumable), ("refused", false));
    assert!(failure.message.contains("status 400"), "{}", failure.message);
    assert!(
        failure.message.contains("a job may have been left"),
        "{}",
        failure.message
    );
}

#[test]
fn where_nothing_was_sent_no_job_is_left() {
    let mut stage = started();
    stage.trouble(Trouble::Connect);
    assert_eq!(stage.call().what, What::KickOff);
    assert_eq!(stage.warnings(), "");
}

#[test]
fn a_500_that_says_what_is_wrong_is_final() {
    let mut stage = started();
    stage.answer(500, &[], &outcome("processing", "no"));
    assert_eq!(stage.failure().code, "refused");
}

#[test]
fn a_post_is_sent_again_only_where_the_redirect_keeps_it() {
    let order = Order {
        method: Method::Post,
        ..order()
    };
    for (status, is_followed) in [(307, true), (308, true), (301, false), (302, false), (303, false)] {
        let mut stage = Stage::start(order.clone(), &Settings::default());
        stage.call();
        stage.answer(status, &[("Location", "/other/Patient/$export")], "");
        if is_followed {
            let call = stage.call();
            assert_eq!(
                (call.method, call.url.as_str()),
                ("POST", "https://h.example/other/Patient/$export")
            );
            assert!(call.body.is_some());
            stage.answer(202, &[("Content-Location", "jobs/1")], "");
            assert_eq!(stage.call().url, "https://h.example/other/Patient/jobs/1");
        } else {
            assert_eq!(stage.failure().code, "redirect");
        }
    }
}

#[test]
fn redirects_end_after_five_and_never_leave_https() {
    let mut stage = started();
    for hop in 1..=6 {
        stage.answer(302, &[("Location", &format!("/hop{hop}"))], "");
        if hop < 6 {
            assert_eq!(stage.call().url, format!("https://h.example/hop{hop}"));
        }
    }
    assert_eq!(stage.failure().code, "redirect");
    let mut stage = started();
    stage.answer(302, &[("Location", "http://h.example/x")], "");
    assert!(stage.failure().message.contains("https to http"));
}

#[test]
fn the_token_comes_first_and_does_not_follow_redirects() {
    let mut stage = Stage::start(order(), &with_token());
    assert!(stage.call().with_token);
    assert_eq!(stage.authorized, 1);
    stage.answer(302, &[("Location", "https://evil.example/x")], "");
    assert!(!stage.call().with_token);
    let across = Settings {
        token_across_redirects: true,
        ..with_token()
    };
    let mut stage = Stage::start(order(), &across);
    stage.call();
    stage.answer(302, &[("Location", "/elsewhere")], "");
    assert!(stage.call().with_token);
    stage.answer(302, &[("Location", "https://evil.example/x")], "");
    assert!(!stage.call().with_token);
}

#[test]
fn a_401_asks_for_one_fresh_token_and_a_second_is_final() {
    let mut stage = Stage::start(order(), &with_token());
    stage.call();
    stage.answer(401, &[], "");
    assert!(stage.call().with_token);
    assert_eq!(stage.authorized, 2);
    stage.answer(401, &[], &outcome("login", "unknown client"));
    let failure = stage.failure();
    assert_eq!((failure.code, failure.resumable), ("unauthorized", true));
    assert!(failure.message.contains("unknown client"));
    let mut stage = started();
    stage.answer(401, &[], "");
    assert_eq!(stage.failure().code, "unauthorized");
}

#[test]
fn without_a_token_nothing_is_sent_and_the_reason_is_told() {
    let mut stage = Stage::start(order(), &with_token());
    let no_token = |again| Event::NoToken {
        again,
        why: "invalid_client\n".into(),
    };
    let mut asked = 0;
    loop {
        match stage.client.next(stage.now) {
            Step::Authorize => {
                asked += 1;
                stage.client.happened(no_token(true), stage.now);
            }
            Step::Wait { until: Some(until) } => stage.now = until,
            Step::Remember { .. } => {}
            Step::Failed(failure) => {
                assert_eq!(failure.code, "unauthorized");
                assert!(failure.message.ends_with("invalid_client"), "{}", failure.message);
                break;
            }
            step => panic!("{step:?}"),
        }
    }
    assert_eq!(asked, 8);
    let mut stage = Stage::start(order(), &with_token());
    while !matches!(stage.client.next(stage.now), Step::Authorize) {}
    stage.client.happened(no_token(false), stage.now);
    assert_eq!(stage.failure().code, "unauthorized");
}

#[test]
fn a_cancelled_kick_off_under_way_is_waited_for_and_its_job_deleted() {
    let mut stage = started();
    stage.client.happened(Event::Cancel, stage.now);
    assert_eq!(stage.step(), Step::Wait { until: None });
    stage.answer(202, &[("Content-Location", JOB)], "");
    let call = stage.call();
    assert_eq!(
        (call.what, call.method, call.url.as_str()),
        (What::Delete, "DELETE", JOB)
    );
    stage.answer(202, &[], "");
    assert_eq!(stage.failure().code, "cancelled");
    let mut stage = Stage::start(order(), &Settings::default());
    stage.client.happened(Event::Cancel, stage.now);
    assert_eq!(stage.failure().code, "cancelled");
}

#[test]
fn the_deadline_ends_a_wait_for_another_job() {
    let settings = Settings {
        deadline: Some(super::stage::START + 10_000),
        ..Settings::default()
    };
    let mut stage = Stage::start(order(), &settings);
    stage.call();
    stage.answer(429, &[("Retry-After", "60")], "");
    let (step, waited) = stage.waited();
    assert!(matches!(step, Step::Failed(failure) if failure.code == "timeout" && failure.resumable));
    assert_eq!(waited, 10_000);
}

#[test]
fn a_detached_client_ends_when_the_job_is_remembered() {
    let settings = Settings {
        detach: true,
        ..Settings::default()
    };
    let mut stage = Stage::accepted(order(), &settings);
    assert_eq!(stage.step(), Step::Detached);
    assert!(stage.journal.contains(JOB));
    let mut other = stage.resumed(&Settings::default());
    assert_eq!(other.call().url, JOB);
}
