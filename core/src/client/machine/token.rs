//! The token: who may have it, and whether there is one that lives.

use super::super::settings::{Millis, Settings};
use super::super::step::Failure;
use super::super::url;

/// Longest time before its end that a token is renewed.
const MARGIN: Millis = 30_000;
/// A token that ends sooner is used so long all the same: otherwise one that is dead on arrival would never be tried.
const SHORTEST_LIFE: Millis = 1_000;

/// Whose servers may have the token.
#[derive(Clone, Debug)]
pub(super) struct Trust {
    has_token: bool,
    origins: Vec<String>,
    across_redirects: bool,
}

impl Trust {
    /// The base's own origin and those of the settings.
    pub(super) fn new(base: &str, settings: &Settings) -> Result<Trust, Failure> {
        let mut origins: Vec<String> = url::origin(base).into_iter().collect();
        for text in &settings.token_origins {
            let origin = url::origin(text).ok_or_else(|| Failure {
                code: "bad-order",
                message: "an origin that may have the token is no http or https URL".to_owned(),
                resumable: false,
            })?;
            origins.push(origin);
        }
        Ok(Trust {
            has_token: settings.has_token,
            origins,
            across_redirects: settings.token_across_redirects,
        })
    }

    /// Whether a request to this URL carries the token, after so many redirects. A URL with credentials of its own does not.
    pub(super) fn sends(&self, target: &str, hops: u32) -> bool {
        self.has_token
            && (hops == 0 || self.across_redirects)
            && !url::has_user(target)
            && url::origin(target).is_some_and(|origin| self.origins.contains(&origin))
    }
}

/// The token that the driver holds, as far as the machine has to know it.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    state: State,
    /// Number of the newest token, from 1.
    number: u64,
    /// Attempts since the last token that brought none.
    failed: u32,
}

#[derive(Clone, Copy, Debug)]
enum State {
    Absent { due: Millis },
    Asked,
    Held { renew: Option<Millis> },
}

/// What a request that needs a token has to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ready {
    /// Go, with the token of that number.
    Yes(u64),
    /// Ask for one first.
    Ask,
    /// It has been asked for.
    Asked,
    /// It may be asked for then.
    Later(Millis),
}

impl Grant {
    pub(super) fn new() -> Grant {
        Grant {
            state: State::Absent { due: 0 },
            number: 0,
            failed: 0,
        }
    }

    pub(super) fn ready(&self, now: Millis) -> Ready {
        match self.state {
            State::Absent { due } if due > now => Ready::Later(due),
            State::Absent { .. } => Ready::Ask,
            State::Asked => Ready::Asked,
            State::Held { renew: Some(renew) } if renew <= now => Ready::Ask,
            State::Held { .. } => Ready::Yes(self.number),
        }
    }

    pub(super) fn ask(&mut self) {
        self.state = State::Asked;
    }

    pub(super) fn got(&mut self, expires: Option<Millis>, now: Millis) {
        let renew = expires.map(|expires| {
            let margin = (expires.saturating_sub(now) / 5).min(MARGIN);
            (expires - margin).max(now + SHORTEST_LIFE)
        });
        self.number += 1;
        self.failed = 0;
        self.state = State::Held { renew };
    }

    /// There is none; how often in a row that has been.
    pub(super) fn failed(&mut self) -> u32 {
        self.failed += 1;
        self.failed
    }

    pub(super) fn again_at(&mut self, due: Millis) {
        self.state = State::Absent { due };
    }

    /// A server has refused that token. A newer one is not touched by that.
    pub(super) fn refused(&mut self, number: u64) {
        if number == self.number && matches!(self.state, State::Held { .. }) {
            self.state = State::Absent { due: 0 };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_bases_origin_and_named_ones_may_have_it() {
        let settings = Settings {
            has_token: true,
            token_origins: vec!["https://files.example:8443".into()],
            ..Settings::default()
        };
        let trust = Trust::new("https://h/fhir", &settings).expect("origins");
        assert!(trust.sends("https://H:443/x", 0) && trust.sends("https://files.example:8443/f", 0));
        for other in [
            "http://h/x",
            "https://h.evil/x",
            "https://h:8443/",
            "https://me:pw@h/x",
            "nonsense",
        ] {
            assert!(!trust.sends(other, 0), "{other}");
        }
        assert!(!trust.sends("https://h/x", 1));
        let across = Settings {
            token_across_redirects: true,
            ..settings.clone()
        };
        let trust = Trust::new("https://h/fhir", &across).expect("origins");
        assert!(trust.sends("https://h/x", 1) && !trust.sends("https://other/x", 1));
        let none = Settings {
            has_token: false,
            ..settings.clone()
        };
        assert!(
            !Trust::new("https://h/fhir", &none)
                .expect("origins")
                .sends("https://h/x", 0)
        );
        let odd = Settings {
            token_origins: vec!["files.example".into()],
            ..settings
        };
        assert!(Trust::new("https://h/fhir", &odd).is_err());
    }

    #[test]
    fn a_token_is_renewed_a_fifth_or_half_a_minute_before_its_end() {
        for (life, renewed_after) in [(100_000, 80_000), (3_600_000, 3_570_000), (10_000, 8_000), (0, 1_000)] {
            let mut grant = Grant::new();
            assert_eq!(grant.ready(5), Ready::Ask);
            grant.ask();
            assert_eq!(grant.ready(5), Ready::Asked);
            grant.got(Some(5 + life), 5);
            assert_eq!(grant.ready(5 + renewed_after - 1), Ready::Yes(1), "{life}");
            assert_eq!(grant.ready(5 + renewed_after), Ready::Ask, "{life}");
        }
    }

    #[test]
    fn a_refusal_of_an_old_token_does_not_touch_the_new_one() {
        let mut grant = Grant::new();
        grant.got(None, 0);
        grant.got(None, 0);
        grant.refused(1);
        assert_eq!(grant.ready(0), Ready::Yes(2));
        grant.refused(2);
        assert_eq!(grant.ready(0), Ready::Ask);
        grant.again_at(7);
        assert_eq!((grant.ready(6), grant.ready(7)), (Ready::Later(7), Ready::Ask));
    }
}
