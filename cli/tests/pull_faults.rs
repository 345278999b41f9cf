//! Whatever a proxy does to what passes through it, and whenever a pull is killed: the output is the direct export byte for
//! byte, or the pull says why not and goes on when things are calm. On Unix.
#![cfg(unix)]

mod binary;
mod serving;

use std::collections::BTreeMap;
use std::fs;
use std::process::Child;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use binary::{Folder, Ran};
use fhirehose_tests::faults::{At, Class, Fault, Faults, Progress, Proxy};
use fhirehose_tests::random::Random;
use serde_json::Value;
use serving::Server;

/// Longest that any one pull may take; one that needs it hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Seeds of the test that kills, and how many of them run side by side.
const SEEDS: u64 = 100;
const LANES: u64 = SHAPES.len() as u64;

/// Patience is for people: waits end soon, whatever the proxy says, and what hangs is given up soon.
const QUICK: [&str; 6] = ["--longest-wait", "50ms", "--stall", "1s", "--attempts", "12"];

/// The files of a folder by name; of the manifest what does not tell when and of whom it was asked for.
type Output = BTreeMap<String, Vec<u8>>;

/// A server, and what is asked of it.
#[derive(Clone, Copy, Debug)]
struct Shape {
    /// Flags of the server.
    server: &'static [&'static str],
    /// Flags of the pull that `export` has, too.
    both: &'static [&'static str],
    /// Flags of the pull alone.
    pull: &'static [&'static str],
    /// No authorization.
    is_open: bool,
    /// More files than that come of it.
    least_files: usize,
}

/// Each with its own server. Files are small, so that there are many.
const SHAPES: [Shape; 8] = [
    Shape {
        server: &["--max-resources", "25"],
        both: &["--compress", "none"],
        pull: &[],
        is_open: true,
        least_files: 40,
    },
    Shape {
        server: &["--max-resources", "25"],
        both: &["--compress", "none"],
        pull: &[],
        is_open: false,
        least_files: 40,
    },
    // A manifest of pages, and files that can be had in parts as they are.
    Shape {
        server: &["--max-resources", "25", "--page", "7", "--compress", "none"],
        both: &["--compress", "none"],
        pull: &[],
        is_open: true,
        least_files: 40,
    },
    Shape {
        server: &["--max-resources", "25", "--ig", "4", "--partial-page", "5"],
        both: &["--compress", "none", "--ig", "4"],
        pull: &["--partial"],
        is_open: false,
        least_files: 40,
    },
    // A filter that is held against each line here.
    Shape {
        server: &["--max-resources", "25"],
        both: &[
            "--type",
            "Observation,Condition,Encounter",
            "--type-filter",
            "Observation?date=ge2015",
        ],
        pull: &["--enforce", "always"],
        is_open: false,
        least_files: 3,
    },
    // Divided anew when all of it is there.
    Shape {
        server: &["--max-resources", "40"],
        both: &["--max-resources", "15", "--compress", "none"],
        pull: &[],
        is_open: true,
        least_files: 50,
    },
    Shape {
        server: &["--max-resources", "25"],
        both: &["--organize-by", "Patient", "--max-resources", "100"],
        pull: &[],
        is_open: false,
        least_files: 5,
    },
    // Few large files.
    Shape {
        server: &[],
        both: &["--compress", "none"],
        pull: &["--parallel", "2"],
        is_open: true,
        least_files: 25,
    },
];

/// The data, and what the command line exports of them in each shape.
struct Expected {
    folder: Folder,
    outputs: Vec<Output>,
}

fn expected() -> &'static Expected {
    static EXPECTED: OnceLock<Expected> = OnceLock::new();
    EXPECTED.get_or_init(|| {
        let folder = Folder::new();
        folder
            .run(&["synth", "--patients", "8", "--seed", "7", "-o", "data"])
            .ends(0);
        let export = |(number, shape): (usize, &Shape)| {
            let out = format!("direct-{number}");
            // As the server divides it, where the pull does not.
            let divided = shape.server.iter().position(|flag| *flag == "--max-resources");
            let divided = divided.filter(|_| !shape.both.contains(&"--max-resources"));
            let divided = divided.map_or(&[][..], |at| &shape.server[at..at + 2]);
            folder
                .run(&[&["export", "data", "-o", &out], shape.both, divided].concat())
                .ends(0);
            let output = output(&folder, &out);
            assert!(output.len() > shape.least_files, "{number}: {} files", output.len());
            output
        };
        let outputs = SHAPES.iter().enumerate().map(export).collect();
        Expected { folder, outputs }
    })
}

fn output(folder: &Folder, name: &str) -> Output {
    let files = folder.files(name).into_iter();
    let read = |file: &String| fs::read(folder.path(name).join(file)).expect("reads");
    files
        .map(|file| {
            let bytes = read(&file);
            if file != "manifest.json" {
                return (file, bytes);
            }
            let mut manifest: Value = serde_json::from_slice(&bytes).expect("JSON");
            assert!(manifest["transactionTime"].is_string(), "{file}");
            for member in ["transactionTime", "request"] {
                manifest[member] = Value::Null;
            }
            (file, manifest.to_string().into_bytes())
        })
        .collect()
}

/// A server behind a proxy, and a folder for the pulls.
struct Lane {
    folder: Folder,
    proxy: Proxy,
    _server: Server,
    base: String,
    shape: usize,
}

impl Lane {
    fn new(faults: Faults, shape: usize) -> Lane {
        let is_open = SHAPES[shape].is_open;
        let folder = Folder::new();
        let proxy = Proxy::listen(0, faults);
        let base = format!("{}/fhir", proxy.origin());
        let data = expected().folder.path("data");
        let data = data.to_str().expect("UTF-8");
        let mut args = vec!["--data", data, "--public-url", &base];
        args.extend(SHAPES[shape].server);
        if is_open {
            args.push("--open");
        } else {
            folder.write("jwks.json", include_str!("keys/jwks.json"));
            folder.write("key.pem", include_str!("keys/test-only-ec.pem"));
            let add = [
                "client",
                "add",
                "it",
                "--id",
                "it",
                "--jwks",
                "jwks.json",
                "--scope",
                "system/*.read",
            ];
            folder.run(&add).ends(0);
        }
        let server = Server::start_over(&folder, &args);
        proxy.forward_to(&server.root);
        Lane {
            folder,
            proxy,
            _server: server,
            base,
            shape,
        }
    }

    fn spawn(&self, args: &[&str]) -> Child {
        let mut all = vec!["pull"];
        all.extend(args);
        all.extend(QUICK);
        self.folder.command(&all).spawn().expect("starts")
    }

    /// Begins a pull into the folder.
    fn begin(&self, out: &str) -> Child {
        let shape = SHAPES[self.shape];
        let mut args = vec![&*self.base, "--system", "-o", out, "--no-checksums"];
        args.extend(shape.both.iter().chain(shape.pull));
        if !shape.is_open {
            args.extend(["--client-id", "it", "--key", "key.pem", "--key-id", "ec-of-tests"]);
        }
        self.spawn(&args)
    }

    fn resume(&self, out: &str) -> Child {
        self.spawn(&["--resume", out])
    }

    /// Lets it run to its end, which comes.
    #[track_caller]
    fn end(&self, child: Child) -> Ran {
        self.end_or(child, |_| false).expect("it was not killed")
    }

    /// The same; nothing if it was killed, because it had come so far.
    #[track_caller]
    fn end_or(&self, mut child: Child, mut is_far: impl FnMut(&Proxy) -> bool) -> Option<Ran> {
        let begun = Instant::now();
        while child.try_wait().expect("a state").is_none() {
            let kills = is_far(&self.proxy);
            if kills || begun.elapsed() > LIMIT {
                child.kill().expect("kills");
                let ran = Ran::of(child);
                assert!(kills, "it hangs: {ran:?}\n{}", self.tail());
                return None;
            }
            // Whichever comes first: the next thing that it does, or a look at whether it has ended.
            let before = self.proxy.progress();
            self.proxy.wait_until(Duration::from_millis(2), |now| now != before);
        }
        Some(Ran::of(child))
    }

    /// What went through the proxy last.
    fn tail(&self) -> String {
        let seen = self.proxy.seen();
        let last = seen.iter().rev().take(12).rev();
        last.map(|seen| format!("{seen:?}\n")).collect()
    }

    /// Goes on until it is there; what is told on the way says that it can be gone on with, or that nothing was begun.
    #[track_caller]
    fn complete(&self, out: &str, mut ran: Option<Ran>, what: &str) {
        let mut has_calmed = false;
        loop {
            match ran {
                Some(ran) if ran.code == Some(0) => break,
                Some(ran) => {
                    assert!(
                        !has_calmed,
                        "{what}: it does not go on when all is calm: {ran:?}\n{}",
                        self.tail()
                    );
                    assert!(
                        matches!(ran.code, Some(1..=3)) && !ran.err.is_empty(),
                        "{what}: {ran:?}"
                    );
                    self.proxy.calm();
                    has_calmed = true;
                }
                None => {}
            }
            let resumed = self.end(self.resume(out));
            // Killed before anything was asked of the server.
            let is_nothing = resumed.code == Some(2) && resumed.err.contains("nothing to");
            ran = Some(if is_nothing { self.end(self.begin(out)) } else { resumed });
        }
        self.holds(out, what);
    }

    /// The output is the direct export, and the token was where it belongs.
    #[track_caller]
    fn holds(&self, out: &str, what: &str) {
        let output = output(&self.folder, out);
        let expected = &expected().outputs[self.shape];
        let names = |output: &Output| output.keys().cloned().collect::<Vec<_>>();
        assert_eq!(names(&output), names(expected), "{what}\n{}", self.tail());
        for (name, bytes) in expected {
            assert!(&output[name] == bytes, "{what}: {name} differs\n{}", self.tail());
        }
        for seen in self.proxy.seen() {
            assert!(
                seen.at == At::Main || !seen.authorized,
                "{what}: the token went elsewhere: {seen:?}"
            );
            let may_be_authorized = !SHAPES[self.shape].is_open && seen.class != Class::Token;
            assert!(may_be_authorized || !seen.authorized, "{what}: a token: {seen:?}");
        }
    }
}

/// When a pull is killed.
#[derive(Clone, Copy, Debug)]
enum Moment {
    /// So many requests have come.
    Requests(usize),
    /// So many bytes have gone to it.
    Bytes(u64),
    /// So many files stand in their places.
    Files(usize),
    /// The job is being deleted.
    Deleted,
}

impl Moment {
    fn draw(random: &mut Random, now: Progress) -> Moment {
        match random.below(10) {
            0..5 => Moment::Requests(now.requests + 1 + random.below(70) as usize),
            5..8 => Moment::Bytes(now.bytes + random.below(120_000)),
            8 => Moment::Files(1 + random.below(20) as usize),
            _ => Moment::Deleted,
        }
    }

    fn has_come(self, lane: &Lane, out: &str) -> bool {
        let progress = lane.proxy.progress();
        match self {
            Moment::Requests(many) => progress.requests >= many,
            Moment::Bytes(many) => progress.bytes >= many,
            Moment::Files(many) => fs::read_dir(lane.folder.path(out)).is_ok_and(|found| found.count() > many),
            Moment::Deleted => lane.proxy.seen().iter().any(|seen| seen.class == Class::Delete),
        }
    }
}

/// Everything that can happen, most of it now and then.
fn all_faults() -> Faults {
    Faults::all(12)
        .with(Fault::OddWait, 500)
        .with(Fault::ChangeManifest, 300)
        // These cost a hundred megabytes, up to a gigabyte, or a second.
        .with(Fault::HugeManifest, 10)
        .with(Fault::Endless, 2)
        .with(Fault::Hang, 2)
        .hanging(Duration::from_secs(3))
}

#[test]
fn killed_at_any_moment_behind_a_proxy_that_breaks_everything_it_becomes_the_direct_export() {
    let run = |lane_number: u64| {
        let lane = Lane::new(all_faults(), lane_number as usize % SHAPES.len());
        let mut kills = 0;
        for seed in (lane_number..SEEDS).step_by(LANES as usize) {
            lane.proxy.begin_anew(seed);
            let mut random = Random::new(seed);
            let out = format!("out-{seed}");
            let mut moments = Vec::new();
            let mut child = lane.begin(&out);
            // Killed once, often twice, seldom more.
            let ran = loop {
                moments.push(Moment::draw(&mut random, lane.proxy.progress()));
                let ran = lane.end_or(child, |_| moments[moments.len() - 1].has_come(&lane, &out));
                kills += u64::from(ran.is_none());
                if ran.is_some() || random.one_in(2) {
                    break ran;
                }
                child = lane.resume(&out);
            };
            lane.complete(
                &out,
                ran,
                &format!("seed {seed}, {:?}, killed at {moments:?}", SHAPES[lane.shape]),
            );
            fs::remove_dir_all(lane.folder.path(&out)).expect("removes");
        }
        kills
    };
    let kills: u64 = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..LANES).map(|number| scope.spawn(move || run(number))).collect();
        lanes.into_iter().map(|lane| lane.join().expect("no fault")).sum()
    });
    // What ended before its moment was not killed.
    assert!(kills > SEEDS * 2 / 3, "{kills}");
}

#[test]
fn each_fault_alone_is_lived_through_or_told() {
    let run = |number: u64, fault: Fault| {
        let rate = match fault {
            Fault::Delay | Fault::OddWait | Fault::ChangeManifest | Fault::Redirect => 1000,
            Fault::Endless | Fault::HugeManifest | Fault::Hang => 60,
            _ => 150,
        };
        let faults = Faults::only(fault, rate).hanging(Duration::from_secs(3));
        let lane = Lane::new(
            faults,
            if fault == Fault::Expire {
                1
            } else {
                number as usize % SHAPES.len()
            },
        );
        lane.proxy.begin_anew(number);
        let ran = lane.end(lane.begin("out"));
        let has_failed = ran.code != Some(0);
        lane.complete("out", Some(ran), &format!("{fault:?}"));
        let done = lane
            .proxy
            .seen()
            .iter()
            .filter(|seen| seen.fault == Some(fault))
            .count();
        (fault, done, has_failed)
    };
    let results: Vec<_> = std::thread::scope(|scope| {
        let all = (0..).zip(Fault::ALL);
        let runs: Vec<_> = all
            .map(|(number, fault)| scope.spawn(move || run(number, fault)))
            .collect();
        runs.into_iter().map(|run| run.join().expect("no fault")).collect()
    });
    for (fault, done, has_failed) in results {
        println!(
            "{fault:?}: {done} times{}",
            if has_failed { ", told and gone on with" } else { "" }
        );
        assert!(done > 0 || fault == Fault::HugeManifest, "{fault:?} did not happen");
    }
}
