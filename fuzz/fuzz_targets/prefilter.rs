//! The fuzz target `prefilter`; what it checks stands in `checks::prefilter`.
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fhirehose_fuzz::checks::prefilter::check(data));
