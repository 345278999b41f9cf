//! What becomes of a request that asks for what is wrong or not offered, strictly and leniently: one table (SPEC 2.3.2).

use fhirehose_core::profile::{Answer, Parameter};

use crate::profile::{Leniency, ServerProfile};

/// What may be wrong with a parameter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Situation {
    /// A name that no profile knows.
    UnknownParameter,
    /// A name that no profile knows, and that is nearly one that is known: whoever wrote it meant to have less.
    MisspelledParameter,
    /// A name that is known, and not offered here.
    UnsupportedParameter,
    /// A type in `_type` that is unknown or not exported.
    UnsupportedType,
    /// Types that have nothing to do with patients, at the levels that are about patients; or a list of which no type is
    /// left.
    NoTypeLeft,
    /// A time that is no instant.
    MalformedInstant,
    /// `_until` is not after `_since`.
    EmptyWindow,
    /// `_since` has not come yet.
    FutureSince,
    /// `_outputFormat` is none of the three.
    UnknownFormat,
    /// The Group is not in the data.
    MissingGroup,
    /// `patient` for everything there is.
    PatientAtSystemLevel,
    /// `patient` in a query.
    PatientByGet,
    /// A patient that is no reference to one of this server, a list that is empty or too long.
    BadPatient,
    /// A patient who is not in the data, or not in the group.
    UnknownPatient,
    /// A filter that cannot be read or cannot be applied.
    BadFilter,
    /// A filter about a type that is not exported anyway.
    FilterOfOtherType,
    /// An entry of `_elements` that is no root element.
    BadElement,
    /// A type that output cannot be organized by.
    UnsupportedOrganizeBy,
    /// An unknown value of `includeAssociatedData`, or one that does not go with the types.
    BadAssociatedData,
    /// A hint about how results are to be given, of a value that there is not.
    BadHint,
    /// A parameter that may be given once was given again, or in the query and in the body.
    Repeated,
    /// A text that cannot be decoded, or a value of another datatype.
    Unreadable,
}

/// What lenient handling does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lenient {
    /// The same as strict handling.
    Refuse,
    /// Goes on without the parameter or the item, and reports that.
    Drop,
    /// Goes on as asked, and reports what it noticed.
    Keep,
}

/// Which of a profile's answers it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Invalid,
    Unsupported,
    Filter,
    UnknownPatient,
    MissingGroup,
}

/// One row of the table.
struct Rule {
    situation: Situation,
    answer: Kind,
    /// As the guide has it.
    lenient: Lenient,
    /// Under a profile that forgives no values.
    parameters_only: Lenient,
}

const fn row(situation: Situation, answer: Kind, lenient: Lenient, parameters_only: Lenient) -> Rule {
    Rule {
        situation,
        answer,
        lenient,
        parameters_only,
    }
}

/// The table. What would export more than was asked for is refused, however lenient the client is; `_elements` and
/// `organizeOutputBy` are about form, and the guide lets them go.
static TABLE: [Rule; 22] = {
    use Lenient::{Drop, Keep, Refuse};
    use Situation as S;
    [
        row(S::UnknownParameter, Kind::Unsupported, Drop, Drop),
        row(S::MisspelledParameter, Kind::Unsupported, Refuse, Refuse),
        row(S::UnsupportedParameter, Kind::Unsupported, Drop, Drop),
        row(S::UnsupportedType, Kind::Invalid, Drop, Refuse),
        row(S::NoTypeLeft, Kind::Invalid, Refuse, Refuse),
        row(S::MalformedInstant, Kind::Invalid, Refuse, Refuse),
        row(S::EmptyWindow, Kind::Invalid, Refuse, Refuse),
        row(S::FutureSince, Kind::Invalid, Keep, Refuse),
        row(S::UnknownFormat, Kind::Invalid, Refuse, Refuse),
        row(S::MissingGroup, Kind::MissingGroup, Refuse, Refuse),
        row(S::PatientAtSystemLevel, Kind::Invalid, Refuse, Refuse),
        row(S::PatientByGet, Kind::Invalid, Refuse, Refuse),
        row(S::BadPatient, Kind::Invalid, Refuse, Refuse),
        row(S::UnknownPatient, Kind::UnknownPatient, Drop, Refuse),
        row(S::BadFilter, Kind::Filter, Refuse, Refuse),
        row(S::FilterOfOtherType, Kind::Invalid, Drop, Refuse),
        row(S::BadElement, Kind::Invalid, Drop, Refuse),
        row(S::UnsupportedOrganizeBy, Kind::Invalid, Drop, Refuse),
        row(S::BadAssociatedData, Kind::Invalid, Drop, Refuse),
        row(S::BadHint, Kind::Invalid, Drop, Refuse),
        row(S::Repeated, Kind::Invalid, Refuse, Refuse),
        row(S::Unreadable, Kind::Invalid, Refuse, Refuse),
    ]
};

fn rule(situation: Situation) -> &'static Rule {
    // Each situation has its row; a test says so. The last refuses.
    let mut rows = TABLE.iter();
    rows.find(|rule| rule.situation == situation)
        .unwrap_or(&TABLE[TABLE.len() - 1])
}

/// Status and code of the answer.
#[must_use]
pub fn answer(situation: Situation, profile: &ServerProfile) -> Answer {
    let answers = &profile.rules.answers;
    match rule(situation).answer {
        Kind::Invalid => answers.invalid,
        Kind::Unsupported => answers.unsupported,
        Kind::Filter => answers.filter,
        Kind::UnknownPatient => profile.unknown_patient,
        Kind::MissingGroup => Answer {
            status: 404,
            code: "not-found",
        },
    }
}

/// What lenient handling does under a profile.
#[must_use]
pub fn lenient(situation: Situation, profile: &ServerProfile) -> Lenient {
    let rule = rule(situation);
    match profile.leniency {
        Leniency::Guide => rule.lenient,
        Leniency::ParametersOnly => rule.parameters_only,
    }
}

/// What it is for a value of the parameter to be wrong.
pub(super) const fn bad_value_of(parameter: Parameter) -> Situation {
    match parameter {
        Parameter::OutputFormat => Situation::UnknownFormat,
        Parameter::Since | Parameter::Until => Situation::MalformedInstant,
        Parameter::Type => Situation::UnsupportedType,
        Parameter::Elements => Situation::BadElement,
        Parameter::Patient => Situation::BadPatient,
        Parameter::IncludeAssociatedData => Situation::BadAssociatedData,
        Parameter::TypeFilter => Situation::BadFilter,
        Parameter::OrganizeOutputBy => Situation::UnsupportedOrganizeBy,
        Parameter::AllowPartialManifests | Parameter::MinimumFileSize | Parameter::MaximumFileSize => {
            Situation::BadHint
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{IG, ORACLE};

    #[test]
    fn each_situation_has_its_row() {
        for (index, rule) in TABLE.iter().enumerate() {
            assert_eq!(rule.situation as usize, index, "{:?}", rule.situation);
        }
        assert_eq!(TABLE.len(), Situation::Unreadable as usize + 1);
    }

    #[test]
    fn whatever_would_export_more_is_never_forgiven() {
        for situation in [
            Situation::BadFilter,
            Situation::BadPatient,
            Situation::PatientAtSystemLevel,
            Situation::PatientByGet,
            Situation::NoTypeLeft,
            Situation::MalformedInstant,
            Situation::Unreadable,
        ] {
            assert_eq!(lenient(situation, &IG), Lenient::Refuse, "{situation:?}");
        }
    }

    #[test]
    fn oracle_forgives_parameters_and_no_values() {
        for rule in &TABLE {
            let is_forgiven = lenient(rule.situation, &ORACLE) != Lenient::Refuse;
            let is_parameter = matches!(
                rule.situation,
                Situation::UnknownParameter | Situation::UnsupportedParameter
            );
            assert_eq!(is_forgiven, is_parameter, "{:?}", rule.situation);
        }
    }

    #[test]
    fn answers_by_profile() {
        let told = |situation, profile| {
            let answer = answer(situation, profile);
            (answer.status, answer.code)
        };
        assert_eq!(told(Situation::UnknownParameter, &IG), (400, "not-supported"));
        assert_eq!(told(Situation::UnknownParameter, &ORACLE), (400, "invalid"));
        assert_eq!(told(Situation::BadFilter, &IG), (400, "invalid"));
        assert_eq!(told(Situation::BadFilter, &ORACLE), (422, "invalid"));
        assert_eq!(told(Situation::UnknownPatient, &IG), (404, "not-found"));
        assert_eq!(told(Situation::UnknownPatient, &ORACLE), (400, "not-found"));
        assert_eq!(told(Situation::MissingGroup, &ORACLE), (404, "not-found"));
    }
}
