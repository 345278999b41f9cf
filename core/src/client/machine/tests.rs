//! The machine by its rules, and in storms.

mod deleting;
mod fetching;
mod kicking;
mod output;
mod polling;
mod resuming;
mod stage;
mod storm;
mod table;
mod world;
