//! A store full of jobs slows nobody down: what is asked of the server takes as long as before.

mod binary;
mod serving;

use std::time::{Duration, Instant};

use binary::Folder;
use fhirehose_store::sqlite::{Options, SqliteStore};
use fhirehose_store::{Asker, Bounds, Claim, JobStore as _, Listing, NewJob, State, StoredFile, Submitted};
use serving::{ASYNC, Server};

/// A tenth of what a server has to bear; benches/server measures all of it.
const JOBS: usize = 1000;

/// Far more than it takes, for machines that have other things to do.
const BOUND: Duration = Duration::from_millis(150);

/// Adds jobs like the one that there is.
async fn fill(folder: &Folder) {
    let path = folder.path("fhirehose-state/jobs.db");
    let store = SqliteStore::open(&path, &Options::default()).await.expect("opens");
    let jobs = store.list(Asker::Server, 1).await.expect("lists");
    let [first] = jobs.as_slice() else { panic!("one job") };
    assert_eq!(first.state, State::Complete);
    let kick_off = store
        .kick_off(&first.id, Asker::Server)
        .await
        .expect("reads")
        .expect("is there");
    let files = store.files(&first.id, Listing::Settled, 0, 100).await.expect("lists");
    let now = first.since;
    let kept = Duration::from_secs(24 * 60 * 60);
    let claim = Claim {
        now,
        holder: "filler".to_owned(),
        lease: kept,
        max_attempts: 3,
        failed_expires: now.plus(kept),
    };
    let bounds = Bounds {
        queued: u32::MAX,
        per_owner: u32::MAX,
    };
    for number in 0..JOBS {
        let job = NewJob {
            id: format!("made-{number}"),
            owner: first.owner.clone(),
            profile: first.profile.clone(),
            url: first.url.clone(),
            kick_off: kick_off.clone(),
            transaction_time: first.transaction_time,
        };
        assert_eq!(
            store.submit(&job, bounds, now).await.expect("stores"),
            Submitted::Accepted
        );
        let lease = store.claim(&claim).await.expect("claims").claimed.expect("waits").lease;
        let own = files.iter().map(|(_, file)| StoredFile {
            id: format!("{}-{number}", file.id),
            ..file.clone()
        });
        store.add_files(&lease, &own.collect::<Vec<_>>()).await.expect("adds");
        let report = first.report.clone().expect("a report");
        store
            .complete(&lease, &report, now.plus(kept), now)
            .await
            .expect("completes");
    }
    store.close().await;
}

/// The time that half of the requests stay below.
fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

#[test]
fn kick_off_and_status_are_quick_beside_a_thousand_jobs() {
    let folder = Folder::with_lines();
    let server = Server::open(&folder);
    server.wait(&server.kick_off("$export")).is(200);
    server.kill();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
    runtime.expect("a runtime").block_on(fill(&folder));
    let begun = Instant::now();
    let server = Server::start(&folder, &["--open", "--max-queued", "1000"]);
    let started = begun.elapsed();
    let timed = |run: &dyn Fn()| {
        let begun = Instant::now();
        run();
        begun.elapsed()
    };
    let status = median(
        (0..50)
            .map(|number| {
                timed(&|| {
                    drop(
                        server
                            .get(&format!("bulk-export/jobs/made-{}", number * 20), &[])
                            .is(200),
                    )
                })
            })
            .collect(),
    );
    let kick_off = median(
        (0..50)
            .map(|_| timed(&|| drop(server.get("$export", &ASYNC).is(202))))
            .collect(),
    );
    eprintln!("{JOBS} jobs: start {started:?}, status {status:?}, kick-off {kick_off:?}");
    assert!(
        status < BOUND && kick_off < BOUND,
        "status {status:?}, kick-off {kick_off:?}"
    );
    assert!(started < Duration::from_secs(10), "{started:?}");
}
