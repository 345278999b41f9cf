//! What the benches share: sample data, the named shapes, and the floors that stand beside every number.

pub mod cohort;
pub mod data;
pub mod floor;
pub mod scan;
pub mod shape;

pub use data::Data;
pub use shape::Shape;

/// How long each number is measured: enough for a comparison, short enough that all shapes take a few minutes.
pub fn timing() -> criterion::Criterion {
    criterion::Criterion::default()
        .sample_size(20)
        .warm_up_time(std::time::Duration::from_millis(500))
        .measurement_time(std::time::Duration::from_secs(2))
}
