//! The member is one, whole, and the same whoever compresses its blocks.

use std::io::Read;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::{BLOCK_SIZE, DICTIONARY_SIZE, Encoded, GzipAssembler, GzipEncoder, compress_block};

fn sample(length: usize) -> Vec<u8> {
    let mut seed = 1_u64;
    let mut bytes = Vec::with_capacity(length + 100);
    while bytes.len() < length {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        bytes.extend_from_slice(format!("{{\"resourceType\":\"Observation\",\"id\":\"{seed:x}\"}}\n").as_bytes());
    }
    bytes.truncate(length);
    bytes
}

fn noise(length: usize) -> Vec<u8> {
    let mut seed = 1_u64;
    let mut next = || {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (seed >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

fn block_count(plain: &[u8]) -> usize {
    plain.len() / BLOCK_SIZE + 1
}

fn encode_at(encoder: &mut GzipEncoder, plain: &[u8], index: usize) -> Encoded {
    let from = index * BLOCK_SIZE;
    let to = plain.len().min(from + BLOCK_SIZE);
    let last = index + 1 == block_count(plain);
    encoder
        .encode(
            &plain[from.saturating_sub(DICTIONARY_SIZE)..from],
            &plain[from..to],
            last,
        )
        .expect("compresses")
}

fn assemble(level: u32, blocks: &[Encoded]) -> Vec<u8> {
    let mut assembler = GzipAssembler::new(level);
    let mut file = assembler.header().to_vec();
    for block in blocks {
        assembler.add(block);
        file.extend_from_slice(&block.bytes);
    }
    file.extend_from_slice(&assembler.trailer());
    file
}

fn compress(plain: &[u8], level: u32, threads: usize) -> Vec<u8> {
    let next = AtomicUsize::new(0);
    let blocks = Mutex::new(vec![None; block_count(plain)]);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut encoder = GzipEncoder::new(level);
                loop {
                    // Backwards, so that the order of the work is not that of the blocks.
                    let taken = next.fetch_add(1, Ordering::Relaxed);
                    let Some(index) = block_count(plain).checked_sub(taken + 1) else {
                        break;
                    };
                    let encoded = encode_at(&mut encoder, plain, index);
                    blocks.lock().expect("no thread panicked")[index] = Some(encoded);
                }
            });
        }
    });
    let blocks: Option<Vec<Encoded>> = blocks.into_inner().expect("no thread panicked").into_iter().collect();
    assemble(level, &blocks.expect("every block was compressed"))
}

/// Reads with a decoder of single members, and gives what it left unread.
fn read_member(file: &[u8]) -> (Vec<u8>, usize) {
    let mut decoder = flate2::bufread::GzDecoder::new(file);
    let mut plain = Vec::new();
    decoder.read_to_end(&mut plain).expect("the member is valid");
    (plain, decoder.into_inner().len())
}

#[test]
fn one_member_of_any_size_reads_back() {
    for length in [
        0,
        1,
        BLOCK_SIZE - 1,
        BLOCK_SIZE,
        BLOCK_SIZE + 1,
        2 * BLOCK_SIZE,
        3_000_001,
    ] {
        let plain = sample(length);
        let (read, left) = read_member(&compress(&plain, 2, 1));
        assert!(read == plain, "{length}");
        assert_eq!(left, 0, "{length}");
    }
}

#[test]
fn every_level_takes_text_and_noise() {
    for plain in [
        sample(BLOCK_SIZE + 100_000),
        noise(BLOCK_SIZE + 70_000),
        vec![200; BLOCK_SIZE + 1],
    ] {
        for level in 0..=10 {
            let (read, left) = read_member(&compress(&plain, level, 2));
            assert!(read == plain && left == 0, "level {level}");
        }
    }
}

#[test]
fn same_bytes_for_any_number_of_threads() {
    let plain = sample(2_500_000);
    let one = compress(&plain, 2, 1);
    for threads in 2..=4 {
        assert!(compress(&plain, 2, threads) == one, "{threads} threads");
    }
}

#[test]
fn an_encoder_forgets_what_it_did_before() {
    let (large, small) = (noise(2 * BLOCK_SIZE), sample(5000));
    for level in 0..=9 {
        let mut encoder = GzipEncoder::new(level);
        encoder.encode(&[], &large, false).expect("compresses");
        for (dictionary, last) in [(&[][..], true), (&large[..], false), (&small[..], true)] {
            let reused = encoder.encode(dictionary, &small, last).expect("compresses");
            assert_eq!(
                reused,
                compress_block(dictionary, &small, level, last).expect("compresses"),
                "level {level}"
            );
        }
    }
}

/// A reset of zlib-rs does not: it hashes the end of a dictionary together with the byte behind it, which is an old one.
#[test]
fn an_encoder_forgets_what_stood_behind_the_dictionary() {
    let mut plain = Vec::new();
    let options = fhirehose_synth::Options::new(30, 3);
    fhirehose_synth::generate(&options, &mut plain).expect("memory does not fail");
    let mut encoder = GzipEncoder::new(super::DEFAULT_LEVEL);
    for index in 0..block_count(&plain) {
        let fresh = encode_at(&mut GzipEncoder::new(super::DEFAULT_LEVEL), &plain, index);
        assert!(encode_at(&mut encoder, &plain, index) == fresh, "block {index}");
    }
}

#[test]
fn the_dictionary_counts() {
    let plain = noise(20_000);
    let primed = compress_block(&plain, &plain, 2, true).expect("compresses");
    assert!(primed.bytes.len() < 2000, "{}", primed.bytes.len());
}

#[test]
fn header_says_nothing_of_time_and_place() {
    let file = compress(b"{}\n", 2, 1);
    assert_eq!(file[..10], [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255]);
    assert_eq!(file[file.len() - 4..], [3, 0, 0, 0]);
}

/// Where the system has gzip, it agrees.
#[test]
fn the_system_gzip_agrees() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.gz");
    std::fs::write(&path, compress(&sample(1_000_000), 2, 2)).expect("writes");
    match std::process::Command::new("gzip").arg("-t").arg(&path).status() {
        Ok(status) => assert!(status.success()),
        Err(error) => println!("skipped: gzip cannot be run: {error}"),
    }
}
