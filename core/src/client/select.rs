//! What the lists of errors and of deletions may hold: nothing else comes in through them.

use super::json;
use crate::deletion::{Reading, read};
use crate::sink::FileKind;

/// Passes on the lines that belong into a list. Lists are short, and their lines bounded.
#[derive(Debug)]
pub struct Select {
    kind: FileKind,
    line: Vec<u8>,
    dropped: u64,
}

impl Select {
    /// For errors and deletions; output is the engine's.
    #[must_use]
    pub fn of(kind: FileKind) -> Option<Select> {
        (kind != FileKind::Output).then_some(Select {
            kind,
            line: Vec::new(),
            dropped: 0,
        })
    }

    /// Takes the next bytes, cut anywhere, and gives whole lines.
    ///
    /// # Errors
    /// Whatever `give` fails with.
    pub fn take<E>(&mut self, block: &[u8], mut give: impl FnMut(&[u8]) -> Result<(), E>) -> Result<(), E> {
        for piece in block.split_inclusive(|&byte| byte == b'\n') {
            self.line.extend_from_slice(piece);
            if !piece.ends_with(b"\n") {
                return Ok(());
            }
            if self.belongs() {
                give(&self.line)?;
            } else if !self.line.trim_ascii().is_empty() {
                self.dropped += 1;
            }
            self.line.clear();
        }
        Ok(())
    }

    /// Lines that did not belong.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    fn belongs(&self) -> bool {
        let line = self
            .line
            .strip_prefix(b"\xef\xbb\xbf")
            .unwrap_or(&self.line)
            .trim_ascii();
        let Ok(document) = json::parse(line) else { return false };
        match self.kind {
            FileKind::Deleted => matches!(read(line, None), Reading::Deletions(_)),
            _ => document
                .root()
                .get("resourceType")
                .and_then(json::Node::text)
                .is_some_and(|name| name == "OperationOutcome"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selected(kind: FileKind, text: &str) -> (String, u64) {
        let mut select = Select::of(kind).expect("a list");
        let mut kept = Vec::new();
        for piece in text.as_bytes().chunks(7) {
            let give = |line: &[u8]| {
                kept.extend_from_slice(line);
                Ok::<(), ()>(())
            };
            select.take(piece, give).expect("gives");
        }
        (String::from_utf8(kept).expect("text"), select.dropped())
    }

    #[test]
    fn records_do_not_come_in_through_the_lists_of_errors_and_deletions() {
        let patient = "{\"resourceType\":\"Patient\",\"id\":\"a\"}\n";
        let outcome = "{\"resourceType\":\"OperationOutcome\",\"issue\":[]}\n";
        let deletion = crate::deletion::lines([("Patient", "a")]);
        let carrier = "{\"resourceType\":\"Bundle\",\"type\":\"transaction\",\"entry\":[{\"resource\":{\"resourceType\":\"Patient\"},\
                       \"request\":{\"method\":\"PUT\",\"url\":\"Patient/a\"}}]}\n";
        let all = [patient, outcome, "\n", &deletion, carrier, "{\n"].concat();
        assert_eq!(selected(FileKind::Error, &all), (outcome.to_owned(), 4));
        assert_eq!(selected(FileKind::Deleted, &all), (deletion.clone(), 4));
        assert!(Select::of(FileKind::Output).is_none());
    }
}
