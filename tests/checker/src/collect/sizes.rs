//! Indexes and sizes.

use std::collections::{BTreeMap, HashMap};

use redis::{FromRedisValue, Value, aio::MultiplexedConnection};

use super::CollectError;
use crate::history::{State, Stream};

/// One project in Redis.
struct Project<'a> {
    redis: &'a mut MultiplexedConnection,
    prefix: &'a str,
}

impl Project<'_> {
    async fn ask<T: FromRedisValue>(
        &mut self,
        command: &str,
        name: &str,
        more: &[&str],
    ) -> Result<T, CollectError> {
        let mut command = redis::cmd(command);
        command.arg(format!("{}{name}", self.prefix)).arg(more);
        Ok(command.query_async(self.redis).await?)
    }

    /// `XINFO`, as names and values; nothing if there is no such stream.
    async fn info(&mut self, about: &str, name: &str) -> Vec<HashMap<String, Value>> {
        let mut command = redis::cmd("XINFO");
        command.arg(about).arg(format!("{}{name}", self.prefix));
        if about == "GROUPS" {
            return command.query_async(self.redis).await.unwrap_or_default();
        }
        command.query_async(self.redis).await.map(|info| vec![info]).unwrap_or_default()
    }

    /// Sizes of the keys that begin so.
    async fn sizes(
        &mut self,
        names: &[String],
        start: &str,
        command: &str,
    ) -> Result<BTreeMap<String, usize>, CollectError> {
        let mut sizes = BTreeMap::new();
        for name in names.iter().filter(|name| name.starts_with(start)) {
            sizes.insert(name.clone(), self.ask(command, name, &[]).await?);
        }
        Ok(sizes)
    }

    async fn ledger(&mut self) -> Stream {
        let Some(mut info) = self.info("STREAM", "ledger").await.pop() else {
            // No events, none added.
            return Stream { length: 0, added: Some(0), deleted: Some("0-0".to_owned()) };
        };
        Stream {
            length: take(&mut info, "length").unwrap_or(0),
            added: take(&mut info, "entries-added"),
            deleted: take(&mut info, "max-deleted-entry-id"),
        }
    }

    async fn pending(&mut self) -> usize {
        let mut sum = 0;
        for stream in ["work", "requests"] {
            for mut group in self.info("GROUPS", stream).await {
                sum += take::<usize>(&mut group, "pending").unwrap_or(0);
            }
        }
        sum
    }
}

fn take<T: FromRedisValue>(info: &mut HashMap<String, Value>, name: &str) -> Option<T> {
    redis::from_redis_value(info.remove(name)?).ok()
}

pub(super) async fn state(
    redis: &mut MultiplexedConnection,
    prefix: &str,
    names: &[String],
    now_ms: u64,
) -> Result<State, CollectError> {
    let now = now_ms.to_string();
    let mut project = Project { redis, prefix };
    let waiting_entries: Vec<(String, Value)> =
        project.ask("XRANGE", "requests", &["-", "+"]).await?;
    Ok(State {
        stats: project.ask("HGETALL", "stats", &[]).await?,
        due: project.ask("ZRANGE", "due", &["0", "-1", "WITHSCORES"]).await?,
        open: project.sizes(names, "open:", "ZCARD").await?,
        sealed: project.ask("HKEYS", "sealed", &[]).await?,
        batches: project.ask("SMEMBERS", "batches", &[]).await?,
        waiting: project.sizes(names, "waiting:", "SCARD").await?,
        wire: project.ask("ZCOUNT", "wire", &[&now, "+inf"]).await?,
        delayed: project.ask("ZRANGE", "work:delayed", &["0", "-1"]).await?,
        work: project.ask("XLEN", "work", &[]).await?,
        pending: project.pending().await,
        dead: project.ask("XLEN", "work:dead", &[]).await?,
        requests: waiting_entries.into_iter().map(|(entry, _)| entry).collect(),
        events: project.ask("XLEN", "events", &[]).await?,
        ledger: project.ledger().await,
    })
}
