//! Seeded generator of US-Core-shaped FHIR R4 resources as NDJSON lines.
//!
//! The bytes of patient `i` depend on the seed, the profile and `i` only: not on the machine, not on the number of
//! patients, not on the order in which they are asked for. Memory does not grow with the run.
//!
//! ```
//! use fhirehose_synth::{Lines, Options, generate};
//!
//! let mut lines = Lines::default();
//! let totals = generate(&Options::new(3, 42), &mut lines)?;
//! assert_eq!(totals.of("Patient"), 3);
//! assert_eq!(totals.lines(), lines.0.len() as u64);
//! # Ok::<(), std::io::Error>(())
//! ```

mod choice;
mod codes;
mod datatypes;
mod dates;
mod faults;
mod head;
mod ids;
mod pen;
mod references;
mod resources;
mod rng;
mod run;
mod seldom;
mod sink;
mod spelling;
mod text;

pub use faults::{Faults, with_faults};
pub use run::{Generator, Options, Profile, Totals, generate, patient_bundle};
pub use sink::{DirSink, Lines, Sink};
