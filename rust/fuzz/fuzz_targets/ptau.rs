#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| zkchain_fuzz::exercise::ptau(data));
