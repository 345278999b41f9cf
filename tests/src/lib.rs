//! Cases as data, the slow oracle, and end-to-end tests.
