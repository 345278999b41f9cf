//! Whatever the learned automaton knows of a line, the walker says too: result, captures, and all that a watcher is told.

use arbitrary::{Arbitrary, Unstructured};
use fhirehose_core::scan::learned::{Checked, Learned};
use fhirehose_core::scan::slots::Capture;
use fhirehose_core::scan::trie::Trie;
use fhirehose_core::scan::walk::{self, Flow, WalkScratch, Walked, Watch};

const PATHS: [&[&[&str]]; 4] = [
    &[],
    &[&["a"], &["b", "c"], &["b"], &["b", "c", "d"], &["e", "f"]],
    &[
        &["id"],
        &["status"],
        &["meta", "lastUpdated"],
        &["code", "coding", "system"],
        &["code", "coding", "code"],
        &["subject"],
        &["subject", "reference"],
        &["effectiveDateTime"],
    ],
    &[&["a", "a", "a"], &["a", "a"], &["a"], &["b"], &[""]],
];

/// Passes over the lines: cold, then warm.
const PASSES: usize = 3;
/// So many lines read: values have been counted and become constants, and lines have been learned anew.
const LINES: usize = 220;

#[derive(Arbitrary)]
struct Input<'a> {
    paths: u8,
    /// At which of its calls the watcher stops the walk; 0: never.
    stop_at: u8,
    /// Read the lines until constants are known.
    long: bool,
    bytes: &'a [u8],
}

/// Writes down what it is told.
#[derive(Debug, PartialEq)]
struct Told {
    events: Vec<(usize, usize, Vec<Capture>)>,
    stop_at: usize,
}

impl Told {
    fn new(stop_at: u8) -> Self {
        Told {
            events: Vec::new(),
            stop_at: stop_at.into(),
        }
    }
}

impl Watch for Told {
    fn root_closed(&mut self, child: usize, _: &[u8], at: usize, captures: &[Capture]) -> Flow {
        self.events.push((child, at, captures.to_vec()));
        if self.events.len() == self.stop_at {
            Flow::Drop
        } else {
            Flow::Continue
        }
    }
}

/// Both readers, each with memory of its own.
struct Readers {
    trie: Trie,
    learned: Learned,
    own: WalkScratch,
    walks: WalkScratch,
}

pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let mut block = input.bytes.to_vec();
    block.push(b'\n');
    let mut trie = Trie::default();
    for path in PATHS[usize::from(input.paths) % PATHS.len()] {
        let node = trie.insert(0, path);
        trie.capture(node);
    }
    let mut readers = Readers {
        trie,
        learned: Learned::default(),
        own: WalkScratch::default(),
        walks: WalkScratch::default(),
    };
    let starts: Vec<usize> = std::iter::once(0)
        .chain(memchr_all(&block).map(|newline| newline + 1))
        .filter(|&start| start < block.len())
        .collect();
    let passes = if input.long {
        PASSES + LINES / starts.len()
    } else {
        PASSES
    };
    for pass in 0..passes {
        // Every second pass goes backwards, and every third is not stopped.
        let stop_at = if pass % 3 == 2 { 0 } else { input.stop_at };
        for at in 0..starts.len() {
            let at = if pass % 2 == 0 { at } else { starts.len() - 1 - at };
            compare(&mut readers, &block, starts[at], stop_at);
        }
    }
    assert!(readers.learned.size() < 1 << 22);
}

fn memchr_all(block: &[u8]) -> impl Iterator<Item = usize> {
    block
        .iter()
        .enumerate()
        .filter(|(_, byte)| **byte == b'\n')
        .map(|(at, _)| at)
}

fn compare(readers: &mut Readers, block: &[u8], start: usize, stop_at: u8) {
    let Readers {
        trie,
        learned,
        own,
        walks,
    } = readers;
    let (mut by_own, mut by_walk) = (Told::new(stop_at), Told::new(stop_at));
    let expected = walk::line(block, start, trie, walks, &mut by_walk);
    let got = learned.line(block, start, own, &mut by_own);
    if let Some(got) = got {
        assert_eq!(Ok(got), expected);
        assert_eq!(own.captures, walks.captures);
        assert_eq!(by_own, by_walk);
    }
    if let Ok(walked) = expected {
        let checked = match walked {
            Walked::Whole(_) => Checked::Whole,
            Walked::Stopped(..) => Checked::Part,
        };
        learned.learn(trie, block, start, got.is_none(), checked);
    }
}
