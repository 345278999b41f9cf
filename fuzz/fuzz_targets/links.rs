//! The fuzz target `links`; what it checks stands in `checks::links`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::links::check(data));
