//! How records are put together into the text of an entry.

/// The bytes around records. A record itself never holds a line break.
#[derive(Clone, Copy, Debug)]
pub(in crate::archive) struct Shape {
    /// Before the first record.
    pub(in crate::archive) open: &'static [u8],
    /// Between two records.
    pub(in crate::archive) between: &'static [u8],
    /// After the last record.
    pub(in crate::archive) close: &'static [u8],
    /// Stands for all of it when there are no records.
    pub(in crate::archive) none: &'static [u8],
}

/// `events.ndjson` and `unparsed.txt`: one record a line.
pub(in crate::archive) const LINES: Shape =
    Shape { open: b"", between: b"\n", close: b"\n", none: b"" };

/// `profile.json`: a JSON array, one element a line.
pub(in crate::archive) const ARRAY: Shape =
    Shape { open: b"[\n", between: b",\n", close: b"\n]\n", none: b"[]\n" };
