//! What was pushed comes back, whatever the format, the pieces and the order of the work.

use std::io;

use super::{BlockCutter, Compression, Job};
use crate::inflate::{Codec, Input};

const ALL: [(Compression, Codec); 4] = [
    (Compression::None, Codec::Plain),
    (Compression::GZIP, Codec::Gzip),
    (Compression::ZSTD, Codec::Zstd),
    (Compression::Zstd { level: -3 }, Codec::Zstd),
];

fn sample(length: usize) -> Vec<u8> {
    (0_u64..)
        .flat_map(|n| format!("{{\"id\":\"{}\"}}\n", n * n).into_bytes())
        .take(length)
        .collect()
}

fn jobs(compression: Compression, plain: &[u8], piece: usize) -> Vec<Job> {
    let mut cutter = BlockCutter::new(compression);
    let mut jobs = Vec::new();
    for piece in plain.chunks(piece) {
        cutter.push(piece, |job| jobs.push(job));
    }
    jobs.push(cutter.finish());
    jobs
}

fn compress(compression: Compression, plain: &[u8], piece: usize) -> Vec<u8> {
    let jobs = jobs(compression, plain, piece);
    let mut encoder = compression.encoder().expect("an encoder");
    // The last first: order of work is free.
    let mut encoded: Vec<_> = jobs
        .iter()
        .rev()
        .map(|job| job.encode(&mut encoder).expect("compresses"))
        .collect();
    encoded.reverse();
    let mut assembler = compression.assembler();
    let mut file = assembler.begin();
    for block in encoded {
        assembler.add(&block);
        file.extend(block.bytes);
    }
    file.extend(assembler.finish());
    file
}

fn read(file: Vec<u8>) -> (Codec, Vec<u8>) {
    let mut input = Input::from_reader("file", io::Cursor::new(file)).expect("opens");
    let mut buf = vec![0; 100_000];
    let mut plain = Vec::new();
    loop {
        match input.read(&mut buf).expect("the file is valid") {
            0 => return (input.codec(), plain),
            n => plain.extend_from_slice(&buf[..n]),
        }
    }
}

#[test]
fn every_format_reads_back_and_pieces_do_not_matter() {
    for (compression, codec) in ALL {
        let block = compression.block_size();
        for length in [0, 1, block - 1, block, block + 1, 3 * block + 12_345] {
            let plain = sample(length);
            let file = compress(compression, &plain, 999_999);
            assert!(
                compress(compression, &plain, 65_537) == file,
                "{compression:?} {length}"
            );
            let (found, back) = read(file);
            assert!(back == plain, "{compression:?} {length}");
            assert_eq!(found, codec, "{length}");
        }
    }
}

#[test]
fn cuts_depend_on_length_only() {
    for (compression, _) in ALL {
        let block = compression.block_size();
        let plain = sample(2 * block);
        let jobs = jobs(compression, &plain, 1000);
        let lengths: Vec<_> = jobs.iter().map(|job| job.block().len()).collect();
        assert_eq!(lengths, [block, block, 0], "a full block is never the last");
        assert_eq!(
            jobs.iter().map(|job| job.last).collect::<Vec<_>>(),
            [false, false, true]
        );
        assert_eq!(jobs.iter().map(|job| job.index).collect::<Vec<_>>(), [0, 1, 2]);
        let dictionaries: Vec<_> = jobs.iter().map(|job| job.dictionary).collect();
        let size = compression.dictionary_size();
        assert_eq!(dictionaries, [0, size, size]);
        assert_eq!(jobs[1].buffer[..size], plain[block - size..block]);
    }
}

#[test]
fn zstd_blocks_carry_checksums() {
    // Magic, header, the header of an empty block, checksum.
    assert_eq!(compress(Compression::ZSTD, b"", 1).len(), 13);
    let mut file = compress(Compression::ZSTD, &sample(1000), 1000);
    let last = file.len() - 1;
    file[last] ^= 1;
    let mut input = Input::from_reader("file", io::Cursor::new(file)).expect("opens");
    let mut buf = vec![0; 2000];
    assert!(
        std::iter::repeat_with(|| input.read(&mut buf))
            .take(5)
            .any(|read| read.is_err())
    );
}

#[test]
fn extensions_follow_the_format() {
    assert_eq!(
        ALL.map(|(compression, _)| compression.extension()),
        ["", ".gz", ".zst", ".zst"]
    );
}
