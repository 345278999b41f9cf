//! The machine by its rules, and in storms.

mod kicking;
#[allow(dead_code)]
mod stage;
