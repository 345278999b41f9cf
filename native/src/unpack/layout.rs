//! Whether an input is lines or documents.

/// How an input's resources are laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// NDJSON: each line one resource. Passes through untouched; no [`super::Unpacker`] is needed.
    Lines,
    /// JSON documents: Bundles, arrays of resources, single resources over many lines.
    Documents,
}

impl Layout {
    /// Decides by the input's name and first plain bytes, for the whole input:
    ///
    /// - a name that ends in `.json`, with or without an ending of a codec behind it (`.json.gz`): documents;
    /// - otherwise `[` as the first byte that is not blank (nor of a byte order mark): documents;
    /// - otherwise lines, whatever the name. A Bundle in such a line is a resource of type Bundle.
    ///
    /// `None` where `head` is blank so far, or a part of a byte order mark, and the name does not tell: ask again with more (blank lines mean nothing,
    /// so they may be passed on already).
    pub fn detect(name: &str, head: &[u8]) -> Option<Self> {
        if has_document_name(name) {
            return Some(Self::Documents);
        }
        const MARK: &[u8] = b"\xef\xbb\xbf";
        if MARK.starts_with(head) {
            return None;
        }
        let head = head.strip_prefix(MARK).unwrap_or(head);
        let first = head.iter().find(|byte| !matches!(byte, b' ' | b'\t' | b'\r' | b'\n'))?;
        Some(if *first == b'[' { Self::Documents } else { Self::Lines })
    }
}

fn has_document_name(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let stem = [".gz", ".zst", ".br", ".bz2", ".xz"]
        .iter()
        .find_map(|codec| name.strip_suffix(codec));
    stem.unwrap_or(&name).ends_with(".json")
}
