//! Reads a body: no larger than allowed, within a time, and paid for as it arrives.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body_util::BodyExt as _;

use super::{budget::Paid, refusal::Refusal};

/// A body must be there within this.
const WITHIN: Duration = Duration::from_secs(30);
/// A body of more than so many times the limit is not read to its end.
const DRAINED: usize = 4;

/// The whole body, of at most `most` bytes.
pub(super) async fn read(body: Body, most: usize, paid: &mut Paid) -> Result<Bytes, Refusal> {
    tokio::time::timeout(WITHIN, collect(body, most, paid)).await.unwrap_or(Err(Refusal::Slow))
}

/// What is too large is read on for a while and forgotten: a sender that is still writing would not see the answer.
async fn collect(mut body: Body, most: usize, paid: &mut Paid) -> Result<Bytes, Refusal> {
    let (mut whole, mut seen) = (Vec::new(), 0_usize);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Refusal::Broken)?;
        let Ok(data) = frame.into_data() else { continue };
        seen = seen.saturating_add(data.len());
        if seen > most {
            whole = Vec::new();
            if seen > most.saturating_mul(DRAINED) {
                break;
            }
            continue;
        }
        paid.pay_more(data.len())?;
        whole.extend_from_slice(&data);
    }
    if seen > most { Err(Refusal::TooLarge(most)) } else { Ok(whole.into()) }
}
