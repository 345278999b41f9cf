//! The fuzz target `scan`; what it checks stands in `checks::scan`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::scan::check(data));
