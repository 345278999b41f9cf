//! Merging OLD with the difference of OLD and NEW gives NEW, line for line: 20 seeds, and real data where there is some.

mod exports;
mod jobs;

use std::collections::HashSet;
use std::fs;
use std::path::PathBuf;

use exports::{Exports, gzip, plain, run_diff, run_merge};
use fhirehose_core::partition::Limits;
use fhirehose_native::codec_out::Compression;
use fhirehose_native::snapshot::argument::Argument;
use fhirehose_native::snapshot::tally::Finding;
use fhirehose_native::snapshot::task::Task;

const SEEDS: u64 = 20;

/// SplitMix64: the same on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        word ^ (word >> 31)
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }
}

/// What was done to OLD.
#[derive(Debug, Default, PartialEq, Eq)]
struct Done {
    added: u64,
    changed: u64,
    removed: u64,
    back: u64,
}

/// NEW: of a hundred lines five changed and two removed, and three more; in another order.
fn newer(old: &[Vec<u8>], random: &mut Random) -> (Vec<Vec<u8>>, Done) {
    let mut new = Vec::with_capacity(old.len() + old.len() / 32);
    let mut done = Done::default();
    for (number, line) in old.iter().enumerate() {
        match random.below(100) {
            0 | 1 => {
                done.removed += 1;
                continue;
            }
            2..=6 => {
                done.changed += 1;
                let (line, is_back) = changed(line, number, random);
                done.back += u64::from(is_back);
                new.push(line);
            }
            _ => new.push(line.clone()),
        }
        if random.below(100) < 3 {
            done.added += 1;
            let id = match random.below(10) {
                0 => String::new(),
                _ => format!(r#""id":"added-{number}","#),
            };
            new.push(format!(r#"{{"resourceType":"Basic",{id}"code":{{"text":"{number}"}}}}"#).into_bytes());
        }
    }
    for index in (1..new.len()).rev() {
        new.swap(index, random.below(index as u64 + 1) as usize);
    }
    (new, done)
}

/// Another content, and perhaps another time: an older one too. `true`: the time went back.
fn changed(line: &[u8], number: usize, random: &mut Random) -> (Vec<u8>, bool) {
    const TIME: &[u8] = b"\"lastUpdated\":\"";
    let mut text = line.trim_ascii_end().to_vec();
    text.pop();
    text.extend_from_slice(format!(r#","_changed":{number}}}"#).as_bytes());
    let at = text.windows(TIME.len()).position(|window| window == TIME);
    let way = random.below(4);
    let Some(at) = at.filter(|_| way < 2) else {
        return (text, false);
    };
    let start = at + TIME.len();
    let length = text[start..].iter().position(|&byte| byte == b'"').expect("an end");
    let (time, is_back) = if way == 0 {
        ("1901-02-03T04:05:06Z", true)
    } else {
        ("2199-01-01T00:00:00Z", false)
    };
    text.splice(start..start + length, time.bytes());
    (text, is_back)
}

/// Lines of resources that have an id, each once: what an export is.
fn proper(lines: impl IntoIterator<Item = Vec<u8>>) -> Vec<Vec<u8>> {
    let mut seen = HashSet::new();
    let mut is_new = |line: &Vec<u8>| {
        let value: serde_json::Value = serde_json::from_slice(line).expect("JSON");
        let text = |name: &str| value[name].as_str().map(str::to_owned);
        let key = text("resourceType").zip(text("id"));
        key.is_some_and(|key| seen.insert(key))
    };
    lines.into_iter().filter(|line| is_new(line)).collect()
}

/// Writes lines as some files, plain or compressed.
fn store(exports: &Exports, name: &str, lines: &[Vec<u8>], compressed: bool) {
    for (number, part) in lines.chunks(lines.len() / 3 + 1).enumerate() {
        let mut bytes = part.join(&b'\n');
        bytes.push(b'\n');
        if compressed {
            exports.write(&format!("{name}/part-{number}.ndjson.gz"), gzip(&bytes));
        } else {
            exports.write(&format!("{name}/part-{number}.ndjson"), bytes);
        }
    }
}

fn vary(task: &mut Task, seed: u64) {
    task.by_bytes = seed % 2 == 1;
    task.threads = 1 + seed as usize % 3;
    task.memory = if seed.is_multiple_of(3) { 0 } else { 64 << 20 };
    task.compression = if seed % 4 == 2 {
        Compression::GZIP
    } else {
        Compression::None
    };
    task.chunk = if seed % 5 == 4 { 1000 } else { 256 << 10 };
    task.limits = Limits {
        max_resources: (seed % 5 == 1).then_some(50),
        max_bytes: (seed % 5 == 3).then_some(10_000),
    };
}

/// Checks one seed, and says what was done to OLD.
fn identity(old: &[Vec<u8>], seed: u64) -> Done {
    let (mut new, done) = newer(old, &mut Random(seed));
    let exports = Exports::new();
    store(&exports, "old", old, seed % 4 == 1);
    store(&exports, "new", &new, seed % 4 == 2);
    let mut task = exports.task(&["old", "new"], "delta");
    vary(&mut task, seed);
    let outcome = run_diff(&task).expect("compares");
    let count = |finding: Finding| {
        let found = outcome.findings.iter().find(|(other, _)| *other == finding);
        found.map_or(0, |(_, count)| *count)
    };
    let mut found = Done {
        back: count(Finding::BackInTime),
        ..Done::default()
    };
    for (_, changes) in &outcome.changes {
        found.added += changes.added;
        found.changed += changes.changed;
        found.removed += changes.deleted;
    }
    assert_eq!(found, done, "seed {seed}");
    assert!(!outcome.has_faults(), "seed {seed}: {:?}", outcome.findings);
    let mut task = exports.task(&["old", "delta"], "merged");
    assert_eq!(task.arguments[1].replaces, done.back > 0);
    vary(&mut task, seed);
    let outcome = run_merge(&task).expect("merges");
    assert!(!outcome.has_faults(), "seed {seed}: {:?}", outcome.findings);
    if seed.is_multiple_of(3) && old.len() > 1000 {
        assert!(outcome.runs_on_disk > 0, "little memory means runs on disk");
    }
    new.sort();
    assert!(exports.sorted("merged") == new, "seed {seed}: merged is not NEW");
    let manifest = Argument::open(exports.path("merged").as_os_str()).expect("a manifest");
    let counted: Option<u64> = manifest.inputs.iter().map(|input| input.count).sum();
    assert_eq!(counted, Some(new.len() as u64));
    done
}

#[test]
fn synthetic_exports() {
    let mut back = 0;
    for seed in 0..SEEDS {
        back += identity(&proper(jobs::synthetic(20, seed)), seed).back;
    }
    assert!(back > SEEDS, "times that went back were tried");
}

#[test]
fn real_exports() {
    let Some(folder) = std::env::var_os("FHIREHOSE_DATA").map(PathBuf::from) else {
        println!("skipped: FHIREHOSE_DATA names no folder of *.ndjson.gz");
        return;
    };
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .expect("FHIREHOSE_DATA is a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().ends_with(".ndjson.gz"))
        .collect();
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        lines.extend(
            plain(&file)
                .split(|&byte| byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(<[u8]>::to_vec),
        );
    }
    let old = proper(lines);
    assert!(!old.is_empty(), "no resources in FHIREHOSE_DATA");
    // A quarter for each seed: all lines are met, and the disk is spared.
    for seed in 0..SEEDS {
        let part = old.iter().skip(seed as usize % 4).step_by(4).cloned();
        identity(&part.collect::<Vec<_>>(), seed);
    }
}
