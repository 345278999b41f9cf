//! A run: which lines each patient brings, in which order, and how many there were.

use std::io;

use crate::ids::Kind;
use crate::pen::Pen;
use crate::references::{SHARED_BY, shared_count};
use crate::resources::{
    billing, care, clinical, cohort, documents, drugs, encounter, observation, patient, procedures, provenance,
    providers,
};
use crate::sink::{Lines, Sink};
use crate::spelling::respell;

/// How much the lines differ from each other.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Profile {
    /// Every form, spelling and oddity that FHIR and JSON allow: for tests.
    #[default]
    Varied,
    /// Lines as one well-behaved server writes them: for benches.
    Regular,
}

/// What to generate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// How many patients.
    pub patients: u64,
    /// The index of the first patient. Runs over neighbouring ranges, put together, are the run over both.
    pub first: u64,
    /// Another seed gives other patients.
    pub seed: u64,
    /// How much the lines differ from each other.
    pub profile: Profile,
}

impl Options {
    /// `patients` varied patients of a seed, from index 0.
    pub const fn new(patients: u64, seed: u64) -> Self {
        Self {
            patients,
            first: 0,
            seed,
            profile: Profile::Varied,
        }
    }
}

/// How many lines of each type a run wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    counts: [u64; Kind::ALL.len()],
    bytes: u64,
}

impl Totals {
    /// The number of lines of a type.
    pub fn of(&self, type_name: &str) -> u64 {
        self.iter()
            .find(|(name, _)| *name == type_name)
            .map_or(0, |(_, count)| count)
    }

    /// The number of lines.
    pub fn lines(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The number of bytes, newlines included.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Each type and its number of lines, types without lines included.
    pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        Kind::ALL.into_iter().map(Kind::name).zip(self.counts)
    }
}

/// Makes the lines of patients, any patient in any order; holds one line's buffer and nothing that grows.
///
/// ```
/// use fhirehose_synth::{Generator, Lines, Options};
///
/// let mut lines = Lines::default();
/// let mut generator = Generator::new(&Options::new(1, 42));
/// generator.patient(7, &mut lines)?;
/// assert_eq!(lines.of("Patient").count(), 1);
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct Generator {
    pen: Pen,
    scratch: Vec<u8>,
    totals: Totals,
}

impl Generator {
    /// A generator for the seed and the profile of `options`.
    pub fn new(options: &Options) -> Self {
        let varied = options.profile == Profile::Varied;
        Self {
            pen: Pen::new(options.seed, varied),
            scratch: Vec::new(),
            totals: Totals::default(),
        }
    }

    /// What was written so far.
    pub const fn totals(&self) -> &Totals {
        &self.totals
    }

    /// Writes the lines of patient `index`, and before or after them what that patient opens or closes for others:
    /// every 64th the organizations, people, places and drugs of the next 64, every fourth the groups of the last four.
    ///
    /// # Errors
    /// Only those of the sink.
    pub fn patient(&mut self, index: u64, sink: &mut impl Sink) -> io::Result<()> {
        patient::draw_subject(&mut self.pen, index);
        if index.is_multiple_of(SHARED_BY) {
            self.shared(sink)?;
        }
        self.line(sink, Kind::Patient, patient::patient)?;
        self.line(sink, Kind::RelatedPerson, patient::related_person)?;
        self.line(sink, Kind::Coverage, clinical::coverage)?;
        self.line(sink, Kind::Device, clinical::device)?;
        self.line(sink, Kind::Specimen, procedures::specimen)?;
        self.line(sink, Kind::CarePlan, care::plan)?;
        self.line(sink, Kind::CareTeam, care::team)?;
        let visits = self.pen.subject.visits.len() as u64;
        self.lines(sink, Kind::Encounter, visits, encounter::encounter)?;
        self.lines(sink, Kind::Condition, 3 + index % 3, clinical::condition)?;
        self.lines(sink, Kind::Observation, 20 + index % 6, observation::observation)?;
        self.lines(sink, Kind::Procedure, 3 + index % 2, procedures::procedure)?;
        self.lines(sink, Kind::ServiceRequest, 1 + index % 2, procedures::service_request)?;
        self.lines(sink, Kind::MedicationRequest, 2 + index % 3, drugs::request)?;
        self.lines(sink, Kind::MedicationAdministration, 1, drugs::administration)?;
        self.lines(sink, Kind::Immunization, 2 + index % 2, clinical::immunization)?;
        self.lines(sink, Kind::AllergyIntolerance, 1 + index % 2, clinical::allergy)?;
        self.lines(sink, Kind::Goal, 1 + index % 2, care::goal)?;
        self.lines(sink, Kind::DiagnosticReport, 2, documents::report)?;
        self.lines(sink, Kind::DocumentReference, 1 + index % 2, documents::document)?;
        self.lines(sink, Kind::Claim, 2, billing::claim)?;
        self.lines(sink, Kind::ExplanationOfBenefit, 2, billing::benefit)?;
        self.lines(sink, Kind::ChargeItem, 1, billing::charge)?;
        self.lines(sink, Kind::RiskAssessment, 1, clinical::risk)?;
        self.lines(sink, Kind::Provenance, 1 + index % 3, provenance::provenance)?;
        self.lines(sink, Kind::Group, cohort::closing(index), cohort::group)
    }

    fn shared(&mut self, sink: &mut impl Sink) -> io::Result<()> {
        type Draw = fn(&mut Pen, u64);
        let kinds: [(Kind, Draw); 5] = [
            (Kind::Organization, providers::organization),
            (Kind::Practitioner, providers::practitioner),
            (Kind::PractitionerRole, providers::practitioner_role),
            (Kind::Location, providers::location),
            (Kind::Medication, drugs::medication),
        ];
        for (kind, draw) in kinds {
            self.lines(sink, kind, shared_count(kind), draw)?;
        }
        Ok(())
    }

    fn lines(&mut self, sink: &mut impl Sink, kind: Kind, count: u64, draw: impl Fn(&mut Pen, u64)) -> io::Result<()> {
        for ordinal in 0..count {
            self.line(sink, kind, |pen| draw(pen, ordinal))?;
        }
        Ok(())
    }

    fn line(&mut self, sink: &mut impl Sink, kind: Kind, draw: impl Fn(&mut Pen)) -> io::Result<()> {
        draw(&mut self.pen);
        let pen = &mut self.pen;
        if pen.varied {
            respell(&mut pen.out, &mut self.scratch, &mut pen.rng);
        }
        pen.out.push(b'\n');
        self.totals.counts[kind as usize] += 1;
        self.totals.bytes += pen.out.len() as u64;
        sink.write(kind.name(), &pen.out)
    }
}

/// Writes all patients of `options` to `sink`: linear time, constant memory.
///
/// # Errors
/// Only those of the sink.
pub fn generate(options: &Options, sink: &mut impl Sink) -> io::Result<Totals> {
    let mut generator = Generator::new(options);
    for index in options.first..options.first.saturating_add(options.patients) {
        generator.patient(index, sink)?;
    }
    Ok(generator.totals)
}

/// The lines that patient `index` brings to a run, whatever the number of patients of that run.
pub fn patient_bundle(options: &Options, index: u64) -> Lines {
    let mut lines = Lines::default();
    // Lines never refuses, so there is no error to pass on.
    let _ = Generator::new(options).patient(index, &mut lines);
    lines
}
