//! Killed at any moment and started again on the same state, the server completes every job that it took, with the files
//! that the command line writes; and what was deleted or has expired is gone whole. On Unix.
#![cfg(unix)]

mod binary;
mod serving;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use binary::Folder;
use fhirehose_tests::data;
use fhirehose_tests::random::Random;
use serde_json::Value;
use serving::{ASYNC, Server, try_request};

/// What is asked for: the path of the kick-off, and the same in words of the command line.
const ASKED: [(&str, &[&str]); 4] = [
    ("$export", &[]),
    ("$export?_type=Observation,Patient", &["--type", "Observation,Patient"]),
    (
        "$export?_typeFilter=Observation%3Fstatus%3Dfinal&_elements=subject,code",
        &[
            "--type-filter",
            "Observation?status=final",
            "--elements",
            "subject,code",
        ],
    ),
    (
        "$export?_type=Condition,Encounter,Observation&_since=2000-01-01T00:00:00Z",
        &[
            "--type",
            "Condition,Encounter,Observation",
            "--since",
            "2000-01-01T00:00:00Z",
        ],
    ),
];

const KILLS: usize = 20;
const PATIENCE: Duration = Duration::from_secs(120);

/// A number below the bound.
fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).expect("it fits")
}

/// A job that was taken, and which of the requests it is.
#[derive(Clone, Debug)]
struct Taken {
    id: String,
    asked: usize,
}

/// Entries below a folder.
fn entries(folder: &Path) -> usize {
    let Ok(found) = fs::read_dir(folder) else { return 0 };
    found.flatten().map(|entry| 1 + entries(&entry.path())).sum()
}

/// Bytes below a folder.
fn bytes(folder: &Path) -> u64 {
    let Ok(found) = fs::read_dir(folder) else { return 0 };
    let size = |entry: fs::DirEntry| match entry.metadata() {
        Ok(known) if known.is_dir() => bytes(&entry.path()),
        Ok(known) => known.len(),
        Err(_) => 0,
    };
    found.flatten().map(size).sum()
}

fn kick_off(server: &Server, asked: usize) -> Taken {
    let status = server.kick_off(ASKED[asked].0);
    let id = status.rsplit('/').next().expect("an id").to_owned();
    Taken { id, asked }
}

fn status(server: &Server, job: &Taken) -> serving::Answer {
    server.wait(&format!("bulk-export/jobs/{}", job.id))
}

/// Exports by the command line what the server is asked for.
fn by_command_line(folder: &Folder, data: &str) {
    for (at, (_, options)) in ASKED.iter().enumerate() {
        let out = format!("expected-{at}");
        let args = [&["export", data, "-o", &out, "--compress", "gzip"], *options].concat();
        folder.run(&args).ends(0);
    }
}

/// Whether the files of a complete job are those of the command line, byte for byte as they are stored.
fn is_right(folder: &Folder, server: &Server, job: &Taken, manifest: &Value) {
    let expected = format!("expected-{}", job.asked);
    let written: Value = serde_json::from_str(&folder.read(&format!("{expected}/manifest.json"))).expect("JSON");
    let list = |manifest: &Value| manifest["output"].as_array().expect("a list").clone();
    let (served, written) = (list(manifest), list(&written));
    assert_eq!(served.len(), written.len(), "{manifest}");
    for (served, written) in served.iter().zip(&written) {
        assert_eq!(
            (&served["type"], &served["count"]),
            (&written["type"], &written["count"])
        );
        let url = served["url"].as_str().expect("a URL");
        let body = server.get(url, &[("accept-encoding", "gzip")]).is(200).body;
        let path = folder.path(&expected).join(written["url"].as_str().expect("a URL"));
        assert!(body == fs::read(path).expect("reads"), "{}: {served}", job.id);
    }
}

/// A moment to be killed at, by what is seen of the server's work.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So many files and folders more lie among those of jobs.
    Entries(usize),
    /// So many bytes more.
    Bytes(u64),
    /// So many percent of the youngest job are told.
    Percent(u64),
    /// The youngest job is told to be complete.
    Complete,
    /// At once.
    Now,
}

impl Moment {
    fn drawn(random: &mut Random, whole: u64) -> Moment {
        match random.below(10) {
            0 => Moment::Now,
            1 => Moment::Complete,
            2..4 => Moment::Percent(random.below(90)),
            4..7 => Moment::Entries(1 + below(random, 25)),
            _ => Moment::Bytes(random.below(100) * whole / 150),
        }
    }
}

/// Waits until the moment has come, or all jobs have ended. Whether work was under way.
fn wait_for(moment: Moment, server: &Server, jobs: &[Taken], folder: &Path, before: (usize, u64)) -> bool {
    let begun = Instant::now();
    let youngest = jobs.last().expect("a job");
    loop {
        assert!(begun.elapsed() < PATIENCE, "{moment:?} does not come");
        let answer = server.get(&format!("bulk-export/jobs/{}", youngest.id), &[]);
        let percent = answer.header("x-progress").trim_end_matches('%').parse().unwrap_or(0);
        let has_come = match moment {
            Moment::Now => true,
            Moment::Entries(more) => entries(folder) >= before.0 + more,
            Moment::Bytes(more) => bytes(folder) >= before.1 + more,
            Moment::Percent(wanted) => percent >= wanted,
            Moment::Complete => answer.status == 200,
        };
        if has_come || answer.status == 200 {
            return answer.status != 200;
        }
        // The status may be asked for a few times a second; what is on the disk, as often as one likes.
        serving::pause(Duration::from_millis(if answer.status == 429 { 20 } else { 2 }));
    }
}

/// Kills and starts a server so often, and holds what comes of its jobs against the command line.
fn kill_again_and_again(folder: &Folder, data: &str, seed: u64) {
    by_command_line(folder, data);
    let whole = bytes(&folder.path("expected-0"));
    let jobs_folder = folder.path("fhirehose-state/jobs");
    let args = ["--open", "--data", data, "--threads", "1", "--max-queued", "1000"];
    let mut random = Random::new(seed);
    let mut jobs: Vec<Taken> = Vec::new();
    let mut at_work = 0;
    for round in 0..KILLS {
        let server = Server::start_over(folder, &args);
        if round % 2 == 1 {
            jobs.push(kick_off(&server, below(&mut random, ASKED.len())));
        }
        jobs.push(kick_off(&server, 0));
        let before = (entries(&jobs_folder), bytes(&jobs_folder));
        let moment = Moment::drawn(&mut random, whole);
        at_work += usize::from(wait_for(moment, &server, &jobs, &jobs_folder, before));
        server.kill();
    }
    let server = Server::start_over(folder, &args);
    for job in &jobs {
        let ended = status(&server, job);
        assert_eq!(ended.status, 200, "{job:?}: {}", ended.text());
        is_right(folder, &server, job, &ended.json());
    }
    eprintln!(
        "{KILLS} kills, {at_work} of them at work, {} jobs, all complete and right",
        jobs.len()
    );
    assert!(at_work >= KILLS / 4, "only {at_work} of {KILLS} were killed at work");
    assert_eq!(folders(&jobs_folder), jobs.len());
}

/// Folders of jobs.
fn folders(folder: &Path) -> usize {
    fs::read_dir(folder).map_or(0, Iterator::count)
}

/// Some megabytes of all types.
fn synthetic(folder: &Folder, patients: &str) {
    folder
        .run(&["synth", "-o", "data", "--patients", patients, "--seed", "7"])
        .ends(0);
}

#[test]
fn every_job_completes_however_often_the_server_is_killed() {
    let folder = Folder::new();
    synthetic(&folder, "600");
    kill_again_and_again(&folder, "data", 1);
}

#[test]
fn the_same_over_large_data() {
    let Some(data) = data::folder() else {
        eprintln!("skipped: FHIREHOSE_DATA is not set");
        return;
    };
    kill_again_and_again(&Folder::new(), &data.to_string_lossy(), 2);
}

/// Waits until no more than so many folders of jobs are there.
fn until_swept(folder: &Path, left: usize) {
    let begun = Instant::now();
    while folders(folder) > left {
        assert!(begun.elapsed() < PATIENCE, "{} folders stay", folders(folder));
        serving::pause(Duration::from_millis(5));
    }
}

#[test]
fn a_job_that_is_deleted_in_that_moment_is_gone_or_whole() {
    let folder = Folder::new();
    synthetic(&folder, "20");
    by_command_line(&folder, "data");
    let jobs_folder = folder.path("fhirehose-state/jobs");
    let mut random = Random::new(3);
    let (mut gone, mut kept, mut next) = (0, 0, None);
    for _ in 0..12 {
        let server = next.take().unwrap_or_else(|| Server::open(&folder));
        let job = kick_off(&server, 0);
        status(&server, &job).is(200);
        let all = entries(&jobs_folder);
        let url = format!("{}/bulk-export/jobs/{}", server.base, job.id);
        // The server may be gone before it has answered.
        let deleting =
            std::thread::spawn(move || try_request("DELETE", &url, &[], b"").map(|answer| answer.status).ok());
        let (mut spins, wanted) = (random.below(400), below(&mut random, 30));
        while !deleting.is_finished() && spins > 0
            || deleting.is_finished() && spins > 0 && entries(&jobs_folder) + wanted > all
        {
            spins -= 1;
            std::thread::yield_now();
        }
        server.kill();
        let told = deleting.join().expect("asked");
        let server = Server::open(&folder);
        let answer = server.get(&format!("bulk-export/jobs/{}", job.id), &[]);
        if answer.status == 404 {
            gone += 1;
            until_swept(&jobs_folder, kept);
        } else {
            assert_ne!(told, Some(202), "it was told to be deleted, and is there");
            is_right(&folder, &server, &job, &answer.is(200).json());
            kept += 1;
        }
        next = Some(server);
    }
    eprintln!("{gone} gone, {kept} kept whole");
    assert!(gone > 0);
}

#[test]
fn a_running_job_that_is_deleted_in_that_moment_is_gone_or_completes() {
    let folder = Folder::new();
    synthetic(&folder, "60");
    by_command_line(&folder, "data");
    let jobs_folder = folder.path("fhirehose-state/jobs");
    let mut random = Random::new(4);
    let (mut gone, mut kept) = (0, 0);
    for _ in 0..8 {
        let server = Server::open(&folder);
        let before = (entries(&jobs_folder), 0);
        let job = kick_off(&server, 0);
        wait_for(
            Moment::Entries(below(&mut random, 6)),
            &server,
            std::slice::from_ref(&job),
            &jobs_folder,
            before,
        );
        let url = format!("{}/bulk-export/jobs/{}", server.base, job.id);
        let deleting =
            std::thread::spawn(move || try_request("DELETE", &url, &[], b"").map(|answer| answer.status).ok());
        for _ in 0..random.below(300) {
            std::thread::yield_now();
        }
        server.kill();
        let told = deleting.join().expect("asked");
        let server = Server::open(&folder);
        let ended = status(&server, &job);
        if ended.status == 404 {
            gone += 1;
            until_swept(&jobs_folder, kept);
        } else {
            assert_ne!(told, Some(202), "it was told to be deleted, and is there");
            is_right(&folder, &server, &job, &ended.is(200).json());
            kept += 1;
        }
    }
    eprintln!("{gone} gone, {kept} complete");
}

#[test]
fn what_has_expired_is_gone_or_whole_and_leaves_no_folder() {
    let folder = Folder::new();
    synthetic(&folder, "3");
    by_command_line(&folder, "data");
    let jobs_folder = folder.path("fhirehose-state/jobs");
    let mut random = Random::new(5);
    for _ in 0..4 {
        // Long enough for all to be taken and short enough to be over when the next server starts.
        let server = Server::start(&folder, &["--open", "--expires", "1s"]);
        let jobs: Vec<Taken> = (0..24).map(|_| kick_off(&server, 1)).collect();
        let ends: Vec<String> = jobs
            .iter()
            .map(|job| status(&server, job).is(200).header("expires").to_owned())
            .collect();
        server.kill();
        assert!(ends.iter().all(|end| end.ends_with("GMT")));
        let over = Instant::now() + Duration::from_millis(1100);
        while Instant::now() < over {
            serving::pause(Duration::from_millis(20));
        }
        // It sweeps when it starts. Killed when so many are gone.
        let wanted = below(&mut random, jobs.len());
        let server = Server::open(&folder);
        while folders(&jobs_folder) > wanted {
            std::thread::yield_now();
        }
        server.kill();
        let server = Server::open(&folder);
        for job in &jobs {
            let answer = server.get(&format!("bulk-export/jobs/{}", job.id), &ASYNC);
            if answer.status != 404 {
                is_right(&folder, &server, job, &answer.is(200).json());
            }
        }
        until_swept(&jobs_folder, 0);
        let job = kick_off(&server, 0);
        status(&server, &job).is(200);
        server
            .request("DELETE", &format!("bulk-export/jobs/{}", job.id), &[], b"")
            .is(202);
    }
}
