//! Counts what goes in and comes out of the decoders, and stops at a limit.
//!
//! The count of packed bytes is taken under the decoders and the count of unpacked bytes above
//! them, so headers that lie about sizes change nothing, and a gzip inside a zip is measured over
//! both layers at once. The time is looked at on both sides: packed bytes that unpack to nothing
//! do not run for ever either.

use std::{
    cell::Cell,
    io::{self, BufRead, Read, Seek, SeekFrom},
    rc::Rc,
    time::Duration,
};

use crate::archive::limits::{Limit, Limits, RATIO_FROM};

/// Tells how long reading has taken so far.
pub(in crate::archive) type Stopwatch<'a> = &'a dyn Fn() -> Duration;

/// The counters of one export.
pub(in crate::archive) struct Meter<'a> {
    limits: &'a Limits,
    elapsed: Stopwatch<'a>,
    packed: Rc<Cell<u64>>,
    unpacked: Cell<u64>,
}

/// Where a text began, in packed bytes.
#[derive(Clone, Copy)]
pub(in crate::archive) struct Mark(u64);

impl<'a> Meter<'a> {
    /// A meter, and `source` as it counts it.
    pub(in crate::archive) fn new<R>(
        limits: &'a Limits,
        elapsed: Stopwatch<'a>,
        source: R,
    ) -> (Self, Counted<'a, R>) {
        let taken = Rc::new(Cell::new(0));
        let counted = Counted { inner: source, taken: Rc::clone(&taken), limits, elapsed };
        (Self { limits, elapsed, packed: taken, unpacked: Cell::new(0) }, counted)
    }

    pub(in crate::archive) fn limits(&self) -> &'a Limits {
        self.limits
    }

    /// Take it before the first byte of a text is read.
    pub(in crate::archive) fn mark(&self) -> Mark {
        Mark(self.packed.get())
    }

    /// Stops `text` with an [`io::Error`] around a [`Limit`] as soon as it goes too far.
    pub(in crate::archive) fn guard<R>(&self, text: R, from: Mark) -> Guarded<'_, 'a, R> {
        Guarded { inner: text, meter: self, from, out: 0 }
    }

    fn check(&self, from: Mark, out: u64) -> Result<(), Limit> {
        let Limits { unpacked_bytes, text_bytes, ratio, .. } = *self.limits;
        if self.unpacked.get() > unpacked_bytes {
            return Err(Limit::Unpacked(unpacked_bytes));
        }
        if out > text_bytes {
            return Err(Limit::Text(text_bytes));
        }
        let packed = self.packed.get().saturating_sub(from.0).max(1);
        if out > RATIO_FROM && out > packed.saturating_mul(ratio) {
            return Err(Limit::Ratio(ratio));
        }
        in_time(self.limits, self.elapsed)
    }
}

fn in_time(limits: &Limits, elapsed: Stopwatch<'_>) -> Result<(), Limit> {
    if elapsed() > limits.time { Err(Limit::Time(limits.time)) } else { Ok(()) }
}

/// A source that counts the bytes taken from it.
pub(in crate::archive) struct Counted<'a, R> {
    inner: R,
    taken: Rc<Cell<u64>>,
    limits: &'a Limits,
    elapsed: Stopwatch<'a>,
}

impl<R> Counted<'_, R> {
    fn count(&self, n: usize) {
        self.taken.set(self.taken.get().saturating_add(n as u64));
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        in_time(self.limits, self.elapsed).map_err(io::Error::other)?;
        let n = self.inner.read(buf)?;
        self.count(n);
        Ok(n)
    }
}

impl<R: BufRead> BufRead for Counted<'_, R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        in_time(self.limits, self.elapsed).map_err(io::Error::other)?;
        self.inner.fill_buf()
    }

    fn consume(&mut self, n: usize) {
        self.inner.consume(n);
        self.count(n);
    }
}

impl<R: Seek> Seek for Counted<'_, R> {
    fn seek(&mut self, pos: SeekFrom) -> io::Result<u64> {
        self.inner.seek(pos)
    }
}

/// An unpacked text under the eyes of a [`Meter`].
pub(in crate::archive) struct Guarded<'m, 'a, R> {
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
        let (meter, _) = Meter::new(&limits, &Duration::default, io::empty());
        let mut out = Vec::new();
        meter.guard(&b"123456"[..], meter.mark()).read_to_end(&mut out).unwrap();
        let error = meter.guard(&b"12345"[..], meter.mark()).read_to_end(&mut out).unwrap_err();
        assert_eq!(limit_of(&error), Some(Limit::Unpacked(10)));
    }

    #[test]
    fn one_text_has_a_limit_of_its_own() {
        let limits = Limits { text_bytes: 5, ..Limits::default() };
        let (meter, _) = Meter::new(&limits, &Duration::default, io::empty());
        let mut out = Vec::new();
        meter.guard(&b"12345"[..], meter.mark()).read_to_end(&mut out).unwrap();
        let error = meter.guard(&b"123456"[..], meter.mark()).read_to_end(&mut out).unwrap_err();
        assert_eq!(limit_of(&error), Some(Limit::Text(5)));
    }

    #[test]
    fn the_ratio_holds_only_after_the_first_mebibyte() {
        let limits = Limits::default();
        let (meter, _) = Meter::new(&limits, &Duration::default, io::empty());
        let mut sink = io::sink();
        let short = meter.guard(io::repeat(0).take(RATIO_FROM), meter.mark());
        assert!(io::copy(&mut { short }, &mut sink).is_ok());
        let long = meter.guard(io::repeat(0).take(2 * RATIO_FROM), meter.mark());
        let error = io::copy(&mut { long }, &mut sink).unwrap_err();
        assert_eq!(limit_of(&error), Some(Limit::Ratio(200)));
    }

    #[test]
    fn the_time_is_looked_at_on_both_sides_of_the_decoders() {
        let limits = Limits { time: Duration::from_secs(60), ..Limits::default() };
        let now = Cell::new(Duration::from_secs(60));
        let elapsed = || now.get();
        let (meter, mut source) = Meter::new(&limits, &elapsed, &b"packed"[..]);
        let mut text = meter.guard(&b"text"[..], meter.mark());
        let mut byte = [0];
        assert!(source.read(&mut byte).is_ok() && text.read(&mut byte).is_ok());
        now.set(Duration::from_secs(61));
        for error in [source.read(&mut byte), source.fill_buf().map(|_| 0), text.read(&mut byte)] {
            assert_eq!(limit_of(&error.unwrap_err()), Some(Limit::Time(limits.time)));
        }
    }
}
