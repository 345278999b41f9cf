//! What this server offers, as it was configured: the profile, the search parameters, the bases.

use std::collections::HashMap;
use std::sync::Arc;

use fhirehose_core::search::code_list::CodeList;
use fhirehose_core::search::table::Registry;
use fhirehose_store::Time;

use crate::kickoff::Setting;
use crate::profile::{self, ServerProfile};

/// What kick-offs are read by, and jobs are run by, but for the clock.
#[derive(Clone, Debug)]
pub struct Offer {
    /// What is offered.
    pub profile: &'static ServerProfile,
    /// The search parameters of the data's FHIR version.
    pub registry: Arc<Registry>,
    /// The FHIR base that clients see.
    pub public_base: String,
    /// The FHIR base that absolute references in the data have, if it is another.
    pub data_base: Option<String>,
    /// Code lists for `:in` and `:not-in`, by the URL of the value set.
    pub value_sets: HashMap<String, Arc<CodeList>>,
    /// Take a missing `Accept`, and a missing `Prefer: respond-async`, for what they should be.
    pub assume_async: bool,
}

impl Offer {
    /// What a kick-off is read by at an [instant].
    #[must_use]
    pub fn setting<'a>(&'a self, now: &'a str) -> Setting<'a> {
        Setting {
            profile: self.profile,
            registry: &self.registry,
            public_base: &self.public_base,
            data_base: self.data_base.as_deref(),
            value_sets: &self.value_sets,
            assume_async: self.assume_async,
            now,
        }
    }

    /// The base of absolute references in the data.
    #[must_use]
    pub fn base(&self) -> &str {
        self.data_base.as_deref().unwrap_or(&self.public_base)
    }

    /// The profile that a job was taken under: the server may have been started anew with another one.
    #[must_use]
    pub fn profile_of(&self, name: &str) -> &'static ServerProfile {
        let all = profile::ALL.into_iter();
        all.into_iter()
            .find(|profile| profile.name == name)
            .unwrap_or(self.profile)
    }
}

/// A time as an instant of FHIR, in UTC with milliseconds. A time that no clock shows is the end of all clocks.
#[must_use]
pub fn instant(time: Time) -> String {
    let time = jiff::Timestamp::from_millisecond(time.0).unwrap_or(jiff::Timestamp::MAX);
    time.strftime("%Y-%m-%dT%H:%M:%S.%3fZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_of_utc_with_milliseconds() {
        assert_eq!(instant(Time(0)), "1970-01-01T00:00:00.000Z");
        assert_eq!(instant(Time(1_764_115_200_007)), "2025-11-26T00:00:00.007Z");
        assert_eq!(instant(Time(-1)), "1969-12-31T23:59:59.999Z");
        for time in [i64::MAX, i64::MIN] {
            let told = instant(Time(time));
            assert!(
                fhirehose_core::search::kind::date::read_instant(&told).is_some(),
                "{told}"
            );
        }
    }

    #[test]
    fn a_job_keeps_its_profile() {
        let offer = Offer {
            profile: &profile::IG,
            registry: Arc::new(Registry::r4()),
            public_base: "http://own/fhir".to_owned(),
            data_base: None,
            value_sets: HashMap::new(),
            assume_async: false,
        };
        assert_eq!(offer.profile_of("oracle").name, "oracle");
        assert_eq!(offer.profile_of("of a later version").name, "ig");
        assert_eq!(offer.setting("2025-11-26T00:00:00.000Z").profile.name, "ig");
        assert_eq!(offer.base(), "http://own/fhir");
    }
}
