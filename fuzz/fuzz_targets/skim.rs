//! The fuzz target `skim`; what it checks stands in `checks::skim`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::skim::check(data));
