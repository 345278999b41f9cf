//! Whole jobs of the native engine from a folder into a folder, with one thread and with two.

use std::fs;
use std::hint::black_box;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use criterion::{Criterion, criterion_group, criterion_main};
use fhirehose_benches::shape::BLOCK;
use fhirehose_benches::{Data, Shape, floor, timing};
use fhirehose_core::manifest::Generation;
use fhirehose_core::partition::Limits;
use fhirehose_native::cancel::Cancel;
use fhirehose_native::codec_out::Compression;
use fhirehose_native::inputs::InputPlace;
use fhirehose_native::job::{FolderOutput, Job, ManifestOptions, Output, Progress};
use flate2::write::GzEncoder;

/// The shapes whose amounts of output differ most.
const SHAPES: [&str; 3] = ["observations-many", "mostly-dropped", "all-kept"];

fn job(shape: &Shape, input: &Path, output: &Path, compression: Compression, threads: usize) -> Job {
    Job {
        request: shape.request.clone(),
        plan: shape.plan.clone(),
        cohort: None,
        inputs: vec![InputPlace::File(input.to_owned())],
        output: Output::Folder(FolderOutput {
            path: output.to_owned(),
            force: true,
            is_durable: true,
            manifest: ManifestOptions {
                generation: Generation::default(),
                transaction_time: "2026-01-01T00:00:00Z".to_owned(),
                request: "bench".to_owned(),
                base_url: None,
            },
            organize: None,
        }),
        limits: Limits::default(),
        compression,
        threads,
        chunk: BLOCK,
    }
}

/// The shape's lines as a plain and as a packed file.
fn inputs(shape: &Shape, folder: &Path) -> io::Result<(PathBuf, PathBuf)> {
    let plain = folder.join("lines.ndjson");
    fs::write(&plain, shape.text.as_slice())?;
    let packed = folder.join("lines.ndjson.gz");
    let mut encoder = GzEncoder::new(fs::File::create(&packed)?, flate2::Compression::new(6));
    encoder.write_all(&shape.text)?;
    encoder.finish()?;
    Ok((plain, packed))
}

fn native_shape(criterion: &mut Criterion, shape: &Shape, folder: &Path) -> io::Result<()> {
    let (plain, packed) = inputs(shape, folder)?;
    let output = folder.join("out");
    let copy = folder.join("copy.ndjson");
    let mut group = criterion.benchmark_group(format!("native/{}", shape.name));
    floor::add(&mut group, shape.data, &shape.text);
    group.bench_function(format!("{}/floor-file-copy", shape.data), |bencher| {
        bencher.iter(|| {
            // Read and write, as a job does; `fs::copy` may let the file system share the blocks.
            let bytes = fs::read(black_box(&plain)).expect("the input is there");
            fs::write(&copy, &bytes).expect("the folder can be written");
            assert_eq!(bytes.len(), shape.text.len());
        });
    });
    let kinds = [
        ("plain", &plain, Compression::None),
        ("gzip", &packed, Compression::GZIP),
    ];
    for (kind, input, compression) in kinds {
        for threads in [1, 2] {
            let job = job(shape, input, &output, compression, threads);
            group.bench_function(format!("{}/{kind}-{threads}-threads", shape.data), |bencher| {
                bencher.iter(|| {
                    let done = fhirehose_native::run(&job, &Progress::default(), &Cancel::default());
                    let report = done.expect("the job runs to its end").report;
                    assert_eq!((report.lines, report.kept()), (shape.lines, shape.kept));
                });
            });
        }
    }
    group.finish();
    Ok(())
}

/// The lines in ways that threads can share: eight files, members of 1 MB, blocked gzip, frames of 1 MB.
fn shared_inputs(shape: &Shape, folder: &Path) -> io::Result<Vec<(&'static str, Vec<PathBuf>)>> {
    let text = &shape.text[..];
    let mut files = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let at = (text.len() / 8 + 1).min(rest.len());
        let end = rest[at..]
            .iter()
            .position(|&byte| byte == b'\n')
            .map_or(rest.len(), |more| at + more + 1);
        let (now, later) = rest.split_at(end);
        rest = later;
        let path = folder.join(format!("part{}.ndjson.gz", files.len()));
        fs::write(&path, gzip(now, None)?)?;
        files.push(path);
    }
    let members = folder.join("members.ndjson.gz");
    let blocked = folder.join("blocked.ndjson.gz");
    let frames = folder.join("frames.ndjson.zst");
    let each = |size: usize, encode: &mut dyn FnMut(&[u8]) -> io::Result<Vec<u8>>| {
        text.chunks(size).map(encode).collect::<io::Result<Vec<_>>>()
    };
    let mut zstd = Compression::ZSTD.encoder().map_err(io::Error::other)?;
    let mut frame = |part: &[u8]| Ok(zstd.encode(b"", part, false).map_err(io::Error::other)?.bytes);
    fs::write(&members, each(1 << 20, &mut |part| gzip(part, None))?.concat())?;
    fs::write(
        &blocked,
        each(65_280, &mut |part| gzip(part, Some(*b"BC\x02\0\0\0")))?.concat(),
    )?;
    fs::write(&frames, each(1 << 20, &mut frame)?.concat())?;
    Ok(vec![
        ("gzip-folder", files),
        ("gzip-members", vec![members]),
        ("gzip-blocked", vec![blocked]),
        ("zstd-frames", vec![frames]),
    ])
}

/// A member; with an extra field `BC`, which then tells its size, as bgzip does.
fn gzip(plain: &[u8], extra: Option<[u8; 6]>) -> io::Result<Vec<u8>> {
    let builder = extra
        .iter()
        .fold(flate2::GzBuilder::new(), |builder, extra| builder.extra(*extra));
    let mut encoder = builder.write(Vec::new(), flate2::Compression::new(4));
    encoder.write_all(plain)?;
    let mut stored = encoder.finish()?;
    if extra.is_some() {
        let last = u16::try_from(stored.len() - 1).map_err(io::Error::other)?;
        stored[16..18].copy_from_slice(&last.to_le_bytes());
    }
    Ok(stored)
}

fn shared_shape(criterion: &mut Criterion, shape: &Shape, folder: &Path) -> io::Result<()> {
    let output = folder.join("out");
    let mut group = criterion.benchmark_group(format!("native-shared/{}", shape.name));
    floor::add(&mut group, shape.data, &shape.text);
    for (kind, inputs) in shared_inputs(shape, folder)? {
        for threads in [1, 2] {
            let mut job = job(shape, &inputs[0], &output, Compression::None, threads);
            job.inputs = inputs.iter().cloned().map(InputPlace::File).collect();
            group.bench_function(format!("{}/{kind}-{threads}-threads", shape.data), |bencher| {
                bencher.iter(|| {
                    let done = fhirehose_native::run(&job, &Progress::default(), &Cancel::default());
                    let report = done.expect("the job runs to its end").report;
                    assert_eq!((report.lines, report.kept()), (shape.lines, shape.kept));
                });
            });
        }
    }
    group.finish();
    Ok(())
}

fn native(criterion: &mut Criterion) {
    let shapes = Shape::all(&Data::load());
    for shape in shapes.iter().filter(|shape| SHAPES.contains(&shape.name)) {
        let folder = tempfile::tempdir().expect("a temporary folder");
        native_shape(criterion, shape, folder.path()).expect("the inputs can be written");
        if shape.name == "mostly-dropped" {
            shared_shape(criterion, shape, folder.path()).expect("the inputs can be written");
        }
    }
}

criterion_group! { name = benches; config = timing(); targets = native }
criterion_main!(benches);
