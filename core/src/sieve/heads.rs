//! The types of lines, by how they begin: in a stream of many types the same few beginnings come again and again.

use crate::scan::simd::begins_with;
use crate::search::table::Registry;

/// Places for beginnings, and how long one is at most.
pub(super) const PLACES: usize = 64;
pub(super) const LONGEST: usize = 128;
/// Where the name of the type stands in most lines.
const NAME: usize = b"{\"resourceType\":\"".len();

/// Beginnings up to behind the type's name, each at the place that the bytes of the name give it. Valid for one registry.
#[derive(Debug, Default)]
pub(super) struct Heads(Vec<Head>);

#[derive(Clone, Debug, Default)]
struct Head {
    /// Empty: there is none.
    bytes: Vec<u8>,
    type_index: usize,
}

impl Heads {
    /// The type of a line that begins with `{"resourceType":"…"`, blanks allowed. `None`: look properly.
    #[inline]
    pub(super) fn type_of(&mut self, registry: &Registry, block: &[u8], start: usize) -> Option<usize> {
        let line = &block[start..];
        if let Some(head) = place(line).and_then(|place| self.0.get(place))
            && !head.bytes.is_empty()
            && begins_with(line, &head.bytes)
        {
            return Some(head.type_index);
        }
        self.read(registry, block, start)
    }

    #[inline(never)]
    fn read(&mut self, registry: &Registry, block: &[u8], start: usize) -> Option<usize> {
        let (type_index, end) = leading_type(registry, block, start)?;
        let bytes = &block[start..end];
        if let Some(place) = place(&block[start..])
            && bytes.len() <= LONGEST
        {
            self.0.resize_with(PLACES, Head::default);
            let head = &mut self.0[place];
            head.bytes.clear();
            head.bytes.extend_from_slice(bytes);
            head.type_index = type_index;
        }
        Some(type_index)
    }
}

/// The place for the beginning of a line. `None`: the block ends before the name does.
#[inline]
pub(super) fn place(line: &[u8]) -> Option<usize> {
    let name = line.get(NAME..NAME + 8)?;
    let name = u64::from_le_bytes(name.try_into().ok()?);
    Some((name.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as usize % PLACES)
}

/// The type that stands at the beginning of a line, and where its closing quote ends.
fn leading_type(registry: &Registry, block: &[u8], start: usize) -> Option<(usize, usize)> {
    let at = expect(block, start, b"{")?;
    let at = expect(block, at, b"\"resourceType\"")?;
    let at = expect(block, at, b":")?;
    let at = expect(block, at, b"\"")?;
    let rest = &block[at..];
    let len = rest.iter().take(65).position(|&byte| byte == b'"')?;
    let name = std::str::from_utf8(&rest[..len]).ok()?;
    Some((registry.type_index(name)?, at + len + 1))
}

/// Skips blanks, then wants these bytes; returns where they end.
fn expect(block: &[u8], from: usize, wanted: &[u8]) -> Option<usize> {
    let mut at = from;
    while matches!(block.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    block[at..].starts_with(wanted).then_some(at + wanted.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_told_however_often_they_change() {
        let registry = Registry::r4();
        let mut heads = Heads::default();
        let starts = [
            ("{\"resourceType\":\"", true),
            ("{ \"resourceType\" : \"", true),
            ("{\"id\":\"1\",\"resourceType\":\"", false),
        ];
        for _ in 0..2 {
            for (start, is_leading) in starts {
                for (index, name) in registry.types().iter().enumerate() {
                    for (end, is_type) in [
                        ("\",\"id\":\"12345678\"}\n", is_leading),
                        ("s\",\"id\":\"12345678\"}\n", false),
                    ] {
                        let block = format!("{{}}\n{start}{name}{end}");
                        let told = heads.type_of(&registry, block.as_bytes(), 3);
                        assert_eq!(told, is_type.then_some(index), "{block}");
                    }
                }
            }
        }
        assert_eq!(heads.type_of(&registry, b"{\"resourceType\":\"Patient", 0), None);
    }
}
