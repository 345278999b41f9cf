//! The one request with a small answer that is due or under way.

use super::super::settings::Millis;
use super::super::step::{CallId, What};

/// A request, from when it is wanted until its answer has been understood.
#[derive(Clone, Debug)]
pub(super) struct Talk {
    pub(super) what: What,
    /// Where it begins each time.
    pub(super) url: String,
    /// Where it is now: the target of the last redirect.
    pub(super) at: String,
    /// Redirects that led there.
    pub(super) hops: u32,
    /// When it may be sent.
    pub(super) due: Millis,
    pub(super) flight: Option<Flight>,
    /// The token that was refused before this try.
    pub(super) refused: Option<u64>,
    /// The journal knows that it is being sent.
    pub(super) is_remembered: bool,
    /// Tries that brought nothing, where only a few are allowed.
    pub(super) tries: u32,
    /// Answers that asked to come later.
    pub(super) busy: u32,
}

/// A request on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Flight {
    pub(super) id: CallId,
    pub(super) token: Option<u64>,
}

impl Talk {
    pub(super) fn new(what: What, url: String, due: Millis) -> Talk {
        Talk {
            what,
            at: url.clone(),
            url,
            hops: 0,
            due,
            flight: None,
            refused: None,
            is_remembered: false,
            tries: 0,
            busy: 0,
        }
    }

    /// The same once more, from its first URL.
    pub(super) fn again(&mut self, due: Millis) {
        self.at.clone_from(&self.url);
        self.hops = 0;
        self.due = due;
        self.flight = None;
    }

    /// On to where a redirect leads.
    pub(super) fn onward(&mut self, target: String, now: Millis) {
        self.at = target;
        self.hops += 1;
        self.due = now;
    }
}
