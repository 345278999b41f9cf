//! The stateless half over cohorts, with what it gathers for the pass behind it.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fhirehose_benches::cohort::CohortShape;
use fhirehose_benches::{Data, floor, timing};
use fhirehose_core::sieve::{self, Batch, Scratch};

fn sieve_cohort(criterion: &mut Criterion, CohortShape { shape, links }: &CohortShape) {
    let mut group = criterion.benchmark_group(format!("cohort/{}", shape.name));
    floor::add(&mut group, shape.data, &shape.text);
    let blocks = shape.blocks();
    let mut batch = Batch::default();
    group.bench_function(format!("{}/sieve", shape.data), |bencher| {
        bencher.iter(|| {
            // Anew each time: links that are there already would be cheaper.
            let mut scratch = Scratch::default();
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
            assert_eq!(scratch.gathered.links.len(), *links);
        });
    });
    group.finish();
}

fn cohorts(criterion: &mut Criterion) {
    for cohort in CohortShape::all(&Data::load()) {
        sieve_cohort(criterion, &cohort);
    }
}

criterion_group! { name = benches; config = timing(); targets = cohorts }
criterion_main!(benches);
