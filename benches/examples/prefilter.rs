//! The raw prefilter: with it, without it, and a search for one literal alone, over the same blocks in turn.
//!
//! `cargo run --release -p fhirehose-benches --example prefilter [repeats [case]]`. `FHIREHOSE_DATA` names a folder of real
//! data; without it lines are synthetic. GB/s by the thread's CPU time; the blocks stay in the caches.
#![expect(clippy::print_stdout, reason = "it is a program that prints a table")]

use std::hint::black_box;

use fhirehose_benches::Data;
use fhirehose_benches::scan::{Case, literal_cases};
use fhirehose_core::scan::simd::line_ends::{LineEnds, line_ends};
use fhirehose_core::sieve::{self, Batch, Prefilter, Scratch};
use rustix::time::{ClockId, clock_gettime};

/// Nanoseconds that this thread has run.
fn thread_time() -> u64 {
    let now = clock_gettime(ClockId::ThreadCPUTime);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

fn sieve_all(case: &Case, scratch: &mut Scratch, batch: &mut Batch) {
    let (mut lines, mut kept) = (0, 0);
    for block in &case.blocks {
        sieve::run(&case.plan, black_box(&case.text[block.clone()]), scratch, batch);
        assert!(batch.bad.is_empty(), "{}", case.name);
        lines += batch.lines;
        kept += batch.runs.iter().map(|run| u64::from(run.lines)).sum::<u64>();
    }
    assert_eq!((lines, kept), (case.lines, case.kept), "{}", case.name);
}

fn time(run: &mut dyn FnMut()) -> u64 {
    let start = thread_time();
    run();
    thread_time() - start
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let repeats: usize = arguments.first().and_then(|text| text.parse().ok()).unwrap_or(25);
    let data = Data::load();
    println!(
        "data: {}; GB/s by the thread's CPU time, first quartile of {repeats}, methods in turn",
        data.name()
    );
    println!(
        "{:<26}{:>8}{:>9}{:>9}{:>9}{:>9}{:>7}",
        "case", "kept %", "memmem", "ends", "without", "with", "x"
    );
    for (case, literal) in &literal_cases(&data, arguments.get(1).map(String::as_str)) {
        let finder = memchr::memmem::Finder::new(literal);
        let mut batch = Batch::default();
        let mut with = Scratch::default().with_prefilter(Prefilter::WherePays);
        let mut without = Scratch::default().with_prefilter(Prefilter::Never);
        let mut found = LineEnds::default();
        let mut times = [const { Vec::new() }; 4];
        for _ in 0..repeats {
            times[0].push(time(&mut || {
                for block in &case.blocks {
                    black_box(finder.find_iter(black_box(&case.text[block.clone()])).count());
                }
            }));
            times[1].push(time(&mut || {
                for block in &case.blocks {
                    line_ends(black_box(&case.text[block.clone()]), &[], &mut found);
                    black_box(&found);
                }
            }));
            times[2].push(time(&mut || sieve_all(case, &mut without, &mut batch)));
            times[3].push(time(&mut || sieve_all(case, &mut with, &mut batch)));
        }
        let speeds = times.map(|mut times| {
            times.sort_unstable();
            case.text.len() as f64 / times[times.len() / 4].max(1) as f64
        });
        let [memmem, ends, without, with] = speeds;
        println!(
            "{:<26}{:>8.2}{memmem:>9.2}{ends:>9.2}{without:>9.2}{with:>9.2}{:>7.2}",
            case.name,
            100.0 * case.kept as f64 / case.lines as f64,
            with / without
        );
    }
}
