//! A door for the fuzz targets in `tests/fuzz`: a call is unpacked, and nothing is handed over.

use std::net::{IpAddr, Ipv4Addr};

use super::{
    budget::Budget,
    payload::{self, Packed},
    place,
    record::{self, Rules},
};

/// A call as it comes off the wire.
#[derive(Clone, Copy)]
pub struct Called<'a> {
    /// What stands behind the question mark.
    pub query: &'a str,
    /// The header `Content-Encoding`.
    pub content_encoding: &'a str,
    /// The body.
    pub body: &'a [u8],
    /// Most bytes, unpacked.
    pub most: usize,
}

/// To which endpoint.
#[derive(Clone, Copy)]
pub enum Endpoint {
    /// `/track`.
    Track,
    /// `/engage`.
    Engage,
    /// `/import`, with or without `strict`, at a time in Unix seconds.
    Import(i64, bool),
}

/// A record that may go on.
pub struct Taken {
    /// As it was sent.
    pub json: String,
    /// With the client's address, where there is room for one.
    pub located: Option<String>,
}

/// The records of a call that may go on; otherwise a word for why there are none.
pub fn records(called: &Called<'_>, endpoint: Endpoint) -> Result<Vec<Taken>, &'static str> {
    let rules = match endpoint {
        Endpoint::Track => Rules::Track,
        Endpoint::Engage => Rules::Engage,
        Endpoint::Import(now, strict) => Rules::Import { now, strict },
    };
    let Called { query, content_encoding, body, most } = *called;
    let mut paid = Budget::new(most).account();
    let payload = payload::unpack(&Packed { query, content_encoding, body, most }, &mut paid)
        .map_err(|refusal| refusal.word())?;
    let records = record::several(&payload.text).map_err(|refusal| refusal.word())?;
    let client = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let taken = records.into_iter().filter_map(|raw| record::check(raw, rules).ok());
    Ok(taken
        .map(|record| Taken {
            json: record.json.to_owned(),
            located: record
                .address_at
                .map(|at| place::located(record.json, at, rules.kind(), client)),
        })
        .collect())
}
