//! The learned automaton beside the walker alone, over the cases of the scan.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fhirehose_benches::scan::{Case, cases};
use fhirehose_benches::{Data, floor, timing};
use fhirehose_core::sieve::{self, Batch, Scratch};

fn sieve_all(case: &Case, scratch: &mut Scratch, batch: &mut Batch) {
    let mut kept = 0;
    for block in &case.blocks {
        sieve::run(&case.plan, black_box(&case.text[block.clone()]), scratch, batch);
        kept += batch.runs.iter().map(|run| u64::from(run.lines)).sum::<u64>();
    }
    assert_eq!(kept, case.kept);
}

fn learned(criterion: &mut Criterion) {
    let data = Data::load();
    for case in cases(&data, None) {
        let mut group = criterion.benchmark_group(format!("learned/{}", case.name));
        floor::add(&mut group, data.name(), &case.text);
        for (name, on) in [("walker", false), ("learned", true)] {
            let mut scratch = Scratch::default().with_learning(on);
            let mut batch = Batch::default();
            group.bench_function(format!("{}/{name}", data.name()), |bencher| {
                bencher.iter(|| sieve_all(&case, &mut scratch, &mut batch));
            });
        }
        group.finish();
    }
}

criterion_group! { name = benches; config = timing(); targets = learned }
criterion_main!(benches);
