//! The stateless half over every shape: blocks of whole lines into batches.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fhirehose_benches::{Data, Shape, floor, timing};
use fhirehose_core::sieve::{self, Batch, Scratch};

fn sieve_shape(criterion: &mut Criterion, shape: &Shape) {
    let mut group = criterion.benchmark_group(format!("sieve/{}", shape.name));
    floor::add(&mut group, shape.data, &shape.text);
    let blocks = shape.blocks();
    let mut scratch = Scratch::default();
    let mut batch = Batch::default();
    group.bench_function(format!("{}/sieve", shape.data), |bencher| {
        bencher.iter(|| {
            let mut lines = 0;
            let mut kept = 0;
            for block in &blocks {
                let block = black_box(&shape.text[block.clone()]);
                sieve::run(&shape.plan, block, &mut scratch, &mut batch);
                lines += batch.lines;
                kept += batch.runs.iter().map(|run| u64::from(run.lines)).sum::<u64>();
                assert!(batch.bad.is_empty());
            }
            assert_eq!((lines, kept), (shape.lines, shape.kept));
        });
    });
    group.finish();
}

fn sieve(criterion: &mut Criterion) {
    for shape in Shape::all(&Data::load()) {
        sieve_shape(criterion, &shape);
    }
}

criterion_group! { name = benches; config = timing(); targets = sieve }
criterion_main!(benches);
