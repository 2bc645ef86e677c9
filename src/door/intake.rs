//! One call of an SDK, from its arrival to its answer.

use std::{net::IpAddr, sync::Arc, time::Instant};

use axum::{
    body::Body,
    extract::{Extension, Request, State},
    http::{
        HeaderName, Method,
        header::{AUTHORIZATION, CONTENT_ENCODING},
        request::Parts,
    },
    response::Response,
};
use bytes::Bytes;
use chrono::Utc;

use super::{
    Door,
    answer::{Taken, answer},
    body,
    budget::Paid,
    payload::{Packed, Parameters, Voice},
    place,
    record::Kind,
    refusal::Refusal,
    sort::{Call, Endpoint, Sorted, sort},
};

/// Larger calls are sorted on a thread where nothing waits for it.
const LARGE_BYTES: usize = 64 * 1024;

/// Where a connection comes from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Peer(pub(super) IpAddr);

/// Answers a call of `endpoint`.
pub(super) async fn call(
    endpoint: Endpoint,
    State(door): State<Arc<Door>>,
    Extension(Peer(peer)): Extension<Peer>,
    request: Request,
) -> Response {
    let (head, body) = request.into_parts();
    let (parameters, _) = Parameters::from_query(head.uri.query().unwrap_or_default());
    let mut voice = parameters.voice(endpoint == Endpoint::Import);
    let outcome = take(&door, endpoint, peer, head, body, &mut voice).await;
    let word = outcome.as_ref().map_or_else(Refusal::word, |_| "taken");
    door.counters.call(endpoint.path(), word);
    answer(&voice, &outcome)
}

async fn take(
    door: &Arc<Door>,
    endpoint: Endpoint,
    peer: IpAddr,
    head: Parts,
    body: Body,
    voice: &mut Voice,
) -> Result<Taken, Refusal> {
    if head.method != Method::POST && head.method != Method::GET {
        return Err(Refusal::Method);
    }
    let mut paid = door.budget.account();
    let body = body::read(body, door.config.body_max, &mut paid).await?;
    let (said, sorted) = if body.len() > LARGE_BYTES {
        let door = Arc::clone(door);
        let sorting = tokio::task::spawn_blocking(move || {
            let (said, sorted) = sort_call(&door, endpoint, peer, &head, &body, &mut paid);
            (said, sorted.map(|sorted| (sorted, paid)))
        });
        sorting.await.map_err(|_| Refusal::Unreadable("the call could not be read"))?
    } else {
        let (said, sorted) = sort_call(door, endpoint, peer, &head, &body, &mut paid);
        (said, sorted.map(|sorted| (sorted, paid)))
    };
    *voice = said;
    let kind = if endpoint == Endpoint::Engage { Kind::Profile } else { Kind::Event };
    // What was paid comes back when Redis has the records.
    let (sorted, _paid) = sorted?;
    hand_over(door, kind, sorted).await
}

fn sort_call(
    door: &Door,
    endpoint: Endpoint,
    peer: IpAddr,
    head: &Parts,
    body: &Bytes,
    paid: &mut Paid,
) -> (Voice, Result<Sorted, Refusal>) {
    let header = |name: HeaderName| {
        head.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    };
    let packed = Packed {
        query: head.uri.query().unwrap_or_default(),
        content_encoding: header(CONTENT_ENCODING),
        body,
        most: door.config.body_max,
    };
    let call = Call {
        endpoint,
        packed,
        authorization: header(AUTHORIZATION),
        client: place::client(peer, &head.headers, door.config.behind_proxy),
        now: Utc::now().timestamp(),
    };
    sort(&call, &door.projects, paid)
}

/// Puts on the streams what may go on: an answer that is good is given after Redis has it.
async fn hand_over(door: &Door, kind: Kind, sorted: Sorted) -> Result<Taken, Refusal> {
    let now = Instant::now();
    let (mut entries, mut counts) = (Vec::new(), Vec::new());
    for (place, of_project) in sorted.projects {
        let lane = &door.lanes[place];
        door.streams.has_room(&lane.stream, now).await?;
        lane.rate.take(of_project.records, now).map_err(Refusal::Rate)?;
        counts.push((place, of_project.records));
        entries.push((&lane.stream, of_project.finish()));
    }
    if !entries.is_empty() {
        door.streams.append(kind, entries, sorted.geolocation_off).await?;
    }
    for fault in &sorted.faults {
        door.counters.refused(fault.fault.field);
    }
    for (place, records) in &counts {
        door.counters.taken(door.projects.all()[*place].project.as_str(), kind, *records);
    }
    Ok(Taken {
        records: counts.iter().map(|(_, records)| records).sum(),
        faults: sorted.faults,
        strict: sorted.strict,
    })
}
