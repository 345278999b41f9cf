//! Cases as data, the slow oracle, and end-to-end tests.

pub mod blocks;
pub mod cases;
pub mod cohort_drawn;
pub mod cohort_requests;
pub mod data;
pub mod differential;
pub mod door;
pub mod drawn;
pub mod example;
pub mod faults;
pub mod garble;
pub mod mutation;
pub mod oracle;
pub mod random;
pub mod requests;
pub mod respell;
pub mod side_by_side;
