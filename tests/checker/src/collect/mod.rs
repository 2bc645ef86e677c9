//! From a running Redis and emulator to the files of a history. Nothing is changed in either.
//!
//! Collect when the run is over: keys are read one after the other, not at one moment.

mod keys;
mod sizes;

use std::{fs, io, path::Path};

use redis::aio::MultiplexedConnection;

use crate::history::Run;

/// Why a history could not be collected.
#[derive(Debug, thiserror::Error)]
pub enum CollectError {
    /// A file of the history cannot be read or written.
    #[error("{name}: {source}")]
    File {
        /// Its name in the history.
        name: String,
        /// What the system says.
        source: io::Error,
    },
    /// `run.json` is not what it must be.
    #[error("run.json: {0}; see the README of tests/checker")]
    Run(serde_json::Error),
    /// Redis did not answer, or not as expected.
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
    /// The emulator did not answer.
    #[error("the emulator: {0}")]
    Emulator(#[from] reqwest::Error),
}

/// Writes `calls.jsonl`, `ingested.jsonl` and `delivered.jsonl` from the emulator at `base` (`http://host:port`).
/// Of records that the emulator did not all keep, none are written: I12 and I13 cannot be decided then.
pub async fn emulator(base: &str, folder: &Path) -> Result<(), CollectError> {
    let http = reqwest::Client::new();
    for (door, name) in
        [("log", "calls.jsonl"), ("ingested", "ingested.jsonl"), ("delivered", "delivered.jsonl")]
    {
        let answer = http.get(format!("{base}/_emulator/{door}")).send().await?;
        if door == "ingested" && answer.status().as_u16() == 409 {
            continue;
        }
        let text = answer.error_for_status()?.bytes().await?;
        write(folder, name, &text)?;
    }
    Ok(())
}

/// Writes `ledger.jsonl`, `hashes.jsonl` and `state.json` of the project that `run.json` names, and the time of Redis
/// into `run.json`. On a cluster, `url` is that of the node with the project's keys.
pub async fn redis(url: &str, folder: &Path) -> Result<(), CollectError> {
    let run = fs::read(folder.join("run.json")).map_err(failed("run.json"))?;
    let mut run: Run = serde_json::from_slice(&run).map_err(CollectError::Run)?;
    let mut redis = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
    let prefix = format!("gdpr:{{{}}}:", run.project);
    keys::ledger(&mut redis, &prefix, folder).await?;
    let names = keys::hashes(&mut redis, &prefix, folder).await?;
    run.ended_ms = now(&mut redis).await?;
    let state = sizes::state(&mut redis, &prefix, &names, run.ended_ms).await?;
    write(folder, "state.json", &serde_json::to_vec(&state).map_err(CollectError::Run)?)?;
    write(folder, "run.json", &serde_json::to_vec_pretty(&run).map_err(CollectError::Run)?)
}

async fn now(redis: &mut MultiplexedConnection) -> Result<u64, CollectError> {
    let (seconds, micros): (u64, u64) = redis::cmd("TIME").query_async(redis).await?;
    Ok(seconds * 1000 + micros / 1000)
}

fn failed(name: &str) -> impl FnOnce(io::Error) -> CollectError {
    move |source| CollectError::File { name: name.to_owned(), source }
}

fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), CollectError> {
    fs::write(folder.join(name), bytes).map_err(failed(name))
}
