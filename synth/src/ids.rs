//! Ids of resources: computed from who owns them, so that any line can refer to any other without a table.

use crate::pen::Put;
use crate::rng::{key, spread};

/// The types that are generated. The numbers are part of every id and every draw: add at the end only.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u64)]
pub(crate) enum Kind {
    Patient,
    RelatedPerson,
    Organization,
    Practitioner,
    PractitionerRole,
    Location,
    Encounter,
    Condition,
    Observation,
    Procedure,
    Medication,
    MedicationRequest,
    MedicationAdministration,
    Immunization,
    AllergyIntolerance,
    CarePlan,
    CareTeam,
    Goal,
    DiagnosticReport,
    DocumentReference,
    Device,
    Coverage,
    Claim,
    ExplanationOfBenefit,
    ChargeItem,
    ServiceRequest,
    Specimen,
    RiskAssessment,
    Provenance,
    Group,
}

impl Kind {
    /// Every kind, in the order of the numbers.
    pub(crate) const ALL: [Self; 30] = [
        Self::Patient,
        Self::RelatedPerson,
        Self::Organization,
        Self::Practitioner,
        Self::PractitionerRole,
        Self::Location,
        Self::Encounter,
        Self::Condition,
        Self::Observation,
        Self::Procedure,
        Self::Medication,
        Self::MedicationRequest,
        Self::MedicationAdministration,
        Self::Immunization,
        Self::AllergyIntolerance,
        Self::CarePlan,
        Self::CareTeam,
        Self::Goal,
        Self::DiagnosticReport,
        Self::DocumentReference,
        Self::Device,
        Self::Coverage,
        Self::Claim,
        Self::ExplanationOfBenefit,
        Self::ChargeItem,
        Self::ServiceRequest,
        Self::Specimen,
        Self::RiskAssessment,
        Self::Provenance,
        Self::Group,
    ];

    /// The type's name in FHIR.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Patient => "Patient",
            Self::RelatedPerson => "RelatedPerson",
            Self::Organization => "Organization",
            Self::Practitioner => "Practitioner",
            Self::PractitionerRole => "PractitionerRole",
            Self::Location => "Location",
            Self::Encounter => "Encounter",
            Self::Condition => "Condition",
            Self::Observation => "Observation",
            Self::Procedure => "Procedure",
            Self::Medication => "Medication",
            Self::MedicationRequest => "MedicationRequest",
            Self::MedicationAdministration => "MedicationAdministration",
            Self::Immunization => "Immunization",
            Self::AllergyIntolerance => "AllergyIntolerance",
            Self::CarePlan => "CarePlan",
            Self::CareTeam => "CareTeam",
            Self::Goal => "Goal",
            Self::DiagnosticReport => "DiagnosticReport",
            Self::DocumentReference => "DocumentReference",
            Self::Device => "Device",
            Self::Coverage => "Coverage",
            Self::Claim => "Claim",
            Self::ExplanationOfBenefit => "ExplanationOfBenefit",
            Self::ChargeItem => "ChargeItem",
            Self::ServiceRequest => "ServiceRequest",
            Self::Specimen => "Specimen",
            Self::RiskAssessment => "RiskAssessment",
            Self::Provenance => "Provenance",
            Self::Group => "Group",
        }
    }
}

/// A resource id: mostly a UUID; every seventh owner has ids such as `p.12-0`, because ids are opaque in FHIR.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Id {
    Uuid(u64, u64),
    Plain(u64, u64),
}

impl Id {
    pub(crate) const fn new(seed: u64, kind: Kind, owner: u64, ordinal: u64) -> Self {
        if owner % 7 == 3 {
            return Self::Plain(owner, ordinal);
        }
        let high = key(seed ^ 0x1d, kind as u64, owner, ordinal);
        Self::Uuid(high, spread(high ^ ordinal))
    }
}

impl Put for Id {
    fn put(self, out: &mut Vec<u8>) {
        const HEX: &[u8; 16] = b"0123456789abcdef";
        let (high, low) = match self {
            // The version and variant bits make it a random UUID (RFC 9562, version 4).
            Self::Uuid(high, low) => (high & !0xf000 | 0x4000, low & !(3 << 62) | (2 << 62)),
            Self::Plain(owner, ordinal) => {
                out.extend_from_slice(b"p.");
                owner.put(out);
                out.push(b'-');
                ordinal.put(out);
                return;
            }
        };
        let mut text = [b'-'; 36];
        let mut at = 0;
        for (nibble, shift) in (0..32u32).map(|n| (n, 60 - 4 * (n % 16))) {
            if matches!(nibble, 8 | 12 | 16 | 20) {
                at += 1;
            }
            let word = if nibble < 16 { high } else { low };
            text[at] = HEX[(word >> shift & 15) as usize];
            at += 1;
        }
        out.extend_from_slice(&text);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_has_its_version_and_variant() {
        let mut out = Vec::new();
        Id::Uuid(u64::MAX, u64::MAX).put(&mut out);
        assert_eq!(out, b"ffffffff-ffff-4fff-bfff-ffffffffffff");
    }

    #[test]
    fn the_list_of_kinds_follows_the_numbers() {
        for (position, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, position);
        }
    }
}
