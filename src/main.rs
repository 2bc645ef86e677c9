//! The `gdpr-worker` program; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    gdpr_worker::cli::main()
}
