//! Workers that fall silent, come back, and are told.

use super::{LEASE, START, at, begin, claim, claim_at, get, new_file, submit};
use crate::{Asker, Cancelled, Kind, Lease, Progress, Result, State, Store, Time};

const SOME: Progress = Progress { done: 40, total: 100 };

fn lost<T: std::fmt::Debug>(answer: Result<T>) {
    assert_eq!(answer.unwrap_err().kind(), Kind::Lost);
}

/// Everything that a worker can say is refused.
async fn refused(store: &dyn Store, lease: &Lease, seconds: u64) {
    lost(store.heartbeat(lease, SOME, LEASE, at(seconds)).await);
    lost(store.add_file(lease, &new_file("late", "late.ndjson")).await);
    lost(store.complete(lease, "{}", at(999), at(seconds)).await);
    lost(store.fail(lease, "no", at(999), at(seconds)).await);
}

pub(super) async fn claimed_job_has_its_lease(store: &dyn Store) {
    let claimed = begin(store, "a", "me", 5).await;
    assert_eq!(
        claimed.lease,
        Lease {
            job: "a".to_owned(),
            attempt: 1,
            holder: "worker-5".to_owned()
        }
    );
    let job = get(store, "a").await;
    assert_eq!(job, claimed.job);
    assert_eq!(
        (job.state, job.since, job.attempt, job.lost),
        (State::Running, at(5), 1, 0)
    );
    assert_eq!(
        (job.holder.as_deref(), job.lease_until),
        (Some("worker-5"), Some(at(35)))
    );
}

pub(super) async fn silent_worker_is_replaced(store: &dyn Store) {
    begin(store, "a", "me", 0).await;
    assert_eq!(claim(store, 29).await, None);
    let second = claim(store, 30).await.expect("the lease is over");
    assert_eq!(
        (second.lease.attempt, second.job.lost, second.job.since),
        (2, 1, at(30))
    );
    assert_eq!(claim(store, 59).await, None);
}

pub(super) async fn late_worker_is_refused(store: &dyn Store) {
    let first = begin(store, "a", "me", 0).await.lease;
    let second = claim(store, 30).await.expect("the lease is over").lease;
    refused(store, &first, 31).await;
    lost(store.release(&first, at(31)).await);
    let job = get(store, "a").await;
    assert_eq!(
        (job.state, job.attempt, job.lease_until),
        (State::Running, 2, Some(at(60)))
    );
    store.complete(&second, "{}", at(999), at(32)).await.unwrap();
}

pub(super) async fn renewed_lease_holds(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    for seconds in [20, 40, 60] {
        store.heartbeat(&lease, SOME, LEASE, at(seconds)).await.unwrap();
        assert_eq!(claim(store, seconds + 20).await, None);
    }
    let job = get(store, "a").await;
    assert_eq!((job.progress, job.lease_until, job.since), (SOME, Some(at(90)), at(0)));
}

pub(super) async fn late_renewal_before_a_claim_holds(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    store.heartbeat(&lease, SOME, LEASE, at(500)).await.unwrap();
    assert_eq!(claim(store, 501).await, None);
    store.complete(&lease, "{}", at(9999), at(1000)).await.unwrap();
}

pub(super) async fn attempts_are_bounded(store: &dyn Store) {
    begin(store, "a", "me", 0).await;
    for (seconds, attempt) in [(30, 2), (60, 3)] {
        let turn = store.claim(&claim_at(seconds)).await.unwrap();
        assert_eq!(turn.given_up, [""; 0]);
        assert_eq!(turn.claimed.map(|claimed| claimed.lease.attempt), Some(attempt));
    }
    submit(store, "b", "other", 61).await;
    let turn = store.claim(&claim_at(90)).await.unwrap();
    assert_eq!(turn.given_up, ["a"]);
    assert_eq!(
        turn.claimed.map(|claimed| claimed.job.id).as_deref(),
        Some("b"),
        "the worker does not go away empty"
    );
    let job = get(store, "a").await;
    assert_eq!(
        (job.state, job.attempt, job.lost, job.since),
        (State::Failed, 3, 3, at(90))
    );
    assert_eq!((job.holder, job.expires), (None, Some(claim_at(90).failed_expires)));
    assert!(job.failure.is_some_and(|failure| !failure.is_empty()));
}

pub(super) async fn released_job_keeps_its_place_and_count(store: &dyn Store) {
    let mut lease = begin(store, "a", "me", 0).await.lease;
    submit(store, "b", "me", 1).await;
    for attempt in 2..9 {
        store.release(&lease, at(2)).await.unwrap();
        let job = get(store, "a").await;
        assert_eq!(
            (job.state, job.since, job.holder, job.lease_until),
            (State::Accepted, at(2), None, None)
        );
        lost(store.release(&lease, at(2)).await);
        refused(store, &lease, 2).await;
        let claimed = claim(store, 3).await.expect("it waits");
        assert_eq!(
            (claimed.job.id.as_str(), claimed.lease.attempt, claimed.job.lost),
            ("a", attempt, 0)
        );
        lease = claimed.lease;
    }
}

pub(super) async fn clock_set_back(store: &dyn Store) {
    let lease = begin(store, "a", "me", 100_000).await.lease;
    // As long as the lease is long, it may be another machine's clock.
    assert_eq!(claim(store, 100_000 - 30).await, None);
    let second = claim(store, 100_000 - 31)
        .await
        .expect("nobody could have written that");
    assert_eq!(second.lease.attempt, 2);
    lost(store.heartbeat(&lease, SOME, LEASE, at(100_001)).await);
    // And the worker itself may see the clock being set back.
    store.heartbeat(&second.lease, SOME, LEASE, at(50)).await.unwrap();
    assert_eq!(get(store, "a").await.lease_until, Some(at(80)));
    assert_eq!(claim(store, 79).await, None);
    store
        .complete(&second.lease, "{}", Time(START.0 - 5), Time(START.0 - 10))
        .await
        .unwrap();
    assert_eq!(get(store, "a").await.since, Time(START.0 - 10));
}

pub(super) async fn cancelled_worker_is_told(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    store.add_file(&lease, &new_file("f", "f.ndjson")).await.unwrap();
    assert_eq!(
        store.cancel("a", Asker::Owner("me"), at(1)).await.unwrap(),
        Cancelled::Now(State::Running)
    );
    refused(store, &lease, 2).await;
    assert_eq!(get(store, "a").await.state, State::Cancelled);
    store.release(&lease, at(3)).await.unwrap();
    lost(store.release(&lease, at(4)).await);
    let job = get(store, "a").await;
    assert_eq!((job.state, job.since, job.holder), (State::Cancelled, at(1), None));
    assert_eq!(claim(store, 9999).await, None);
}

pub(super) async fn settled_once(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    store.complete(&lease, "{\"first\":1}", at(99), at(1)).await.unwrap();
    refused(store, &lease, 2).await;
    let job = get(store, "a").await;
    assert_eq!(
        (job.state, job.report.as_deref(), job.since),
        (State::Complete, Some("{\"first\":1}"), at(1))
    );
    assert_eq!(job.failure, None);
}

pub(super) async fn wrong_holder_is_refused(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    let wrong = [
        Lease {
            holder: "other".to_owned(),
            ..lease.clone()
        },
        Lease {
            attempt: 2,
            ..lease.clone()
        },
        Lease {
            attempt: 0,
            ..lease.clone()
        },
        Lease {
            job: "b".to_owned(),
            ..lease.clone()
        },
    ];
    for wrong in wrong {
        refused(store, &wrong, 1).await;
        lost(store.release(&wrong, at(1)).await);
    }
    store.heartbeat(&lease, SOME, LEASE, at(1)).await.unwrap();
}

pub(super) async fn progress_starts_anew(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    store.heartbeat(&lease, SOME, LEASE, at(1)).await.unwrap();
    assert_eq!(
        claim(store, 31).await.expect("the lease is over").job.progress,
        Progress::default()
    );
    assert_eq!(get(store, "a").await.progress, Progress::default());
}

pub(super) async fn jobs_of_the_dead_are_claimed_at_once(store: &dyn Store) {
    let dead = begin(store, "a", "me", 0).await.lease;
    let cancelled = begin(store, "b", "me", 1).await.lease;
    let done = store.cancel("b", Asker::Server, at(1)).await.unwrap();
    assert_eq!(done, Cancelled::Now(State::Running));
    let own = begin(store, "c", "me", 2).await.lease;
    assert_eq!(store.rubbish(at(3), 9).await.unwrap(), []);
    assert_eq!(store.abandon(&own.holder, at(3)).await.unwrap(), 2);
    assert_eq!(store.abandon(&own.holder, at(3)).await.unwrap(), 0, "once");
    assert_eq!(
        store.rubbish(at(3), 9).await.unwrap().len(),
        1,
        "nobody writes into the cancelled job's folder"
    );
    lost(store.heartbeat(&cancelled, SOME, LEASE, at(3)).await);
    // Even where the clock is set back.
    let second = claim(store, 1).await.expect("its worker is dead");
    assert_eq!(
        (second.job.id.as_str(), second.lease.attempt, second.job.lost),
        ("a", 2, 1)
    );
    assert_eq!(claim(store, 1).await, None, "the own lease holds");
    refused(store, &dead, 4).await;
    store.heartbeat(&own, SOME, LEASE, at(4)).await.unwrap();
}
