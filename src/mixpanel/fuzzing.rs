//! Doors for the fuzz targets in `tests/fuzz`: what comes from outside goes in without a wire.

use std::net::IpAddr;

use chrono::DateTime;
use gdpr_jobs::DistinctId;

use super::{
    CancelOutcome, CreateOutcome, Delivery, ExportHosts, LinkRefusal, Parcel, PollOutcome,
    ProbeOutcome, address, classify,
    exchange::{Answer, Body, Exchange, retry_after},
    ingestion,
};

/// An answer as it comes off the wire.
#[derive(Clone, Copy)]
pub struct Answered<'a> {
    /// The HTTP status.
    pub status: u16,
    /// The header `Retry-After`.
    pub retry_after: &'a str,
    /// The body; `None` if not all of it arrived.
    pub body: Option<&'a [u8]>,
}

impl Answered<'_> {
    fn answer(self) -> Answer {
        Answer {
            status: self.status,
            retry_after: retry_after(self.retry_after, DateTime::UNIX_EPOCH),
            body: self.body.map_or(Body::Unusable, |body| Body::Whole(body.to_vec())),
        }
    }

    fn exchange(self) -> Exchange {
        Exchange::Answered(self.answer())
    }
}

/// What an answer to a creation means; `sent` are the people in it.
pub fn create(answered: Answered<'_>, sent: &[DistinctId]) -> CreateOutcome {
    classify::create(&answered.exchange(), sent)
}

/// What an answer to a poll means.
pub fn poll(answered: Answered<'_>) -> PollOutcome {
    classify::poll(&answered.exchange())
}

/// What an answer to a cancellation means.
pub fn cancel(answered: Answered<'_>) -> CancelOutcome {
    classify::cancel(&answered.exchange())
}

/// What an answer to a test of the credentials means.
pub fn probe(answered: Answered<'_>) -> ProbeOutcome {
    classify::probe(&answered.exchange())
}

/// What an answer to a parcel means.
pub fn deliver(answered: Answered<'_>, parcel: &Parcel) -> Delivery {
    ingestion::fuzzing::deliver(answered.answer(), parcel)
}

/// The address that `link` leads to, if it may be followed.
pub fn followed(hosts: &ExportHosts, link: &str) -> Result<String, LinkRefusal> {
    hosts.check(link).map(Into::into)
}

/// Whether an export may come from this address of a host that nobody vouches for.
pub fn is_public(address: IpAddr) -> bool {
    address::is_public(address)
}
