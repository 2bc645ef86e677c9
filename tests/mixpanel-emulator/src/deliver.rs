//! Puts an answer on the wire: whole, slowly, half, or not at all.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::Response;
use hyper::body::Frame;

use crate::call::{Delivery, Manner, Reply, ReplyBody};
use crate::export;

/// The body of an answer; its error cuts the connection.
pub(crate) type WireBody = UnsyncBoxBody<Bytes, CutOff>;

/// The connection is to end here, on purpose.
#[derive(Debug, thiserror::Error)]
#[error("cut off on command")]
pub(crate) struct CutOff;

/// Pieces of a slow answer.
const PIECES: usize = 20;

/// The response to a delivery, after whatever wait it asks for.
pub(crate) async fn response(delivery: Delivery) -> Result<Response<WireBody>, CutOff> {
    match delivery.manner {
        Manner::Cut => return Err(CutOff),
        Manner::Never(wait) => {
            tokio::time::sleep(wait).await;
            return Err(CutOff);
        }
        Manner::Slow(wait) => tokio::time::sleep(wait / 2).await,
        Manner::Plain | Manner::Truncated => {}
    }
    let Reply { status, headers, body } = delivery.reply;
    let bytes = bytes(body).await.map_err(|_| CutOff)?;
    let mut response = Response::builder().status(status);
    if status != 204 && !headers.iter().any(|(name, _)| name == "content-length") {
        response = response.header("content-length", bytes.len());
    }
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(framed(bytes, delivery.manner)).map_err(|_| CutOff)
}

/// The bytes of a body. Exports are written away from the threads that answer.
async fn bytes(body: ReplyBody) -> io::Result<Bytes> {
    match body {
        ReplyBody::Ready(bytes) => Ok(bytes),
        ReplyBody::Export(order) => {
            let written = tokio::task::spawn_blocking(move || export::write(&order)).await;
            written.map_err(io::Error::other)?.map(Bytes::from)
        }
    }
}

fn framed(bytes: Bytes, manner: Manner) -> WireBody {
    match manner {
        Manner::Truncated => half(&bytes),
        Manner::Slow(wait) => drip(bytes, wait / 2),
        _ => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
    }
}

/// Half of the bytes, then the end of the connection. The pause lets the half reach the caller.
fn half(bytes: &Bytes) -> WireBody {
    let first = bytes.slice(..bytes.len() / 2);
    let steps = stream::unfold(Some(first), async |step| {
        if let Some(first) = step {
            return Some((Ok(Frame::data(first)), None));
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
        Some((Err(CutOff), None))
    });
    StreamBody::new(steps).boxed_unsync()
}

/// The bytes in pieces spread evenly over a time.
fn drip(bytes: Bytes, time: Duration) -> WireBody {
    let size = bytes.len().div_ceil(PIECES).max(1);
    let pause = time / u32::try_from(bytes.len().div_ceil(size).max(1)).unwrap_or(1);
    let pieces = stream::unfold(bytes, move |mut rest: Bytes| async move {
        if rest.is_empty() {
            return None;
        }
        tokio::time::sleep(pause).await;
        let piece = rest.split_to(size.min(rest.len()));
        Some((Ok(Frame::data(piece)), rest))
    });
    StreamBody::new(pieces).boxed_unsync()
}
