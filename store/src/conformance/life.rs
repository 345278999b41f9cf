//! A job from its being handed in to its end.

use super::{DAY, at, begin, get, new_job, submit};
use crate::{Asker, Cancelled, Job, Kind, Progress, State, Store, Tally};

pub(super) async fn job_is_found_as_it_was_handed_in(store: &dyn Store) {
    submit(store, "a", "me", 5).await;
    let new = new_job("a", "me");
    let expected = Job {
        id: new.id,
        owner: new.owner,
        profile: new.profile,
        url: new.url,
        created: at(5),
        transaction_time: new.transaction_time,
        state: State::Accepted,
        since: at(5),
        attempt: 0,
        lost: 0,
        holder: None,
        lease_until: None,
        progress: Progress { done: 0, total: 0 },
        report: None,
        failure: None,
        expires: None,
    };
    assert_eq!(get(store, "a").await, expected);
    assert_eq!(
        store.kick_off("a", Asker::Owner("me")).await.unwrap(),
        Some(new.kick_off)
    );
}

pub(super) async fn job_of_another_does_not_exist(store: &dyn Store) {
    submit(store, "a", "me", 0).await;
    let other = Asker::Owner("other");
    assert_eq!(store.get("a", other).await.unwrap(), None);
    assert_eq!(store.kick_off("a", other).await.unwrap(), None);
    assert_eq!(store.list(other, 9).await.unwrap(), []);
    assert_eq!(store.cancel("a", other, at(1)).await.unwrap_err().kind(), Kind::Unknown);
    assert_eq!(get(store, "a").await.state, State::Accepted);
    assert!(store.get("a", Asker::Owner("me")).await.unwrap().is_some());
}

pub(super) async fn complete_job_has_report_and_end(store: &dyn Store) {
    let claimed = begin(store, "a", "me", 0).await;
    store
        .complete(&claimed.lease, "{\"output\":[]}", at(9).plus(DAY), at(9))
        .await
        .unwrap();
    let job = get(store, "a").await;
    assert_eq!(
        (job.state, job.since, job.expires),
        (State::Complete, at(9), Some(at(9).plus(DAY)))
    );
    assert_eq!(job.report.as_deref(), Some("{\"output\":[]}"));
    assert_eq!(
        (job.failure, job.holder, job.lease_until, job.attempt),
        (None, None, None, 1)
    );
}

pub(super) async fn failed_job_has_its_reason(store: &dyn Store) {
    let claimed = begin(store, "a", "me", 0).await;
    store
        .fail(&claimed.lease, "a data file changed", at(9).plus(DAY), at(9))
        .await
        .unwrap();
    let job = get(store, "a").await;
    assert_eq!(
        (job.state, job.since, job.expires),
        (State::Failed, at(9), Some(at(9).plus(DAY)))
    );
    assert_eq!(job.failure.as_deref(), Some("a data file changed"));
    assert_eq!((job.report, job.holder), (None, None));
}

pub(super) async fn cancel_at_every_stage(store: &dyn Store) {
    submit(store, "waits", "me", 9).await;
    let cancel = |id| store.cancel(id, Asker::Owner("me"), at(10));
    assert_eq!(cancel("waits").await.unwrap(), Cancelled::Now(State::Accepted));
    begin(store, "runs", "me", 1).await;
    assert_eq!(cancel("runs").await.unwrap(), Cancelled::Now(State::Running));
    let lease = begin(store, "complete", "me", 2).await.lease;
    store.complete(&lease, "{}", at(99), at(3)).await.unwrap();
    assert_eq!(cancel("complete").await.unwrap(), Cancelled::Now(State::Complete));
    let lease = begin(store, "failed", "me", 2).await.lease;
    store.fail(&lease, "no", at(99), at(3)).await.unwrap();
    assert_eq!(cancel("failed").await.unwrap(), Cancelled::Now(State::Failed));
    for id in ["waits", "runs", "complete", "failed"] {
        let job = get(store, id).await;
        assert_eq!((job.state, job.since), (State::Cancelled, at(10)), "{id}");
    }
    let mut tally = Tally::default();
    tally.0[State::Cancelled as usize] = 4;
    assert_eq!(store.tally().await.unwrap(), tally);
}

pub(super) async fn cancel_twice_is_gone(store: &dyn Store) {
    submit(store, "a", "me", 0).await;
    assert_eq!(
        store.cancel("a", Asker::Server, at(1)).await.unwrap(),
        Cancelled::Now(State::Accepted)
    );
    assert_eq!(store.cancel("a", Asker::Server, at(2)).await.unwrap(), Cancelled::Gone);
    assert_eq!(get(store, "a").await.since, at(1), "the second time changes nothing");
    let lease = begin(store, "b", "me", 3).await.lease;
    store.complete(&lease, "{}", at(4), at(3)).await.unwrap();
    assert_eq!(store.expire(at(4), 9).await.unwrap(), ["b"]);
    assert_eq!(store.cancel("b", Asker::Server, at(5)).await.unwrap(), Cancelled::Gone);
    assert_eq!(get(store, "b").await.state, State::Expired);
}

pub(super) async fn unknown_jobs(store: &dyn Store) {
    for id in ["", "a", "' OR 1=1 --", "%", "../a"] {
        assert_eq!(store.get(id, Asker::Server).await.unwrap(), None);
        assert_eq!(store.kick_off(id, Asker::Server).await.unwrap(), None);
        assert_eq!(
            store.cancel(id, Asker::Server, at(0)).await.unwrap_err().kind(),
            Kind::Unknown
        );
        store.mark_purged(id, 1).await.unwrap();
    }
    assert_eq!(store.tally().await.unwrap(), Tally::default());
}

pub(super) async fn list_is_newest_first(store: &dyn Store) {
    // Times say nothing here: a clock may have been set back.
    for (id, owner, seconds) in [("a", "me", 3), ("b", "other", 2), ("c", "me", 1)] {
        submit(store, id, owner, seconds).await;
    }
    let ids = |jobs: Vec<Job>| jobs.into_iter().map(|job| job.id).collect::<Vec<_>>();
    assert_eq!(ids(store.list(Asker::Server, 9).await.unwrap()), ["c", "b", "a"]);
    assert_eq!(ids(store.list(Asker::Server, 2).await.unwrap()), ["c", "b"]);
    assert_eq!(ids(store.list(Asker::Owner("me"), 9).await.unwrap()), ["c", "a"]);
}
