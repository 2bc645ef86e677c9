//! The chain: the hash of each event covers the hash before it (`record` in `ledger/lua/prelude.lua`).

use data_encoding::HEXLOWER;
use sha1::{Digest as _, Sha1};

use super::entry::Entry;

/// How far the id of an entry may be from its `at`, in seconds: both are the server's clock, but a machine may be
/// suspended between the two.
const APART: u64 = 600;

/// What is wrong with an event by itself, or in its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It does not have the form that the worker writes.
    Form(&'static str),
    /// Its hash is not that of its content after the event before it.
    Hash { found: String, expected: String },
    /// Its id tells another time than it does itself.
    Time,
}

/// The hash of an event: SHA-1 over the hash before it and all fields but `hash`, joined by line feeds; each value but
/// `at` has its length before it.
pub(super) fn hash(before: &str, entry: &Entry) -> String {
    let mut sha1 = Sha1::new();
    sha1.update(before);
    for (name, value) in entry.fields.iter().filter(|(name, _)| name != b"hash") {
        sha1.update(b"\n");
        sha1.update(name);
        sha1.update(b"\n");
        if name != b"at" {
            sha1.update(format!("{}:", value.len()));
        }
        sha1.update(value);
    }
    HEXLOWER.encode(&sha1.finalize())
}

/// Judges an event that comes after one with the hash `before` and the id `id_before` (empty for the first).
pub(super) fn judge(before: &str, id_before: &str, entry: &Entry) -> Option<Fault> {
    if let Some(fault) = form(entry) {
        return Some(Fault::Form(fault));
    }
    let (found, expected) = (entry.text("hash"), hash(before, entry));
    if found != expected {
        return Some(Fault::Hash { found: found.to_owned(), expected });
    }
    (!time_fits(id_before, entry)).then_some(Fault::Time)
}

/// Names have no length before them in what is hashed, nor has `at`: only in this form is that text unambiguous.
fn form(entry: &Entry) -> Option<&'static str> {
    let names: Vec<&[u8]> = entry.fields.iter().map(|(name, _)| name.as_slice()).collect();
    let plain = |name: &&[u8]| {
        !name.is_empty()
            && name.iter().all(|b| b.is_ascii_lowercase() || b"_0123456789".contains(b))
    };
    let hash = entry.text("hash");
    if names.first() != Some(&b"at".as_slice()) || seconds(entry.text("at")).is_none() {
        Some("its first field is not at with a time such as 2026-01-31T09:30:00Z")
    } else if names.len() < 3 || !names.ends_with(&[b"worker".as_slice(), b"hash".as_slice()]) {
        Some("its last two fields are not worker and hash")
    } else if !names.iter().all(plain) {
        Some("a field has a name that is not made of small letters, digits and _")
    } else if (1..names.len()).any(|i| names[..i].contains(&names[i])) {
        Some("two fields have the same name")
    } else if hash.len() != 40 || !hash.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
        Some("its hash is not 40 hex digits")
    } else {
        None
    }
}

/// `YYYY-MM-DDTHH:MM:SSZ` as Unix seconds.
fn seconds(at: &str) -> Option<u64> {
    let time = chrono::NaiveDateTime::parse_from_str(at, "%Y-%m-%dT%H:%M:%SZ").ok()?;
    (at.len() == 20).then(|| u64::try_from(time.and_utc().timestamp()).ok())?
}

fn time_fits(id_before: &str, entry: &Entry) -> bool {
    let Some(at) = seconds(entry.text("at")) else { return false };
    let ms = |id: &str| id.split_once('-').and_then(|(ms, _)| ms.parse::<u64>().ok());
    let Some(id_ms) = ms(&entry.id) else { return false };
    // After the server's clock went back, Redis goes on counting in the last millisecond that it had.
    (id_ms / 1000).abs_diff(at) <= APART || ms(id_before) == Some(id_ms)
}
