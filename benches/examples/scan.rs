//! The scan alone: learned automaton, strict walker and memchr over the same blocks in turn, by the thread's CPU time.
//!
//! `cargo run --release -p fhirehose-benches --example scan [repeats [case [learned|walker]]]`; with a last argument one method
//! runs over the case, once cold and once warm, for callgrind. `FHIREHOSE_DATA` names a folder of real data; without it lines are synthetic.
#![expect(clippy::print_stdout, reason = "it is a program that prints a table")]

use std::hint::black_box;

use fhirehose_benches::Data;
use fhirehose_benches::scan::{Case, cases};
use fhirehose_core::sieve::{self, Batch, Scratch};
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds that this thread has run.
fn thread_time() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[inline(never)]
fn sieve_all(case: &Case, scratch: &mut Scratch, batch: &mut Batch) -> u64 {
    let mut kept = 0;
    for block in &case.blocks {
        sieve::run(&case.plan, black_box(&case.text[block.clone()]), scratch, batch);
        assert!(batch.bad.is_empty(), "{}", case.name);
        kept += batch.runs.iter().map(|run| u64::from(run.lines)).sum::<u64>();
    }
    kept
}

/// The second round under a name of its own: `--toggle-collect='scan::warm'` counts it alone.
#[inline(never)]
fn warm(case: &Case, scratch: &mut Scratch, batch: &mut Batch) -> u64 {
    sieve_all(case, scratch, batch)
}

fn time(run: &mut dyn FnMut()) -> u64 {
    let start = thread_time();
    run();
    thread_time() - start
}

fn quartile(times: &mut [u64]) -> u64 {
    times.sort_unstable();
    times[times.len() / 4]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let repeats: usize = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(25);
    let only = arguments.get(1);
    let method = arguments.get(2).map(String::as_str);
    let data = Data::load();
    println!(
        "data: {}; GB/s by the thread's CPU time, first quartile of {repeats}, methods in turn",
        data.name()
    );
    println!(
        "{:<28}{:>7}{:>9}{:>9}{:>9}{:>7}{:>7}{:>9}{:>7}",
        "case", "kept %", "memchr", "walker", "learned", "x", "cold x", "bytes", "edges"
    );
    for case in &cases(&data, only.map(String::as_str)) {
        let mut batch = Batch::default();
        let mut with = Scratch::default().with_learning(true);
        let mut without = Scratch::default().with_learning(false);
        if let Some(method) = method {
            let scratch = if method == "learned" { &mut with } else { &mut without };
            sieve_all(case, scratch, &mut batch);
            println!(
                "{} kept {} of {} bytes",
                case.name,
                warm(case, scratch, &mut batch),
                case.text.len()
            );
            continue;
        }
        let mut times = [const { Vec::new() }; 4];
        for _ in 0..repeats {
            times[0].push(time(&mut || {
                let lines = memchr::memchr_iter(b'\n', black_box(&case.text)).count();
                assert_eq!(lines as u64, case.lines);
            }));
            times[1].push(time(&mut || {
                assert_eq!(sieve_all(case, &mut without, &mut batch), case.kept)
            }));
            times[2].push(time(&mut || {
                assert_eq!(sieve_all(case, &mut with, &mut batch), case.kept)
            }));
            times[3].push(time(&mut || {
                let mut cold = Scratch::default().with_learning(true);
                assert_eq!(sieve_all(case, &mut cold, &mut batch), case.kept);
            }));
        }
        let [memchr, walker, learned, cold] = times.each_mut().map(|times| quartile(times));
        let speed = |nanos: u64| case.text.len() as f64 / nanos.max(1) as f64;
        let learning = with.learned();
        println!(
            "{:<28}{:>7.1}{:>9.2}{:>9.2}{:>9.2}{:>7.2}{:>7.2}{:>9}{:>7}",
            case.name,
            100.0 * case.kept as f64 / case.lines as f64,
            speed(memchr),
            speed(walker),
            speed(learned),
            walker as f64 / learned as f64,
            walker as f64 / cold as f64,
            learning.bytes,
            learning.edges
        );
    }
}
