//! Where a member says, or seems, to end: read from its headers, without decoding it.
//!
//! All of this is belief: [`super::Apart`] proves it.

use super::{BOUNDED_WINDOW, Codec};

/// The shortest gzip member: header, an empty block, trailer.
const LEAST_GZIP: usize = 20;

/// What the head of some members says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// The first member has so many bytes, and so many plain ones, as it claims.
    Member { stored: usize, claimed: usize },
    /// Perhaps more can be said with at least so many bytes.
    NeedsMore(usize),
    /// Nothing.
    Nothing,
}

/// The first member of `bytes`; `ends`: there is nothing behind them.
pub(super) fn member(codec: Codec, bytes: &[u8], ends: bool) -> Said {
    let said = match codec {
        Codec::Gzip => gzip(bytes, ends),
        Codec::Zstd => zstd(bytes).unwrap_or_else(|missing| missing),
        _ => Said::Nothing,
    };
    match said {
        Said::NeedsMore(_) if ends => Said::Nothing,
        said => said,
    }
}

fn gzip(bytes: &[u8], ends: bool) -> Said {
    if bytes.len() < LEAST_GZIP {
        return Said::NeedsMore(LEAST_GZIP);
    }
    if !is_gzip_head(bytes) {
        return Said::Nothing;
    }
    match bgzf_size(bytes) {
        Some(size) if size < LEAST_GZIP => Said::Nothing,
        Some(size) if size > bytes.len() => Said::NeedsMore(size),
        Some(size) => gzip_member(bytes, size),
        None => gzip_by_next(bytes, ends),
    }
}

/// A member whose size is not told ends where the next seems to begin.
fn gzip_by_next(bytes: &[u8], ends: bool) -> Said {
    let mut from = LEAST_GZIP;
    while let Some(found) = memchr::memmem::find(&bytes[from..], &[0x1f, 0x8b, 8]) {
        let next = from + found;
        if is_gzip_head(&bytes[next..]) {
            return gzip_member(bytes, next);
        }
        from = next + 1;
    }
    if ends {
        gzip_member(bytes, bytes.len())
    } else {
        Said::NeedsMore(bytes.len() + 1)
    }
}

/// The plain size stands at the end.
fn gzip_member(bytes: &[u8], stored: usize) -> Said {
    let claimed = bytes[..stored].last_chunk().copied().map_or(0, u32::from_le_bytes);
    Said::Member {
        stored,
        claimed: claimed as usize,
    }
}

/// Magic, deflate, no reserved flag, a hint and a system that there is: by chance once in gigabytes.
fn is_gzip_head(bytes: &[u8]) -> bool {
    let Some([0x1f, 0x8b, 8, flags, _, _, _, _, hint, system]) = bytes.first_chunk::<10>() else {
        return false;
    };
    flags & 0xe0 == 0 && matches!(hint, 0 | 2 | 4) && matches!(system, 0..=13 | 255)
}

/// What a blocked member tells of its size in the extra field `BC`.
fn bgzf_size(bytes: &[u8]) -> Option<usize> {
    if bytes[3] & 4 == 0 {
        return None;
    }
    let extra = usize::from(u16::from_le_bytes([bytes[10], bytes[11]]));
    let mut extra = bytes.get(12..12 + extra)?;
    while let [first, second, low, high, rest @ ..] = extra {
        let length = usize::from(u16::from_le_bytes([*low, *high]));
        let field = rest.get(..length)?;
        if let (b'B', b'C', [low, high]) = (first, second, field) {
            return Some(usize::from(u16::from_le_bytes([*low, *high])) + 1);
        }
        extra = &rest[length..];
    }
    None
}

/// Walks the headers of a frame's blocks. `Err` is what there is to say where that is not possible.
fn zstd(bytes: &[u8]) -> Result<Said, Said> {
    let magic = u32::from_le_bytes(part(bytes, 0)?);
    if magic & 0xffff_fff0 == 0x184d_2a50 {
        let stored = (u32::from_le_bytes(part(bytes, 4)?) as usize).saturating_add(8);
        return if stored > bytes.len() {
            Err(Said::NeedsMore(stored))
        } else {
            Ok(Said::Member { stored, claimed: 0 })
        };
    }
    if magic != 0xfd2f_b528 {
        return Err(Said::Nothing);
    }
    let head = ZstdHead::read(bytes)?;
    let mut at = head.length;
    let mut most = 0;
    loop {
        let [a, b, c] = part(bytes, at)?;
        let header = u32::from_le_bytes([a, b, c, 0]);
        let size = (header >> 3) as usize;
        let (stored, plain) = match header >> 1 & 3 {
            0 => (size, size),
            1 => (1, size),
            2 => (size, 128 << 10),
            _ => return Err(Said::Nothing),
        };
        at += 3 + stored;
        most += plain;
        if header & 1 == 1 {
            break;
        }
    }
    let stored = at + head.checksum;
    if stored > bytes.len() {
        return Err(Said::NeedsMore(stored));
    }
    let claimed = head.content.unwrap_or(most);
    Ok(Said::Member { stored, claimed })
}

struct ZstdHead {
    length: usize,
    content: Option<usize>,
    checksum: usize,
}

impl ZstdHead {
    fn read(bytes: &[u8]) -> Result<ZstdHead, Said> {
        let [descriptor] = part(bytes, 4)?;
        let is_single = descriptor & 0x20 != 0;
        let mut at = 5;
        if !is_single {
            let [window] = part(bytes, at)?;
            if u32::from(window >> 3) + 10 >= BOUNDED_WINDOW {
                return Err(Said::Nothing);
            }
            at += 1;
        }
        at += [0, 1, 2, 4][usize::from(descriptor & 3)];
        let (size, content) = match (descriptor >> 6, is_single) {
            (0, false) => (0, None),
            (0, true) => (1, Some(u64::from(part::<1>(bytes, at)?[0]))),
            (1, _) => (2, Some(u64::from(u16::from_le_bytes(part(bytes, at)?)) + 256)),
            (2, _) => (4, Some(u64::from(u32::from_le_bytes(part(bytes, at)?)))),
            _ => (8, Some(u64::from_le_bytes(part(bytes, at)?))),
        };
        Ok(ZstdHead {
            length: at + size,
            content: content.map(|content| usize::try_from(content).unwrap_or(usize::MAX)),
            checksum: if descriptor & 4 != 0 { 4 } else { 0 },
        })
    }
}

fn part<const N: usize>(bytes: &[u8], at: usize) -> Result<[u8; N], Said> {
    let end = at.saturating_add(N);
    let part = bytes.get(at..end).and_then(|part| part.first_chunk());
    part.copied().ok_or(Said::NeedsMore(end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;

    #[test]
    fn blocked_gzip_tells_its_size() {
        let mut encoder = flate2::GzBuilder::new()
            .extra([b'X', b'Y', 1, 0, 9, b'B', b'C', 2, 0, 0, 0])
            .write(Vec::new(), flate2::Compression::fast());
        encoder.write_all(b"{}\n").expect("gzip");
        let mut stored = encoder.finish().expect("gzip");
        let last = u16::try_from(stored.len() - 1).expect("short").to_le_bytes();
        stored[21..23].copy_from_slice(&last);
        let size = stored.len();
        let whole = Said::Member {
            stored: size,
            claimed: 3,
        };
        assert_eq!(member(Codec::Gzip, &[&stored[..], b"rest"].concat(), false), whole);
        assert_eq!(member(Codec::Gzip, &stored[..size - 1], false), Said::NeedsMore(size));
        assert_eq!(member(Codec::Gzip, &stored[..size - 1], true), Said::Nothing);
        stored[0] = 0;
        assert_eq!(member(Codec::Gzip, &stored, true), Said::Nothing);
    }

    #[test]
    fn frames_end_where_their_last_block_does() {
        let plain = b"{\"resourceType\":\"Patient\"}\n".repeat(20_000);
        for checksum in [false, true] {
            for sized in [false, true] {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("zstd");
                encoder.include_checksum(checksum).expect("zstd");
                let size = sized.then_some(plain.len() as u64);
                encoder.set_pledged_src_size(size).expect("zstd");
                encoder.write_all(&plain).expect("zstd");
                let stored = encoder.finish().expect("zstd");
                for end in 0..stored.len() {
                    let said = member(Codec::Zstd, &stored[..end], false);
                    assert!(
                        matches!(said, Said::NeedsMore(more) if more > end && more <= stored.len()),
                        "{end}"
                    );
                }
                let said = member(Codec::Zstd, &[&stored[..], &stored].concat(), false);
                let Said::Member {
                    stored: length,
                    claimed,
                } = said
                else {
                    panic!("{said:?}");
                };
                assert_eq!(length, stored.len());
                assert!(claimed == plain.len() || (!sized && claimed > plain.len()));
            }
        }
        let skipped = [0x5f, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2, 3];
        assert_eq!(
            member(Codec::Zstd, &skipped, false),
            Said::Member { stored: 10, claimed: 0 }
        );
        assert_eq!(member(Codec::Zstd, b"(\xb5/\xfd\x00\xff", false), Said::Nothing);
    }
}
