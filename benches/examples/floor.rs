//! What the machine takes at least for the bytes of these files: they are read in blocks, and each block is searched or copied.
//!
//! `cargo run --release -p fhirehose-benches --example floor read|memchr|memcpy THREADS FILE...` prints bytes and lines.
#![expect(clippy::print_stdout, reason = "it is a program that prints what it found")]

use std::error::Error;
use std::fs::File;
use std::hint::black_box;
use std::io::{Read, Seek, SeekFrom};
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

/// As the engine reads: small enough to stay in the cache of the core that asked for it.
const BLOCK: u64 = 256 << 10;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [floor, threads, files @ ..] = arguments.as_slice() else {
        println!("usage: floor read|memchr|memcpy THREADS FILE...");
        return Ok(());
    };
    let threads: usize = threads.parse()?;
    let (mut bytes, mut lines) = (0, 0);
    for file in files {
        let length = File::open(file)?.metadata()?.len();
        bytes += length;
        lines += pass(file, floor, length, threads)?;
    }
    println!("{bytes} bytes, {lines} lines");
    Ok(())
}

/// All blocks of a file, each by the thread that comes first.
fn pass(file: &str, floor: &str, length: u64, threads: usize) -> Result<u64, Box<dyn Error>> {
    let next = AtomicU64::new(0);
    let mut lines = 0;
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|_| scope.spawn(|| worker(file, floor, length, &next)))
            .collect();
        for worker in workers {
            lines += worker.join().map_err(|_| "a thread panicked")??;
        }
        Ok(lines)
    })
}

fn worker(file: &str, floor: &str, length: u64, next: &AtomicU64) -> std::io::Result<u64> {
    let mut file = File::open(file)?;
    let mut block = vec![0; BLOCK as usize];
    let mut copy = vec![0; BLOCK as usize];
    let mut lines = 0;
    loop {
        let start = next.fetch_add(BLOCK, Ordering::Relaxed);
        if start >= length {
            return Ok(lines);
        }
        let read = &mut block[..BLOCK.min(length - start) as usize];
        file.seek(SeekFrom::Start(start))?;
        file.read_exact(read)?;
        match floor {
            "memchr" => lines += memchr::memchr_iter(b'\n', read).count() as u64,
            "memcpy" => copy[..read.len()].copy_from_slice(read),
            _ => {}
        }
        black_box(&copy);
    }
}
