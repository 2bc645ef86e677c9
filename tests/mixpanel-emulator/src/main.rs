//! The program `mixpanel-emulator`; everything is in the library.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    mixpanel_emulator::cli::run().await
}
