//! An export on its way into the spool.

use std::io::{self, Write};

use super::{
    Spool,
    name::{ExportName, KeptKind},
    part::Part,
    sealed::{self, Sealing},
};

/// Takes the bytes of an export as they come, and seals them. Dropped without [`Receiving::finish`], nothing of
/// it stays.
pub struct Receiving<'s> {
    spool: &'s Spool,
    name: ExportName,
    sealed: Option<Sealing<Part>>,
}

impl<'s> Receiving<'s> {
    pub(super) fn new(spool: &'s Spool, name: &ExportName) -> io::Result<Self> {
        let mut receiving = Self { spool, name: name.clone(), sealed: None };
        receiving.restart()?;
        Ok(receiving)
    }

    /// Forgets what came so far and begins anew.
    pub fn restart(&mut self) -> io::Result<()> {
        self.sealed = None;
        let part = Part::create(self.spool.path(&self.name, KeptKind::Export), &self.spool.room)?;
        self.sealed = Some(sealed::seal(&self.spool.key.recipient(), part)?);
        Ok(())
    }

    /// The export is whole: from now on [`Spool::existing`] finds it.
    pub fn finish(mut self) -> io::Result<()> {
        self.sealed.take().ok_or_else(broken)?.finish()?.finish()
    }
}

/// It was used after it had failed.
fn broken() -> io::Error {
    io::Error::new(io::ErrorKind::BrokenPipe, "the export could not be written before; restart")
}

impl Write for Receiving<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sealed.as_mut().ok_or_else(broken)?.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
