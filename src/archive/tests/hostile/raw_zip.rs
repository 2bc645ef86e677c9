//! Zips made byte by byte, for what no honest writer makes.

use std::io::Write;

use flate2::{Compression, write::DeflateEncoder};

/// An entry with every field open to lies.
#[derive(Clone)]
pub(super) struct RawEntry {
    pub(super) name: Vec<u8>,
    pub(super) method: u16,
    pub(super) flags: u16,
    pub(super) crc32: u32,
    pub(super) packed: Vec<u8>,
    /// Sizes as they are claimed.
    pub(super) packed_bytes: u32,
    pub(super) bytes: u32,
    pub(super) extra: Vec<u8>,
    pub(super) comment: Vec<u8>,
    pub(super) mode: u32,
    /// Listed as being there, and written nowhere.
    pub(super) offset: Option<u32>,
    /// What follows it: a data descriptor, or what is hidden there.
    pub(super) behind: Vec<u8>,
    /// Not in the directory.
    pub(super) hidden: bool,
}

impl RawEntry {
    /// `packed` by `method`, with the facts of the text that it holds.
    pub(super) fn packed(name: &str, method: u16, packed: Vec<u8>, text: &[u8]) -> Self {
        Self {
            name: name.as_bytes().to_vec(),
            method,
            flags: 0,
            crc32: crc32fast::hash(text),
            packed_bytes: u32::try_from(packed.len()).unwrap(),
            packed,
            bytes: u32::try_from(text.len()).unwrap(),
            extra: Vec::new(),
            comment: Vec::new(),
            mode: 0o100_600,
            offset: None,
            behind: Vec::new(),
            hidden: false,
        }
    }

    pub(super) fn stored(name: &str, text: &[u8]) -> Self {
        Self::packed(name, 0, text.to_vec(), text)
    }

    pub(super) fn deflated(name: &str, text: &[u8]) -> Self {
        let mut deflate = DeflateEncoder::new(Vec::new(), Compression::default());
        deflate.write_all(text).unwrap();
        Self::packed(name, 8, deflate.finish().unwrap(), text)
    }

    pub(super) fn zstd(name: &str, text: &[u8]) -> Self {
        Self::packed(name, 93, zstd::encode_all(text, 3).unwrap(), text)
    }

    /// The header before the content.
    pub(super) fn local_header(&self) -> Vec<u8> {
        let mut out = b"PK\x03\x04\x14\x00".to_vec();
        self.common(&mut out);
        out.extend(&self.name);
        out.extend(&self.extra);
        out
    }

    fn common(&self, out: &mut Vec<u8>) {
        out.extend(self.flags.to_le_bytes());
        out.extend(self.method.to_le_bytes());
        out.extend([0, 0, 0x21, 0]);
        out.extend(self.crc32.to_le_bytes());
        out.extend(self.packed_bytes.to_le_bytes());
        out.extend(self.bytes.to_le_bytes());
        out.extend(le16(self.name.len()));
        out.extend(le16(self.extra.len()));
    }

    fn directory_header(&self, offset: u32) -> Vec<u8> {
        let mut out = b"PK\x01\x02\x14\x03\x14\x00".to_vec();
        self.common(&mut out);
        out.extend(le16(self.comment.len()));
        out.extend([0; 4]);
        out.extend((self.mode << 16).to_le_bytes());
        out.extend(offset.to_le_bytes());
        out.extend([&self.name, &self.extra, &self.comment].map(Vec::as_slice).concat());
        out
    }
}

/// A zip of such entries, whose end record is open to lies too.
#[derive(Default)]
pub(super) struct RawZip {
    pub(super) entries: Vec<RawEntry>,
    pub(super) prefix: Vec<u8>,
    pub(super) count: Option<u16>,
    pub(super) disk: u16,
    /// Added to the directory's offset.
    pub(super) shift: i64,
    pub(super) comment: Vec<u8>,
}

impl RawZip {
    pub(super) fn of(entries: impl Into<Vec<RawEntry>>) -> Self {
        Self { entries: entries.into(), ..Self::default() }
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut out = self.prefix.clone();
        let mut directory = Vec::new();
        for entry in &self.entries {
            let here = u32::try_from(out.len()).unwrap();
            if entry.offset.is_none() {
                out.extend(
                    [&entry.local_header(), &entry.packed, &entry.behind]
                        .map(Vec::as_slice)
                        .concat(),
                );
            }
            if !entry.hidden {
                directory.extend(entry.directory_header(entry.offset.unwrap_or(here)));
            }
        }
        let start = i64::try_from(out.len()).unwrap() + self.shift;
        let listed = self.entries.iter().filter(|entry| !entry.hidden).count();
        let count = self.count.map_or(le16(listed), u16::to_le_bytes);
        out.extend(&directory);
        out.extend(b"PK\x05\x06");
        out.extend([self.disk.to_le_bytes(), [0, 0], count, count].concat());
        out.extend(u32::try_from(directory.len()).unwrap().to_le_bytes());
        out.extend(u32::try_from(start).unwrap_or(u32::MAX).to_le_bytes());
        out.extend(le16(self.comment.len()));
        out.extend(&self.comment);
        out
    }
}

fn le16(n: usize) -> [u8; 2] {
    u16::try_from(n).unwrap().to_le_bytes()
}
