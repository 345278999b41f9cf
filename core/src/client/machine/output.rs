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
        let named: Vec<(&str, FileNo)> = self.files().map(|file| (file.url, file.number)).collect();
        let mut whole = Named::default();
        for (url, number) in &named {
            *whole.slot(url) = *number;
        }
        // The URL of where a file goes on may be relative: then it is the end of another's, if of only one.
        let number = |url: &str| {
            let only = || {
                let end = format!("/{}", url.trim_start_matches(['.', '/']));
                let mut ending = named.iter().filter(|(other, _)| other.ends_with(&end));
                let first = ending.next()?;
                ending.next().is_none().then_some(first.1)
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
