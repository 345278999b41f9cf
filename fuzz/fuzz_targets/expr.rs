//! The fuzz target `expr`; what it checks stands in `checks::expr`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::expr::check(data));
