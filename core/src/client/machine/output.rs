//! What the manifest of the output has from that of the server.

use std::collections::HashMap;

use super::Client;
use crate::client::kickoff::kick_off;
use crate::client::step::FileNo;

impl Client {
    /// For files whose last block goes on in another: which.
    #[must_use]
    pub fn continuations(&self) -> HashMap<FileNo, FileNo> {
        if self.files().all(|file| file.continues_in.is_none()) {
            return HashMap::new();
        }
        let named: Vec<(&str, FileNo)> = self.files().map(|file| (file.url, file.number)).collect();
        let whole: HashMap<&str, FileNo> = named.iter().copied().collect();
        // The URL of where a file goes on may be relative: then it is the end of another's, if of only one.
        let number = |url: &str| {
            let end = format!("/{}", url.trim_start_matches(['.', '/']));
            let mut ending = named.iter().filter(|(other, _)| other.ends_with(&end));
            let only = ending
                .next()
                .filter(|_| ending.next().is_none())
                .map(|(_, number)| *number);
            whole.get(url).copied().or(only)
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
