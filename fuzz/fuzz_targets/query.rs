//! The fuzz target `query`; what it checks stands in `checks::query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::query::check(data));
