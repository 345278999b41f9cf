//! Making synthetic lines, of both profiles.

use std::hint::black_box;
use std::io;

use criterion::{Criterion, criterion_group, criterion_main};
use fhirehose_benches::data::is_smoke;
use fhirehose_benches::{floor, timing};
use fhirehose_synth::{Options, Profile, Sink, generate};

/// Counts lines and bytes and forgets them.
#[derive(Default)]
struct Counting {
    lines: u64,
    bytes: u64,
}

impl Sink for Counting {
    fn write(&mut self, _: &'static str, line: &[u8]) -> io::Result<()> {
        self.lines += 1;
        self.bytes += black_box(line).len() as u64;
        Ok(())
    }
}

fn synth(criterion: &mut Criterion) {
    let patients = if is_smoke() { 2 } else { 100 };
    for (name, profile) in [("regular", Profile::Regular), ("varied", Profile::Varied)] {
        let options = Options {
            profile,
            ..Options::new(patients, 1)
        };
        let mut text = Vec::new();
        let totals = generate(&options, &mut text).expect("memory takes every line");
        let newlines = memchr::memchr_iter(b'\n', &text).count() as u64;
        let mut group = criterion.benchmark_group(format!("synth/{name}"));
        floor::add(&mut group, "synthetic", &text);
        group.bench_function("synthetic/generate", |bencher| {
            bencher.iter(|| {
                let mut counting = Counting::default();
                let again = generate(black_box(&options), &mut counting).expect("counting takes every line");
                assert_eq!(again, totals);
                assert_eq!((counting.lines, counting.bytes), (newlines, text.len() as u64));
            });
        });
        group.finish();
    }
}

criterion_group! { name = benches; config = timing(); targets = synth }
criterion_main!(benches);
