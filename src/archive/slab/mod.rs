//! Many growing texts, compressed once, in bounded memory.
//!
//! ```text
//! add ─▶ arena of pages ─▶ piece ─▶ crew of compressors ─▶ private files ─▶ Packed
//!        one list a text    + its      any thread,           enciphered,
//!                           dictionary results in order      appended
//! ```
//!
//! * `sizing`: how large pages, pieces and dictionaries are for so much memory and so many texts.
//! * `arena`: the pages; all the memory that records wait in.
//! * `text`: one text that grows, and what is known of it.
//! * `piece`, `compressor`: some raw bytes go in, deflated bytes come back in the same pages.
//! * `crew`: the threads, and the line of pieces that they work on.
//! * `files`: one file per text, enciphered with a key of this run alone.
//! * `packed`: the finished texts, to be read any number of times.
//!
//! A text is flushed when it has a piece's worth of pages, or when no page is left: then the
//! longest go first, until a quarter of the pages is free. Each piece is deflated on its own, with
//! the raw bytes before it as preset dictionary, and ends with a sync flush, so that pieces are
//! whole bytes and simply append.
//!
//! What holds: pages never exceed the memory given, those at a compressor included. What is flushed
//! when depends on the bytes added and the memory alone, so the same bytes come out whatever the
//! threads do and however many there are. Nothing lies on disk in clear.

mod arena;
mod compressor;
mod crew;
mod files;
mod packed;
mod piece;
mod sizing;
mod text;

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::{cmp::Reverse, io};

use self::{arena::Arena, compressor::pack, crew::Crew, files::Files, sizing::Sizing, text::Text};
pub(in crate::archive) use self::{
    files::{RunKey, Workplace},
    packed::Packed,
};
use crate::archive::{deflater::Deflater, package::Means};

/// Texts that are still growing, named by number.
pub(in crate::archive) struct Slab<'a> {
    sizing: Sizing,
    arena: Arena,
    /// Most texts of a large batch stay empty, so that one costs a pointer.
    texts: Vec<Option<Box<Text>>>,
    crew: Crew,
    files: Files<'a>,
    /// Packed bytes on their way to a file.
    staged: Vec<u8>,
}

impl<'a> Slab<'a> {
    /// `texts` texts, all empty. What does not fit in the memory of `means` waits, packed, in files
    /// at `place`, enciphered with `key`.
    pub(in crate::archive) fn new(
        texts: usize,
        means: Means,
        place: Workplace<'a>,
        key: RunKey,
    ) -> io::Result<Self> {
        let crew = Crew::start(means.threads, || {
            let mut deflater = Deflater::new();
            move |piece| pack(&mut deflater, piece)
        })?;
        Ok(Self::with_crew(texts, means.memory, place, key, crew))
    }

    fn with_crew(
        texts: usize,
        memory: usize,
        place: Workplace<'a>,
        key: RunKey,
        crew: Crew,
    ) -> Self {
        let sizing = Sizing::of(memory, texts);
        Self {
            arena: Arena::new(sizing.page, sizing.pages),
            texts: std::iter::repeat_with(|| None).take(texts).collect(),
            crew,
            files: Files::new(place, key),
            staged: Vec::new(),
            sizing,
        }
    }

    /// Appends `parts`, one after the other, to a text. `text` is below the count.
    pub(in crate::archive) fn add(&mut self, text: usize, parts: &[&[u8]]) -> io::Result<()> {
        for part in parts {
            let mut rest = *part;
            while !rest.is_empty() {
                rest = self.text(text)?.waiting.fill(rest);
                if !rest.is_empty() {
                    self.lengthen(text)?;
                }
            }
        }
        Ok(())
    }

    fn text(&mut self, text: usize) -> io::Result<&mut Text> {
        let slot = self.texts.get_mut(text);
        let slot = slot.ok_or_else(|| io::Error::from(io::ErrorKind::InvalidInput))?;
        Ok(slot.get_or_insert_default())
    }

    /// Gives a text one more page.
    fn lengthen(&mut self, text: usize) -> io::Result<()> {
        if self.text(text)?.waiting.pages() >= self.sizing.piece {
            self.flush(text, false)?;
        }
        if self.arena.waiting() >= self.sizing.pages {
            self.make_room()?;
        }
        let page = loop {
            match self.arena.take() {
                Some(page) => break page,
                // The others are at the compressors: there are fewer waiting than pages.
                None => self.settle()?,
            }
        };
        self.text(text)?.waiting.push(page);
        Ok(())
    }

    /// Flushes the longest texts until a quarter of the pages waits no more.
    fn make_room(&mut self) -> io::Result<()> {
        let waiting = self.texts.iter().enumerate().filter_map(|(number, text)| {
            let length = text.as_ref()?.waiting.len();
            (length > 0).then_some((Reverse(length), number))
        });
        let mut order: Vec<_> = waiting.collect();
        order.sort_unstable();
        for (_, text) in order {
            if self.arena.waiting() <= self.sizing.pages - self.sizing.pages / 4 {
                break;
            }
            self.flush(text, false)?;
        }
        Ok(())
    }

    /// Sends what waits of a text to be compressed.
    fn flush(&mut self, text: usize, last: bool) -> io::Result<()> {
        let dictionary = if last { 0 } else { self.sizing.dictionary };
        let mut piece = self.text(text)?.cut(dictionary);
        (piece.text, piece.last) = (text, last);
        self.arena.away(piece.pages());
        while self.crew.is_full() {
            self.settle()?;
        }
        self.crew.hand_out(piece)
    }

    /// Puts the oldest piece that is at the compressors where it belongs.
    fn settle(&mut self) -> io::Result<()> {
        let piece = self.crew.take_back()?;
        self.staged.clear();
        for chunk in piece.chunks() {
            self.staged.extend_from_slice(chunk);
        }
        let (number, last) = (piece.text, piece.last);
        self.arena.back(piece.into_pages(), last);
        let Some(Some(text)) = self.texts.get_mut(number) else { return Ok(()) };
        let offset = text.packed(&self.staged);
        if last && offset == 0 {
            // It stands in for its own pages, which no other text will need any more.
            text.whole = Some(self.staged.as_slice().into());
            return Ok(());
        }
        self.files.append(number, offset, &mut self.staged)
    }

    /// Compresses what still waits.
    pub(in crate::archive) fn finish(mut self) -> io::Result<Packed<'a>> {
        for text in 0..self.texts.len() {
            if self.texts.get(text).is_some_and(Option::is_some) {
                self.flush(text, true)?;
            }
        }
        while !self.crew.is_idle() {
            self.settle()?;
        }
        let texts = self.texts.into_iter().map(|text| text.map(|text| Box::new(text.finish())));
        Ok(Packed::new(texts.collect(), self.files))
    }
}
