//! Who may wait, and whose turn it is.

use super::{MANY, at, begin, claim, new_job, submit};
use crate::{Asker, Bounds, Cancelled, Kind, State, Store, Submitted};

pub(super) async fn id_is_taken_once(store: &dyn Store) {
    submit(store, "a", "me", 0).await;
    let again = store.submit(&new_job("a", "other"), MANY, at(1)).await;
    assert_eq!(again.unwrap_err().kind(), Kind::Exists);
    assert_eq!(super::get(store, "a").await.owner, "me");
}

pub(super) async fn owner_has_a_bound(store: &dyn Store) {
    let one = Bounds {
        queued: 9,
        per_owner: 1,
    };
    let lease = begin(store, "a", "me", 0).await.lease;
    let refused = store.submit(&new_job("b", "me"), one, at(1)).await.unwrap();
    assert_eq!(refused, Submitted::OwnerBusy { active: 1 }, "a running job counts");
    assert_eq!(store.get("b", Asker::Server).await.unwrap(), None);
    assert_eq!(
        store.submit(&new_job("c", "other"), one, at(1)).await.unwrap(),
        Submitted::Accepted
    );
    store.complete(&lease, "{}", at(99), at(2)).await.unwrap();
    assert_eq!(
        store.submit(&new_job("b", "me"), one, at(3)).await.unwrap(),
        Submitted::Accepted
    );
    let refused = store.submit(&new_job("d", "me"), one, at(3)).await.unwrap();
    assert_eq!(refused, Submitted::OwnerBusy { active: 1 }, "a waiting job counts");
}

pub(super) async fn queue_has_a_bound(store: &dyn Store) {
    let two = Bounds {
        queued: 2,
        per_owner: 9,
    };
    begin(store, "running", "me", 0).await;
    submit(store, "a", "me", 0).await;
    assert_eq!(
        store.submit(&new_job("b", "other"), two, at(1)).await.unwrap(),
        Submitted::Accepted
    );
    let refused = store.submit(&new_job("c", "third"), two, at(1)).await.unwrap();
    assert_eq!(
        refused,
        Submitted::QueueFull { queued: 2 },
        "a running job does not wait"
    );
    let both = Bounds {
        queued: 2,
        per_owner: 1,
    };
    let refused = store.submit(&new_job("c", "me"), both, at(1)).await.unwrap();
    assert_eq!(
        refused,
        Submitted::OwnerBusy { active: 2 },
        "the client's own limit is told first"
    );
    let none = Bounds {
        queued: 0,
        per_owner: 9,
    };
    assert_eq!(
        store.submit(&new_job("c", "me"), none, at(1)).await.unwrap(),
        Submitted::QueueFull { queued: 2 }
    );
}

pub(super) async fn settled_and_cancelled_jobs_free_their_place(store: &dyn Store) {
    let one = Bounds {
        queued: 1,
        per_owner: 1,
    };
    for id in ["a", "b", "c"] {
        assert_eq!(
            store.submit(&new_job(id, "me"), one, at(0)).await.unwrap(),
            Submitted::Accepted
        );
        assert_eq!(
            store.cancel(id, Asker::Owner("me"), at(0)).await.unwrap(),
            Cancelled::Now(State::Accepted)
        );
    }
    let lease = begin(store, "d", "me", 1).await.lease;
    store.fail(&lease, "no", at(99), at(2)).await.unwrap();
    let claimed = begin(store, "e", "me", 3).await;
    assert_eq!(
        store.cancel("e", Asker::Owner("me"), at(4)).await.unwrap(),
        Cancelled::Now(State::Running)
    );
    // At once, though the worker has not heard of it.
    assert_eq!(
        store.submit(&new_job("f", "me"), one, at(4)).await.unwrap(),
        Submitted::Accepted
    );
    store.release(&claimed.lease, at(5)).await.unwrap();
}

pub(super) async fn oldest_first(store: &dyn Store) {
    for (id, seconds) in [("a", 9), ("b", 5), ("c", 7)] {
        submit(store, id, "me", seconds).await;
    }
    for id in ["a", "b", "c"] {
        let claimed = claim(store, 10).await.expect("one waits");
        assert_eq!(claimed.job.id, id);
        assert_eq!(claimed.kick_off, new_job(id, "me").kick_off);
    }
    assert_eq!(claim(store, 10).await, None);
}

pub(super) async fn owners_take_turns(store: &dyn Store) {
    for id in ["a1", "a2", "a3", "a4"] {
        submit(store, id, "a", 0).await;
    }
    submit(store, "b1", "b", 1).await;
    submit(store, "b2", "b", 1).await;
    submit(store, "c1", "c", 2).await;
    let mut order = Vec::new();
    let mut leases = Vec::new();
    for _ in 0..3 {
        let claimed = claim(store, 3).await.expect("one waits");
        order.push(claimed.job.id);
        leases.push(claimed.lease);
    }
    assert_eq!(order, ["a1", "b1", "c1"], "fewest running first, then the oldest");
    store.complete(&leases[1], "{}", at(99), at(4)).await.unwrap();
    let next = claim(store, 4).await.expect("one waits");
    assert_eq!(next.job.id, "b2", "b has none running");
    for lease in [&leases[0], &next.lease] {
        store.complete(lease, "{}", at(99), at(5)).await.unwrap();
    }
    submit(store, "b3", "b", 5).await;
    assert_eq!(
        claim(store, 6).await.expect("one waits").job.id,
        "a2",
        "its last turn is longer ago than b's"
    );
}

pub(super) async fn nothing_to_claim(store: &dyn Store) {
    assert_eq!(claim(store, 0).await, None);
    let lease = begin(store, "a", "me", 0).await.lease;
    assert_eq!(claim(store, 1).await, None, "it is being worked on");
    store.complete(&lease, "{}", at(99), at(2)).await.unwrap();
    submit(store, "b", "me", 3).await;
    assert_eq!(
        store.cancel("b", Asker::Server, at(3)).await.unwrap(),
        Cancelled::Now(State::Accepted)
    );
    assert_eq!(claim(store, 10_000).await, None);
}
