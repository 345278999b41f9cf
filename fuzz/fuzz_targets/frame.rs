//! The fuzz target `frame`; what it checks stands in `checks::frame`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::frame::check(data));
