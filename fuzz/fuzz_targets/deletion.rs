//! The fuzz target `deletion`; what it checks stands in `checks::deletion`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::deletion::check(data));
