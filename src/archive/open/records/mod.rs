//! Cuts a text into records, one at a time.
//!
//! Only the frame is read here: whether a record is valid JSON is found out where its owner is
//! ([`crate::archive::split::owners`]). A bad line therefore costs one record, but a text that ends
//! inside a record is an error: the rest of somebody's data would be missing.

pub(in crate::archive) mod csv;
mod json;
mod lines;

use std::io::Read;

use crate::archive::{
    error::{Fault, PackageError},
    limits::{Limit, Limits},
    open::sniff::{self, LAYOUT_BYTES, Layout, MARK, PACKING_BYTES, Packing},
    open::window::Window,
};

/// Receives each record: the bytes of one JSON value, without white space around it; or of
/// something that is none, which does not parse as one either.
pub(in crate::archive) type RecordSink<'s> = dyn FnMut(&[u8]) -> Result<(), PackageError> + 's;

/// A text of which is known how its records stand in it.
pub(in crate::archive) struct Text<'t> {
    layout: Layout,
    cut: Cut<'t>,
}

/// What cutting takes.
struct Cut<'t> {
    text: Window<&'t mut dyn Read>,
    /// Bytes of one record at most.
    most: u64,
}

impl<'t> Text<'t> {
    /// Looks at how `text` begins.
    pub(in crate::archive) fn sniff(
        text: &'t mut dyn Read,
        limits: &Limits,
    ) -> Result<Self, PackageError> {
        let mut cut = Cut { text: Window::new(text), most: limits.record_bytes };
        cut.text.reach(PACKING_BYTES).map_err(PackageError::reading)?;
        match sniff::packing(cut.text.held()) {
            Packing::Plain => {}
            Packing::Foreign => return Err(PackageError::Corrupt(Fault::Unsupported)),
            Packing::Zip | Packing::Gzip | Packing::Zstd => {
                return Err(PackageError::Limit(Limit::Nesting));
            }
        }
        if cut.text.held().starts_with(MARK) {
            cut.text.skip(MARK.len());
        }
        cut.skip_white_space()?;
        cut.text.reach(LAYOUT_BYTES).map_err(PackageError::reading)?;
        let layout = sniff::layout(cut.text.held()).map_err(PackageError::Corrupt)?;
        Ok(Self { layout, cut })
    }

    pub(in crate::archive) fn layout(&self) -> Layout {
        self.layout
    }

    /// Whether it looks like text from its first bytes on.
    pub(in crate::archive) fn is_readable(&self) -> bool {
        sniff::is_readable(self.cut.text.held())
    }

    /// Hands every record to `sink`, in order. An unknown layout is one record.
    pub(in crate::archive) fn each_record(
        mut self,
        sink: &mut RecordSink<'_>,
    ) -> Result<(), PackageError> {
        match self.layout {
            Layout::Empty => self.cut.drain(),
            Layout::Lines => lines::each(&mut self.cut, sink),
            Layout::Array => json::each_element(&mut self.cut, sink),
            Layout::Objects => json::each_object(&mut self.cut, sink),
            Layout::Csv(dialect) => csv::each_row(&mut self.cut, dialect, sink),
            Layout::Unknown => self.cut.whole(sink),
        }
    }
}

impl Cut<'_> {
    /// Reads on. `false` at the end of the text.
    fn more(&mut self) -> Result<bool, PackageError> {
        self.text.more().map_err(PackageError::reading)
    }

    /// Lets go of white space. `false` if nothing else comes.
    fn skip_white_space(&mut self) -> Result<bool, PackageError> {
        loop {
            let blank = self.text.held().iter().take_while(|b| b.is_ascii_whitespace()).count();
            self.text.skip(blank);
            if !self.text.held().is_empty() {
                return Ok(true);
            }
            if !self.more()? {
                return Ok(false);
            }
        }
    }

    /// That a record of `bytes` is not too long.
    fn allow(&self, bytes: usize) -> Result<(), PackageError> {
        if bytes as u64 > self.most {
            return Err(PackageError::Limit(Limit::Record(self.most)));
        }
        Ok(())
    }

    /// Reads to the end, where checksums are compared.
    fn drain(&mut self) -> Result<(), PackageError> {
        while self.skip_white_space()? {
            let held = self.text.held().len();
            self.text.skip(held);
        }
        Ok(())
    }

    /// The whole text is one record. What is too long for that is an unknown format.
    fn whole(&mut self, sink: &mut RecordSink<'_>) -> Result<(), PackageError> {
        loop {
            if self.text.held().len() as u64 > self.most {
                return Err(PackageError::Corrupt(Fault::UnknownFormat));
            }
            if !self.more()? {
                break;
            }
        }
        sink(self.text.held().trim_ascii())
    }
}

#[cfg(test)]
mod tests;
