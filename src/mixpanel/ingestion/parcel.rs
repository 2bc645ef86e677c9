//! Records of one channel that travel together.
//!
//! Invariant: a parcel never grows over what Mixpanel takes in one request.

use std::{fmt, io::Write};

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use tokio::sync::OnceCell;

/// Most records in one request (`reference/import-events.mdx`).
pub const MAX_PARCEL_RECORDS: usize = 2_000;
/// Most bytes in one request, unpacked. The prose says 10 MB, the OpenAPI's 413 says 2,097,152: the smaller one,
/// rounded down.
pub const MAX_PARCEL_BYTES: usize = 2_000_000;
/// Most bytes of one record: "1 MB" in the prose, read as the smaller of its two meanings.
pub const MAX_RECORD_BYTES: usize = 1_000_000;

/// Bodies from here on are packed away from the threads that serve connections.
const LARGE_BODY: usize = 32 * 1024;

/// Where records go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Channel {
    /// Events to `/import`, which names those that it refuses.
    Import,
    /// Events to `/track`, which tells only whether any was valid.
    Track,
    /// Profile updates to `/engage`, which tells only whether any was valid.
    Engage,
}

impl Channel {
    /// Last segment of the address.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Import => "import",
            Self::Track => "track",
            Self::Engage => "engage",
        }
    }

    /// `ip=0`: a place is never derived from our own address. `strict` and `verbose`: errors are told.
    pub(super) const fn query(self) -> &'static str {
        match self {
            Self::Import => "strict=1&ip=0",
            Self::Track | Self::Engage => "ip=0&verbose=1",
        }
    }

    /// `/engage` does not take gzip (`reference/profile-set.mdx`).
    const fn takes_gzip(self) -> bool {
        match self {
            Self::Import | Self::Track => true,
            Self::Engage => false,
        }
    }
}

/// Why a record does not go into a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Begin another parcel.
    #[error("the parcel is full: send it and begin another one")]
    Full,
    /// No parcel can hold it.
    #[error("the record is larger than the {MAX_RECORD_BYTES} bytes that Mixpanel takes")]
    Oversized,
}

/// Records of one channel, in their order. They are JSON objects that may leave as they are.
pub struct Parcel {
    channel: Channel,
    records: Vec<Bytes>,
    /// Length of the array that they make.
    bytes: usize,
    body: OnceCell<Body>,
}

/// What goes over the wire.
#[derive(Clone)]
pub(super) struct Body {
    pub(super) bytes: Bytes,
    pub(super) gzipped: bool,
}

impl fmt::Debug for Parcel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Parcel")
            .field("channel", &self.channel)
            .field("records", &self.records.len())
            .field("bytes", &self.bytes)
            .finish_non_exhaustive()
    }
}

impl Parcel {
    /// An empty parcel.
    pub fn new(channel: Channel) -> Self {
        // The brackets; each record brings a comma, and the first one's is not written.
        Self { channel, records: Vec::new(), bytes: 1, body: OnceCell::new() }
    }

    /// Adds a record, one JSON object, unless it does not fit.
    pub fn push(&mut self, record: Bytes) -> Result<(), Unfit> {
        if record.len() > MAX_RECORD_BYTES {
            return Err(Unfit::Oversized);
        }
        let bytes = self.bytes + record.len() + 1;
        if self.records.len() == MAX_PARCEL_RECORDS || bytes > MAX_PARCEL_BYTES {
            return Err(Unfit::Full);
        }
        self.records.push(record);
        self.bytes = bytes;
        self.body = OnceCell::new();
        Ok(())
    }

    /// Where it goes.
    pub const fn channel(&self) -> Channel {
        self.channel
    }

    /// How many records there are.
    pub fn len(&self) -> usize {
        self.records.len()
    }

    /// Whether there is nothing to send.
    pub fn is_empty(&self) -> bool {
        self.records.is_empty()
    }

    /// The records in their order.
    pub fn records(&self) -> &[Bytes] {
        &self.records
    }

    /// What goes over the wire: made once, however often it is sent.
    pub(super) async fn body(&self) -> Body {
        self.body.get_or_init(|| self.pack()).await.clone()
    }

    async fn pack(&self) -> Body {
        let (records, bytes) = (self.records.clone(), self.bytes);
        let gzip = self.channel.takes_gzip();
        if bytes < LARGE_BODY {
            return packed(&records, bytes, gzip);
        }
        let elsewhere = tokio::task::spawn_blocking(move || packed(&records, bytes, gzip));
        match elsewhere.await {
            Ok(body) => body,
            // The runtime is shutting down.
            Err(_) => packed(&self.records, bytes, gzip),
        }
    }
}

fn packed(records: &[Bytes], bytes: usize, gzip: bool) -> Body {
    let mut array = Vec::with_capacity(bytes + 1);
    array.push(b'[');
    for (index, record) in records.iter().enumerate() {
        if index > 0 {
            array.push(b',');
        }
        array.extend_from_slice(record);
    }
    array.push(b']');
    match gzip.then(|| gzipped(&array)) {
        Some(Ok(bytes)) => Body { bytes: bytes.into(), gzipped: true },
        Some(Err(_)) | None => Body { bytes: array.into(), gzipped: false },
    }
}

/// At the fastest level: records repeat their names so much that the slower ones save little.
fn gzipped(array: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(array.len() / 4), Compression::fast());
    encoder.write_all(array)?;
    encoder.finish()
}

/// The delivery takes halves of what was enqueued, as consent is asked anew; tests take halves of a parcel.
#[cfg(test)]
impl Parcel {
    /// Two parcels of half the records each, in their order; `None` for a single record. The bytes are shared.
    pub(crate) fn halves(&self) -> Option<(Self, Self)> {
        if self.len() < 2 {
            return None;
        }
        let (first, second) = self.records.split_at(self.len() / 2);
        Some((self.part(first), self.part(second)))
    }

    fn part(&self, records: &[Bytes]) -> Self {
        let bytes = 1 + records.iter().map(|record| record.len() + 1).sum::<usize>();
        Self { channel: self.channel, records: records.to_vec(), bytes, body: OnceCell::new() }
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use std::io::Read;

    use proptest::prelude::*;

    use super::*;

    fn record(length: usize) -> Bytes {
        format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8)).into()
    }

    fn unpacked(body: &Body) -> Vec<u8> {
        if !body.gzipped {
            return body.bytes.to_vec();
        }
        let mut plain = Vec::new();
        flate2::read::GzDecoder::new(&body.bytes[..]).read_to_end(&mut plain).unwrap();
        plain
    }

    #[tokio::test]
    async fn records_become_one_array_gzipped_where_it_is_taken() {
        for (channel, gzipped) in
            [(Channel::Import, true), (Channel::Track, true), (Channel::Engage, false)]
        {
            let mut parcel = Parcel::new(channel);
            for record in ["{\"a\":1}", "{}", "{\"b\":\"],[\"}"] {
                parcel.push(Bytes::from_static(record.as_bytes())).unwrap();
            }
            let body = parcel.body().await;
            assert_eq!(unpacked(&body), b"[{\"a\":1},{},{\"b\":\"],[\"}]");
            assert_eq!(body.gzipped, gzipped);
        }
    }

    #[tokio::test]
    async fn a_large_parcel_is_packed_once_and_anew_when_it_grows() {
        let mut parcel = Parcel::new(Channel::Import);
        parcel.push(record(LARGE_BODY)).unwrap();
        let (first, again) = (parcel.body().await, parcel.body().await);
        assert_eq!(first.bytes.as_ptr(), again.bytes.as_ptr());
        parcel.push(record(10)).unwrap();
        assert_eq!(unpacked(&parcel.body().await).len(), LARGE_BODY + 10 + 3);
    }

    #[test]
    fn a_parcel_is_full_at_two_thousand_records() {
        let mut parcel = Parcel::new(Channel::Track);
        for _ in 0..MAX_PARCEL_RECORDS {
            parcel.push(record(10)).unwrap();
        }
        assert_eq!(parcel.push(record(10)), Err(Unfit::Full));
        assert_eq!(parcel.len(), MAX_PARCEL_RECORDS);
    }

    #[tokio::test]
    async fn a_parcel_is_full_at_two_million_bytes_to_the_byte() {
        let mut parcel = Parcel::new(Channel::Engage);
        parcel.push(record(MAX_RECORD_BYTES)).unwrap();
        assert_eq!(parcel.push(record(MAX_RECORD_BYTES - 2)), Err(Unfit::Full));
        parcel.push(record(MAX_RECORD_BYTES - 3)).unwrap();
        assert_eq!(parcel.body().await.bytes.len(), MAX_PARCEL_BYTES);
        assert_eq!(parcel.push(record(8)), Err(Unfit::Full));
    }

    #[test]
    fn a_record_that_no_parcel_can_hold_is_told_apart() {
        let mut parcel = Parcel::new(Channel::Import);
        assert_eq!(parcel.push(record(MAX_RECORD_BYTES + 1)), Err(Unfit::Oversized));
        parcel.push(record(MAX_RECORD_BYTES)).unwrap();
    }

    #[test]
    fn debug_shows_no_record() {
        let mut parcel = Parcel::new(Channel::Import);
        parcel.push(Bytes::from_static(b"{\"canary\":1}")).unwrap();
        assert_eq!(format!("{parcel:?}"), "Parcel { channel: Import, records: 1, bytes: 14, .. }");
    }

    proptest! {
        #[test]
        fn halves_are_the_whole_in_order(count in 0_usize..50) {
            let mut parcel = Parcel::new(Channel::Engage);
            for index in 0..count {
                parcel.push(format!("{{\"i\":{index}}}").into()).unwrap();
            }
            let Some((first, second)) = parcel.halves() else {
                prop_assert!(count < 2);
                return Ok(());
            };
            prop_assert!(!first.is_empty() && !second.is_empty());
            prop_assert_eq!([first.records(), second.records()].concat(), parcel.records());
            prop_assert_eq!(first.bytes + second.bytes, parcel.bytes + 1);
        }
    }
}
