//! A file as it is stored: its size, its compression, how it begins and ends.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use fhirehose_core::client::manifest::Severity;

use super::found::Finding;
use super::listing::{Listed, about};
use super::scan::Seen;
use crate::inflate::{Codec, Input};

/// The byte order mark in UTF-8.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Tells what is wrong. `is_damaged`: that it cannot be read to its end has been told. Gives whether it is damaged after all.
pub(super) fn check(file: &Listed, seen: &Seen, is_damaged: bool, findings: &mut Vec<Finding>) -> bool {
    let Ok(mut input) = Input::open(&file.path) else {
        return is_damaged;
    };
    let codec = input.codec();
    let mut tell = |severity, rule, message: String| findings.push(about(severity, rule, &file.name, message));
    let expected = codec_of_name(&file.name);
    if file.size == 0 && expected != Codec::Plain && !is_damaged {
        let message = format!("cannot be read to its end: it is empty, which no {expected} file is");
        tell(Severity::Error, "damaged", message);
        return true;
    }
    let is_marked = begins_with_mark(&mut input);
    if is_marked {
        let message = "begins with a byte order mark, which readers may take for a part of the first line";
        tell(Severity::Warning, "byte-order-mark", message.to_owned());
    }
    if let Some(size) = file.item.size
        && size != file.size
        // A server may mean the size before compression.
        && (codec == Codec::Plain || size != seen.bytes + if is_marked { MARK.len() as u64 } else { 0 })
    {
        let message = format!("the manifest says {size} bytes, the file has {}", file.size);
        tell(Severity::Error, "size", message);
    }
    if expected != codec && file.size > 0 {
        let message = format!("named as if it were {expected}, and is {codec}");
        tell(Severity::Error, "codec", message);
    }
    if codec == Codec::Plain && file.size > 0 && !ends_with_newline(&file.path) {
        let message = "the last line has no newline behind it: the file may have been cut";
        tell(Severity::Warning, "no-final-newline", message.to_owned());
    }
    is_damaged
}

/// The compression that a file is named after.
fn codec_of_name(name: &str) -> Codec {
    let endings = [
        (Codec::Gzip, ".gz"),
        (Codec::Zstd, ".zst"),
        (Codec::Bzip2, ".bz2"),
        (Codec::Xz, ".xz"),
        (Codec::Brotli, ".br"),
    ];
    let lower = name.to_ascii_lowercase();
    endings
        .iter()
        .find(|(_, ending)| lower.ends_with(ending))
        .map_or(Codec::Plain, |(codec, _)| *codec)
}

/// Whether there is a byte order mark before the first line. What cannot be read has none: that is told elsewhere.
fn begins_with_mark(input: &mut Input) -> bool {
    let mut head = [0; MARK.len()];
    let mut filled = 0;
    while filled < head.len() {
        match input.read(&mut head[filled..]) {
            Ok(0) | Err(_) => return false,
            Ok(read) => filled += read,
        }
    }
    head == MARK
}

/// `true` also where it cannot be looked at: that is told elsewhere.
fn ends_with_newline(path: &Path) -> bool {
    let last = || {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        io::Result::Ok(last[0])
    };
    last().map_or(true, |byte| byte == b'\n')
}
