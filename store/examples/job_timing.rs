//! The life of jobs in a file, and what each call takes. The number of jobs may be given.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::time::{Duration, Instant};

use fhirehose_store::sqlite::{Options, SqliteStore};
use fhirehose_store::{
    Asker, Bounds, Claim, Folder, JobStore, Listing, NewJob, Progress, Result, StoredFile, Submitted, Time,
};

const LEASE: Duration = Duration::from_secs(30);
const BOUNDS: Bounds = Bounds {
    queued: u32::MAX,
    per_owner: u32::MAX,
};

/// How long each of many calls took.
#[derive(Default)]
struct Times(Vec<Duration>);

impl Times {
    async fn of<T>(&mut self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let start = Instant::now();
        let answer = call.await?;
        self.0.push(start.elapsed());
        Ok(answer)
    }

    fn print(mut self, what: &str) {
        self.0.sort_unstable();
        let last = self.0.len().saturating_sub(1);
        let at = |part: usize| self.0.get(last * part / 100).copied().unwrap_or_default();
        println!(
            "{what:10} {:6} calls  median {:9.1?}  p99 {:9.1?}",
            last + 1,
            at(50),
            at(99)
        );
    }
}

fn job(number: u32) -> NewJob {
    NewJob {
        id: format!("job-{number}"),
        owner: format!("client-{}", number % 20),
        profile: "ig".to_owned(),
        url: "https://example.org/fhir/$export".to_owned(),
        // As for an export of a thousand patients.
        kick_off: "{\"reference\":\"Patient/0123456789\"}".repeat(1000),
        transaction_time: Time(0),
    }
}

async fn run(count: u32) -> Result<()> {
    let folder = tempfile::tempdir()
        .map_err(|error| fhirehose_store::Error::new(fhirehose_store::Kind::Io, error.to_string()))?;
    let path = folder.path().join("jobs.db");
    let store = SqliteStore::open(&path, &Options::default()).await?;
    let now = Time(1_700_000_000_000);

    let mut submit = Times::default();
    for number in 0..count {
        let submitted = submit.of(store.submit(&job(number), BOUNDS, now)).await?;
        assert_eq!(submitted, Submitted::Accepted);
    }
    submit.print("submit");

    let [mut claim, mut heartbeat, mut file, mut many, mut complete] = std::array::from_fn(|_| Times::default());
    let wanted = Claim {
        now,
        holder: "worker".to_owned(),
        lease: LEASE,
        max_attempts: 3,
        failed_expires: now.plus(LEASE),
    };
    for number in 0..count.min(500) {
        let turn = claim.of(store.claim(&wanted)).await?;
        let Some(claimed) = turn.claimed else { break };
        let progress = Progress { done: 1, total: 2 };
        heartbeat
            .of(store.heartbeat(&claimed.lease, progress, LEASE, now))
            .await?;
        let finished = finished(&format!("file-{number}"));
        file.of(store.add_file(&claimed.lease, &finished)).await?;
        if number == 0 {
            let of_one: Vec<StoredFile> = (0..20_000)
                .map(|part| self::finished(&format!("part-{part}")))
                .collect();
            for files in of_one.chunks(2000) {
                many.of(store.add_files(&claimed.lease, files)).await?;
            }
        }
        complete
            .of(store.complete(&claimed.lease, "{}", now.plus(LEASE), now))
            .await?;
    }
    claim.print("claim");
    heartbeat.print("heartbeat");
    file.print("add_file");
    many.print("add_files, 2000 of 20000");
    complete.print("complete");

    let (mut get, mut files, mut rubbish, mut tally) =
        (Times::default(), Times::default(), Times::default(), Times::default());
    for number in 0..count.min(1000) {
        get.of(store.get(&format!("job-{number}"), Asker::Server)).await?;
        files
            .of(store.files(&format!("job-{number}"), Listing::Settled, 0, 100))
            .await?;
    }
    for _ in 0..20 {
        rubbish.of(store.rubbish(now, 100)).await?;
        tally.of(store.tally()).await?;
    }
    get.print("get");
    files.print("files");
    rubbish.print("rubbish");
    tally.print("tally");

    store.close().await;
    let mut open = Times::default();
    open.of(SqliteStore::open(&path, &Options::default()))
        .await?
        .close()
        .await;
    open.print("open");
    Ok(())
}

fn finished(id: &str) -> StoredFile {
    StoredFile {
        id: id.to_owned(),
        name: format!("{id}.000.ndjson"),
        folder: Folder::Output,
        resource_type: Some("Patient".to_owned()),
        continues_in: None,
        count: 1,
        bytes: 1,
        sha256: [0; 32],
    }
}

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let count = match std::env::args().nth(1) {
        Some(count) => count.parse()?,
        None => 100,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()?;
    Ok(runtime.block_on(run(count))?)
}
