//! The client against the emulator, and against servers of the tests' own where the wire itself counts.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use super::*;
use crate::mixpanel::{MAX_PARCEL_BYTES, Outage, Region};

mod answers;
mod connections;
mod deadlines;
mod tls;

const TOKEN: &str = "emulator-project-token";

/// Far enough for a test on a busy machine.
fn soon() -> Instant {
    Instant::now() + Duration::from_secs(30)
}

fn client_with(base: &str, token: &str, timeouts: Timeouts) -> Ingestion {
    let endpoints = Endpoints::new(Region::Us, None, Some(base)).unwrap();
    Ingestion::new(endpoints, &token.into(), timeouts, 4).unwrap()
}

fn client(base: &str) -> Ingestion {
    client_with(base, TOKEN, Timeouts::default())
}

/// Events of one person, good enough for `/import` and `/track`.
fn events(channel: Channel, ids: &[&str]) -> Parcel {
    parcel(channel, ids.iter().map(|id| event(id)))
}

fn event(insert_id: &str) -> String {
    format!(
        r#"{{"event":"A","properties":{{"token":"{TOKEN}","distinct_id":"canary-person",
            "time":1700000000,"$insert_id":"{insert_id}"}}}}"#
    )
}

fn parcel(channel: Channel, records: impl IntoIterator<Item = String>) -> Parcel {
    let mut parcel = Parcel::new(channel);
    for record in records {
        parcel.push(Bytes::from(record)).unwrap();
    }
    parcel
}
