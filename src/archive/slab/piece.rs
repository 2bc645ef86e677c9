//! Bytes in pages: what waits of a text, and the piece of it that goes to a compressor and comes
//! back in the same pages.

use super::arena::Page;

/// Bytes in a list of pages, all but the last of them full.
#[derive(Default)]
pub(super) struct Paged {
    pages: Vec<Page>,
    len: usize,
}

impl Paged {
    pub(super) fn len(&self) -> usize {
        self.len
    }

    pub(super) fn pages(&self) -> usize {
        self.pages.len()
    }

    /// Adds an empty page; the one before it is full.
    pub(super) fn push(&mut self, page: Page) {
        self.pages.push(page);
    }

    /// Takes in the beginning of `bytes`, as far as there is room in the last page. Returns the rest.
    pub(super) fn fill<'b>(&mut self, bytes: &'b [u8]) -> &'b [u8] {
        let Some(page) = self.pages.last_mut() else { return bytes };
        let before = page.len() * (self.pages.len() - 1);
        let Some(page) = self.pages.last_mut() else { return bytes };
        let room = page.get_mut(self.len - before..).unwrap_or_default();
        let (taken, rest) = bytes.split_at(room.len().min(bytes.len()));
        if let Some(room) = room.get_mut(..taken.len()) {
            room.copy_from_slice(taken);
        }
        self.len += taken.len();
        rest
    }

    /// The bytes, page by page.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        let mut left = self.len;
        self.pages.iter().map(move |page| {
            let chunk = page.get(..left.min(page.len())).unwrap_or_default();
            left -= chunk.len();
            chunk
        })
    }

    /// Appends the last bytes, at most `most` of them, to `to`.
    pub(super) fn end(&self, most: usize, to: &mut Vec<u8>) {
        let mut skip = self.len.saturating_sub(most);
        for chunk in self.chunks() {
            to.extend_from_slice(chunk.get(skip..).unwrap_or_default());
            skip = skip.saturating_sub(chunk.len());
        }
    }

    /// Replaces the bytes, as far as there is room in the pages. Returns the rest.
    fn replace<'b>(&mut self, mut bytes: &'b [u8]) -> &'b [u8] {
        self.len = 0;
        for page in &mut self.pages {
            let (taken, rest) = bytes.split_at(page.len().min(bytes.len()));
            if let Some(room) = page.get_mut(..taken.len()) {
                room.copy_from_slice(taken);
            }
            self.len += taken.len();
            bytes = rest;
        }
        bytes
    }
}

/// A part of a text on its way to be compressed, and back.
#[derive(Default)]
pub(super) struct Piece {
    /// Whose part it is.
    pub(super) text: usize,
    /// The text ends here.
    pub(super) last: bool,
    /// The raw bytes before it.
    pub(super) dictionary: Vec<u8>,
    paged: Paged,
    /// Bytes for which the pages have no room: what does not compress gets longer.
    beyond: Vec<u8>,
}

impl Piece {
    pub(super) fn new(paged: Paged, dictionary: Vec<u8>) -> Self {
        Self { dictionary, paged, ..Self::default() }
    }

    pub(super) fn pages(&self) -> usize {
        self.paged.pages()
    }

    pub(super) fn len(&self) -> usize {
        self.paged.len() + self.beyond.len()
    }

    /// Its bytes, in parts.
    pub(super) fn chunks(&self) -> impl Iterator<Item = &[u8]> {
        self.paged.chunks().chain([self.beyond.as_slice()])
    }

    /// Puts the packed bytes in place of the raw ones, so that a piece that waits its turn needs no
    /// other memory than its pages.
    pub(super) fn replace(&mut self, packed: &[u8]) {
        self.dictionary = Vec::new();
        self.beyond = self.paged.replace(packed).to_vec();
    }

    pub(super) fn into_pages(self) -> Vec<Page> {
        self.paged.pages
    }
}
