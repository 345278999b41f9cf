//! What can happen to a job while it runs.

use std::fs;
use std::time::Duration;

use fhirehose_native::inputs::InputPlace;
use fhirehose_store::{Asker, Cancelled, Claim, Folder, JobStore, State, StoredFile};

use super::super::Failure;
use super::world::{START, World, lock, run};
use crate::kickoff::Door;

const MINUTE: Duration = Duration::from_secs(60);

fn claim(world: &World, holder: &str) -> Claim {
    Claim {
        now: world.now(),
        holder: holder.to_owned(),
        lease: Duration::from_secs(30),
        max_attempts: 3,
        failed_expires: world.now().plus(MINUTE),
    }
}

async fn failed(world: &World, id: &str) -> Failure {
    let job = world.job(id).await;
    assert_eq!(job.state, State::Failed);
    assert!(world.attempt(id, job.attempt).is_empty(), "nothing of it stays");
    assert_eq!(job.expires, Some(world.now().plus(Duration::from_secs(24 * 60 * 60))));
    Failure::read(&job.failure.expect("a reason"))
}

#[test]
fn a_job_that_is_cancelled_stops_and_leaves_nothing() {
    run(async |world| {
        let (mut began, go_on) = world.gate();
        world.submit("a", Door::System, "").await;
        let runner = world.start();
        began.recv().await.expect("it begins");
        let live = runner.live();
        assert_eq!(
            (live.len(), live[0].id.as_str(), live[0].owner.as_str()),
            (1, "a", "owner of a")
        );
        assert_eq!((live[0].total, live[0].started), (1000, START));
        let done = world
            .store
            .cancel("a", Asker::Server, world.now())
            .await
            .expect("cancels");
        assert_eq!(done, Cancelled::Now(State::Running));
        runner.stop_job("a");
        go_on.send(()).expect("it waits");
        runner.ended(1).await;
        let job = world.job("a").await;
        assert_eq!(
            (job.state, job.holder),
            (State::Cancelled, None),
            "its worker has let it go"
        );
        assert!(world.attempt("a", 1).is_empty() && runner.live().is_empty());
        runner.stop(MINUTE).await;
    });
}

#[test]
fn a_worker_that_lost_its_job_stops_and_leaves_it_to_the_other() {
    run(async |world| {
        let (mut began, go_on) = world.gate();
        world.submit("a", Door::System, "").await;
        let runner = world.start();
        began.recv().await.expect("it begins");
        // A heartbeat in between would renew the lease.
        let other = loop {
            world.store.abandon("other", world.now()).await.expect("ends");
            let turn = world.store.claim(&claim(&world, "other")).await.expect("claims");
            if let Some(claimed) = turn.claimed {
                break claimed.lease;
            }
        };
        assert_eq!(other.attempt, 2);
        go_on.send(()).expect("it waits");
        runner.ended(1).await;
        assert!(world.attempt("a", 1).is_empty());
        let job = world.job("a").await;
        assert_eq!((job.state, job.holder.as_deref()), (State::Running, Some("other")));
        world
            .store
            .complete(&other, "{}", START, START)
            .await
            .expect("it is the other's");
        runner.stop(MINUTE).await;
    });
}

#[test]
fn two_jobs_run_at_once_and_a_third_waits() {
    run(async |world| {
        let (mut began, go_first) = world.gate();
        world.submit("a", Door::System, "_type=Patient").await;
        let runner = world.start();
        began.recv().await.expect("one begins");
        let (mut began, go_second) = world.gate();
        for id in ["b", "c"] {
            world.submit(id, Door::System, "_type=Patient").await;
        }
        runner.wake();
        began.recv().await.expect("another begins");
        assert_eq!(runner.live().len(), 2);
        assert_eq!(world.job("c").await.state, State::Accepted);
        go_first.send(()).expect("it waits");
        go_second.send(()).expect("it waits");
        runner.ended(3).await;
        for id in ["a", "b", "c"] {
            assert_eq!(world.job(id).await.state, State::Complete);
        }
        assert_eq!(world.listed("a").await[0].sha256, world.listed("c").await[0].sha256);
        assert_ne!(world.listed("a").await[0].id, world.listed("c").await[0].id);
        runner.stop(MINUTE).await;
    });
}

#[test]
fn a_job_whose_input_is_missing_or_damaged_has_failed_and_names_the_file_alone() {
    run(async |world| {
        let damaged = world.folder.path().join("broken.ndjson.gz");
        fs::write(&damaged, [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 0xff, 0xff, 0xff]).expect("writes");
        let runner = world.start();
        for (number, path) in [damaged, world.folder.path().join("gone.ndjson")]
            .into_iter()
            .enumerate()
        {
            let name = path
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name")
                .to_owned();
            *lock(&world.files.inputs) = vec![InputPlace::File(path)];
            let id = format!("a{number}");
            world.submit(&id, Door::System, "").await;
            runner.wake();
            runner.ended(number as u64 + 1).await;
            let failure = failed(&world, &id).await;
            assert_eq!((failure.status, failure.code.as_str()), (500, "incomplete"));
            assert!(failure.diagnostics.starts_with(&name), "{}", failure.diagnostics);
            let folder = world.folder.path().to_str().expect("text");
            assert!(!failure.diagnostics.contains(folder), "{}", failure.diagnostics);
        }
        runner.stop(MINUTE).await;
    });
}

#[test]
fn a_job_over_data_that_changed_has_failed() {
    run(async |world| {
        *lock(&world.files.changed) = Some("Patient.ndjson".to_owned());
        world.submit("a", Door::System, "").await;
        let runner = world.start();
        runner.ended(1).await;
        let failure = failed(&world, "a").await;
        assert_eq!(failure.code, "conflict");
        assert!(failure.diagnostics.contains("Patient.ndjson") && failure.diagnostics.contains("ask again"));
        // What looks damaged because it was replaced is told as that.
        *lock(&world.files.inputs) = vec![InputPlace::File(world.folder.path().join("gone.ndjson"))];
        world.submit("b", Door::System, "").await;
        runner.wake();
        runner.ended(2).await;
        assert_eq!(failed(&world, "b").await.code, "conflict");
        runner.stop(MINUTE).await;
    });
}

#[test]
fn a_panic_is_the_failure_of_one_job() {
    run(async |world| {
        *lock(&world.files.panics) = true;
        world.submit("a", Door::System, "").await;
        let runner = world.start();
        runner.ended(1).await;
        assert_eq!(failed(&world, "a").await.code, "exception");
        *lock(&world.files.panics) = false;
        world.submit("b", Door::System, "_type=Patient").await;
        runner.wake();
        runner.ended(2).await;
        assert_eq!(world.job("b").await.state, State::Complete);
        runner.stop(MINUTE).await;
    });
}

#[test]
fn what_another_version_has_taken_fails() {
    run(async |world| {
        let job = fhirehose_store::NewJob {
            id: "a".to_owned(),
            owner: "o".to_owned(),
            profile: "ig".to_owned(),
            url: "u".to_owned(),
            kick_off: "{\"patient\":\"secret\"}".to_owned(),
            transaction_time: START,
        };
        let many = fhirehose_store::Bounds {
            queued: 9,
            per_owner: 9,
        };
        let _ = world.store.submit(&job, many, START).await.expect("submits");
        let runner = world.start();
        runner.ended(1).await;
        assert!(!failed(&world, "a").await.diagnostics.contains("secret"));
        runner.stop(MINUTE).await;
    });
}

#[test]
fn a_server_that_stops_gives_its_jobs_back_and_the_next_runs_them() {
    run(async |world| {
        let (mut began, go_on) = world.gate();
        world.submit("a", Door::System, "_type=Patient").await;
        let runner = world.start();
        began.recv().await.expect("it begins");
        let stopping = tokio::spawn({
            let runner = runner.clone();
            async move { runner.stop(MINUTE).await }
        });
        // It goes on once it has been told to stop, and not before.
        let running = runner.inner.running().values().map(|of| of.cancel.clone()).next();
        let cancel = running.expect("it runs");
        while !cancel.is_stopped() {
            tokio::task::yield_now().await;
        }
        go_on.send(()).expect("it waits");
        stopping.await.expect("stops");
        let job = world.job("a").await;
        assert_eq!(
            (job.state, job.attempt, job.lost, job.holder),
            (State::Accepted, 1, 0, None)
        );
        assert!(world.attempt("a", 1).is_empty());
        world.submit("b", Door::System, "_type=Patient").await;
        runner.wake();
        assert_eq!(world.job("b").await.state, State::Accepted, "it takes no more jobs");
        let next = world.start();
        next.ended(2).await;
        let job = world.job("a").await;
        assert_eq!((job.state, job.attempt), (State::Complete, 2));
        next.stop(MINUTE).await;
    });
}

#[test]
fn a_thread_that_does_not_stop_in_time_keeps_nobody() {
    run(async |world| {
        let (mut began, go_on) = world.gate();
        world.submit("a", Door::System, "_type=Patient").await;
        let runner = world.start();
        began.recv().await.expect("it begins");
        runner.stop(Duration::ZERO).await;
        assert_eq!(world.job("a").await.state, State::Accepted);
        go_on.send(()).expect("it waits");
        runner.ended(1).await;
        assert!(world.attempt("a", 1).is_empty(), "it has written nothing");
        assert_eq!(world.job("a").await.state, State::Accepted);
    });
}

#[test]
fn jobs_of_a_server_that_was_killed_begin_anew_at_once() {
    run(async |world| {
        world.submit("a", Door::System, "_type=Patient").await;
        let reference = world.start();
        reference.ended(1).await;
        reference.stop(MINUTE).await;
        let whole = world.listed("a").await;
        // The dead one had added its files, and was killed before it could say that it was done.
        world.submit("b", Door::System, "_type=Patient").await;
        let dead = world
            .store
            .claim(&claim(&world, "dead"))
            .await
            .expect("claims")
            .claimed
            .expect("the job");
        let folder = world.outputs.attempt_folder("b", 1).expect("an id");
        fs::create_dir_all(&folder).expect("a folder");
        fs::write(folder.join("Patient.000.ndjson.gz"), "half").expect("writes");
        let half = StoredFile {
            folder: Folder::Output,
            name: "Patient.000.ndjson.gz".to_owned(),
            ..whole[0].clone()
        };
        let of_b = |file: StoredFile, id: &str| StoredFile {
            id: id.to_owned(),
            ..file
        };
        // With the very id that the next attempt gives.
        let ids = super::super::first_words(&world.setting(), world.now())
            .await
            .expect("answers");
        let id = ids.of("b", Folder::Output, &half.name);
        world.store.add_file(&dead.lease, &of_b(half, &id)).await.expect("adds");
        let next = world.start();
        next.ended(1).await;
        let job = world.job("b").await;
        assert_eq!((job.state, job.attempt, job.lost), (State::Complete, 2, 1));
        assert!(world.attempt("b", 1).is_empty(), "the half is gone");
        let listed = world.listed("b").await;
        assert_eq!((listed.len(), listed[0].id.as_str()), (whole.len(), id.as_str()));
        assert_eq!(listed[0].sha256, whole[0].sha256);
        next.stop(MINUTE).await;
    });
}
