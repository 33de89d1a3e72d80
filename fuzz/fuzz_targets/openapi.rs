//! Descriptions of APIs: any bytes are refused with a message or give operations that are found again.
#![no_main]

use apitap::api::openapi::{Catalogue, parse};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    for name in ["fuzzed.json", "fuzzed.yaml"] {
        match parse(input, name) {
            Err(error) => assert!(!error.to_string().is_empty()),
            Ok(description) => {
                let catalogue = Catalogue::new(vec![description]);
                catalogue.lookup("GET", "api.example", "/v1/items/7");
                catalogue.covers("api.example", "/v1");
            }
        }
    }
});
