//! Several tasks, connections and processes on one file at once; a process that is killed in the middle of it.
//!
//! The processes are this test binary, started anew with the name of the test `child` and a role in its environment.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use fhirehose_store::conformance::Dice;
use fhirehose_store::sqlite::{Options, SqliteStore};
use fhirehose_store::{
    Asker, Bounds, Claim, Claimed, Folder, JobStore, Kind, Lease, Listing, NewJob, Progress, State, StoredFile,
    Submitted, Time,
};

const MANY: Bounds = Bounds {
    queued: 100_000,
    per_owner: 100_000,
};
const LEASE: Duration = Duration::from_secs(30);
const NEVER: Time = Time(i64::MAX);

fn run<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}

async fn open(path: &Path) -> SqliteStore {
    SqliteStore::open(path, &Options::default().busy(Duration::from_secs(60)))
        .await
        .unwrap()
}

fn job(id: String) -> NewJob {
    NewJob {
        owner: format!("client-{}", id.len() % 3),
        id,
        profile: "ig".to_owned(),
        url: "http://localhost/$export".to_owned(),
        kick_off: "{}".to_owned(),
        transaction_time: Time(0),
    }
}

async fn submit(store: &SqliteStore, id: String, now: Time) {
    assert_eq!(store.submit(&job(id), MANY, now).await.unwrap(), Submitted::Accepted);
}

async fn claim(store: &SqliteStore, holder: &str, now: Time) -> Option<Claimed> {
    let claim = Claim {
        now,
        holder: holder.to_owned(),
        lease: LEASE,
        max_attempts: 1_000_000,
        failed_expires: NEVER,
    };
    store.claim(&claim).await.unwrap().claimed
}

/// The files of an attempt; what is in them tells which attempt it was.
fn files(lease: &Lease) -> [StoredFile; 3] {
    [1, 2, 3].map(|number| StoredFile {
        id: format!("{}-{}-{number}", lease.job, lease.attempt),
        name: format!("Patient.{number}.ndjson"),
        folder: Folder::Output,
        resource_type: Some("Patient".to_owned()),
        continues_in: None,
        count: u64::from(lease.attempt),
        bytes: 1,
        sha256: [0; 32],
    })
}

/// Claims and completes until nothing waits; returns the ids.
async fn work(store: &SqliteStore, holder: &str, now: Time) -> Vec<String> {
    let mut done = Vec::new();
    while let Some(claimed) = claim(store, holder, now).await {
        store
            .heartbeat(&claimed.lease, Progress { done: 1, total: 2 }, LEASE, now)
            .await
            .unwrap();
        store.complete(&claimed.lease, "{}", NEVER, now).await.unwrap();
        done.push(claimed.job.id);
    }
    done
}

/// Each of `count` jobs was done by one and only one worker.
async fn each_once(store: &SqliteStore, mut done: Vec<String>, count: usize) {
    done.sort();
    let before = done.len();
    done.dedup();
    assert_eq!((before, done.len()), (count, count), "each job once");
    for job in store.list(Asker::Server, u32::MAX).await.unwrap() {
        assert_eq!(
            (job.state, job.attempt, job.lost),
            (State::Complete, 1, 0),
            "{}",
            job.id
        );
    }
    store.check().await.unwrap();
}

async fn work_together(stores: Vec<SqliteStore>, count: usize) {
    for number in 0..count {
        submit(&stores[number % stores.len()], format!("job-{number}"), Time(0)).await;
    }
    let first = stores[0].clone();
    let worker = |number: usize, store: SqliteStore| async move { work(&store, &format!("w{number}"), Time(1)).await };
    let tasks: Vec<_> = stores
        .into_iter()
        .enumerate()
        .map(|(n, store)| tokio::spawn(worker(n, store)))
        .collect();
    let mut done = Vec::new();
    for task in tasks {
        done.extend(task.await.unwrap());
    }
    each_once(&first, done, count).await;
}

#[test]
fn tasks_of_one_store_claim_each_job_once() {
    let folder = tempfile::tempdir().unwrap();
    run(async { work_together(vec![open(&folder.path().join("jobs.db")).await; 8], 60).await });
    run(async { work_together(vec![SqliteStore::in_memory(&Options::default()).await.unwrap(); 8], 500).await });
}

#[test]
fn connections_to_one_file_claim_each_job_once() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut stores = Vec::new();
        for _ in 0..4 {
            stores.push(open(&folder.path().join("jobs.db")).await);
        }
        work_together(stores, 40).await;
    });
}

#[test]
fn bounds_hold_when_all_ask_at_once() {
    let folder = tempfile::tempdir().unwrap();
    run(async {
        let mut tasks = Vec::new();
        for number in 0..12 {
            let store = open(&folder.path().join("jobs.db")).await;
            tasks.push(tokio::spawn(async move {
                let job = NewJob {
                    owner: format!("client-{}", number % 2),
                    ..job(format!("job-{number}"))
                };
                store
                    .submit(
                        &job,
                        Bounds {
                            queued: 5,
                            per_owner: 3,
                        },
                        Time(0),
                    )
                    .await
                    .unwrap()
            }));
        }
        let mut accepted = 0;
        for task in tasks {
            accepted += u32::from(task.await.unwrap() == Submitted::Accepted);
        }
        assert_eq!(accepted, 5);
    });
}

#[test]
fn replies_that_are_dropped_leave_nothing_half_done() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    run(async {
        let store = Arc::new(open(&path).await);
        for number in 0..60_usize {
            let (job, now) = (job(format!("job-{number}")), Time(0));
            let wanted = Claim {
                now,
                holder: "dropped".to_owned(),
                lease: LEASE,
                max_attempts: 9,
                failed_expires: NEVER,
            };
            let mut submitted = store.submit(&job, MANY, now);
            let mut claimed = store.claim(&wanted);
            let mut context = Context::from_waker(Waker::noop());
            let (mut first_done, mut second_done) = (false, false);
            for _ in 0..number {
                first_done = first_done || submitted.as_mut().poll(&mut context).is_ready();
                second_done = second_done || claimed.as_mut().poll(&mut context).is_ready();
                tokio::task::yield_now().await;
            }
        }
        // The connection that writes is whole: other connections are not kept out, and it works on.
        let other = SqliteStore::open(&path, &Options::default().busy(Duration::ZERO))
            .await
            .unwrap();
        submit(&store, "last".to_owned(), Time(0)).await;
        submit(&other, "other".to_owned(), Time(0)).await;
        let late = Time(1_000_000);
        let done = work(&store, "w", late).await;
        assert!(done.contains(&"last".to_owned()));
        for job in store.list(Asker::Server, u32::MAX).await.unwrap() {
            assert_eq!(job.state, State::Complete, "{}", job.id);
        }
        store.check().await.unwrap();
    });
}

/// A process with a role; it waits for a line before it begins.
struct Process {
    child: Child,
    lines: BufReader<ChildStdout>,
    stdin: Option<ChildStdin>,
}

impl Process {
    fn start(role: &str, path: &Path, now: i64) -> Process {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["child", "--exact", "--nocapture", "--test-threads=1"])
            .env("STORE_CHILD", role)
            .env("STORE_PATH", path)
            .env("STORE_NOW", now.to_string())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        let stdin = child.stdin.take();
        let mut process = Process { child, lines, stdin };
        assert_eq!(process.line().as_deref(), Some("ready"));
        process
    }

    fn go(&mut self) {
        self.stdin.take().unwrap().write_all(b"go\n").unwrap();
    }

    /// The next line that is the child's own, not that of its test runner.
    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if let Some((_, own)) = line
                .trim_end_matches('\n')
                .split_once('@')
                .filter(|_| line.ends_with('\n'))
            {
                return Some(own.to_owned());
            }
            line.clear();
        }
        None
    }

    fn rest(&mut self) -> Vec<String> {
        let lines = std::iter::from_fn(|| self.line()).collect();
        assert!(self.child.wait().unwrap().success());
        lines
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Not a test by itself: what the processes above do. Without a role it does nothing.
#[test]
fn child() {
    let Ok(role) = std::env::var("STORE_CHILD") else { return };
    let path = std::env::var_os("STORE_PATH").unwrap();
    let now = Time(std::env::var("STORE_NOW").unwrap().parse().unwrap());
    say("ready");
    std::io::stdin().lock().read_exact(&mut [0; 3]).unwrap();
    run(async {
        let store = open(Path::new(&path)).await;
        let me = std::process::id().to_string();
        match role.as_str() {
            "claim" => work(&store, &me, now).await.iter().for_each(|id| say(id)),
            "open" => {
                submit(&store, me.clone(), now).await;
                say(&me);
            }
            _ => {
                let tasks: Vec<_> = (0..3)
                    .map(|task| tokio::spawn(toil(store.clone(), task, now)))
                    .collect();
                for task in tasks {
                    task.await.unwrap();
                }
            }
        }
    });
}

fn say(line: &str) {
    // The runner's own text may stand before it on the line.
    std::io::stdout().write_all(format!("\n@{line}\n").as_bytes()).unwrap();
}

/// Works on and on, and says what the store has answered, until it is killed.
async fn toil(store: SqliteStore, task: u32, now: Time) {
    for number in 0..100_000 {
        let id = format!("{}-{task}-{number}", now.0);
        submit(&store, id.clone(), now).await;
        say(&format!("submitted {id}"));
        if number % 5 == 4 {
            assert!(store.cancel(&id, Asker::Server, now).await.is_ok());
            say(&format!("cancelled {id}"));
        }
        let Some(claimed) = claim(&store, &format!("task-{task}"), now).await else {
            continue;
        };
        let lease = claimed.lease;
        for file in files(&lease) {
            match store.add_file(&lease, &file).await {
                Err(error) if error.kind() == Kind::Lost => break,
                answer => answer.unwrap(),
            }
        }
        match store.complete(&lease, &format!("{}", lease.attempt), NEVER, now).await {
            Ok(()) => say(&format!("complete {} {}", lease.job, lease.attempt)),
            Err(error) => assert_eq!(error.kind(), Kind::Lost),
        }
        for rubbish in store.rubbish(now, 2).await.unwrap() {
            store.mark_purged(&rubbish.job, rubbish.to).await.unwrap();
        }
    }
}

#[test]
fn processes_create_one_file_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let mut processes: Vec<_> = (0..5).map(|_| Process::start("open", &path, 0)).collect();
    processes.iter_mut().for_each(Process::go);
    let mut said: Vec<String> = processes.iter_mut().flat_map(Process::rest).collect();
    said.sort();
    run(async {
        let mut ids: Vec<String> = open(&path)
            .await
            .list(Asker::Server, 99)
            .await
            .unwrap()
            .into_iter()
            .map(|job| job.id)
            .collect();
        ids.sort();
        assert_eq!((ids.len(), ids), (5, said));
    });
}

#[test]
fn processes_claim_each_job_once() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    run(async {
        let store = open(&path).await;
        for number in 0..60 {
            submit(&store, format!("job-{number}"), Time(0)).await;
        }
        let mut processes: Vec<_> = (0..3).map(|_| Process::start("claim", &path, 1)).collect();
        processes.iter_mut().for_each(Process::go);
        let done = processes.iter_mut().flat_map(Process::rest).collect();
        each_once(&store, done, 60).await;
    });
}

/// What the killed processes said that the store had answered.
#[derive(Default)]
struct Said {
    submitted: BTreeSet<String>,
    cancelled: BTreeSet<String>,
    complete: BTreeMap<String, u32>,
}

impl Said {
    fn hear(&mut self, line: &str) {
        let words: Vec<&str> = line.split(' ').collect();
        let fresh = match words[..] {
            ["submitted", id] => self.submitted.insert(id.to_owned()),
            ["cancelled", id] => self.cancelled.insert(id.to_owned()),
            ["complete", id, attempt] => self.complete.insert(id.to_owned(), attempt.parse().unwrap()).is_none(),
            _ => panic!("what the child said: {line}"),
        };
        assert!(fresh, "said twice: {line}");
    }
}

/// All that was answered is there, and no complete job lists anything but the three files of its own attempt.
async fn nothing_lost_or_doubled(store: &SqliteStore, said: &Said) {
    store.check().await.unwrap();
    let jobs = store.list(Asker::Server, u32::MAX).await.unwrap();
    let states: BTreeMap<&str, State> = jobs.iter().map(|job| (job.id.as_str(), job.state)).collect();
    for id in &said.submitted {
        assert!(states.contains_key(id.as_str()), "{id} is lost");
    }
    for id in &said.cancelled {
        assert_eq!(states[id.as_str()], State::Cancelled, "{id}");
    }
    for (id, attempt) in &said.complete {
        let job = jobs.iter().find(|job| job.id == *id).unwrap();
        assert!(matches!(job.state, State::Complete | State::Cancelled), "{id}");
        assert_eq!(job.attempt, *attempt, "{id}");
    }
    for job in jobs {
        let listed = store.files(&job.id, Listing::Settled, 0, 99).await.unwrap();
        if job.state != State::Complete {
            assert_eq!(listed, [], "{}", job.id);
            continue;
        }
        assert_eq!(job.report, Some(job.attempt.to_string()), "{}", job.id);
        let lease = Lease {
            job: job.id,
            attempt: job.attempt,
            holder: String::new(),
        };
        assert_eq!(
            listed.into_iter().map(|(_, file)| file).collect::<Vec<_>>(),
            files(&lease),
            "{}",
            lease.job
        );
    }
}

#[test]
fn killed_at_any_moment_nothing_is_lost_or_doubled() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let mut dice = Dice(11);
    let mut said = Said::default();
    let rounds = 10;
    for round in 0..rounds {
        // The leases of the round before are over.
        let now = i64::from(round) * 1_000_000;
        let mut process = Process::start("toil", &path, now);
        process.go();
        for _ in 0..1 + dice.below(60) {
            said.hear(&process.line().expect("it works until it is killed"));
        }
        process.child.kill().unwrap();
        // What it had said before it died is as binding.
        while let Some(line) = process.line() {
            said.hear(&line);
        }
        run(async { nothing_lost_or_doubled(&open(&path).await, &said).await });
    }
    run(async {
        let (store, now) = (open(&path).await, Time(i64::from(rounds) * 1_000_000));
        while let Some(claimed) = claim(&store, "last", now).await {
            for file in files(&claimed.lease) {
                store.add_file(&claimed.lease, &file).await.unwrap();
            }
            store
                .complete(&claimed.lease, &claimed.lease.attempt.to_string(), NEVER, now)
                .await
                .unwrap();
        }
        nothing_lost_or_doubled(&store, &said).await;
        let tally = store.tally().await.unwrap();
        assert_eq!(
            tally.of(State::Accepted) + tally.of(State::Running) + tally.of(State::Failed),
            0
        );
        let jobs = store.list(Asker::Server, u32::MAX).await.unwrap();
        let again = jobs.iter().filter(|job| job.attempt > 1).count();
        println!(
            "{} jobs, {} complete, {again} of them by a later attempt",
            jobs.len(),
            tally.of(State::Complete)
        );
        assert!(again > 0, "at least one kill must have struck a job at work");
    });
}
