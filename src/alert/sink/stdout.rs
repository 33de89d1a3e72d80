//! Standard output as a sink: EVE lines.

use super::delivery::{Carrier, Failure};
use std::io::{self, Write};

const BATCH: usize = 256;

pub(super) struct Stdout;

impl Carrier for Stdout {
    fn kind(&self) -> &'static str {
        "stdout"
    }

    fn name(&self) -> String {
        "standard output".to_owned()
    }

    fn batch(&self) -> usize {
        BATCH
    }

    fn carry(&mut self, records: &[Vec<u8>]) -> Result<(), Failure> {
        let mut out = io::stdout().lock();
        let mut write = || {
            for record in records {
                out.write_all(record)?;
                out.write_all(b"\n")?;
            }
            out.flush()
        };
        write().map_err(|error| Failure::Later(error.to_string()))
    }
}
