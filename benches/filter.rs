//! How many events a second one core reads, filters and writes, next to the least that a consumer with
//! `serde_json::Value` has to do for it: parse, take the listed names out, write. No network, no Redis.

#![allow(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]

#[allow(dead_code, reason = "each bench uses a part")]
#[path = "rig/report.rs"]
mod report;

use std::{hint::black_box, time::Duration};

use anyhow::{Context, ensure};
use gdpr_jobs::{ConsentState, Pepper};
use gdpr_worker::{
    config::{EventEndpoint, PrivacyConfig},
    consent::{Filter, Origin, Record, RecordKind, records},
};
use secrecy::SecretString;
use serde_json::{Value, json};

use report::{Goal, Report};

/// Events in one entry.
const ENTRY: usize = 50;
const LISTED: [&str; 3] = ["$os_version", "plan", "coupon"];

fn main() -> anyhow::Result<()> {
    let has = |flag: &str| std::env::args().any(|arg| arg == flag);
    let (events, rounds) = match (has("--bench"), has("--quick")) {
        (false, _) => (1_000, 1),
        (true, true) => (50_000, 5),
        (true, false) => (200_000, 9),
    };
    let entries: Vec<Vec<u8>> = (0..events / ENTRY).map(entry).collect();
    let bytes: usize = entries.iter().map(Vec::len).sum();
    let (defaults, strictest) = (filter(&defaults())?, filter(&strictest())?);

    let mut paces: [Vec<f64>; 3] = Default::default();
    for _ in 0..rounds {
        // In turn, so that whatever else the machine does hits all alike.
        let times = [
            timed(|| ours(&defaults, &entries))?,
            timed(|| ours(&strictest, &entries))?,
            timed(|| peer(&entries))?,
        ];
        for (paces, time) in paces.iter_mut().zip(times) {
            paces.push(events as f64 / time.as_secs_f64());
        }
    }
    let [by_default, strict, peer] = paces.map(|mut paces| {
        paces.sort_by(f64::total_cmp);
        paces[paces.len() / 2]
    });

    let mut report = Report::new("filter");
    report.add("events", events as f64, "");
    report.add("bytes in an event", bytes as f64 / events as f64, "");
    report.add_with_goal("with the defaults", by_default, "events/s", Goal::AtLeast(200_000.0));
    report.add_with_goal("with everything on", strict, "events/s", Goal::AtLeast(100_000.0));
    report.add("serde_json::Value, listed names alone", peer, "events/s");
    report.add("with the defaults / serde_json::Value", by_default / peer, "");
    report.add("with everything on / serde_json::Value", strict / peer, "");
    report.print(has("--json"));
    Ok(())
}

/// The time that this thread was on a core for `work`: what others do meanwhile does not count.
fn timed(work: impl FnOnce() -> anyhow::Result<usize>) -> anyhow::Result<Duration> {
    let started = on_core()?;
    let written = work()?;
    let time = on_core()?.saturating_sub(started);
    ensure!(black_box(written) > 0, "nothing was written");
    Ok(time)
}

fn on_core() -> anyhow::Result<Duration> {
    let statistics = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds = statistics.split_whitespace().next().context("schedstat is empty")?;
    Ok(Duration::from_nanos(nanoseconds.parse()?))
}

/// Cut, read, people, write: all that happens to an event before it is sent, but for the look-up.
fn ours(filter: &Filter, entries: &[Vec<u8>]) -> anyhow::Result<usize> {
    let (mut out, mut written) = (Vec::new(), 0);
    for (entry_seq, entry) in (0..).zip(entries) {
        out.clear();
        for (index, raw) in records(entry)?.into_iter().enumerate() {
            let record = Record::read(RecordKind::Event, raw)?;
            ensure!(!record.people().is_empty(), "nobody was found");
            let origin =
                Origin { entry_ms: 1_700_000_000_000, entry_seq, index, geolocation_off: false };
            filter.write(&record, &origin, &mut out)?;
        }
        written += black_box(&out).len();
    }
    Ok(written)
}

fn peer(entries: &[Vec<u8>]) -> anyhow::Result<usize> {
    let (mut out, mut written) = (Vec::new(), 0);
    for entry in entries {
        out.clear();
        let Value::Array(events) = serde_json::from_slice(entry)? else { continue };
        for mut event in events {
            let properties = event["properties"].as_object_mut().context("no properties")?;
            for name in LISTED {
                properties.remove(name);
            }
            serde_json::to_writer(&mut out, &event)?;
        }
        written += black_box(&out).len();
    }
    Ok(written)
}

/// An entry of events with twelve properties of their own and four that Mixpanel needs.
fn entry(n: usize) -> Vec<u8> {
    let events: Vec<Value> = (n * ENTRY..(n + 1) * ENTRY).map(event).collect();
    Value::from(events).to_string().into_bytes()
}

fn event(n: usize) -> Value {
    let user = format!("user-{:06}", n % 10_000);
    let device = format!("5f1c8a52-77e0-4c1d-9f0e-{n:012}");
    json!({ "event": "Checkout Completed", "properties": {
        "time": 1_700_000_000 + n, "distinct_id": user, "$insert_id": format!("i-{n:012}"),
        "token": "project-token", "$device_id": device, "$user_id": user,
        "$os": "Android", "$os_version": "14", "$browser": "Chrome", "$screen_width": 1080,
        "$current_url": "https://shop.example.test/checkout/done?step=4", "$lib_version": "2.55.1",
        "plan": "pro", "amount": 49.95, "currency": "EUR", "$city": "Berlin",
    } })
}

fn filter(privacy: &PrivacyConfig) -> anyhow::Result<Filter> {
    let pepper = Pepper::new(SecretString::from("0123456789abcdef0123456789abcdef"))?;
    let token = SecretString::from("project-token");
    Ok(Filter::new(privacy, &pepper, &"default".parse()?, &token))
}

fn defaults() -> PrivacyConfig {
    PrivacyConfig {
        consent_default: ConsentState::OptedIn,
        geolocation: true,
        property_blacklist: Vec::new(),
        anonymize_ids: false,
        drop_personal_values: false,
        event_endpoint: EventEndpoint::Import,
        event_retention: Duration::ZERO,
        profile_retention: None,
        profile_deletions_per_day: 0,
    }
}

fn strictest() -> PrivacyConfig {
    PrivacyConfig {
        geolocation: false,
        property_blacklist: LISTED.iter().map(ToString::to_string).collect(),
        anonymize_ids: true,
        drop_personal_values: true,
        event_endpoint: EventEndpoint::Track,
        ..defaults()
    }
}
