//! The fuzz target `learned`; what it checks stands in `checks::learned`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::learned::check(data));
