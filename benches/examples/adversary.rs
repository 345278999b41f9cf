//! What lines cost that somebody has made so that they cost most: by default, against the strict walk of the same lines.
//!
//! `cargo run --release -p fhirehose-benches --example adversary [repeats]`. GB/s by the thread's CPU time.
#![expect(clippy::print_stdout, reason = "it is a program that prints a table")]

use std::hint::black_box;

use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sieve::{self, Batch, Prefilter, Scratch};
use rustix::time::{ClockId, clock_gettime};

const BLOCK: usize = 256 << 10;
const BLOCKS: usize = 1200;

/// Nanoseconds that this thread has run.
fn thread_time() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

/// Lines that hold this text again and again, as a member that nobody asks for, until the block is full.
fn block(text: &str, line: usize) -> Vec<u8> {
    let mut block = Vec::with_capacity(BLOCK);
    while block.len() + line < BLOCK {
        block.extend_from_slice(b"{\"resourceType\":\"Observation\",\"id\":\"a\",\"x\":[\"0\"");
        let end = block.len() + line.saturating_sub(80);
        while block.len() < end {
            block.extend_from_slice(text.as_bytes());
        }
        block.extend_from_slice(b"]}\n");
    }
    block
}

fn drawn(seed: &mut u64) -> u64 {
    *seed = seed
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    *seed >> 8
}

/// Members in an order, and of names, that never come again.
fn novel(seed: &mut u64) -> Vec<u8> {
    let mut block = Vec::with_capacity(BLOCK);
    while block.len() < BLOCK - 1024 {
        block.extend_from_slice(b"{\"resourceType\":\"Observation\"");
        for _ in 0..24 {
            let drawn = drawn(seed);
            block.extend_from_slice(format!(",\"m{:x}\":\"{}\"", drawn >> 12, drawn >> 42).as_bytes());
        }
        block.extend_from_slice(b"}\n");
    }
    block
}

fn plan(filter: &str) -> Plan {
    let request = Request {
        type_filters: vec![filter.to_owned()],
        ..Request::default()
    };
    Plan::compile(&request, &Registry::r4()).expect("a good request")
}

fn time(plan: &Plan, blocks: &[&[u8]], scratch: &mut Scratch) -> f64 {
    let mut batch = Batch::default();
    let start = thread_time();
    for block in blocks {
        sieve::run(plan, black_box(block), scratch, &mut batch);
        assert!(batch.runs.is_empty(), "nothing is kept");
    }
    (thread_time() - start) as f64
}

/// Lines of one kind, or of several by turns.
struct Case {
    name: &'static str,
    plan: Plan,
    kinds: Vec<Vec<u8>>,
}

fn cases() -> Vec<Case> {
    let one = plan("Observation?code=8867-4");
    let dated = plan("Observation?date=ge2015");
    let many = plan("Observation?code=8867-4,8867-5,2345-7,2339-0,718-7,4548-4,2093-3,2571-8");
    // Nearly a literal, again and again, each way that one is begun.
    let near = block(",\"8867-\",\"88\",\"2345-\",\"718-\",\"454\"", 4096);
    let pair = block(",\"8867-\"", 4096);
    // The same with a literal in the end: each line has to be read after all.
    let hits = block(",\"8867-4\",\"8867-\",\"88\",\"2345-\",\"718-\",\"454\"", 4096);
    let calm = block(",\"some other text that holds nothing of the kind\"", 4096);
    let mut seed = 1;
    let unseen: Vec<Vec<u8>> = (0..64).map(|_| novel(&mut seed)).collect();
    // What costs the automaton most for its bytes: values that differ, with next to no text between them.
    let values = |write: &dyn Fn(u64) -> String| -> Vec<Vec<u8>> {
        let mut seed = 7;
        let texts = (0..64).map(|_| {
            let text: String = (0..40).map(|_| write(drawn(&mut seed))).collect();
            block(&text, 4096)
        });
        texts.collect()
    };
    let strings = values(&|n| format!(",\"{:x}\"", n & 0xff));
    let numbers = values(&|n| format!(",{}", n & 0xfff));
    let escapes = values(&|n| format!(",\"\\n{:x}\"", n & 0xff));
    let foreign = values(&|n| format!(",\"\u{e9}{:x}\"", n & 0xff));
    let nested = values(&|n| format!(",[[\"{:x}\"]]", n & 0xff));
    let objects = values(&|n| format!(",{{\"a\":\"{:x}\"}}", n & 0xff));
    let members = values(&|n| {
        format!(
            ",{{\"a\":\"{:x}\",\"b\":{},\"c\":\"{:x}\"}}",
            n & 0xff,
            n >> 8 & 0xff,
            n >> 16 & 0xff
        )
    });
    let always = |block: &[u8]| vec![block.to_vec()];
    let by_turns = |block: &[u8]| {
        let mut kinds = vec![calm.clone(); 6];
        kinds[0] = block.to_vec();
        kinds
    };
    let case = |name, plan: &Plan, kinds| Case {
        name,
        plan: plan.clone(),
        kinds,
    };
    vec![
        case("calm, 1 literal", &one, always(&calm)),
        case("calm, 8 literals", &many, always(&calm)),
        case("nearly, 1 literal", &one, always(&pair)),
        case("nearly, 8 literals", &many, always(&near)),
        case("by turns, 1 literal", &one, by_turns(&pair)),
        case("by turns, 8 literals", &many, by_turns(&near)),
        case("nearly, and a literal, 1", &one, always(&hits)),
        case("nearly, and a literal, 8", &many, always(&hits)),
        case("a literal by turns, 8", &many, by_turns(&hits)),
        case("lists of short strings", &dated, strings),
        case("lists of numbers", &dated, numbers),
        case("lists of escapes", &dated, escapes),
        case("lists of other letters", &dated, foreign),
        case("lists of small objects", &dated, objects),
        case("lists of small members", &dated, members),
        case("lists in lists", &dated, nested),
        case("names that never come again", &one, unseen.clone()),
        case("the same, filtered by date", &dated, unseen),
    ]
}

fn main() {
    let repeats = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(5);
    println!(
        "{:<30}{:>8}{:>11}{:>9}{:>9}{:>7}",
        "lines", "walker", "prefilter", "learned", "both", "x"
    );
    for Case { name, plan, kinds } in &cases() {
        let blocks: Vec<&[u8]> = kinds.iter().map(Vec::as_slice).cycle().take(BLOCKS).collect();
        let bytes: usize = blocks.iter().map(|block| block.len()).sum();
        let mut best = [f64::MAX; 4];
        for _ in 0..repeats {
            let mut strict = Scratch::default().with_learning(false).with_prefilter(Prefilter::Never);
            best[0] = best[0].min(time(plan, &blocks, &mut strict));
            best[1] = best[1].min(time(plan, &blocks, &mut Scratch::default().with_learning(false)));
            best[2] = best[2].min(time(
                plan,
                &blocks,
                &mut Scratch::default().with_prefilter(Prefilter::Never),
            ));
            best[3] = best[3].min(time(plan, &blocks, &mut Scratch::default()));
        }
        let speeds = best.map(|nanoseconds| bytes as f64 / nanoseconds);
        let [walker, prefilter, learned, default] = speeds;
        println!(
            "{name:<30}{walker:>8.2}{prefilter:>11.2}{learned:>9.2}{default:>9.2}{:>7.2}",
            default / walker
        );
    }
}
