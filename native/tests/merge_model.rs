//! Merge and diff of random small exports against the rules written down slowly.

mod exports;

use std::collections::BTreeMap;

use exports::{Exports, run_diff, run_merge};

/// SplitMix64: the same on every machine.
struct Random(u64);

impl Random {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut word = self.0;
        word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (word ^ (word >> 31)) % most
    }

    /// A second, or none.
    fn time(&mut self) -> Option<u64> {
        Some(self.below(6)).filter(|_| self.below(4) > 0)
    }
}

/// An export: versions and deletions by id, in the order of lines.
#[derive(Default)]
struct Part {
    lines: Vec<String>,
    versions: BTreeMap<u64, Vec<(Option<u64>, String)>>,
    deletions: BTreeMap<u64, Vec<Option<u64>>>,
}

fn part(random: &mut Random, has_deletions: bool) -> Part {
    let mut part = Part::default();
    for _ in 0..random.below(12) {
        let (id, time) = (random.below(5), random.time());
        let stamp = |name: &str| {
            time.map_or(String::new(), |time| {
                format!(r#""{name}":"2024-01-01T00:00:0{time}Z","#)
            })
        };
        if has_deletions && random.below(4) == 0 {
            part.deletions.entry(id).or_default().push(time);
            part.lines.push(format!(
                r#"{{"resourceType":"Bundle",{}"type":"transaction","entry":[{{"request":{{"method":"DELETE","url":"Basic/{id}"}}}}]}}"#,
                stamp("timestamp")
            ));
        } else {
            let meta = stamp("lastUpdated");
            let line = format!(
                r#"{{"resourceType":"Basic","id":"{id}","meta":{{{}}},"x":{}}}"#,
                meta.trim_end_matches(','),
                random.below(3)
            );
            part.versions.entry(id).or_default().push((time, line.clone()));
            part.lines.push(line);
        }
    }
    part
}

fn is_older(one: Option<u64>, other: Option<u64>) -> bool {
    one.zip(other).is_some_and(|(one, other)| one < other)
}

/// The rules of docs/merge-and-diff.md, one id at a time.
fn slowly(parts: &[Part]) -> Vec<String> {
    let mut all = Vec::new();
    for id in 0..5 {
        let mut stands: Option<(Option<u64>, String)> = None;
        for part in parts {
            let mut own: Option<(Option<u64>, String)> = None;
            for version in part.versions.get(&id).into_iter().flatten() {
                if own.as_ref().is_none_or(|own| !is_older(version.0, own.0)) {
                    own = Some(version.clone());
                }
            }
            for deletion in part.deletions.get(&id).into_iter().flatten() {
                own = own.filter(|own| is_older(*deletion, own.0));
                stands = stands.filter(|stands| is_older(*deletion, stands.0));
            }
            if let Some(own) = own
                && stands.as_ref().is_none_or(|stands| !is_older(own.0, stands.0))
            {
                stands = Some(own);
            }
        }
        all.extend(stands.map(|(_, line)| line));
    }
    all.sort();
    all
}

fn stored(exports: &Exports, parts: &[Part]) -> Vec<String> {
    let names: Vec<String> = (0..parts.len()).map(|number| format!("part-{number}")).collect();
    for (name, part) in names.iter().zip(parts) {
        let lines: Vec<&str> = part.lines.iter().map(String::as_str).collect();
        exports.lines(name, &lines);
    }
    names
}

fn sorted(exports: &Exports, name: &str) -> Vec<String> {
    let mut lines = exports.texts(name);
    lines.sort();
    lines
}

#[test]
fn merges_are_what_the_rules_say() {
    let mut random = Random(1);
    for round in 0..60 {
        let parts: Vec<Part> = (0..1 + random.below(4)).map(|_| part(&mut random, true)).collect();
        let exports = Exports::new();
        let names = stored(&exports, &parts);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut task = exports.task(&names, "out");
        (task.memory, task.threads, task.chunk) = (0, 1 + round % 3, 50 + round);
        run_merge(&task).expect("merges");
        assert_eq!(sorted(&exports, "out"), slowly(&parts), "round {round}");
    }
}

#[test]
fn a_delta_leads_from_any_export_to_any_other() {
    let mut random = Random(2);
    for round in 0..60 {
        let parts = [part(&mut random, round % 2 == 0), part(&mut random, round % 3 == 0)];
        let exports = Exports::new();
        stored(&exports, &parts);
        run_diff(&exports.task(&["part-0", "part-1"], "delta")).expect("compares");
        run_merge(&exports.task(&["part-0", "delta"], "out")).expect("merges");
        assert_eq!(sorted(&exports, "out"), slowly(&parts[1..]), "round {round}");
    }
}
