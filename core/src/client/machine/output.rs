//! What the manifest of the output has from that of the server.

use super::Client;
use crate::client::kickoff::kick_off;
use crate::client::step::FileNo;
use crate::names::Named;

/// Most steps of a path that a relative URL may have, so that nobody's URLs take long.
const MOST_STEPS: usize = 32;

/// Files whose URLs end in one way: how many, and one of them.
#[derive(Default)]
struct Ending {
    count: usize,
    file: FileNo,
}

/// How a URL ends that this one leads to, if it is relative.
fn end_of(url: &str) -> String {
    format!("/{}", url.trim_start_matches(['.', '/']))
}

impl Client {
    /// For files whose last block goes on in another: which.
    #[must_use]
    pub fn continuations(&self) -> Vec<(FileNo, FileNo)> {
        if self.files().all(|file| file.continues_in.is_none()) {
            return Vec::new();
        }
        let mut whole = Named::default();
        // The URL of where a file goes on may be relative: then it is the end of another's, if of only one. There may be very many.
        let mut ends: Named<Ending> = Named::default();
        for file in self.files() {
            *whole.slot(file.url) = file.number;
            if let Some(url) = file.continues_in {
                ends.slot(&end_of(url));
            }
        }
        for file in self.files() {
            for (at, _) in file.url.rmatch_indices('/').take(MOST_STEPS) {
                if let Some(ending) = ends.get_mut(&file.url[at..]) {
                    ending.count += 1;
                    ending.file = file.number;
                }
            }
        }
        let number = |url: &str| {
            let only = ends.get(&end_of(url)).filter(|ending| ending.count == 1);
            whole.get(url).copied().or(only.map(|ending| ending.file))
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
