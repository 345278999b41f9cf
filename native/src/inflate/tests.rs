//! Every codec to its end, and every damage an error.

use std::io::{self, Read, Write};

use super::{Codec, Input, InputError, InputErrorKind, READ_SIZE};

const COMPRESSED: [Codec; 5] = [Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Xz, Codec::Brotli];

fn sample(length: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(length + 100);
    let mut n = 0_u64;
    while bytes.len() < length {
        n += 1;
        bytes.extend_from_slice(
            format!(
                "{{\"resourceType\":\"Patient\",\"id\":\"{}\"}}\n",
                n.wrapping_mul(0x9e37_79b9_7f4a)
            )
            .as_bytes(),
        );
    }
    bytes.truncate(length);
    bytes
}

fn compress(codec: Codec, plain: &[u8]) -> Vec<u8> {
    let done = match codec {
        Codec::Plain => Ok(plain.to_vec()),
        Codec::Gzip => {
            let mut writer = flate2::GzBuilder::new()
                .filename("name")
                .comment("c")
                .write(Vec::new(), flate2::Compression::new(6));
            writer.write_all(plain).and_then(|()| writer.finish())
        }
        Codec::Zstd => {
            let mut writer = zstd::stream::write::Encoder::new(Vec::new(), 3).expect("an encoder");
            writer.include_checksum(true).expect("a checksum");
            writer.write_all(plain).and_then(|()| writer.finish())
        }
        Codec::Bzip2 => {
            let mut writer = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::new(1));
            writer.write_all(plain).and_then(|()| writer.finish())
        }
        Codec::Xz => {
            let mut writer = liblzma::write::XzEncoder::new(Vec::new(), 0);
            writer.write_all(plain).and_then(|()| writer.finish())
        }
        Codec::Brotli => {
            let mut out = Vec::new();
            brotli::BrotliCompress(&mut &plain[..], &mut out, &brotli::enc::BrotliEncoderParams::default()).map(|_| out)
        }
    };
    done.expect("the sample compresses")
}

fn name(codec: Codec) -> &'static str {
    if codec == Codec::Brotli { "sample.BR" } else { "sample" }
}

/// Gives bytes in small pieces, interrupted now and then, as a pipe may.
struct Pieces {
    bytes: io::Cursor<Vec<u8>>,
    size: usize,
    turn: usize,
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        if self.turn.is_multiple_of(3) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let size = self.size.min(buf.len());
        self.bytes.read(&mut buf[..size])
    }
}

/// Reads to the end or the first error, with what came before.
fn drain(mut input: Input, size: usize) -> (Vec<u8>, Result<(), InputError>) {
    let mut plain = Vec::new();
    let mut buf = vec![0; size];
    loop {
        match input.read(&mut buf) {
            Ok(0) => return (plain, Ok(())),
            Ok(n) => plain.extend_from_slice(&buf[..n]),
            Err(error) => {
                assert_eq!(input.read(&mut buf), Err(error.clone()), "an error stays");
                return (plain, Err(error));
            }
        }
    }
}

fn read_all(codec: Codec, compressed: &[u8]) -> (Vec<u8>, Result<(), InputError>) {
    match Input::from_reader(name(codec), io::Cursor::new(compressed.to_vec())) {
        Ok(input) => drain(input, READ_SIZE),
        Err(error) => (Vec::new(), Err(error)),
    }
}

#[track_caller]
fn kind(codec: Codec, compressed: &[u8]) -> (InputErrorKind, u64) {
    let error = read_all(codec, compressed).1.expect_err("an error");
    (error.kind(), error.offset())
}

#[test]
fn every_codec_reads_whole_in_any_pieces() {
    for codec in COMPRESSED.into_iter().chain([Codec::Plain]) {
        for length in [0, 1, 5, 6, 7, 1000, READ_SIZE, 3 * READ_SIZE + 17] {
            let plain = sample(length);
            let compressed = compress(codec, &plain);
            for (piece, buf) in [(usize::MAX, READ_SIZE), (4096, 5000), (7, 64 * 1024)] {
                let reader = Pieces {
                    bytes: io::Cursor::new(compressed.clone()),
                    size: piece,
                    turn: 0,
                };
                let input = Input::from_reader(name(codec), reader).expect("opens");
                assert_eq!(input.codec(), codec, "{length}");
                let (read, outcome) = drain(input, buf);
                assert_eq!(outcome, Ok(()), "{codec} {length}");
                assert!(read == plain, "{codec} {length}");
            }
        }
    }
}

#[test]
fn one_byte_reads_and_pieces() {
    for codec in COMPRESSED.into_iter().chain([Codec::Plain]) {
        let plain = sample(300);
        let mut twice = compress(codec, &plain);
        let mut expected = plain.clone();
        if codec != Codec::Brotli {
            twice.extend(compress(codec, &plain));
            expected.extend(&plain);
        }
        let reader = Pieces {
            bytes: io::Cursor::new(twice),
            size: 1,
            turn: 0,
        };
        let (read, outcome) = drain(Input::from_reader(name(codec), reader).expect("opens"), 1);
        assert_eq!((read, outcome), (expected, Ok(())), "{codec}");
    }
}

#[test]
fn truncation_anywhere_is_an_error() {
    for codec in COMPRESSED {
        let plain = sample(700);
        let compressed = compress(codec, &plain);
        for end in 1..compressed.len() {
            let (read, outcome) = read_all(codec, &compressed[..end]);
            let error = outcome.expect_err("a truncated stream is no end");
            assert_eq!(
                (error.kind(), error.offset()),
                (InputErrorKind::Truncated(codec), end as u64),
                "{codec}"
            );
            assert!(plain.starts_with(&read));
        }
    }
}

#[test]
fn truncation_of_a_second_member_is_an_error() {
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Xz] {
        let one = compress(codec, &sample(100));
        let two = [one.clone(), one.clone()].concat();
        for end in one.len() + 1..two.len() {
            let (read, outcome) = read_all(codec, &two[..end]);
            let error = outcome.expect_err("a truncated stream is no end");
            assert_eq!(error.kind(), InputErrorKind::Truncated(codec), "{codec} {end}");
            assert!(read.starts_with(&sample(100)), "the first member is handed out");
        }
    }
}

#[test]
fn flipped_checksums_are_errors() {
    let plain = sample(700);
    // Where each format keeps a checksum, from the end: gzip CRC and length, zstd's hash, bzip2's combined CRC (its
    // last byte may hold padding bits only), xz the CRC of its footer's copy.
    for (codec, from_end) in [
        (Codec::Gzip, 1..=8),
        (Codec::Zstd, 1..=4),
        (Codec::Bzip2, 2..=5),
        (Codec::Xz, 9..=12),
    ] {
        let compressed = compress(codec, &plain);
        for back in from_end {
            let mut damaged = compressed.clone();
            let at = damaged.len() - back;
            damaged[at] ^= 0x10;
            assert_eq!(
                kind(codec, &damaged).0,
                InputErrorKind::Corrupt(codec),
                "{codec} {back}"
            );
        }
    }
}

#[test]
fn flipped_bytes_never_give_other_content_silently() {
    let plain = sample(400);
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Xz] {
        let compressed = compress(codec, &plain);
        // From 6, for a damaged magic is another codec.
        for at in 6..compressed.len() {
            let mut damaged = compressed.clone();
            damaged[at] ^= 0x04;
            let (read, outcome) = read_all(codec, &damaged);
            // Some bytes of the headers say nothing of the content.
            assert!(outcome.is_err() || read == plain, "{codec} {at}");
        }
    }
}

#[test]
fn members_follow_one_another() {
    for codec in [Codec::Gzip, Codec::Zstd, Codec::Bzip2, Codec::Xz] {
        let parts = [sample(10), Vec::new(), sample(2 * READ_SIZE), sample(1)];
        let compressed: Vec<u8> = parts.iter().flat_map(|part| compress(codec, part)).collect();
        let (read, outcome) = read_all(codec, &compressed);
        assert_eq!(outcome, Ok(()), "{codec}");
        assert!(read == parts.concat(), "{codec}");
    }
}

#[test]
fn skippable_zstd_frames_are_skipped() {
    let skippable = [0x53, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, b'a', b'b', b'c'];
    let frame = compress(Codec::Zstd, b"{}\n");
    let file = [&skippable[..], &frame, &skippable, &frame, &skippable].concat();
    assert_eq!(read_all(Codec::Zstd, &file), (b"{}\n{}\n".to_vec(), Ok(())));
    for end in 1..skippable.len() {
        assert_eq!(
            kind(Codec::Zstd, &skippable[..end]).0,
            InputErrorKind::Truncated(Codec::Zstd),
            "{end}"
        );
        let tail = [&frame[..], &skippable[..end]].concat();
        assert_eq!(
            kind(Codec::Zstd, &tail).0,
            InputErrorKind::Truncated(Codec::Zstd),
            "{end}"
        );
    }
}

#[test]
fn garbage_after_the_last_member_is_an_error() {
    for codec in COMPRESSED {
        let one = compress(codec, b"{}\n");
        for garbage in [&b"x"[..], b"\0x", b"\n", b"{}\n"] {
            let (read, outcome) = read_all(codec, &[&one[..], garbage].concat());
            let error = outcome.expect_err("garbage is no end");
            let padding = u64::from(matches!(codec, Codec::Gzip | Codec::Xz) && garbage[0] == 0);
            assert_eq!(error.kind(), InputErrorKind::TrailingGarbage(codec), "{codec}");
            assert_eq!(error.offset(), one.len() as u64 + padding, "{codec}");
            assert_eq!(read, b"{}\n");
        }
    }
    for codec in [Codec::Zstd, Codec::Bzip2, Codec::Brotli] {
        let padded = [compress(codec, b"{}\n"), vec![0; 4]].concat();
        assert_eq!(kind(codec, &padded).0, InputErrorKind::TrailingGarbage(codec));
    }
}

#[test]
fn padding_is_allowed_where_the_format_allows_it() {
    let gzip = compress(Codec::Gzip, b"{}\n");
    assert_eq!(
        read_all(Codec::Gzip, &[gzip.clone(), vec![0; 700_000]].concat()),
        (b"{}\n".to_vec(), Ok(()))
    );
    let member_behind = [gzip.clone(), vec![0; 3], gzip.clone()].concat();
    assert_eq!(
        kind(Codec::Gzip, &member_behind).0,
        InputErrorKind::TrailingGarbage(Codec::Gzip)
    );
    let xz = compress(Codec::Xz, b"{}\n");
    let padded = [xz.clone(), vec![0; 8], xz.clone(), vec![0; 4]].concat();
    assert_eq!(read_all(Codec::Xz, &padded), (b"{}\n{}\n".to_vec(), Ok(())));
    assert_eq!(
        kind(Codec::Xz, &[xz.clone(), vec![0; 3]].concat()).0,
        InputErrorKind::Truncated(Codec::Xz)
    );
    assert_eq!(
        kind(Codec::Xz, &[xz.clone(), vec![0; 3], xz].concat()).0,
        InputErrorKind::TrailingGarbage(Codec::Xz)
    );
}

#[test]
fn names_do_not_decide_but_for_brotli() {
    let gzip = compress(Codec::Gzip, b"{}\n");
    let input = Input::from_reader("a.zst", io::Cursor::new(gzip)).expect("opens");
    assert_eq!(input.codec(), Codec::Gzip);
    for name in ["a.gz", "a.xz", "a.br.ndjson", ".br"] {
        let input = Input::from_reader(name, &b"{}\n"[..]).expect("opens");
        assert_eq!(input.codec(), Codec::Plain, "{name}");
    }
    for text in ["BZhello", "BZ", "B2", "Patient", "P*M"] {
        let begun = Input::from_reader("a", text.as_bytes()).map(|input| input.codec());
        let cut_off = ["BZ", "P*M"].contains(&text);
        assert_eq!(begun.ok(), (!cut_off).then_some(Codec::Plain), "{text}");
    }
}

#[test]
fn files_are_opened_and_errors_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("a.ndjson");
    std::fs::write(&path, b"{}\n").expect("writes");
    let mut input = Input::open(&path).expect("opens");
    assert!(input.plain_file().is_some());
    assert_eq!(
        (input.compressed_position(), input.name()),
        (0, path.display().to_string().as_str())
    );
    let mut buf = [0; 2];
    assert_eq!((input.read(&mut buf), input.compressed_position()), (Ok(2), 2));
    assert_eq!(input.read(&mut []), Ok(0));
    assert_eq!((input.read(&mut buf), input.read(&mut buf)), (Ok(1), Ok(0)));

    let whole = compress(Codec::Gzip, &sample(100));
    std::fs::write(&path, &whole[..whole.len() - 1]).expect("writes");
    let input = Input::open(&path).expect("opens");
    assert!(input.plain_file().is_none());
    let error = drain(input, 1024).1.expect_err("truncated");
    let expected = format!("{}, byte {}: gzip data ends too early", path.display(), whole.len() - 1);
    assert_eq!(error.to_string(), expected);

    let missing = Input::open(&folder.path().join("none")).expect_err("missing");
    assert_eq!(missing.kind(), InputErrorKind::Open(io::ErrorKind::NotFound));
    assert!(Input::open(folder.path()).is_err(), "a folder is no input");
}

struct FailsAt(usize);

impl Read for FailsAt {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.0.min(buf.len());
        self.0 -= n;
        buf[..n].fill(b' ');
        if n == 0 {
            Err(io::ErrorKind::ConnectionReset.into())
        } else {
            Ok(n)
        }
    }
}

#[test]
fn a_failing_read_is_an_error_with_its_place() {
    let (read, outcome) = drain(Input::from_reader("pipe", FailsAt(1000)).expect("opens"), 300);
    let error = outcome.expect_err("the reader fails");
    assert_eq!((read.len(), error.offset()), (1000, 1000));
    assert_eq!(error.kind(), InputErrorKind::Read(io::ErrorKind::ConnectionReset));
}

#[test]
fn what_is_told_of_damage_does_not_depend_on_how_it_is_read() {
    for codec in [Codec::Gzip, Codec::Zstd] {
        let plain = sample(300_000);
        let stored = compress(codec, &plain);
        for at in (20..stored.len()).step_by(stored.len() / 40) {
            let mut damaged = stored.clone();
            damaged[at] ^= 0x10;
            let expected = read_all(codec, &damaged);
            for (piece, buf) in [(usize::MAX, 1000), (5000, READ_SIZE), (7, 50_000)] {
                let reader = Pieces {
                    bytes: io::Cursor::new(damaged.clone()),
                    size: piece,
                    turn: 0,
                };
                let (read, outcome) = drain(Input::from_reader("sample", reader).expect("opens"), buf);
                assert_eq!(outcome, expected.1, "{codec} {at} in {piece} to {buf}");
                assert!(read == expected.0, "{codec} {at} in {piece} to {buf}");
            }
        }
    }
}
