//! Sealed files: age with one X25519 recipient. What is in them never lies on disk in clear.
//!
//! Every 64 KiB are authenticated on their own, so a sealed file is read at any place without reading what
//! stands before it, and damage is found where it is. Its true length is authenticated when it is opened.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom, Write},
    iter,
};

use age::{
    DecryptError, Decryptor, Encryptor, Recipient,
    stream::{StreamReader, StreamWriter},
    x25519,
};
use bech32::{Bech32, Hrp};
use hkdf::Hkdf;
use sha2::Sha256;

/// How age writes an identity: this word, then the key.
const IDENTITY: &str = "age-secret-key-";

/// The key of a spool: seals what is written and opens it again.
#[derive(Clone)]
pub struct SpoolKey(x25519::Identity);

impl SpoolKey {
    /// The key that follows from a long-lived secret (at least 32 bytes, not a password). The same secret always
    /// gives the same key, so that exports outlive the process.
    pub fn derive(secret: &[u8]) -> Self {
        let mut key = [0_u8; 32];
        // 32 bytes are far below HKDF's limit of 255 blocks.
        let _ = Hkdf::<Sha256>::new(None, secret).expand(b"gdpr-worker sealed spool", &mut key);
        let identity = Hrp::parse(IDENTITY)
            .ok()
            .and_then(|word| bech32::encode_upper::<Bech32>(word, &key).ok())
            .and_then(|text| text.parse().ok());
        match identity {
            Some(identity) => Self(identity),
            None => unreachable!("any 32 bytes are an identity"),
        }
    }

    /// Who can read what is sealed with this key.
    pub(super) fn recipient(&self) -> x25519::Recipient {
        self.0.to_public()
    }
}

impl fmt::Debug for SpoolKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SpoolKey(hidden)")
    }
}

/// Why a sealed file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// Another key: the wrong one is configured, or it was sealed for somebody else.
    #[error(
        "the file is not sealed for this worker's key: expected the GDPR_PEPPER that it was written with \
         (quarantined records may be sealed for the archive recipient instead)"
    )]
    WrongKey,
    /// It is no sealed file, or not all of it is there.
    #[error("the file is damaged or was never a sealed one: expected a whole age file")]
    Damaged,
    /// The disk.
    #[error("the file cannot be read ({kind})", kind = .0.kind())]
    Io(#[source] io::Error),
}

impl From<DecryptError> for UnsealError {
    fn from(error: DecryptError) -> Self {
        match error {
            DecryptError::NoMatchingKeys => Self::WrongKey,
            DecryptError::Io(error) => error.into(),
            _ => Self::Damaged,
        }
    }
}

impl From<io::Error> for UnsealError {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => Self::Damaged,
            _ => Self::Io(error),
        }
    }
}

impl From<UnsealError> for io::Error {
    fn from(error: UnsealError) -> Self {
        match error {
            UnsealError::Io(error) => error,
            UnsealError::WrongKey => Self::new(io::ErrorKind::PermissionDenied, error),
            UnsealError::Damaged => Self::new(io::ErrorKind::InvalidData, error),
        }
    }
}

/// Starts a sealed file in `out`.
pub(super) fn seal<W: Write>(recipient: &dyn Recipient, out: W) -> io::Result<Sealing<W>> {
    let encryptor = Encryptor::with_recipients(iter::once(recipient)).map_err(io::Error::other)?;
    let mut content = encryptor.wrap_output(Headed { head: Some(Vec::new()), out })?;
    content.flush()?;
    Ok(Sealing(content))
}

/// A sealed file that is being written. Without [`Sealing::finish`] it cannot be opened.
pub(super) struct Sealing<W>(StreamWriter<Headed<W>>);

impl<W: Write> Sealing<W> {
    /// Writes the end, without which the file counts as cut off.
    pub(super) fn finish(self) -> io::Result<W> {
        Ok(self.0.finish()?.out)
    }
}

impl<W: Write> Write for Sealing<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Holds the head back until the first flush: age tells of an error while writing it in words only, and the kind
/// would be lost.
struct Headed<W> {
    head: Option<Vec<u8>>,
    out: W,
}

impl<W: Write> Write for Headed<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.head {
            Some(head) => head.write(bytes),
            None => self.out.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        if let Some(head) = self.head.take() {
            self.out.write_all(&head)?;
        }
        self.out.flush()
    }
}

/// Opens a sealed file with the key that it was sealed for, and proves that nothing is missing at its end. It is
/// deciphered while it is read.
pub fn unseal(key: &SpoolKey, file: File) -> Result<Opened, UnsealError> {
    let sealed = Decryptor::new_buffered(BufReader::new(file))?;
    let mut content = sealed.decrypt(iter::once(&key.0 as &dyn age::Identity))?;
    let length = content.seek(SeekFrom::End(0))?;
    content.rewind()?;
    Ok(Opened { content, length, position: 0, content_at: 0 })
}

/// The content of a sealed file, at any place.
///
/// The content is moved only when something is read: age's own reader must not be moved beyond its end, and a
/// zip may well ask for that.
pub struct Opened {
    content: StreamReader<BufReader<File>>,
    length: u64,
    position: u64,
    content_at: u64,
}

impl Opened {
    /// Bytes of the content.
    pub fn length(&self) -> u64 {
        self.length
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opened").field("length", &self.length).finish_non_exhaustive()
    }
}

impl Read for Opened {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.position >= self.length || buffer.is_empty() {
            return Ok(0);
        }
        if self.content_at != self.position {
            self.content.seek(SeekFrom::Start(self.position))?;
            self.content_at = self.position;
        }
        let read = self.content.read(buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.position += read as u64;
        self.content_at = self.position;
        Ok(read)
    }
}

impl Seek for Opened {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let target = match to {
            SeekFrom::Start(offset) => Some(offset),
            SeekFrom::End(offset) => self.length.checked_add_signed(offset),
            SeekFrom::Current(offset) => self.position.checked_add_signed(offset),
        };
        self.position = target.ok_or(io::ErrorKind::InvalidInput)?;
        Ok(self.position)
    }
}
