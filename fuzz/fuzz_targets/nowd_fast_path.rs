#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| fuzz::nowd_fast_path(data));
