//! `checker`: collects a history and judges it.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    checker::cli::run().await
}
