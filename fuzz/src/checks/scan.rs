//! The walker accepts what `serde_json` accepts, watched names that stand twice excepted, and captures its values.

use arbitrary::{Arbitrary, Unstructured};
use fhirehose_core::error::BadLine;
use fhirehose_core::scan::slots::Capture;
use fhirehose_core::scan::trie::Trie;
use fhirehose_core::scan::walk::{self, Fault, Flow, WalkScratch, Walked, Watch};
use serde_json::Value;

/// `serde_json` reads 127 levels into a value.
const DEEPEST: usize = 120;

const PATHS: [&[&[&str]]; 4] = [
    &[],
    &[&["resourceType"], &["meta", "lastUpdated"]],
    &[
        &["a"],
        &["b", "c"],
        &["b"],
        &["b", "c", "d"],
        &["long-name-of-more-than-sixteen-bytes", "x"],
    ],
    &[
        &["code", "coding", "system"],
        &["code", "coding", "code"],
        &["subject", "reference"],
        &["\u{e9}\""],
        &[""],
    ],
];

#[derive(Arbitrary)]
struct Input<'a> {
    paths: u8,
    /// Bytes of another line before this one.
    before: u8,
    bytes: &'a [u8],
}

struct All;

impl Watch for All {
    fn root_closed(&mut self, _: usize, _: &[u8], _: usize, _: &[Capture]) -> Flow {
        Flow::Continue
    }
}

pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let paths = PATHS[usize::from(input.paths) % PATHS.len()];
    let line = input.bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let start = usize::from(input.before);
    let block = [&b"x".repeat(start), line, b"\n{\"a\":1}\n"].concat();
    let newline = start + line.len();
    let mut trie = Trie::default();
    for path in paths {
        let node = trie.insert(0, path);
        trie.capture(node);
    }
    let mut scratch = WalkScratch::default();
    let json = super::is_json(line);
    let object = line.trim_ascii_start().starts_with(b"{");
    match walk::line(&block, start, &trie, &mut scratch, &mut All) {
        Ok(Walked::Whole(end)) => {
            assert_eq!(end, newline);
            assert!(json && object, "accepted what is no JSON object");
            captures(&block, &scratch.captures, line, paths);
        }
        Ok(Walked::Stopped(..)) => panic!("nobody stopped it"),
        Err(Fault { kind, at }) => {
            assert!((start..=newline).contains(&at), "the fault is in the line");
            match kind {
                BadLine::DuplicateName => assert!(!paths.is_empty()),
                BadLine::NotAnObject => assert!(json && !object),
                kind => assert!(!json, "refused JSON as {kind:?}"),
            }
        }
    }
}

fn captures(block: &[u8], captures: &[Capture], line: &[u8], paths: &[&[&str]]) {
    let depth = line.iter().filter(|&&byte| matches!(byte, b'{' | b'[')).count();
    // Lone surrogates are JSON, but no text for `serde_json`.
    let Ok(value) = serde_json::from_slice::<Value>(line) else {
        return;
    };
    if depth > DEEPEST {
        return;
    }
    let paths: Vec<_> = paths.iter().enumerate().map(|(slot, path)| (slot, *path)).collect();
    let mut expected = Vec::new();
    collect(&paths, &value, &mut expected);
    let read = |capture: &Capture| {
        let raw = &block[capture.start as usize..capture.end as usize];
        (
            usize::from(capture.slot),
            serde_json::from_slice(raw).expect("a captured value is JSON"),
        )
    };
    assert_eq!(captures.iter().map(read).collect::<Vec<(usize, Value)>>(), expected);
}

/// The values at these paths in the order in which they end.
fn collect(paths: &[(usize, &[&str])], value: &Value, out: &mut Vec<(usize, Value)>) {
    let Value::Object(members) = value else { return };
    for (name, member) in members {
        let own = paths.iter().filter(|(_, path)| path.first() == Some(&name.as_str()));
        let own: Vec<(usize, &[&str])> = own.map(|(slot, path)| (*slot, &path[1..])).collect();
        let items = match member {
            Value::Array(items) => items.as_slice(),
            other => std::slice::from_ref(other),
        };
        for item in items {
            collect(&own, item, out);
            out.extend(
                own.iter()
                    .filter(|(_, path)| path.is_empty())
                    .map(|(slot, _)| (*slot, item.clone())),
            );
        }
    }
}
