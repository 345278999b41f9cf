//! The fuzz target `project`; what it checks stands in `checks::project`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::project::check(data));
