//! The `apitap` program: reads its arguments, runs one command, ends with its status.

use std::process::ExitCode;

/// Bodies, windows and records are many small allocations of short life, which this allocator hands out and takes back in
/// a few instructions.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    apitap::service::give_freed_memory_back_soon();
    apitap::cli::run()
}
