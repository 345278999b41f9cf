//! Which fault a request meets: drawn from the seed and the number of the request.

use std::time::Duration;

use super::{At, Class};
use crate::random::Random;

/// What can be done to a request or to its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// The answer comes some tens of milliseconds late.
    Delay,
    /// The connection ends in the middle of the body.
    Cut,
    /// The connection ends without an answer; the server may have been asked or not.
    Drop,
    /// 429, 500, 502, 503 or 504, with an odd `Retry-After` or none.
    Refuse,
    /// A byte of a file is another.
    Flip,
    /// The end of a file is missing, and `Content-Length` says so: the trailer of a gzip file, or some bytes.
    Truncate,
    /// The manifest is not the one that came before.
    ChangeManifest,
    /// 401: the token is not good any more.
    Expire,
    /// 307 to the other origin.
    Redirect,
    /// `Content-Length` is more than what comes.
    TooLong,
    /// `Content-Length` is less than what comes.
    TooShort,
    /// 200 with a page of HTML.
    Html,
    /// A body that goes on until the client ends it, or for [`Faults::ENDLESS`].
    Endless,
    /// A manifest of 100 MB.
    HugeManifest,
    /// Nothing comes.
    Hang,
    /// `Content-Encoding` says something else than what it is.
    LyingCoding,
    /// The `Retry-After` of a job that is not done is odd.
    OddWait,
}

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 17] = [
        Fault::Delay,
        Fault::Cut,
        Fault::Drop,
        Fault::Refuse,
        Fault::Flip,
        Fault::Truncate,
        Fault::ChangeManifest,
        Fault::Expire,
        Fault::Redirect,
        Fault::TooLong,
        Fault::TooShort,
        Fault::Html,
        Fault::Endless,
        Fault::HugeManifest,
        Fault::Hang,
        Fault::LyingCoding,
        Fault::OddWait,
    ];

    /// Whether it can be done to such a request.
    fn fits(self, class: Class, at: At, is_authorized: bool) -> bool {
        match self {
            Fault::Delay | Fault::Cut | Fault::Drop | Fault::Refuse | Fault::Hang => true,
            Fault::Html => class != Class::Delete,
            Fault::Flip | Fault::Truncate => class == Class::File,
            Fault::ChangeManifest | Fault::HugeManifest | Fault::OddWait => class == Class::Status,
            Fault::Expire => is_authorized && class != Class::Token,
            Fault::Redirect => at == At::Main && matches!(class, Class::File | Class::Status),
            Fault::TooLong | Fault::TooShort | Fault::Endless | Fault::LyingCoding => {
                matches!(class, Class::File | Class::Status)
            }
        }
    }
}

/// How often each fault happens, in so many of 1,000 requests that it can happen to.
#[derive(Clone, Debug)]
pub struct Faults {
    rates: [u64; Fault::ALL.len()],
    /// How long [`Fault::Hang`] hangs where the client waits.
    pub hang: Duration,
}

impl Faults {
    /// Most bytes of an endless body.
    pub const ENDLESS: u64 = 1 << 30;

    /// Nothing ever happens.
    #[must_use]
    pub fn none() -> Faults {
        Faults::all(0)
    }

    /// Each fault at this rate.
    #[must_use]
    pub fn all(per_mille: u64) -> Faults {
        Faults {
            rates: [per_mille; Fault::ALL.len()],
            hang: Duration::from_secs(30),
        }
    }

    /// One fault, and no other.
    #[must_use]
    pub fn only(fault: Fault, per_mille: u64) -> Faults {
        Faults::none().with(fault, per_mille)
    }

    /// The same with another rate for one of them.
    #[must_use]
    pub fn with(mut self, fault: Fault, per_mille: u64) -> Faults {
        self.rates[fault as usize] = per_mille;
        self
    }

    /// The same, hanging for another time.
    #[must_use]
    pub fn hanging(mut self, hang: Duration) -> Faults {
        self.hang = hang;
        self
    }

    /// What happens to a request, and what decides on the details.
    pub(super) fn draw(&self, seed: u64, number: usize, of: (Class, At, bool)) -> (Option<Fault>, Random) {
        let (class, at, is_authorized) = of;
        // The first draw mixes: neighbours in seed and number have nothing in common.
        let mixed = Random::new(seed.rotate_left(32) ^ number as u64).next();
        let mut random = Random::new(mixed);
        let mut hits = Vec::new();
        for (fault, rate) in Fault::ALL.into_iter().zip(self.rates) {
            let is_hit = random.below(1000) < rate;
            if is_hit && fault.fits(class, at, is_authorized) {
                hits.push(fault);
            }
        }
        let hit = random.pick(&hits).copied();
        (hit, random)
    }
}
