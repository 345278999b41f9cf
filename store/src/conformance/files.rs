//! Which files are seen, and by whom.

use super::{LEASE, at, begin, claim, new_file};
use crate::{Asker, Cancelled, Folder, Kind, Listing, Progress, State, Store, StoredFile};

async fn names(store: &dyn Store, listing: Listing) -> Vec<String> {
    let files = store.files("a", listing, 0, 99).await.unwrap();
    files.into_iter().map(|(_, file)| file.name).collect()
}

async fn found(store: &dyn Store, id: &str, listing: Listing) -> bool {
    store.file(id, listing, Asker::Server).await.unwrap().is_some()
}

pub(super) async fn only_the_settled_attempt_is_listed(store: &dyn Store) {
    let first = begin(store, "a", "me", 0).await.lease;
    store.add_file(&first, &new_file("f1", "x.ndjson")).await.unwrap();
    store.add_file(&first, &new_file("f2", "y.ndjson")).await.unwrap();
    assert_eq!(names(store, Listing::Settled).await, [""; 0], "nothing is settled");
    let second = claim(store, 30).await.expect("the lease is over").lease;
    store.add_file(&second, &new_file("f3", "x.ndjson")).await.unwrap();
    store.complete(&second, "{}", at(999), at(31)).await.unwrap();
    for listing in [Listing::Settled, Listing::SoFar] {
        let files = store.files("a", listing, 0, 99).await.unwrap();
        assert_eq!(files, [(1, new_file("f3", "x.ndjson"))]);
        assert!(!found(store, "f1", listing).await && !found(store, "f2", listing).await);
        assert!(found(store, "f3", listing).await);
    }
}

pub(super) async fn files_so_far_are_those_of_this_attempt(store: &dyn Store) {
    let first = begin(store, "a", "me", 0).await.lease;
    store.add_file(&first, &new_file("f1", "x.ndjson")).await.unwrap();
    assert_eq!(names(store, Listing::SoFar).await, ["x.ndjson"]);
    assert!(found(store, "f1", Listing::SoFar).await && !found(store, "f1", Listing::Settled).await);
    store.release(&first, at(1)).await.unwrap();
    assert_eq!(names(store, Listing::SoFar).await, [""; 0]);
    let second = claim(store, 2).await.expect("it waits").lease;
    assert_eq!(names(store, Listing::SoFar).await, [""; 0]);
    assert!(!found(store, "f1", Listing::SoFar).await);
    store.add_file(&second, &new_file("f2", "y.ndjson")).await.unwrap();
    assert_eq!(names(store, Listing::SoFar).await, ["y.ndjson"]);
}

pub(super) async fn cancelled_files_are_gone(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    store.add_file(&lease, &new_file("f1", "x.ndjson")).await.unwrap();
    store.complete(&lease, "{}", at(999), at(1)).await.unwrap();
    assert!(found(store, "f1", Listing::Settled).await);
    assert_eq!(
        store.cancel("a", Asker::Server, at(2)).await.unwrap(),
        Cancelled::Now(State::Complete)
    );
    assert_eq!(names(store, Listing::SoFar).await, [""; 0]);
    assert!(!found(store, "f1", Listing::SoFar).await);
}

pub(super) async fn same_file_twice_is_one(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    let file = StoredFile {
        folder: Folder::Deleted,
        resource_type: None,
        continues_in: Some("y.ndjson".to_owned()),
        ..new_file("f1", "x.ndjson")
    };
    for _ in 0..3 {
        store.add_file(&lease, &file).await.unwrap();
    }
    store
        .heartbeat(&lease, Progress::default(), LEASE, at(1))
        .await
        .unwrap();
    assert_eq!(store.files("a", Listing::SoFar, 0, 99).await.unwrap(), [(1, file)]);
}

pub(super) async fn another_file_of_that_name_or_id_is_refused(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    store.add_file(&lease, &new_file("f1", "x.ndjson")).await.unwrap();
    let refused = [
        new_file("f2", "x.ndjson"),
        new_file("f1", "y.ndjson"),
        StoredFile {
            count: 4,
            ..new_file("f1", "x.ndjson")
        },
        StoredFile {
            sha256: [8; 32],
            ..new_file("f1", "x.ndjson")
        },
    ];
    for file in refused {
        assert_eq!(store.add_file(&lease, &file).await.unwrap_err().kind(), Kind::Exists);
    }
    let other = begin(store, "b", "other", 1).await.lease;
    assert_eq!(
        store
            .add_file(&other, &new_file("f1", "z.ndjson"))
            .await
            .unwrap_err()
            .kind(),
        Kind::Exists
    );
    let elsewhere = StoredFile {
        folder: Folder::Error,
        ..new_file("f3", "x.ndjson")
    };
    store.add_file(&lease, &elsewhere).await.unwrap();
    assert_eq!(names(store, Listing::SoFar).await, ["x.ndjson"; 2]);
}

pub(super) async fn files_come_in_pages(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    // Neither ids nor names are in the order of adding.
    for number in (0..10).rev() {
        store
            .add_file(&lease, &new_file(&format!("f{number}"), &format!("{number}.ndjson")))
            .await
            .unwrap();
    }
    store.complete(&lease, "{}", at(999), at(1)).await.unwrap();
    let mut seen = Vec::new();
    let mut after = 0;
    loop {
        let page = store.files("a", Listing::Settled, after, 3).await.unwrap();
        let Some((last, _)) = page.last() else { break };
        after = *last;
        seen.push(page.into_iter().map(|(_, file)| file.id).collect::<Vec<_>>().join(" "));
    }
    assert_eq!(seen, ["f9 f8 f7", "f6 f5 f4", "f3 f2 f1", "f0"]);
    assert_eq!(store.files("a", Listing::Settled, 0, 0).await.unwrap(), []);
    assert_eq!(store.files("no such job", Listing::SoFar, 0, 9).await.unwrap(), []);
}

pub(super) async fn file_is_found_by_its_owner(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    store.add_file(&lease, &new_file("f1", "x.ndjson")).await.unwrap();
    store.complete(&lease, "{}", at(999), at(1)).await.unwrap();
    let (job, file) = store
        .file("f1", Listing::Settled, Asker::Owner("me"))
        .await
        .unwrap()
        .expect("it is there");
    assert_eq!((job, file), (super::get(store, "a").await, new_file("f1", "x.ndjson")));
    assert_eq!(
        store.file("f1", Listing::Settled, Asker::Owner("other")).await.unwrap(),
        None
    );
    assert_eq!(
        store
            .file("x.ndjson", Listing::Settled, Asker::Owner("me"))
            .await
            .unwrap(),
        None
    );
}

pub(super) async fn numbers_that_do_not_fit(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    let largest = StoredFile {
        count: i64::MAX as u64,
        bytes: i64::MAX as u64,
        ..new_file("f1", "x.ndjson")
    };
    store.add_file(&lease, &largest).await.unwrap();
    assert_eq!(store.files("a", Listing::SoFar, 0, 9).await.unwrap(), [(1, largest)]);
    let progress = Progress {
        done: i64::MAX as u64,
        total: i64::MAX as u64,
    };
    store.heartbeat(&lease, progress, LEASE, at(1)).await.unwrap();
    assert_eq!(super::get(store, "a").await.progress, progress);
}

pub(super) async fn many_files_are_added_whole_or_not_at_all(store: &dyn Store) {
    let lease = begin(store, "a", "me", 0).await.lease;
    let [x, y, z] = [("f1", "x.ndjson"), ("f2", "y.ndjson"), ("f3", "z.ndjson")].map(|(id, name)| new_file(id, name));
    store.add_files(&lease, &[]).await.unwrap();
    store.add_files(&lease, &[y.clone(), x.clone()]).await.unwrap();
    store.add_files(&lease, &[y.clone(), x.clone()]).await.unwrap();
    assert_eq!(names(store, Listing::SoFar).await, ["y.ndjson", "x.ndjson"]);
    let refused = store.add_files(&lease, &[z.clone(), new_file("f4", "x.ndjson")]).await;
    assert_eq!(refused.unwrap_err().kind(), Kind::Exists);
    assert_eq!(names(store, Listing::SoFar).await, ["y.ndjson", "x.ndjson"]);
    store.complete(&lease, "{}", at(999), at(1)).await.unwrap();
    assert_eq!(store.add_files(&lease, &[z]).await.unwrap_err().kind(), Kind::Lost);
}
