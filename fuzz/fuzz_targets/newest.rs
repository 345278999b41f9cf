//! The fuzz target `newest`; what it checks stands in `checks::newest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::newest::check(data));
