//! The `asyncfix` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    asyncfix::cli::main()
}
