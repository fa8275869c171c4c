//! The `asyncfix` command.

use std::process::ExitCode;

/// A parser makes and drops millions of small nodes on several threads; the system's allocator
/// takes a fifth of the whole run for that.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    asyncfix::commands::main()
}
