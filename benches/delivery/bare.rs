//! The peer: the least that anybody has to do who brings events from a stream to Mixpanel.

use std::{io::Write as _, time::Duration};

use anyhow::ensure;
use flate2::{Compression, write::GzEncoder};
use redis::streams::StreamReadReply;

/// A stream of the peer's own, beside the worker's.
pub(crate) const STREAM: &str = "bare:{default}:events";
const GROUP: &str = "bare";
const AT_ONCE: usize = 2000;

/// Reads, posts, acknowledges and deletes until nothing is left. Returns how many events it sent.
pub(crate) async fn drain(redis: &str, mixpanel: &str) -> anyhow::Result<usize> {
    let config =
        redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(60)));
    let client = redis::Client::open(redis)?;
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    let mut create = redis::cmd("XGROUP");
    create.arg("CREATE").arg(STREAM).arg(GROUP).arg("0").arg("MKSTREAM");
    create.query_async::<()>(&mut connection).await?;
    let http = reqwest::Client::new();
    let url = format!("{mixpanel}/import?strict=1&ip=0");
    let mut sent = 0;
    loop {
        let mut read = redis::cmd("XREADGROUP");
        read.arg("GROUP").arg(GROUP).arg("one").arg("COUNT").arg(AT_ONCE);
        read.arg("STREAMS").arg(STREAM).arg(">");
        let reply: Option<StreamReadReply> = read.query_async(&mut connection).await?;
        let entries = reply.into_iter().flat_map(|reply| reply.keys).flat_map(|key| key.ids);
        let (mut ids, mut body) = (Vec::new(), b"[".to_vec());
        for entry in entries {
            if !ids.is_empty() {
                body.push(b',');
            }
            body.extend(entry.get::<Vec<u8>>("event").unwrap_or_default());
            ids.push(entry.id);
        }
        if ids.is_empty() {
            return Ok(sent);
        }
        body.push(b']');
        let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
        gzip.write_all(&body)?;
        let call = http
            .post(&url)
            .basic_auth("emulator-project-token", Some(""))
            .header("content-type", "application/json")
            .header("content-encoding", "gzip")
            .body(gzip.finish()?);
        let answer = call.send().await?;
        ensure!(answer.status().is_success(), "the emulator answered {}", answer.status());
        answer.bytes().await?;
        sent += ids.len();
        let mut pipe = redis::pipe();
        pipe.cmd("XACK").arg(STREAM).arg(GROUP).arg(&ids).ignore();
        pipe.cmd("XDEL").arg(STREAM).arg(&ids).ignore();
        pipe.query_async::<()>(&mut connection).await?;
    }
}
