//! The floors: what the machine takes at least for the same bytes. A number reads as "× of the floor".

use std::hint::black_box;

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Throughput};

/// Adds to a group what finding every line end and what copying every byte takes, over `bytes`. Sets the throughput.
pub fn add(group: &mut BenchmarkGroup<'_, WallTime>, id: &str, bytes: &[u8]) {
    let lines = bytes.iter().filter(|&&byte| byte == b'\n').count();
    let mut copy = vec![0u8; bytes.len()];
    group.throughput(Throughput::Bytes(bytes.len() as u64));
    group.bench_function(format!("{id}/floor-memchr"), |bencher| {
        bencher.iter(|| {
            let found = memchr::memchr_iter(b'\n', black_box(bytes)).count();
            assert_eq!(found, lines);
        });
    });
    group.bench_function(format!("{id}/floor-memcpy"), |bencher| {
        bencher.iter(|| {
            copy.copy_from_slice(black_box(bytes));
            assert_eq!(black_box(&copy).last(), bytes.last());
        });
    });
}
