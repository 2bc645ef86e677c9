//! The people that an export is for, and what is constant about each of them.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use super::random::Random;

/// A person with a request. The list of them is what the children get, as JSON.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Subject {
    /// The request, which names the archive.
    pub(crate) request: String,
    /// The person's ids: the first one is on most events; some have that of a device too.
    pub(crate) ids: Vec<String>,
    /// What stands in `$device_id`, without the prefix.
    #[serde(skip)]
    pub(crate) device: String,
    /// Seed of what is the same in all events of this person.
    #[serde(skip)]
    pub(crate) habits: u64,
}

impl Subject {
    pub(crate) fn id(&self) -> &str {
        self.ids.first().map_or("", String::as_str)
    }

    /// The device's id if the request names it, as a distinct_id.
    pub(crate) fn device_id(&self) -> Option<&str> {
        self.ids.get(1).map(String::as_str)
    }
}

/// The first `count` people; each third one's request names a device.
pub(crate) fn people(count: usize) -> Vec<Subject> {
    (0..count)
        .map(|n| {
            let mut random = Random::new(0x5eed_0000 + n as u64);
            let device = uuid(&mut random);
            let mut ids = vec![format!("user-{n:06}@example.test")];
            if n % 3 == 0 {
                ids.push(format!("$device:{device}"));
            }
            Subject { request: format!("request-{n:06}"), ids, device, habits: random.next() }
        })
        .collect()
}

/// Text in the form of a UUID.
pub(crate) fn uuid(random: &mut Random) -> String {
    let mut text = String::with_capacity(36);
    let (high, low) = (random.next(), random.next());
    let _ = write!(
        text,
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    );
    text
}
