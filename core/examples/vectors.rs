//! The vectors of the machine that runs it, against the safe twin: `cargo run --example vectors`.
//!
//! It needs nothing but the core, so it also runs where there are no files and no test harness: `scripts/wasm` builds it for
//! WebAssembly and runs it, and a difference is a trap.
#![expect(clippy::print_stdout, reason = "it is a program that says what it did")]

use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::scan::simd::lanes::{CHUNK, Chunk, Lanes, Task, Width, Words};
use fhirehose_core::scan::simd::line_ends::{LineEnds, line_ends, line_ends_searched};
use fhirehose_core::search::table::Registry;
use fhirehose_core::sieve::{self, Batch, Scratch};

struct Both<'c>(&'c Chunk, &'c Chunk);

impl Task for Both<'_> {
    type Output = (u32, u32);

    #[inline(always)]
    fn run<L: Lanes>(self) -> (u32, u32) {
        (L::equal(self.0, self.1), L::special(self.0))
    }
}

fn check(left: &Chunk, right: &Chunk) {
    let expected = Both(left, right).run::<Words>();
    assert_eq!(Width::common().run(Both(left, right)), expected);
    assert_eq!(Width::widest().run(Both(left, right)), expected);
}

/// Chunks that differ in one byte, and chunks of any bytes.
fn chunks() -> u32 {
    let mut checked = 0;
    for byte in 0..=255u8 {
        for at in 0..CHUNK {
            let right = [b'a'; CHUNK];
            let mut left = right;
            left[at] = byte;
            check(&left, &right);
            checked += 1;
        }
    }
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    for _ in 0..10_000 {
        let left: Chunk = std::array::from_fn(|_| next());
        let right = left.map(|byte| if next() < 0x40 { next() } else { byte });
        check(&left, &right);
        checked += 1;
    }
    checked
}

/// The ends of lines, and pairs of bytes, in texts of the letters that they are made of.
fn ends() -> usize {
    const LETTERS: &[u8] = b"\n\\u}{ab\"";
    let pairs = [*b"ab", *b"aa", *b"b\"", *b"ba"];
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 40) as usize
    };
    let (mut found, mut expected) = (LineEnds::default(), LineEnds::default());
    let mut ends = 0;
    for number in 0..2_000 {
        let kinds = 1 + next() % LETTERS.len();
        let text: Vec<u8> = (0..number % 300).map(|_| LETTERS[next() % kinds]).collect();
        for count in 0..=pairs.len() {
            line_ends(&text, &pairs[..count], &mut found);
            expected.ends.clear();
            expected.pairs.clear();
            line_ends_searched(&text, &pairs[..count], &mut expected);
            assert_eq!(found, expected);
        }
        ends += found.ends.len();
    }
    ends
}

/// Lines of one shape, with every kind of value, through the learned scanner and through the walker.
fn lines() -> u64 {
    let request = Request {
        type_filters: vec!["Observation?code=c7&date=ge2015".to_owned()],
        ..Request::default()
    };
    let plan = Plan::compile(&request, &Registry::r4()).expect("a valid filter");
    let mut block = String::new();
    for number in 0..2_000 {
        let text = if number % 50 == 0 { "caf\u{e9} \\n" } else { "plain" };
        block.push_str(&format!(
            r#"{{"resourceType":"Observation","id":"o{number}","code":{{"coding":[{{"system":"http://example.org/a-rather-long-name/of-a-system","code":"c{}"}}],"text":"{text}"}},"effectiveDateTime":"{}-02-03","valueQuantity":{{"value":{}.5e1}}}}"#,
            number % 9,
            2010 + number % 11,
            number
        ));
        block.push('\n');
    }
    let sieve = |learns: bool| {
        let mut scratch = Scratch::default().with_learning(learns);
        let mut batch = Batch::default();
        for _ in 0..2 {
            sieve::run(&plan, block.as_bytes(), &mut scratch, &mut batch);
        }
        batch
    };
    let (learned, walked) = (sieve(true), sieve(false));
    assert!(learned == walked, "the learned scanner and the walker disagree");
    assert!(learned.bad.is_empty());
    learned.runs.iter().map(|run| u64::from(run.lines)).sum()
}

fn main() {
    println!(
        "{} chunks, {} ends and {} kept lines: all agree",
        chunks(),
        ends(),
        lines()
    );
}
