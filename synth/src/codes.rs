//! Codes of the usual terminologies, by the element they stand in.

/// One code: its system, the code, its display.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Code(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static str,
);

pub(crate) const SNOMED: &str = "http://snomed.info/sct";
pub(crate) const LOINC: &str = "http://loinc.org";
const RXNORM: &str = "http://www.nlm.nih.gov/research/umls/rxnorm";
const CVX: &str = "http://hl7.org/fhir/sid/cvx";
const CPT: &str = "http://www.ama-assn.org/go/cpt";
const ICD10: &str = "http://hl7.org/fhir/sid/icd-10-cm";
const ACT: &str = "http://terminology.hl7.org/CodeSystem/v3-ActCode";

pub(crate) const CONDITIONS: [Code; 10] = [
    Code(
        SNOMED,
        "38341003",
        "Hypertensive disorder, systemic arterial (disorder)",
    ),
    Code(SNOMED, "44054006", "Diabetes mellitus type 2 (disorder)"),
    Code(SNOMED, "195662009", "Acute viral pharyngitis (disorder)"),
    Code(SNOMED, "55822004", "Hyperlipidemia (disorder)"),
    Code(SNOMED, "444814009", "Viral sinusitis (disorder)"),
    Code(SNOMED, "73595000", "Stress (finding)"),
    Code(ICD10, "E11.9", "Type 2 diabetes mellitus without complications"),
    Code(ICD10, "I10", "Essential (primary) hypertension"),
    Code(ICD10, "J45.909", "Unspecified asthma, uncomplicated"),
    Code(SNOMED, "160903007", "Full-time employment (finding)"),
];

pub(crate) const LABS: [Code; 8] = [
    Code(LOINC, "4548-4", "Hemoglobin A1c/Hemoglobin.total in Blood"),
    Code(LOINC, "2339-0", "Glucose [Mass/volume] in Blood"),
    Code(LOINC, "2093-3", "Cholesterol [Mass/volume] in Serum or Plasma"),
    Code(LOINC, "2571-8", "Triglyceride [Mass/volume] in Serum or Plasma"),
    Code(LOINC, "38483-4", "Creatinine [Mass/volume] in Blood"),
    Code(LOINC, "6690-2", "Leukocytes [#/volume] in Blood by Automated count"),
    Code(LOINC, "718-7", "Hemoglobin [Mass/volume] in Blood"),
    Code(
        LOINC,
        "94531-1",
        "SARS-CoV-2 (COVID-19) RNA panel - Respiratory specimen by NAA with probe detection",
    ),
];

pub(crate) const VITALS: [Code; 6] = [
    Code(LOINC, "8302-2", "Body height"),
    Code(LOINC, "29463-7", "Body weight"),
    Code(LOINC, "8867-4", "Heart rate"),
    Code(LOINC, "8310-5", "Body temperature"),
    Code(LOINC, "9279-1", "Respiratory rate"),
    Code(
        LOINC,
        "59408-5",
        "Oxygen saturation in Arterial blood by Pulse oximetry",
    ),
];

pub(crate) const SURVEY: [Code; 5] = [
    Code(
        LOINC,
        "72514-3",
        "Pain severity - 0-10 verbal numeric rating [Score] - Reported",
    ),
    Code(LOINC, "72166-2", "Tobacco smoking status"),
    Code(LOINC, "76504-0", "Total score [HARK]"),
    Code(LOINC, "71802-3", "Housing status"),
    Code(
        LOINC,
        "63512-8",
        "How many people are living or staying at this address [#]",
    ),
];

pub(crate) const FINDINGS: [Code; 5] = [
    Code(SNOMED, "266919005", "Never smoked tobacco (finding)"),
    Code(SNOMED, "8517006", "Ex-smoker (finding)"),
    Code(SNOMED, "260385009", "Negative (qualifier value)"),
    Code(SNOMED, "10828004", "Positive (qualifier value)"),
    Code("http://terminology.hl7.org/CodeSystem/v3-NullFlavor", "UNK", "unknown"),
];

pub(crate) const PROCEDURES: [Code; 7] = [
    Code(SNOMED, "430193006", "Medication Reconciliation (procedure)"),
    Code(
        SNOMED,
        "710824005",
        "Assessment of health and social care needs (procedure)",
    ),
    Code(SNOMED, "73761001", "Colonoscopy (procedure)"),
    Code(SNOMED, "80146002", "Appendectomy (procedure)"),
    Code(CPT, "99213", "Office or other outpatient visit"),
    Code(CPT, "36415", "Collection of venous blood by venipuncture"),
    Code(
        "http://hl7.org/fhir/sid/ex-icd-10-procedures",
        "0DTJ4ZZ",
        "Resection of appendix",
    ),
];

pub(crate) const DRUGS: [Code; 8] = [
    Code(RXNORM, "314076", "lisinopril 10 MG Oral Tablet"),
    Code(
        RXNORM,
        "860975",
        "24 HR metformin hydrochloride 500 MG Extended Release Oral Tablet",
    ),
    Code(RXNORM, "313782", "acetaminophen 325 MG Oral Tablet"),
    Code(RXNORM, "308136", "amlodipine 2.5 MG Oral Tablet"),
    Code(RXNORM, "259255", "atorvastatin 80 MG Oral Tablet"),
    Code(RXNORM, "308192", "amoxicillin 500 MG Oral Tablet"),
    Code(
        RXNORM,
        "1049221",
        "acetaminophen 325 MG / oxycodone hydrochloride 5 MG Oral Tablet",
    ),
    Code(
        "http://hl7.org/fhir/sid/ndc",
        "0069-2587-10",
        "vancomycin 500 MG Injection",
    ),
];

pub(crate) const VACCINES: [Code; 5] = [
    Code(CVX, "140", "Influenza, seasonal, injectable, preservative free"),
    Code(
        CVX,
        "113",
        "Td (adult), 5 Lf tetanus toxoid, preservative free, adsorbed",
    ),
    Code(CVX, "208", "COVID-19, mRNA, LNP-S, PF, 30 mcg/0.3 mL dose"),
    Code(CVX, "08", "Hep B, adolescent or pediatric"),
    Code(CVX, "62", "HPV, quadrivalent"),
];

pub(crate) const ALLERGENS: [Code; 6] = [
    Code(SNOMED, "762952008", "Peanut (substance)"),
    Code(SNOMED, "264287008", "Animal dander (substance)"),
    Code(SNOMED, "3718001", "Cow's milk (substance)"),
    Code(RXNORM, "7980", "penicillin G"),
    Code(RXNORM, "1191", "aspirin"),
    Code(SNOMED, "716186003", "No known allergy (situation)"),
];

pub(crate) const CLASSES: [Code; 5] = [
    Code(ACT, "AMB", "ambulatory"),
    Code(ACT, "EMER", "emergency"),
    Code(ACT, "IMP", "inpatient encounter"),
    Code(ACT, "VR", "virtual"),
    Code(ACT, "HH", "home health"),
];

pub(crate) const ENCOUNTER_TYPES: [Code; 4] = [
    Code(SNOMED, "162673000", "General examination of patient (procedure)"),
    Code(SNOMED, "50849002", "Emergency room admission (procedure)"),
    Code(SNOMED, "185347001", "Encounter for problem (procedure)"),
    Code(CPT, "99214", "Office visit, established patient"),
];

pub(crate) const REPORTS: [Code; 4] = [
    Code(LOINC, "58410-2", "CBC panel - Blood by Automated count"),
    Code(LOINC, "51990-0", "Basic metabolic panel - Blood"),
    Code(LOINC, "34117-2", "History and physical note"),
    Code(LOINC, "69409-1", "U.S. standard certificate of death - 2003 revision"),
];

pub(crate) const NOTES: [Code; 4] = [
    Code(LOINC, "34117-2", "History and physical note"),
    Code(LOINC, "51847-2", "Evaluation + Plan note"),
    Code(LOINC, "11506-3", "Progress note"),
    Code(LOINC, "18842-5", "Discharge summary"),
];

pub(crate) const DEVICES: [Code; 3] = [
    Code(
        SNOMED,
        "72506001",
        "Implantable defibrillator, device (physical object)",
    ),
    Code(SNOMED, "337414009", "Blood glucose meter (physical object)"),
    Code(SNOMED, "702172008", "Home nebulizer (physical object)"),
];

pub(crate) const PLANS: [Code; 4] = [
    Code(SNOMED, "735985000", "Diabetes self management plan"),
    Code(SNOMED, "443402002", "Lifestyle education regarding hypertension"),
    Code(SNOMED, "229065009", "Exercise therapy"),
    Code(SNOMED, "160670007", "Diabetic diet"),
];

pub(crate) const BODY_SITES: [Code; 3] = [
    Code(SNOMED, "368209003", "Right upper arm structure"),
    Code(SNOMED, "368208006", "Left upper arm structure"),
    Code(SNOMED, "78904004", "Chest wall structure"),
];

pub(crate) const ROLES: [Code; 4] = [
    Code(SNOMED, "17561000", "Cardiologist (occupation)"),
    Code(
        "http://nucc.org/provider-taxonomy",
        "208D00000X",
        "General Practice Physician",
    ),
    Code(
        "http://terminology.hl7.org/CodeSystem/practitioner-role",
        "nurse",
        "Nurse",
    ),
    Code(
        "http://terminology.hl7.org/CodeSystem/v3-RoleClass",
        "PROV",
        "healthcare provider",
    ),
];

pub(crate) const SPECIMENS: [Code; 3] = [
    Code(SNOMED, "119297000", "Blood specimen (specimen)"),
    Code(SNOMED, "122575003", "Urine specimen (specimen)"),
    Code("http://terminology.hl7.org/CodeSystem/v2-0487", "SWAB", "Swab"),
];

/// UCUM code, human unit, plausible low and high in tenths.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) i64,
    pub(crate) i64,
);

pub(crate) const UNITS: [Unit; 8] = [
    Unit("mg/dL", "mg/dL", 400, 3000),
    Unit("%", "%", 40, 140),
    Unit("cm", "cm", 450, 2000),
    Unit("kg", "kg", 30, 1500),
    Unit("/min", "beats/minute", 400, 1800),
    Unit("Cel", "°C", 350, 410),
    Unit("10*3/uL", "10*3/uL", 10, 200),
    Unit("{score}", "{score}", 0, 100),
];

pub(crate) const MMHG: Unit = Unit("mm[Hg]", "mmHg", 500, 2000);
pub(crate) const MG: Unit = Unit("mg", "mg", 5, 10_000);
pub(crate) const YEARS: Unit = Unit("a", "years", 10, 900);
pub(crate) const DAYS: Unit = Unit("d", "days", 10, 900);

/// Codes and systems whose text holds what search values must escape.
pub(crate) const AWKWARD: [Code; 4] = [
    Code("http://example.org/codes|local", "a|b", "Bar in code and system"),
    Code("http://example.org/codes,local", "x,y", "Comma in code, and system"),
    Code("http://example.org/codes$local", "1$2", "Dollar $ in code"),
    Code(
        "http://example.org/codes\\local",
        "back\\slash",
        "Backslash \\ and \"quotes\"",
    ),
];
