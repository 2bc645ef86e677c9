//! What a test wants to be wrong with an export.

use std::io::{self, Write};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};

use super::ExportOrder;

/// One thing that is wrong with the content, or with how it is served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Taint {
    /// So many events of people who were not asked for.
    Stray(u32),
    /// So many events that name the first two people at once.
    Ambiguous(u32),
    /// Some bytes in the middle are others.
    Corrupt,
    /// The export is this many blanks, gzipped.
    Bomb(u64),
    /// Checksums that do not fit.
    WrongChecksum,
    /// Ranges are not served.
    NoRanges,
    /// Another ETag than a moment ago.
    NewEtag(u64),
}

/// Records that stand in the export besides those of its people.
pub(super) fn extra(order: &ExportOrder) -> impl Iterator<Item = Value> + '_ {
    order.taints.iter().flat_map(move |taint| {
        let (count, owner) = match *taint {
            Taint::Stray(count) => (count, None),
            Taint::Ambiguous(count) => (count, Some(first_two(order))),
            _ => (0, None),
        };
        let time = order.today.timestamp();
        (0..count).map(move |index| {
            let mut properties = json!({"time": time, "distinct_id": format!("stray-{index}")});
            if let Some([first, second]) = &owner {
                (properties["distinct_id"], properties["$user_id"]) =
                    (first.clone(), second.clone());
            }
            json!({"event": "Stray", "properties": properties})
        })
    })
}

/// One who is alone is named twice.
fn first_two(order: &ExportOrder) -> [Value; 2] {
    let mut people = order.snapshot.people.iter().map(|(id, _)| json!(**id));
    let first = people.next().unwrap_or_default();
    [first.clone(), people.next().unwrap_or(first)]
}

/// The written export, or what stands in its place.
pub(super) fn spoil(order: &ExportOrder, mut content: Vec<u8>) -> io::Result<Vec<u8>> {
    for taint in &order.taints {
        match taint {
            Taint::Corrupt => {
                let middle = content.len() / 2;
                content.iter_mut().skip(middle).take(16).for_each(|byte| *byte = !*byte);
            }
            Taint::Bomb(bytes) => content = bomb(*bytes)?,
            _ => {}
        }
    }
    Ok(content)
}

fn bomb(bytes: u64) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    let block = [b' '; 8 * 1024];
    let mut left = bytes;
    while left > 0 {
        let size = usize::try_from(left).unwrap_or(usize::MAX).min(block.len());
        encoder.write_all(&block[..size])?;
        left -= size as u64;
    }
    encoder.finish()
}
