//! The same output bytes for every number of threads, chunk size and input codec (DESIGN 1, 4).

mod jobs;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use fhirehose_core::export::Export;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sink::MemorySink;
use fhirehose_native::codec_out::Compression;
use fhirehose_native::job::Job;
use jobs::{export, folder_bytes, job, synthetic};

fn request() -> Request {
    Request {
        type_filters: vec![
            "Observation?date=ge2015".into(),
            "Patient?gender=female".into(),
            "Patient?birthdate=lt1970".into(),
        ],
        elements: vec!["Encounter.status".into()],
        ..Request::default()
    }
}

/// Three inputs with broken lines, blank lines, CRLF and a last line without newline.
fn inputs(folder: &Path) -> Vec<PathBuf> {
    let lines = synthetic(12, 5);
    let third = lines.len() / 3;
    let mut paths = Vec::new();
    for (number, part) in lines.chunks(third + 1).enumerate() {
        let mut text = Vec::new();
        for (index, line) in part.iter().enumerate() {
            text.extend_from_slice(line);
            match index % 50 {
                7 => text.extend_from_slice(b"\r\n\n"),
                23 => text.extend_from_slice(b"\n{\"resourceType\":\"Patient\",\n"),
                _ => text.push(b'\n'),
            }
        }
        text.truncate(text.len() - 1);
        let path = folder.join(format!("part{number}.ndjson"));
        fs::write(&path, &text).expect("write input");
        paths.push(path);
    }
    paths
}

fn run(paths: &[PathBuf], change: impl FnOnce(&mut Job)) -> BTreeMap<String, Vec<u8>> {
    let out = tempfile::tempdir().expect("folder");
    let mut job = job(&request(), paths, out.path());
    change(&mut job);
    export(&job).expect("export");
    folder_bytes(out.path())
}

/// What native threads write is what the push engine of the core writes.
#[test]
fn the_output_is_that_of_the_core() {
    let folder = tempfile::tempdir().expect("folder");
    let paths = inputs(folder.path());
    let plan = Plan::compile(&request(), &Registry::r4()).expect("valid request");
    let mut export = Export::new(plan, MemorySink::default());
    for path in &paths {
        export.begin_input(&path.display().to_string()).expect("memory");
        export.push(&fs::read(path).expect("read")).expect("memory");
    }
    let (_, sink) = export.finish().expect("memory");
    let mut got = run(&paths, |_| {});
    assert!(got.remove("manifest.json").is_some());
    assert!(got == sink.files.into_iter().collect());
}

#[test]
fn threads_and_chunks_do_not_change_a_byte() {
    let folder = tempfile::tempdir().expect("folder");
    let paths = inputs(folder.path());
    let expected = run(&paths, |job| job.threads = 1);
    assert!(expected.contains_key("error/OperationOutcome.000.ndjson") && expected.len() > 10);
    for threads in [1, 2, 3, 7] {
        for chunk in [1, 61, 4096, 256 << 10, 8 << 20] {
            let got = run(&paths, |job| (job.threads, job.chunk) = (threads, chunk));
            assert!(got == expected, "{threads} threads, chunks of {chunk}");
        }
    }
}

#[test]
fn roll_over_and_compression_do_not_depend_on_threads() {
    let folder = tempfile::tempdir().expect("folder");
    let paths = inputs(folder.path());
    let limits = Limits {
        max_resources: Some(40),
        max_bytes: Some(50_000),
    };
    for compression in [Compression::None, Compression::GZIP, Compression::ZSTD] {
        let expected = run(&paths, |job| {
            (job.threads, job.limits, job.compression) = (1, limits, compression)
        });
        for threads in [2, 3, 7] {
            let got = run(&paths, |job| {
                (job.threads, job.limits, job.compression) = (threads, limits, compression)
            });
            assert!(got == expected, "{threads} threads, {compression:?}");
        }
    }
}

#[test]
fn compressed_output_is_the_plain_output_compressed() {
    let folder = tempfile::tempdir().expect("folder");
    let paths = inputs(folder.path());
    let plain = run(&paths, |_| {});
    let gzip = run(&paths, |job| job.compression = Compression::GZIP);
    let zstd = run(&paths, |job| job.compression = Compression::ZSTD);
    for (name, bytes) in plain.iter().filter(|(name, _)| name.ends_with(".ndjson")) {
        let mut unpacked = Vec::new();
        let mut reader = flate2::bufread::GzDecoder::new(&gzip[&format!("{name}.gz")][..]);
        std::io::Read::read_to_end(&mut reader, &mut unpacked).expect("one member");
        assert!(unpacked == *bytes && reader.into_inner().is_empty(), "{name}");
        let unpacked = zstd::decode_all(&zstd[&format!("{name}.zst")][..]).expect("zstd");
        assert!(unpacked == *bytes, "{name}");
    }
}

#[test]
fn codecs_of_the_input_do_not_change_a_byte() {
    let folder = tempfile::tempdir().expect("folder");
    let paths = inputs(folder.path());
    // Reports name the inputs, so compressed ones keep the names: the codec is told by magic bytes.
    let expected = run(&paths, |_| {});
    let plain: Vec<Vec<u8>> = paths.iter().map(|path| fs::read(path).expect("read")).collect();
    let gzip = |bytes: &[u8]| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("gzip");
        encoder.finish().expect("gzip")
    };
    // Two members, cut inside a line.
    let members = |bytes: &[u8]| [gzip(&bytes[..bytes.len() / 2]), gzip(&bytes[bytes.len() / 2..])].concat();
    let zstd = |bytes: &[u8]| zstd::encode_all(bytes, 1).expect("zstd");
    type Encoder<'e> = &'e dyn Fn(&[u8]) -> Vec<u8>;
    let encoders: [Encoder<'_>; 3] = [&gzip, &members, &zstd];
    for encode in encoders {
        for (path, bytes) in paths.iter().zip(&plain) {
            fs::write(path, encode(bytes)).expect("write");
        }
        for threads in [1, 3] {
            assert!(run(&paths, |job| job.threads = threads) == expected);
        }
    }
}

/// Many inputs, of which all threads read their own while blocks of the first are waited for.
#[test]
fn inputs_that_are_read_at_once_do_not_change_a_byte() {
    let folder = tempfile::tempdir().expect("folder");
    let lines = synthetic(40, 9);
    let mut paths = Vec::new();
    for (number, part) in lines.chunks(lines.len() / 11).enumerate() {
        let text = part.join(&b"\n"[..]);
        let bytes = match number % 4 {
            0 => text,
            1 => zstd::encode_all(&text[..], 1).expect("zstd"),
            // One member, or many that are cut inside of lines.
            rest => {
                let length = if rest == 2 { text.len() } else { 3000 };
                let gzip = |bytes: &[u8]| {
                    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
                    encoder.write_all(bytes).expect("gzip");
                    encoder.finish().expect("gzip")
                };
                text.chunks(length).flat_map(gzip).collect()
            }
        };
        let path = folder.path().join(format!("{number:02}.ndjson"));
        fs::write(&path, bytes).expect("write");
        paths.push(path);
    }
    let everything = Request::default();
    let run = |threads, request: &Request| {
        let out = tempfile::tempdir().expect("folder");
        let mut job = job(request, &paths, out.path());
        (job.threads, job.chunk) = (threads, 5000);
        export(&job).expect("export");
        folder_bytes(out.path())
    };
    for request in [&everything, &request()] {
        let expected = run(1, request);
        for round in 0..12 {
            assert!(run(2 + round % 4, request) == expected, "round {round}");
        }
    }
}

#[test]
fn large_data_give_the_same_for_every_thread_count() {
    let Some(data) = std::env::var_os("FHIREHOSE_DATA") else {
        eprintln!("skipped: FHIREHOSE_DATA is not set");
        return;
    };
    let named = ["Condition.ndjson.gz", "Patient.ndjson.gz", "Encounter.ndjson.gz"];
    let paths: Vec<PathBuf> = named.iter().map(|name| Path::new(&data).join(name)).collect();
    let expected = run(&paths, |job| job.threads = 1);
    for threads in [2, 3, 7] {
        assert!(
            run(&paths, |job| job.threads = threads) == expected,
            "{threads} threads"
        );
    }
}
