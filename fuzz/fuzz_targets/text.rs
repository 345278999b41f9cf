//! The fuzz target `text`; what it checks stands in `checks::text`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::text::check(data));
