//! A look at the raw bytes of a line before any JSON is read: can it mention a patient of the cohort at all?
//!
//! A reference to a patient holds `Patient/` and the id. A line in which no such text leads to an id of the set is in
//! nobody's compartment, whatever its grammar. What could be spelled otherwise (an escape) and what does not look whole
//! goes to the walk.

use std::sync::LazyLock;

use memchr::{memchr, memmem};

use crate::ids::IdSet;

/// Whether the line, without its newline, may refer to a patient of the set. `false` is certain.
pub(crate) fn may_mention(line: &[u8], ids: &IdSet) -> bool {
    const NAME: &[u8] = b"Patient/";
    static FINDER: LazyLock<memmem::Finder<'static>> = LazyLock::new(|| memmem::Finder::new(NAME));
    // A line that was cut off must be told as bad, not dropped: the record may have been of the cohort.
    if line.trim_ascii_end().last() != Some(&b'}') {
        return true;
    }
    let mentions = FINDER.find_iter(line).any(|at| {
        let id = &line[at + NAME.len()..];
        let end = id.iter().take(256).position(|byte| matches!(byte, b'"' | b'/' | b'\\'));
        // An id that goes on with an escaped quote or backslash is none of FHIR's, but a Group may bring one.
        end.is_some_and(|end| id[end] == b'\\' || ids.contains(&id[..end]))
    });
    mentions || has_escape(line)
}

/// Whether there is an escape by which a slash or a letter may be spelled: `\/` or `\u`.
fn has_escape(line: &[u8]) -> bool {
    let mut at = 0;
    while let Some(next) = memchr(b'\\', &line[at..]) {
        let escaped = at + next + 1;
        if matches!(line.get(escaped), None | Some(b'u' | b'/')) {
            return true;
        }
        at = escaped + 1;
        if at >= line.len() {
            return false;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_certain_is_refused() {
        let mut ids = IdSet::default();
        ids.insert(b"a-1");
        let cases = [
            (r#"{"subject":{"reference":"Patient/a-1"}}"#, true),
            (r#"{"subject":{"reference":"Patient/a-1/_history/2"}}"#, true),
            (r#"{"subject":{"reference":"http://x/Patient/a-1"}} "#, true),
            (
                r#"{"subject":{"reference":"Patient/b"},"x":{"reference":"Patient/a-1"}}"#,
                true,
            ),
            (r#"{"subject":{"reference":"Patient\/a-1"}}"#, true),
            (r#"{"subject":{"reference":"Patient/\u0061-1"}}"#, true),
            (r#"{"subject":{"reference":"Patient/b"},"text":"a \\u \" \n"}"#, false),
            (r#"{"text":"ends in \\"}"#, false),
            (r#"{"subject":{"reference":"Patient/b\"c"}}"#, true),
            (r#"{"subject":{"reference":"Patient/a-12"}}"#, false),
            (r#"{"subject":{"reference":"Patient/a-"}}"#, false),
            (r#"{"subject":{"reference":"Patient/b"}}"#, false),
            (r#"{"code":"none"}"#, false),
            (r#"{"subject":{"reference":"Patient/a"#, true),
            ("", true),
        ];
        for (line, expected) in cases {
            assert_eq!(may_mention(line.as_bytes(), &ids), expected, "{line}");
        }
    }
}
