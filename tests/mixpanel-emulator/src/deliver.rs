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
use crate::export::{self, Served};

/// The body of an answer; its error cuts the connection.
pub(crate) type WireBody = UnsyncBoxBody<Bytes, CutOff>;

/// The connection is to end here, on purpose.
#[derive(Debug, thiserror::Error)]
#[error("cut off on command")]
pub(crate) struct CutOff;

/// Time for bytes to reach the caller before the connection ends.
const SETTLE: Duration = Duration::from_millis(20);
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
        _ => {}
    }
    let Reply { status, headers, body } = delivery.reply;
    let served = content(body, status).await.map_err(|_| CutOff)?;
    let (status, bytes) = (served.status, served.body);
    let headers = headers.into_iter().chain(served.headers);
    let mut response = Response::builder().status(status);
    if status != 204 {
        let missing = if let Manner::TooLong(by) = delivery.manner { by } else { 0 };
        response = response.header("content-length", bytes.len() + missing);
    }
    for (name, value) in headers {
        response = response.header(name, value);
    }
    response.body(framed(bytes, delivery.manner)).map_err(|_| CutOff)
}

/// The bytes of a body. Exports are written away from the threads that answer.
async fn content(body: ReplyBody, status: u16) -> io::Result<Served> {
    match body {
        ReplyBody::Ready(body) => Ok(Served { status, headers: Vec::new(), body }),
        ReplyBody::Export(order) => {
            let served = tokio::task::spawn_blocking(move || export::deliver(&order)).await;
            served.map_err(io::Error::other)?
        }
    }
}

fn framed(bytes: Bytes, manner: Manner) -> WireBody {
    match manner {
        Manner::Truncated => first(&bytes, bytes.len() / 2, SETTLE),
        Manner::CutAfter(count) => first(&bytes, count, SETTLE),
        Manner::StallAfter(count, wait) => first(&bytes, count, wait),
        Manner::TooLong(_) => first(&bytes, bytes.len(), SETTLE),
        Manner::Slow(wait) => drip(bytes, wait / 2),
        _ => Full::new(bytes).map_err(|never| match never {}).boxed_unsync(),
    }
}

/// So many of the bytes, then the end of the connection after a wait, which lets them reach the caller.
fn first(bytes: &Bytes, count: usize, wait: Duration) -> WireBody {
    let first = bytes.slice(..count.min(bytes.len()));
    let steps = stream::unfold(Some(first), move |step| async move {
        if let Some(first) = step {
            return Some((Ok(Frame::data(first)), None));
        }
        tokio::time::sleep(wait).await;
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
