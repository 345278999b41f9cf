//! What the manifest of the output has from that of the server.

use super::Client;
use crate::client::kickoff::kick_off;
use crate::client::step::FileNo;
use crate::names::Named;

impl Client {
    /// For files whose last block goes on in another: which.
    #[must_use]
    pub fn continuations(&self) -> Vec<(FileNo, FileNo)> {
        if self.files().all(|file| file.continues_in.is_none()) {
            return Vec::new();
        }
        // The URL of where a file goes on may be relative: then it is the end of another's, if of only one. Sorted from their
        // ends, those that end alike stand together; there may be very many.
        let reversed = |text: &str| -> Vec<u8> { text.bytes().rev().collect() };
        let mut whole = Named::default();
        let mut from_end: Vec<(Vec<u8>, FileNo)> = Vec::new();
        for file in self.files() {
            *whole.slot(file.url) = file.number;
            from_end.push((reversed(file.url), file.number));
        }
        from_end.sort_unstable();
        let number = |url: &str| {
            let only = || {
                let end = reversed(&format!("/{}", url.trim_start_matches(['.', '/'])));
                let first = from_end.partition_point(|(other, _)| *other < end);
                let mut ending = from_end[first..]
                    .iter()
                    .take_while(|(other, _)| other.starts_with(&end));
                let found = ending.next()?.1;
                ending.next().is_none().then_some(found)
            };
            whole.get(url).copied().or_else(only)
        };
        let continues = self
            .files()
            .filter_map(|file| Some((file.number, number(file.continues_in?)?)));
        continues.collect()
    }

    /// What the server was asked for: as its manifest says, or the kick-off, or the job where that was begun elsewhere.
    #[must_use]
    pub fn request_url(&self) -> String {
        let facts = self.facts();
        let asked = || {
            let url = self.order().and_then(|order| kick_off(order).ok()).map(|call| call.url);
            url.or(facts.status_url.map(str::to_owned))
        };
        facts.request.map(str::to_owned).or_else(asked).unwrap_or_default()
    }
}
