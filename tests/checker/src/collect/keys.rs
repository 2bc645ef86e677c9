//! The ledger, page by page, and the hashes, some at a time.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
};

use redis::aio::MultiplexedConnection;
use serde_json::json;

use super::{CollectError, failed};
use crate::history::Hash;

const PAGE: usize = 1000;

fn create(folder: &Path, name: &str) -> Result<BufWriter<File>, CollectError> {
    Ok(BufWriter::new(File::create(folder.join(name)).map_err(failed(name))?))
}

/// Every entry of the ledger, fields in their order.
pub(super) async fn ledger(
    redis: &mut MultiplexedConnection,
    prefix: &str,
    folder: &Path,
) -> Result<(), CollectError> {
    const NAME: &str = "ledger.jsonl";
    let mut file = create(folder, NAME)?;
    let mut start = "-".to_owned();
    loop {
        let mut command = redis::cmd("XRANGE");
        command.arg(format!("{prefix}ledger")).arg(&start).arg("+").arg("COUNT").arg(PAGE);
        let page: Vec<(String, Vec<String>)> = command.query_async(redis).await?;
        let Some((last, _)) = page.last() else { break };
        start = format!("({last}");
        for (entry, fields) in &page {
            writeln!(file, "{}", json!({ "entry": entry, "fields": fields }))
                .map_err(failed(NAME))?;
        }
    }
    file.flush().map_err(failed(NAME))
}

/// Hashes of requests, people and batches. Returns the names of all keys of the project, without the prefix.
pub(super) async fn hashes(
    redis: &mut MultiplexedConnection,
    prefix: &str,
    folder: &Path,
) -> Result<Vec<String>, CollectError> {
    const NAME: &str = "hashes.jsonl";
    let names = all(redis, prefix).await?;
    let of_interest = |name: &&String| {
        let starts = ["request:", "user:", "batch:"].iter().any(|start| name.starts_with(start));
        starts && !(name.starts_with("batch:") && name.ends_with(":members"))
    };
    let chosen: Vec<&String> = names.iter().filter(of_interest).collect();
    let mut file = create(folder, NAME)?;
    for some in chosen.chunks(PAGE) {
        let mut pipe = redis::pipe();
        for name in some {
            pipe.cmd("HGETALL").arg(format!("{prefix}{name}"));
            pipe.cmd("PTTL").arg(format!("{prefix}{name}"));
        }
        let replies: Vec<redis::Value> = pipe.query_async(redis).await?;
        let mut replies = replies.into_iter();
        for name in some {
            let (Some(fields), Some(ttl)) = (replies.next(), replies.next()) else { break };
            let fields: BTreeMap<String, Vec<u8>> =
                redis::from_redis_value(fields).map_err(redis::RedisError::from)?;
            let ttl_ms: i64 = redis::from_redis_value(ttl).map_err(redis::RedisError::from)?;
            // Sealed values are no text.
            let texts =
                fields.into_iter().filter_map(|(k, v)| Some((k, String::from_utf8(v).ok()?)));
            let hash = Hash { key: (*name).clone(), ttl_ms, fields: texts.collect() };
            writeln!(file, "{}", json!(hash)).map_err(failed(NAME))?;
        }
    }
    file.flush().map_err(failed(NAME))?;
    Ok(names)
}

async fn all(redis: &mut MultiplexedConnection, prefix: &str) -> Result<Vec<String>, CollectError> {
    let (mut names, mut cursor) = (Vec::new(), 0_u64);
    loop {
        let mut command = redis::cmd("SCAN");
        command.arg(cursor).arg("MATCH").arg(format!("{prefix}*")).arg("COUNT").arg(PAGE);
        let (next, some): (u64, Vec<String>) = command.query_async(redis).await?;
        names.extend(some.iter().filter_map(|key| Some(key.strip_prefix(prefix)?.to_owned())));
        cursor = next;
        if cursor == 0 {
            break;
        }
    }
    names.sort_unstable();
    names.dedup();
    Ok(names)
}
