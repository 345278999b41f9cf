//! The push engine over some shapes: framing, sieving and routing into a sink that only counts.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use fhirehose_benches::shape::BLOCK;
use fhirehose_benches::{Data, Shape, floor, timing};
use fhirehose_core::error::Error;
use fhirehose_core::export::Export;
use fhirehose_core::sink::{FileName, Sink, Stored};

/// The shapes in which the routing differs: few long runs, many short ones, one run, lines written anew.
const SHAPES: [&str; 5] = [
    "observations-many",
    "wide-lines",
    "all-kept",
    "elements",
    "patients-20k",
];

/// Counts bytes and forgets them.
struct Counting;

impl Sink for Counting {
    type File = Stored;

    fn create(&mut self, name: &FileName) -> Result<Stored, Error> {
        Ok(Stored {
            name: name.to_string(),
            size: 0,
        })
    }

    fn write(&mut self, file: &mut Stored, lines: &[u8]) -> Result<(), Error> {
        file.size += black_box(lines).len() as u64;
        Ok(())
    }

    fn close(&mut self, file: Stored) -> Result<Stored, Error> {
        Ok(file)
    }
}

fn export(shape: &Shape) -> Result<(), Error> {
    let mut export = Export::new(shape.plan.clone(), Counting);
    for chunk in shape.text.chunks(BLOCK) {
        export.push(black_box(chunk))?;
    }
    export.end_input()?;
    let (report, _) = export.finish()?;
    assert_eq!((report.lines, report.kept()), (shape.lines, shape.kept));
    let written: u64 = report.files.iter().map(|file| file.size).sum();
    assert_eq!(written, report.types.iter().map(|count| count.bytes).sum::<u64>());
    Ok(())
}

fn engine(criterion: &mut Criterion) {
    let shapes = Shape::all(&Data::load());
    for shape in shapes.iter().filter(|shape| SHAPES.contains(&shape.name)) {
        let mut group = criterion.benchmark_group(format!("engine/{}", shape.name));
        floor::add(&mut group, shape.data, &shape.text);
        group.bench_function(format!("{}/export", shape.data), |bencher| {
            bencher.iter(|| export(shape).expect("sample lines are good"));
        });
        group.finish();
    }
}

criterion_group! { name = benches; config = timing(); targets = engine }
criterion_main!(benches);
