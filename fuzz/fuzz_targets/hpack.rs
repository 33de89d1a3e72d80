//! Header blocks of one direction, with losses between them: nothing panics, bounds hold, and what is decoded behind a
//! loss is what was decoded without it, or unknown.
#![no_main]

use apitap::http::http2::hpack::{Decoder, Fields, ListLimits};
use libfuzzer_sys::fuzz_target;

const LIMITS: ListLimits = ListLimits { bytes: 4096, fields: 32, expansion: 16 };
const TABLE_BYTES: usize = 1024;

fn owned(fields: &Fields) -> Vec<(Vec<u8>, Vec<u8>)> {
    fields.iter().map(|(name, value)| (name.to_vec(), value.to_vec())).collect()
}

// A block each: one byte of length, of which the highest bit says that the second decoder misses it.
fuzz_target!(|input: &[u8]| {
    let (mut whole, mut lossy) = (Decoder::new(TABLE_BYTES), Decoder::new(TABLE_BYTES));
    whole.allow(Some(2048));
    lossy.allow(None);
    let (mut all, mut some) = (Fields::default(), Fields::default());
    let mut rest = input;
    while let [length, behind @ ..] = rest {
        let (block, behind) = behind.split_at((*length as usize & 0x7f).min(behind.len()));
        rest = behind;
        if whole.decode(block, &LIMITS, &mut all).is_err() {
            return; // a receiver closes the connection
        }
        assert!(all.iter().count() <= LIMITS.fields);
        assert!(whole.memory() < 64 << 10);
        if length & 0x80 != 0 {
            lossy.forget();
            continue;
        }
        let read = lossy.decode(block, &LIMITS, &mut some);
        if read.is_ok() && all.left_out == 0 && some.left_out == 0 {
            let truth = owned(&all);
            let mut truth = truth.iter();
            for field in owned(&some) {
                assert!(truth.any(|known| *known == field), "{field:?} was never said");
            }
        }
    }
});
