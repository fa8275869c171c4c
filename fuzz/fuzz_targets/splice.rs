#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| asyncfix_fuzz::splice(data));
