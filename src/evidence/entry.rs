//! One event of the ledger, as it lies in the stream: an id, and fields in their order.

/// Before the request that stands for another. The ledger itself said so where it had an event for each.
pub(super) const MERGED_INTO: &str = "merged into ";

/// An event with all its fields; the order counts, the hashes cover it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// The id of the stream entry: milliseconds since 1970, and a counter.
    pub id: String,
    /// Names and values. Bytes, because a damaged ledger may hold anything.
    pub fields: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Entry {
    /// An entry from a flat list of names and values, as Redis gives it.
    pub fn from_flat(id: String, flat: Vec<Vec<u8>>) -> Self {
        let mut fields = Vec::with_capacity(flat.len() / 2);
        let mut flat = flat.into_iter();
        while let (Some(name), value) = (flat.next(), flat.next()) {
            fields.push((name, value.unwrap_or_default()));
        }
        Self { id, fields }
    }

    /// The text of a field; empty when it is absent or no text.
    pub fn text(&self, name: &str) -> &str {
        let field = self.fields.iter().find(|(n, _)| n == name.as_bytes());
        field.and_then(|(_, value)| std::str::from_utf8(value).ok()).unwrap_or_default()
    }

    /// The requests that it names.
    pub fn requests(&self) -> impl Iterator<Item = &str> {
        self.text("requests").split_whitespace()
    }

    /// The word of a field that is about one of the requests that it names, by its place among them.
    pub fn word(&self, name: &str, place: usize) -> &str {
        self.text(name).split_whitespace().nth(place).unwrap_or_default()
    }

    /// Why, as far as it is about one of the requests that it names.
    pub fn why(&self, place: Option<usize>) -> String {
        match place.map_or("", |place| self.word("merged_into", place)) {
            "" => self.text("why").to_owned(),
            cover => format!("{MERGED_INTO}{cover}"),
        }
    }

    /// Whether it is about all requests of its batch, which it does not name: the events that put them there do.
    pub fn is_of_whole_batch(&self) -> bool {
        !self.text("whole_batch").is_empty()
    }

    /// The batch that it puts the requests into that it names, or into which it says that they were sealed.
    pub fn joined_batch(&self) -> Option<&str> {
        let joins = matches!(self.text("to"), "submitting" | "submitted");
        Some(self.text("batch")).filter(|batch| joins && !batch.is_empty())
    }

    /// What the Merkle leaf is made of: id, names and values in their order, each as a netstring (`LENGTH:BYTES,`), so
    /// that no two events have the same bytes.
    pub fn leaf_data(&self) -> Vec<u8> {
        let mut data = Vec::new();
        let mut put = |bytes: &[u8]| {
            data.extend_from_slice(bytes.len().to_string().as_bytes());
            data.push(b':');
            data.extend_from_slice(bytes);
            data.push(b',');
        };
        put(self.id.as_bytes());
        for (name, value) in &self.fields {
            put(name);
            put(value);
        }
        data
    }
}
