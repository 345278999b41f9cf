//! The fuzz target `export`; what it checks stands in `checks::export`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::export::check(data));
