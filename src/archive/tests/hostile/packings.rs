//! Any records in any layout and packing are read as they are; any mutation of an export is read
//! within its limits or refused.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use proptest::{collection::vec, prelude::*, sample::Index};
use secrecy::SecretString;
use zip::CompressionMethod;

use super::{limits, raw_zip::*, read, streams::frame};
use crate::archive::{
    open,
    tests::exports::{Cipher, PASSWORD, gzip, zip_by},
};

#[derive(Clone, Copy, Debug)]
enum Layout {
    Lines { crlf: bool, end: bool },
    Array,
    PrettyArray,
    Objects,
}

#[derive(Clone, Copy, Debug)]
enum Packing {
    Plain,
    Gzip,
    Zstd,
    Zip(Cipher, bool),
    ZstdInZip,
    GzipInZip,
}

/// Records as they stand on one line and over several.
fn record() -> impl Strategy<Value = serde_json::Value> {
    let text = prop_oneof!["[a-z ]{0,8}", "[\\PC\\\\\"\\[\\]{},\n]{0,12}"];
    let scalar = prop_oneof![
        any::<i64>().prop_map(serde_json::Value::from),
        text.prop_map(serde_json::Value::from),
        any::<bool>().prop_map(serde_json::Value::from),
    ];
    let value = scalar.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..3).prop_map(serde_json::Value::from),
            vec(("[a-z]{1,3}", inner), 0..3).prop_map(|m| m.into_iter().collect()),
        ]
    });
    vec(("[a-z]{1,4}", value), 1..4).prop_map(|members| members.into_iter().collect())
}

fn layout() -> impl Strategy<Value = Layout> {
    prop_oneof![
        (any::<bool>(), any::<bool>()).prop_map(|(crlf, end)| Layout::Lines { crlf, end }),
        Just(Layout::Array),
        Just(Layout::PrettyArray),
        Just(Layout::Objects),
    ]
}

fn packing() -> impl Strategy<Value = Packing> {
    let cipher = prop_oneof![Just(Cipher::None), Just(Cipher::ZipCrypto), Just(Cipher::Aes)];
    prop_oneof![
        Just(Packing::Plain),
        Just(Packing::Gzip),
        Just(Packing::Zstd),
        (cipher, any::<bool>()).prop_map(|(cipher, stored)| Packing::Zip(cipher, stored)),
        Just(Packing::ZstdInZip),
        Just(Packing::GzipInZip),
    ]
}

fn write(records: &[serde_json::Value], layout: Layout, mark: bool) -> Vec<u8> {
    let plain = || records.iter().map(ToString::to_string).collect::<Vec<_>>();
    let text = match layout {
        Layout::Lines { crlf, end } => {
            let newline = if crlf { "\r\n" } else { "\n" };
            plain().join(newline) + if end { newline } else { "" }
        }
        Layout::Array => format!("[{}]", plain().join(",")),
        Layout::PrettyArray => serde_json::to_string_pretty(records).unwrap(),
        Layout::Objects => {
            let pretty = |value| serde_json::to_string_pretty(value).unwrap();
            records.iter().map(pretty).collect::<Vec<_>>().join("\n")
        }
    };
    format!("{}{text}", if mark { "\u{feff}" } else { "" }).into_bytes()
}

/// Packs `text` in parts: each text on its own in a zip, cut anywhere otherwise.
fn pack(texts: &[Vec<u8>], cuts: &[Index], packing: Packing) -> Vec<u8> {
    let cut = |text: &[u8], part: &dyn Fn(&[u8]) -> Vec<u8>| {
        let mut ends: Vec<_> = cuts.iter().map(|cut| cut.index(text.len() + 1)).collect();
        ends.extend([0, text.len()]);
        ends.sort_unstable();
        ends.windows(2).flat_map(|ends| part(&text[ends[0]..ends[1]])).collect::<Vec<u8>>()
    };
    let entries = || texts.iter().map(|text| ("secret/a.json", text)).enumerate();
    match packing {
        Packing::Plain => texts.concat(),
        Packing::Gzip => cut(&texts.concat(), &gzip),
        Packing::Zstd => cut(&texts.concat(), &frame),
        Packing::Zip(cipher, stored) => {
            let method =
                if stored { CompressionMethod::Stored } else { CompressionMethod::Deflated };
            let names: Vec<_> =
                entries().map(|(n, (name, text))| (format!("{n}{name}"), text)).collect();
            let entries: Vec<_> =
                names.iter().map(|(name, text)| (name.as_str(), text.as_slice())).collect();
            zip_by(&entries, cipher, method)
        }
        Packing::ZstdInZip => {
            let entries = entries().map(|(_, (name, text))| RawEntry::zstd(name, text));
            RawZip::of(entries.collect::<Vec<_>>()).bytes()
        }
        Packing::GzipInZip => {
            let entries =
                entries().map(|(_, (name, text))| RawEntry::stored(name, &cut(text, &gzip)));
            RawZip::of(entries.collect::<Vec<_>>()).bytes()
        }
    }
}

/// An export that comes in pieces of the given sizes, again and again.
struct Pieces<'e> {
    export: Cursor<&'e [u8]>,
    sizes: std::iter::Cycle<std::vec::IntoIter<usize>>,
}

impl Read for Pieces<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let size = self.sizes.next().unwrap_or(1).min(buf.len());
        self.export.read(&mut buf[..size])
    }
}

impl Seek for Pieces<'_> {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.export.seek(pos)
    }
}

fn settings(cases: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(cases) }
}

proptest! {
    #![proptest_config(settings(200))]

    #[test]
    fn records_come_as_they_were_written_whatever_they_are_packed_in(
        records in vec(record(), 0..12),
        layout in layout(),
        packing in packing(),
        mark in any::<bool>(),
        parts in 1..4_usize,
        cuts in vec(any::<Index>(), 0..4),
        sizes in vec(1..5000_usize, 1..5),
    ) {
        let zipped = matches!(packing, Packing::Zip(..) | Packing::ZstdInZip | Packing::GzipInZip);
        let parts = if zipped { parts } else { 1 };
        let size = records.len().div_ceil(parts).max(1);
        let texts: Vec<_> =
            records.chunks(size).map(|records| write(records, layout, mark)).collect();
        let export = pack(&texts, &cuts, packing);
        let export = Pieces { export: Cursor::new(&export), sizes: sizes.into_iter().cycle() };
        let password = SecretString::from(PASSWORD);
        let mut found = Vec::new();
        open::each_record(export, Some(&password), &limits(), &mut |record| {
            found.push(serde_json::from_slice::<serde_json::Value>(record).unwrap());
            Ok(())
        }).unwrap();
        prop_assert_eq!(found, records);
    }

    #[test]
    fn a_mutated_export_is_read_within_its_limits_or_refused(
        packing in packing(),
        layout in layout(),
        flips in vec((any::<Index>(), 1..=255_u8), 0..4),
        cut in proptest::option::of(any::<Index>()),
        insert in proptest::option::of((any::<Index>(), vec(any::<u8>(), 1..20))),
    ) {
        let record = serde_json::json!({"event": "A", "properties": {"distinct_id": "u1", "n": [1]}});
        let text = write(&[record.clone(), record.clone(), record], layout, false);
        let mut export = pack(&[text.clone(), text], &[], packing);
        for (at, flip) in flips {
            let at = at.index(export.len());
            export[at] ^= flip;
        }
        if let Some((at, bytes)) = insert {
            let at = at.index(export.len() + 1);
            export.splice(at..at, bytes);
        }
        if let Some(cut) = cut {
            export.truncate(cut.index(export.len() + 1));
        }
        if let Ok(records) = read(&export, Some(PASSWORD)) {
            let total: usize = records.iter().map(Vec::len).sum();
            prop_assert!(total as u64 <= limits().unpacked_bytes);
        }
    }
}
