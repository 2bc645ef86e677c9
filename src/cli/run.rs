//! `run`: the worker itself.

use super::{Outcome, args::RunArgs, failure::Failure};
use crate::{
    config::{Config, Flags},
    telemetry, worker,
};

/// Works until the process is told to stop.
pub(super) async fn run(flags: &Flags, args: &RunArgs) -> Result<Outcome, Failure> {
    let config = Config::load(flags)?;
    telemetry::start(args.log_format).map_err(|e| Failure::told(e.to_string()))?;
    worker::run(config).await.map_err(|e| Failure::told(format!("{e:#}")))?;
    Ok(Outcome::Done)
}
