//! Counts what goes in and comes out of the decoders, and stops at a limit.
//!
//! The count of packed bytes is taken under the decoders and the count of unpacked bytes above
//! them, so headers that lie about sizes change nothing, and a gzip inside a zip is measured over
//! both layers at once.

use std::{
    cell::Cell,
    io::{self, Read, Seek, SeekFrom},
    rc::Rc,
};

use super::limits::{Limit, Limits, RATIO_FROM};

/// A source that counts the bytes taken from it.
pub(super) struct Counted<R> {
    inner: R,
    taken: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.taken.set(self.taken.get().saturating_add(n as u64));
        Ok(n)
    }
}

impl<R: Seek> Seek for Counted<R> {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.inner.seek(pos)
    }
}

/// The counters of one export.
pub(super) struct Meter<'a> {
    limits: &'a Limits,
    packed: Rc<Cell<u64>>,
    unpacked: Cell<u64>,
}

/// Where a text began, in packed bytes.
#[derive(Clone, Copy)]
pub(super) struct Mark(u64);

impl<'a> Meter<'a> {
    /// A meter, and `source` as it counts it.
    pub(super) fn new<R>(limits: &'a Limits, source: R) -> (Self, Counted<R>) {
        let packed = Rc::new(Cell::new(0));
        let counted = Counted { inner: source, taken: Rc::clone(&packed) };
        (Self { limits, packed, unpacked: Cell::new(0) }, counted)
    }

    pub(super) fn limits(&self) -> &'a Limits {
        self.limits
    }

    /// Take it before the first byte of a text is read.
    pub(super) fn mark(&self) -> Mark {
        Mark(self.packed.get())
    }

    /// Stops `text` with an [`io::Error`] around a [`Limit`] as soon as it goes too far.
    pub(super) fn guard<R>(&self, text: R, from: Mark) -> Guarded<'_, 'a, R> {
        Guarded { inner: text, meter: self, from, out: 0 }
    }

    fn check(&self, from: Mark, out: u64) -> Result<(), Limit> {
        let Limits { unpacked_bytes, ratio, .. } = *self.limits;
        if self.unpacked.get() > unpacked_bytes {
            return Err(Limit::Unpacked(unpacked_bytes));
        }
        let packed = self.packed.get().saturating_sub(from.0).max(1);
        if out > RATIO_FROM && out > packed.saturating_mul(ratio) {
            return Err(Limit::Ratio(ratio));
        }
        Ok(())
    }
}

/// An unpacked text under the eyes of a [`Meter`].
pub(super) struct Guarded<'m, 'a, R> {
    inner: R,
    meter: &'m Meter<'a>,
    from: Mark,
    out: u64,
}

impl<R: Read> Read for Guarded<'_, '_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.out = self.out.saturating_add(n as u64);
        self.meter.unpacked.set(self.meter.unpacked.get().saturating_add(n as u64));
        self.meter.check(self.from, self.out).map_err(io::Error::other)?;
        Ok(n)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn limit_of(error: &io::Error) -> Option<Limit> {
        error.get_ref().and_then(|e| e.downcast_ref()).copied()
    }

    #[test]
    fn the_total_counts_over_all_texts_of_an_export() {
        let limits = Limits { unpacked_bytes: 10, ..Limits::default() };
        let (meter, _) = Meter::new(&limits, io::empty());
        let mut out = Vec::new();
        meter.guard(&b"123456"[..], meter.mark()).read_to_end(&mut out).unwrap();
        let error = meter.guard(&b"12345"[..], meter.mark()).read_to_end(&mut out).unwrap_err();
        assert_eq!(limit_of(&error), Some(Limit::Unpacked(10)));
    }

    #[test]
    fn the_ratio_holds_only_after_the_first_mebibyte() {
        let limits = Limits::default();
        let (meter, _) = Meter::new(&limits, io::empty());
        let mut sink = io::sink();
        let short = meter.guard(io::repeat(0).take(RATIO_FROM), meter.mark());
        assert!(io::copy(&mut { short }, &mut sink).is_ok());
        let long = meter.guard(io::repeat(0).take(2 * RATIO_FROM), meter.mark());
        let error = io::copy(&mut { long }, &mut sink).unwrap_err();
        assert_eq!(limit_of(&error), Some(Limit::Ratio(200)));
    }
}
