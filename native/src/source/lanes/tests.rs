//! Held against [`Source`]: the same lines of every input and the same error, for any number of threads.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::super::Source;
use super::*;

/// Small and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % below.max(1)
    }

    fn of<T: Copy>(&mut self, all: &[T]) -> T {
        all[self.roll(all.len())]
    }
}

/// Lines of each input, and of each line over the limit its place; and the error with what stood before it.
#[derive(Debug, PartialEq)]
struct Got {
    inputs: Vec<(String, Vec<u8>)>,
    error: Option<String>,
}

impl Got {
    fn take(&mut self, block: &Block, max_line: usize) {
        if let Some(name) = &block.begins {
            self.inputs.push((name.clone(), Vec::new()));
        }
        let Some((_, text)) = self.inputs.last_mut() else {
            panic!("the first block begins an input");
        };
        for line in block.lines().split_inclusive(|&byte| byte == b'\n') {
            // The sieve tells those that are whole.
            let is_long = line.len() > max_line + 1;
            text.extend_from_slice(if is_long { b"<too long>\n" } else { line });
        }
        if block.too_long {
            text.extend_from_slice(b"<too long>\n");
        }
    }

    fn end(mut self, error: Option<JobError>) -> Got {
        self.error = error.map(|error| error.to_string());
        // An input that fails before it gave anything may or may not have been begun.
        if self.error.is_some() {
            self.inputs.retain(|(_, text)| !text.is_empty());
        }
        self
    }
}

const NOTHING: Got = Got {
    inputs: Vec::new(),
    error: None,
};

#[derive(Clone, Copy, Debug)]
struct Setting {
    max_line: usize,
    chunk: usize,
    threads: usize,
}

fn by_source(places: &[InputPlace], setting: Setting) -> (Got, u64) {
    let progress = Progress::default();
    let mut source = Source::new(places, setting.max_line, setting.chunk, &progress);
    let (mut got, mut block) = (NOTHING, Block::default());
    let error = loop {
        match source.next(&mut block) {
            Ok(true) => got.take(&block, setting.max_line),
            Ok(false) => break None,
            Err(error) => break Some(error),
        }
    };
    (got.end(error), progress.read.load(Ordering::Relaxed))
}

/// The pool in small: as many buffers, blocks put in order, those of later inputs put aside.
struct Small<'l> {
    lanes: Lanes<'l>,
    /// Blocks put in order, with the place that is next and the number of free buffers.
    ordered: Mutex<Ordered>,
    freed: Condvar,
}

/// Whether the block keeps its buffer while it waits comes last.
type Sieved = (Block, Result<(), JobError>, bool);

#[derive(Default)]
struct Ordered {
    blocks: BTreeMap<(usize, u64), Sieved>,
    next: (usize, u64),
    free: usize,
}

impl Small<'_> {
    fn work(&self, mut dice: Dice) {
        let mut hand = Hand::default();
        loop {
            let mut ordered = self.ordered.lock().expect("no panic");
            while ordered.free == 0 {
                ordered = self.freed.wait(ordered).expect("no panic");
            }
            ordered.free -= 1;
            drop(ordered);
            let mut block = Block::default();
            let result = match self.lanes.next(&mut block, &mut hand) {
                Ok(false) => {
                    self.ordered.lock().expect("no panic").free += 1;
                    return self.freed.notify_all();
                }
                Ok(true) => Ok(()),
                Err(error) => Err(error),
            };
            (0..dice.roll(3)).for_each(|_| std::thread::yield_now());
            self.take(block, result);
        }
    }

    fn take(&self, block: Block, result: Result<(), JobError>) {
        let place = (block.input, block.sequence);
        let mut ordered = self.ordered.lock().expect("no panic");
        // What is behind an error does not matter, and neither does its memory.
        let is_kept = result.is_ok() && !self.lanes.is_ahead(block.input);
        ordered.free += usize::from(!is_kept);
        let twice = ordered.blocks.insert(place, (block, result, is_kept));
        assert!(twice.is_none(), "{place:?} came twice");
        let Ordered { blocks, next, free } = &mut *ordered;
        while let Some((block, Ok(()), is_kept)) = blocks.get(next) {
            *free += usize::from(*is_kept);
            *next = after(block);
            if next.1 == 0 {
                self.lanes.advance(next.0);
            }
        }
        self.freed.notify_all();
    }

    fn buffers(&self) -> usize {
        2 * self.lanes.threads + 2
    }
}

fn after(block: &Block) -> (usize, u64) {
    if block.last {
        (block.input + 1, 0)
    } else {
        (block.input, block.sequence + 1)
    }
}

fn by_lanes(places: &[InputPlace], setting: Setting) -> (Got, u64) {
    let progress = Progress::default();
    let small = Small {
        lanes: Lanes::new(places, setting.max_line, setting.chunk, setting.threads, &progress),
        ordered: Mutex::default(),
        freed: Condvar::new(),
    };
    small.ordered.lock().expect("no panic").free = small.buffers();
    std::thread::scope(|scope| {
        for number in 0..setting.threads {
            let small = &small;
            scope.spawn(move || small.work(Dice(number as u64 + 1)));
        }
    });
    let state = small.lanes.lock();
    assert_eq!((state.ranges, state.waiting, state.lanes.len()), (0, 0, 0));
    let mut blocks = small.ordered.into_inner().expect("no panic").blocks;
    let (mut got, mut place) = (NOTHING, (0, 0));
    let mut error = None;
    while let Some((block, result, _)) = blocks.remove(&place) {
        if let Err(failed) = result {
            error = Some(failed);
            break;
        }
        got.take(&block, setting.max_line);
        place = after(&block);
    }
    let is_whole = blocks.is_empty() && place == (places.len(), 0);
    assert!(error.is_some() || is_whole, "{place:?}");
    (got.end(error), progress.read.load(Ordering::Relaxed))
}

#[track_caller]
fn same(places: &[InputPlace], setting: Setting, what: &str) -> Got {
    let (expected, read) = by_source(places, setting);
    let (got, read_by_lanes) = by_lanes(places, setting);
    let lengths = |got: &Got| {
        got.inputs
            .iter()
            .map(|(name, text)| (name.clone(), text.len()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        (lengths(&got), &got.error),
        (lengths(&expected), &expected.error),
        "{what}, {setting:?}"
    );
    assert!(got == expected, "{what}, {setting:?}");
    if expected.error.is_none() {
        assert_eq!(read_by_lanes, read, "{what}, {setting:?}");
    }
    got
}

fn text(dice: &mut Dice, length: usize) -> Vec<u8> {
    let mut text = Vec::new();
    while text.len() < length {
        let width = if dice.roll(50) == 0 {
            dice.roll(3000)
        } else {
            dice.roll(60)
        };
        text.extend_from_slice(b"{\"id\":\"");
        // Half of it does not compress, so that members are of all sizes.
        let bytes = (0..width).map(|at| if at % 2 == 0 { b'a' } else { b'a' + dice.roll(26) as u8 });
        text.extend(bytes.collect::<Vec<_>>());
        text.extend_from_slice(if dice.roll(9) == 0 { b"\"}\r\n\n" } else { b"\"}\n" });
    }
    text.truncate(length);
    text
}

fn gzip(plain: &[u8], level: u32) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::new(level));
    encoder.write_all(plain).expect("gzip");
    encoder.finish().expect("gzip")
}

fn bgzf(plain: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::GzBuilder::new()
        .extra(*b"BC\x02\0\0\0")
        .write(Vec::new(), flate2::Compression::fast());
    encoder.write_all(plain).expect("gzip");
    let mut stored = encoder.finish().expect("gzip");
    let last = u16::try_from(stored.len() - 1).expect("blocks are short").to_le_bytes();
    stored[16..18].copy_from_slice(&last);
    stored
}

fn frame(dice: &mut Dice, plain: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("zstd");
    encoder.include_checksum(dice.roll(2) == 0).expect("zstd");
    let size = (dice.roll(2) == 0).then_some(plain.len() as u64);
    encoder.set_pledged_src_size(size).expect("zstd");
    encoder.write_all(plain).expect("zstd");
    let mut stored = encoder.finish().expect("zstd");
    if dice.roll(4) == 0 {
        stored.extend_from_slice(&[0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);
    }
    stored
}

const KINDS: [&str; 6] = ["plain", "gzip", "stored", "bgzf", "zstd", "bzip2"];

/// Bytes in many members of random sizes.
fn members(dice: &mut Dice, kind: &str, plain: &[u8]) -> Vec<u8> {
    let (mut stored, mut rest) = (Vec::new(), plain);
    let most = dice.of(&[10, 1000, 20_000, 60_000]).max(plain.len() / 50);
    let most = most.min(60_000);
    while !rest.is_empty() {
        let length = if dice.roll(8) == 0 { 0 } else { dice.roll(most) + 1 };
        let (now, later) = rest.split_at(length.min(rest.len()));
        rest = later;
        let member = match kind {
            "plain" => now.to_vec(),
            "gzip" => gzip(now, 1),
            // Whatever is in it stands in the member as it is.
            "stored" => gzip(now, 0),
            "bgzf" => bgzf(now),
            "zstd" => frame(dice, now),
            _ => {
                let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
                encoder.write_all(now).expect("bzip2");
                encoder.finish().expect("bzip2")
            }
        };
        stored.extend(member);
    }
    stored
}

fn damage(dice: &mut Dice, stored: &mut Vec<u8>) -> &'static str {
    let at = dice.roll(stored.len());
    match dice.roll(9) {
        0 | 1 if !stored.is_empty() => {
            stored[at] ^= 1 << dice.roll(8);
            "a bit flipped"
        }
        2 => {
            stored.truncate(at);
            "cut off"
        }
        3 => {
            stored.splice(at..at, b"junk".iter().copied());
            "bytes put in"
        }
        4 => {
            stored.drain(at..(at + 1 + dice.roll(40)).min(stored.len()));
            "bytes taken out"
        }
        5 => {
            stored.extend_from_slice(&[0; 700]);
            "padding"
        }
        6 => {
            stored.extend_from_slice(dice.of(&[b"\0\x1f\x8b\x08", b"trailing", b"\x1f\x8b\x08\0", b"(\xb5/\xfd"]));
            "junk behind"
        }
        7 => {
            let member = members(dice, "gzip", b"{}\n{}\n");
            stored.splice(at..at, member);
            "a member put in"
        }
        _ => "nothing",
    }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, bytes).expect("writes");
    path
}

#[test]
fn the_same_as_one_after_another_also_of_damaged_inputs() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    let (mut failed, mut whole) = (0, 0);
    for round in 0..300 {
        let count = 1 + dice.roll(4);
        let mut what = format!("round {round}");
        let places: Vec<InputPlace> = (0..count)
            .map(|number| {
                let kind = dice.of(&KINDS);
                let length = dice.of(&[0, 30, 3000, 200_000]);
                let length = dice.roll(length + 1);
                let plain = text(&mut dice, length);
                let mut stored = members(&mut dice, kind, &plain);
                let damage = if dice.roll(3) == 0 {
                    damage(&mut dice, &mut stored)
                } else {
                    "whole"
                };
                what.push_str(&format!(", {kind} {damage}"));
                InputPlace::File(write(folder.path(), &format!("{number}.ndjson"), &stored))
            })
            .collect();
        let setting = Setting {
            max_line: dice.of(&[50, 2000, 1 << 20]),
            chunk: dice.of(&[100, 4096, 50_000, 256 << 10]),
            threads: 1 + dice.roll(5),
        };
        let got = same(&places, setting, &what);
        *(if got.error.is_some() { &mut failed } else { &mut whole }) += 1;
    }
    assert!(failed > 40 && whole > 100, "{failed} failed, {whole} did not");
}

#[test]
fn damage_at_every_byte() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut dice = Dice(7);
    for kind in ["gzip", "bgzf", "zstd"] {
        let plain = text(&mut dice, 400);
        let parts = plain.chunks(90).map(|part| match kind {
            "gzip" => gzip(part, 1),
            "bgzf" => bgzf(part),
            _ => frame(&mut Dice(3), part),
        });
        let stored = parts.collect::<Vec<_>>().concat();
        for at in 0..stored.len() {
            let mut damaged = stored.clone();
            damaged[at] ^= 0x04;
            let setting = Setting {
                max_line: 1000,
                chunk: 100,
                threads: 2,
            };
            let flipped = InputPlace::File(write(folder.path(), "flipped", &damaged));
            same(&[flipped], setting, &format!("{kind} {at} flipped"));
            let cut = InputPlace::File(write(folder.path(), "cut", &stored[..at]));
            same(&[cut], setting, &format!("{kind} cut at {at}"));
        }
    }
}

/// Headers that lie about where members end, or seem to be some.
#[test]
fn what_only_looks_like_a_member_is_none() {
    let folder = tempfile::tempdir().expect("a folder");
    let line = |text: &[u8]| [b"{\"a\":\"", text, b"\"}\n"].concat();
    let inner = gzip(&line(b"never told"), 1);
    // Members that stand in a stored block of another, as they are.
    let nested = gzip(&[line(&inner), line(b"x").repeat(300)].concat(), 0);
    let mut lying = bgzf(&line(b"one"));
    let other = bgzf(&line(b"two"));
    let size = (lying.len() + other.len() - 1) as u16;
    lying[16..18].copy_from_slice(&size.to_le_bytes());
    let mut short = bgzf(&line(b"three"));
    short[16..18].copy_from_slice(&25_u16.to_le_bytes());
    let mut claims = gzip(&line(b"four"), 1);
    let end = claims.len();
    claims[end - 4..].copy_from_slice(&u32::MAX.to_le_bytes());
    let whole = gzip(&line(b"before").repeat(1000), 1);
    for (what, odd) in [
        ("nested", &nested),
        ("two in one", &[lying, other].concat()),
        ("short", &short),
        ("claims", &claims),
    ] {
        let stored = [&whole[..], &whole, odd, &whole, &whole].concat();
        for threads in 1..=4 {
            let setting = Setting {
                max_line: 100_000,
                chunk: 4096,
                threads,
            };
            let place = InputPlace::File(write(folder.path(), "odd.ndjson.gz", &stored));
            let got = same(std::slice::from_ref(&place), setting, what);
            assert_eq!(got.error.is_some(), what == "claims", "{what}");
        }
    }
}

#[test]
fn long_lines_over_many_ranges_and_documents() {
    let folder = tempfile::tempdir().expect("a folder");
    let long = [
        &b"\xef\xbb\xbf{}\n"[..],
        &vec![b'x'; 200_000],
        b"\n{}\n",
        &vec![b'y'; 90_000],
    ]
    .concat();
    let document = [&b" \n ["[..], &b"{\"resourceType\":\"Patient\"}, ".repeat(5000), b"{}]"].concat();
    let blank = b"\n".repeat(100_000);
    for (name, plain) in [
        ("long", long),
        ("document", document),
        ("blank", blank),
        ("mark", b"\xef\xbb".to_vec()),
    ] {
        let mut places = Vec::new();
        for kind in KINDS {
            let stored = members(&mut Dice(11), kind, &plain);
            places.push(InputPlace::File(write(
                folder.path(),
                &format!("{name}.{kind}"),
                &stored,
            )));
        }
        for max_line in [1000, 100_000, 1 << 20] {
            for (threads, chunk) in [(2, 1000), (3, 40_000), (1, 5000)] {
                let setting = Setting {
                    max_line,
                    chunk,
                    threads,
                };
                same(&places, setting, name);
            }
        }
    }
}

#[test]
fn what_waits_for_its_turn_does_not_stop_the_others() {
    let folder = tempfile::tempdir().expect("a folder");
    let plain = b"{\"id\":\"a\"}\n".repeat(50_000);
    let mut window = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("zstd");
    window.window_log(26).expect("zstd");
    window.write_all(&plain).expect("zstd");
    // The large window comes behind a small one, so that it is found while the input is read ahead.
    let small = zstd::encode_all(&plain[..110], 1).expect("zstd");
    let large = [small, window.finish().expect("zstd")].concat();
    let mut xz = liblzma::write::XzEncoder::new(Vec::new(), 1);
    xz.write_all(&plain).expect("xz");
    let xz = xz.finish().expect("xz");
    let one = gzip(&plain, 1);
    let files: [&[u8]; 7] = [&one, &large, &xz, &large, b"", &plain, &one];
    let places = files.iter().enumerate().map(|(number, bytes)| {
        let name = format!("{number}.ndjson");
        InputPlace::File(write(folder.path(), &name, bytes))
    });
    let mut places: Vec<_> = places.collect();
    for threads in 1..=4 {
        let setting = Setting {
            max_line: 1000,
            chunk: 4096,
            threads,
        };
        let got = same(&places, setting, "waits");
        assert_eq!((got.inputs.len(), got.error), (7, None));
    }
    places.insert(3, InputPlace::File(folder.path().join("missing")));
    for threads in 1..=4 {
        let setting = Setting {
            max_line: 1000,
            chunk: 4096,
            threads,
        };
        let got = same(&places, setting, "missing");
        assert_eq!(got.inputs.len(), 3);
    }
}

/// What is ahead stops where it was told to, and goes on when its turn comes.
#[test]
fn what_is_parked_is_bounded() {
    let folder = tempfile::tempdir().expect("a folder");
    let stored = gzip(&b"{\"id\":\"a\"}\n".repeat(20_000), 1);
    let places = ["a", "b"].map(|name| InputPlace::File(write(folder.path(), name, &stored)));
    let progress = Progress::default();
    let lanes = Lanes::new(&places, 1000, 1000, 2, &progress);
    let (mut first, mut second) = (Hand::default(), Hand::default());
    let mut block = Block::default();
    let mut next = |hand: &mut Hand| {
        assert!(lanes.next(&mut block, hand).expect("reads"));
        (block.input, block.sequence)
    };
    assert_eq!(next(&mut first), (0, 0));
    let state = lanes.lock();
    let State { lanes: open, .. } = &*state;
    assert_eq!(open.len(), 1);
    drop(state);
    // As if another thread had the first input.
    let taken = match &mut lanes.lock().lanes[0].reader {
        reader @ Reader::Whole(_) => std::mem::replace(reader, Reader::Busy),
        _ => panic!("one member is read in order"),
    };
    assert_eq!(next(&mut second), (1, 0));
    assert_eq!(next(&mut second), (1, 1));
    lanes.park(1, 2 * AHEAD);
    lanes.put(0, taken, false);
    assert_eq!(next(&mut second), (0, 1));
    assert_eq!(next(&mut second), (0, 2));
    // Now there is some room, but none for an input that has much waiting.
    lanes.unpark(RESERVE - 1);
    second.input = 1;
    assert_eq!(next(&mut second), (0, 3));
    lanes.unpark(2);
    second.input = 1;
    assert_eq!(next(&mut second), (1, 2));
    lanes.park(1, RESERVE);
    second.input = 1;
    assert_eq!(next(&mut second), (0, 4));
    lanes.advance(1);
    second.input = 1;
    assert_eq!(next(&mut second), (1, 3));
}
