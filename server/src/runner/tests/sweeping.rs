//! What is over goes, and what is being sent stays.

use std::fs;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fhirehose_store::{Asker, JobStore, State};

use super::super::sweep::{Swept, round, strays};
use super::world::{World, run};
use crate::kickoff::Door;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MINUTE: Duration = Duration::from_secs(60);

async fn complete(world: &World, ids: &[&str]) {
    for id in ids {
        world.submit(id, Door::System, "_type=Patient").await;
    }
    let runner = world.start();
    runner.ended(ids.len() as u64).await;
    runner.stop(MINUTE).await;
}

async fn sweep(world: &World, later: Duration) -> Swept {
    let later = i64::try_from(later.as_millis()).expect("a while");
    world.clock.fetch_add(later, Ordering::Relaxed);
    let swept = round(&*world.store, &world.outputs, 7 * DAY, world.now()).await;
    swept.expect("sweeps")
}

#[test]
fn files_of_a_job_go_when_its_time_is_over_and_nobody_is_sending_them() {
    run(async |world| {
        complete(&world, &["a", "b"]).await;
        assert_eq!(sweep(&world, DAY - MINUTE).await, Swept::default());
        assert!(!world.attempt("a", 1).is_empty());
        let hold = world.outputs.hold("a");
        let swept = sweep(&world, 2 * MINUTE).await;
        assert_eq!((swept.expired, swept.purged, swept.kept), (2, 1, 1));
        assert!(!world.attempt("a", 1).is_empty() && world.attempt("b", 1).is_empty());
        assert_eq!(world.job("a").await.state, State::Expired, "for clients it is gone");
        drop(hold);
        let swept = sweep(&world, MINUTE).await;
        assert_eq!((swept.expired, swept.purged, swept.kept), (0, 1, 0));
        assert!(world.attempt("a", 1).is_empty());
        assert_eq!(sweep(&world, MINUTE).await, Swept::default());
        assert_eq!(sweep(&world, 8 * DAY).await.forgotten, 2);
        assert_eq!(world.store.get("a", Asker::Server).await.expect("reads"), None);
    });
}

#[test]
fn files_of_a_complete_job_that_is_deleted_go() {
    run(async |world| {
        complete(&world, &["a"]).await;
        let _ = world
            .store
            .cancel("a", Asker::Server, world.now())
            .await
            .expect("cancels");
        assert_eq!(sweep(&world, MINUTE).await.purged, 1);
        assert!(world.attempt("a", 1).is_empty());
    });
}

#[test]
fn folders_of_jobs_that_nobody_knows_go() {
    run(async |world| {
        complete(&world, &["a"]).await;
        let jobs = world.folder.path().join("jobs");
        fs::create_dir_all(jobs.join("lost-1/3/error")).expect("a folder");
        fs::create_dir_all(jobs.join("not one of ours")).expect("a folder");
        assert_eq!(strays(&*world.store, &world.outputs).await.expect("looks"), 1);
        assert!(!jobs.join("lost-1").exists() && jobs.join("not one of ours").exists());
        assert!(!world.attempt("a", 1).is_empty());
    });
}
