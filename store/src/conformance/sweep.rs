//! What is over, what may be deleted, what is forgotten.

use super::{at, begin, claim, get, new_file, submit};
use crate::{Asker, Cancelled, Kind, Listing, Rubbish, State, Store};

fn rubbish(job: &str, from: u32, to: u32) -> Rubbish {
    Rubbish {
        job: job.to_owned(),
        from,
        to,
    }
}

pub(super) async fn jobs_expire_in_time(store: &dyn Store) {
    for (id, expires) in [("a", 300), ("b", 100), ("c", 200)] {
        let lease = begin(store, id, "me", 0).await.lease;
        store.complete(&lease, "{}", at(expires), at(1)).await.unwrap();
    }
    let lease = begin(store, "f", "me", 0).await.lease;
    store.fail(&lease, "no", at(150), at(1)).await.unwrap();
    begin(store, "runs", "me", 0).await;
    submit(store, "waits", "me", 0).await;
    assert_eq!(store.expire(at(99), 9).await.unwrap(), [""; 0]);
    assert_eq!(
        store.expire(at(200), 2).await.unwrap(),
        ["b", "f"],
        "first what expired first"
    );
    assert_eq!(store.expire(at(200), 9).await.unwrap(), ["c"]);
    let job = get(store, "c").await;
    assert_eq!((job.state, job.since), (State::Expired, at(200)));
    assert_eq!(store.expire(at(200), 9).await.unwrap(), [""; 0]);
    assert_eq!(
        store.expire(at(99_999), 9).await.unwrap(),
        ["a"],
        "what is not settled does not expire"
    );
}

pub(super) async fn every_dead_attempt_is_rubbish_once(store: &dyn Store) {
    let first = begin(store, "a", "me", 0).await.lease;
    assert_eq!(store.rubbish(at(1), 9).await.unwrap(), []);
    store.release(&first, at(1)).await.unwrap();
    assert_eq!(store.rubbish(at(1), 9).await.unwrap(), [rubbish("a", 1, 1)]);
    claim(store, 2).await.expect("it waits");
    let third = claim(store, 40).await.expect("the lease is over").lease;
    assert_eq!(store.rubbish(at(40), 9).await.unwrap(), [rubbish("a", 1, 2)]);
    store.mark_purged("a", 1).await.unwrap();
    assert_eq!(store.rubbish(at(40), 9).await.unwrap(), [rubbish("a", 2, 2)]);
    assert_eq!(
        store.mark_purged("a", 3).await.unwrap_err().kind(),
        Kind::Invalid,
        "it is being written"
    );
    store.mark_purged("a", 2).await.unwrap();
    store.mark_purged("a", 1).await.unwrap();
    assert_eq!(
        store.rubbish(at(40), 9).await.unwrap(),
        [],
        "an earlier one once more changes nothing"
    );
    store.fail(&third, "no", at(99), at(41)).await.unwrap();
    assert_eq!(store.rubbish(at(41), 9).await.unwrap(), [rubbish("a", 3, 3)]);
    store.mark_purged("a", 3).await.unwrap();
    assert_eq!(store.rubbish(at(41), 9).await.unwrap(), []);
    assert_eq!(
        store.mark_purged("a", 4).await.unwrap_err().kind(),
        Kind::Invalid,
        "it is yet to come"
    );
}

pub(super) async fn a_complete_jobs_own_attempt_is_kept(store: &dyn Store) {
    begin(store, "a", "me", 0).await;
    let second = claim(store, 30).await.expect("the lease is over").lease;
    store.add_file(&second, &new_file("f1", "x.ndjson")).await.unwrap();
    store.complete(&second, "{}", at(100), at(31)).await.unwrap();
    assert_eq!(store.rubbish(at(31), 9).await.unwrap(), [rubbish("a", 1, 1)]);
    assert_eq!(store.mark_purged("a", 2).await.unwrap_err().kind(), Kind::Invalid);
    store.mark_purged("a", 1).await.unwrap();
    assert_eq!(store.files("a", Listing::Settled, 0, 9).await.unwrap().len(), 1);
    assert_eq!(store.expire(at(100), 9).await.unwrap(), ["a"]);
    assert_eq!(store.rubbish(at(100), 9).await.unwrap(), [rubbish("a", 2, 2)]);
    store.mark_purged("a", 2).await.unwrap();
    assert_eq!(store.rubbish(at(100), 9).await.unwrap(), []);
}

pub(super) async fn folder_of_a_cancelled_job_waits_for_its_worker(store: &dyn Store) {
    let told = begin(store, "told", "me", 0).await.lease;
    begin(store, "silent", "me", 0).await;
    submit(store, "waits", "me", 0).await;
    for (id, before) in [
        ("told", State::Running),
        ("silent", State::Running),
        ("waits", State::Accepted),
    ] {
        assert_eq!(
            store.cancel(id, Asker::Server, at(5)).await.unwrap(),
            Cancelled::Now(before)
        );
    }
    assert_eq!(store.rubbish(at(6), 9).await.unwrap(), [], "both may still be written");
    store.release(&told, at(7)).await.unwrap();
    assert_eq!(store.rubbish(at(7), 9).await.unwrap(), [rubbish("told", 1, 1)]);
    assert_eq!(
        store.rubbish(at(30), 9).await.unwrap(),
        [rubbish("told", 1, 1), rubbish("silent", 1, 1)]
    );
    assert_eq!(store.rubbish(at(30), 1).await.unwrap(), [rubbish("told", 1, 1)]);
}

pub(super) async fn purged_jobs_are_forgotten_later(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    store.add_file(&lease, &new_file("f1", "x.ndjson")).await.unwrap();
    store.complete(&lease, "{}", at(10), at(1)).await.unwrap();
    submit(store, "b", "me", 2).await;
    assert_eq!(
        store.cancel("b", Asker::Server, at(3)).await.unwrap(),
        Cancelled::Now(State::Accepted)
    );
    submit(store, "c", "me", 2).await;
    assert_eq!(store.expire(at(11), 9).await.unwrap(), ["a"]);
    assert_eq!(
        store.forget(at(3), 9).await.unwrap(),
        0,
        "b was cancelled then, not before"
    );
    assert_eq!(store.forget(at(99), 0).await.unwrap(), 0);
    assert_eq!(store.forget(at(99), 9).await.unwrap(), 1, "a's folder is still there");
    store.mark_purged("a", 1).await.unwrap();
    assert_eq!(store.forget(at(99), 9).await.unwrap(), 1);
    assert_eq!(store.get("a", Asker::Server).await.unwrap(), None);
    assert_eq!(store.tally().await.unwrap().of(State::Accepted), 1);
    assert_eq!(claim(store, 20).await.expect("c waits").job.id, "c");
    // Nothing of it is left: id and file id can be used again.
    let lease = begin(store, "a", "other", 20).await.lease;
    store.add_file(&lease, &new_file("f1", "x.ndjson")).await.unwrap();
}
