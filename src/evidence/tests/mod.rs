#![expect(clippy::unwrap_used, reason = "tests")]

mod chained;
mod forged;
mod receipts;
mod vectors;

use super::{Audit, Checkpoints, Entry, Extent, SigningKey, chain};

pub(super) fn key(seed: u8) -> SigningKey {
    SigningKey::from_seed(&[seed; 32]).unwrap()
}

/// An event whose hash is still to be computed.
pub(super) fn event(ms: u64, fields: &[(&str, &str)]) -> Entry {
    let at = chrono::DateTime::from_timestamp_millis(i64::try_from(ms).unwrap()).unwrap();
    let at = at.format("%Y-%m-%dT%H:%M:%SZ").to_string();
    let all = [("at", at.as_str())].into_iter().chain(fields.iter().copied());
    let all = all.chain([("worker", "w-1"), ("hash", "")]);
    let bytes = |text: &str| text.as_bytes().to_vec();
    Entry { id: format!("{ms}-0"), fields: all.map(|(n, v)| (bytes(n), bytes(v))).collect() }
}

/// Computes all hashes, as the worker would have.
pub(super) fn chained(mut entries: Vec<Entry>) -> Vec<Entry> {
    let mut before = String::new();
    for entry in &mut entries {
        before = chain::hash(&before, entry);
        entry.fields.last_mut().unwrap().1 = before.clone().into_bytes();
    }
    entries
}

/// A ledger of `n` events.
pub(super) fn ledger(n: u64) -> Vec<Entry> {
    let one = |i: u64| {
        let (id, batch) = (format!("r{i}"), format!("b{i}"));
        let fields =
            [("requests", id.as_str()), ("kind", "deletion"), ("to", "queued"), ("batch", &batch)];
        event(1_795_000_000_000 + i * 700, &fields)
    };
    chained((0..n).map(one).collect())
}

/// What Redis would say of a stream that was always like this.
pub(super) fn extent(entries: &[Entry]) -> Extent {
    let length = entries.len() as u64;
    let last_id = entries.last().map(|entry| entry.id.clone()).unwrap_or_default();
    Extent { length, added: Some(length), last_id }
}

pub(super) fn audit(entries: &[Entry], checkpoints: &Checkpoints) -> Audit {
    let mut audit = Audit::against(checkpoints);
    for entry in entries {
        audit.see(entry, false);
    }
    audit.finish(&extent(entries));
    audit
}

/// A signed checkpoint of a ledger, as it is read back.
pub(super) fn checkpoints(entries: &[Entry]) -> Checkpoints {
    let audit = audit(entries, &Checkpoints::default());
    let line = audit.checkpoint("p", "2026-11-18T10:00:00Z".to_owned()).sign(&key(1)).unwrap();
    let mut checkpoints = Checkpoints::default();
    checkpoints.add("c", &line, "p", &[key(1).public()]);
    assert_eq!(checkpoints.usable.len(), 1);
    checkpoints
}
