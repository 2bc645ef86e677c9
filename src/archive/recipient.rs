//! Encryption of archives for somebody who is not the worker: age (C2SP), X25519 keys only.
//!
//! The worker knows the public half alone. What it encrypts it cannot read again; an [`Identity`] is given
//! to it only for a verification.

use std::{
    fmt,
    io::{self, BufWriter, IntoInnerError, Read, Seek, Write},
    iter,
    str::FromStr,
};

use age::{
    DecryptError, Decryptor, Encryptor,
    stream::{StreamReader, StreamWriter},
    x25519,
};

use super::spool::UnsealError;

/// How every age file begins.
const MAGIC: &[u8] = b"age-encryption.org/v1\n";
/// Bytes of a file that tell whether it is encrypted.
pub(in crate::archive) const MAGIC_BYTES: usize = MAGIC.len();

/// Whether what begins with `head` is an age file.
pub(in crate::archive) fn is_encrypted(head: &[u8]) -> bool {
    head.starts_with(MAGIC)
}

/// The public key that archives are encrypted to.
#[derive(Clone)]
pub struct Recipient(x25519::Recipient);

/// A text that is no recipient. It does not repeat the text, which may be a secret key by mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "not an age recipient: expected age1 and 58 more letters and digits, as age-keygen -y prints it \
     (no passphrase, no SSH key, no plugin)"
)]
pub struct RecipientError;

impl FromStr for Recipient {
    type Err = RecipientError;

    fn from_str(text: &str) -> Result<Self, RecipientError> {
        text.trim().parse().map(Self).map_err(|_| RecipientError)
    }
}

impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({})", self.0)
    }
}

impl Recipient {
    /// The key itself.
    pub(in crate::archive) fn key(&self) -> &x25519::Recipient {
        &self.0
    }

    /// A writer that encrypts to `out`. Without [`Encrypted::finish`], what was written is no whole file and
    /// nobody can open it to its end.
    pub fn encrypt<W: Write>(&self, out: W) -> io::Result<Encrypted<W>> {
        let encryptor = Encryptor::with_recipients(iter::once(&self.0 as &dyn age::Recipient))
            .map_err(io::Error::other)?;
        // The buffer takes the header, whose writer would hide the kind of an error.
        encryptor.wrap_output(BufWriter::new(out)).map(Encrypted)
    }
}

/// An age file that is being written.
pub struct Encrypted<W: Write>(StreamWriter<BufWriter<W>>);

impl<W: Write> Encrypted<W> {
    /// Writes the end of the file.
    pub fn finish(self) -> io::Result<W> {
        self.0.finish()?.into_inner().map_err(IntoInnerError::into_error)
    }
}

impl<W: Write> Write for Encrypted<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        self.0.write(buf)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Secret keys, any of which may open an archive.
pub struct Identity(Vec<x25519::Identity>);

/// A text that is no identity file. It repeats nothing of the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A line that is neither a key nor a comment.
    #[error(
        "line {0} of the identity file is no key: expected AGE-SECRET-KEY-1…, a comment (#) or nothing"
    )]
    Line(usize),
    /// No key at all.
    #[error("the identity file holds no key: expected a line that begins with AGE-SECRET-KEY-1")]
    Empty,
}

impl FromStr for Identity {
    type Err = IdentityError;

    /// Reads the text of an identity file, as age-keygen writes it.
    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let mut keys = Vec::new();
        for (number, line) in (1..).zip(text.lines().map(str::trim)) {
            if !line.is_empty() && !line.starts_with('#') {
                keys.push(line.parse().map_err(|_| IdentityError::Line(number))?);
            }
        }
        if keys.is_empty() { Err(IdentityError::Empty) } else { Ok(Self(keys)) }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Identity(secret)")
    }
}

/// Why an encrypted archive does not open.
#[derive(Debug)]
pub(in crate::archive) enum Locked {
    /// It is encrypted to somebody else.
    OtherRecipient,
    /// The age file itself is wrong or cut off.
    Damaged,
    /// The file could not be read.
    Io(io::Error),
}

impl Identity {
    /// The clear text of a file that was sealed for this identity; it is deciphered while it is read.
    pub fn open<R: Read + Seek>(&self, file: R) -> Result<impl Read + Seek + use<R>, UnsealError> {
        self.decrypt(file).map_err(|locked| match locked {
            Locked::OtherRecipient => UnsealError::WrongKey,
            Locked::Damaged => UnsealError::Damaged,
            Locked::Io(error) => UnsealError::Io(error),
        })
    }

    /// The same, for whoever tells the reasons apart.
    pub(in crate::archive) fn decrypt<R: Read + Seek>(
        &self,
        file: R,
    ) -> Result<StreamReader<R>, Locked> {
        let keys = self.0.iter().map(|key| key as &dyn age::Identity);
        let clear = Decryptor::new(file).and_then(|file| file.decrypt(keys));
        clear.map_err(|error| match error {
            DecryptError::NoMatchingKeys => Locked::OtherRecipient,
            DecryptError::Io(error) if error.raw_os_error().is_some() => Locked::Io(error),
            _ => Locked::Damaged,
        })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::Cursor;

    use age::secrecy::ExposeSecret;

    use super::*;

    fn keys() -> (Recipient, Identity, String) {
        let key = x25519::Identity::generate();
        let secret = key.to_string().expose_secret().to_owned();
        let file = format!("# created: today\r\n# public key: none\r\n\r\n{secret}\r\n");
        (key.to_public().to_string().parse().unwrap(), file.parse().unwrap(), secret)
    }

    fn encrypted(recipient: &Recipient, text: &[u8]) -> Vec<u8> {
        let mut out = recipient.encrypt(Vec::new()).unwrap();
        out.write_all(text).unwrap();
        out.finish().unwrap()
    }

    #[test]
    fn what_is_encrypted_opens_with_the_identity_and_with_no_other() {
        let (recipient, identity, _) = keys();
        let file = encrypted(&recipient, b"some text");
        assert!(is_encrypted(&file) && !is_encrypted(b"PK\x03\x04"));
        let mut text = String::new();
        identity.decrypt(Cursor::new(&file)).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "some text");
        let (_, other, _) = keys();
        assert!(matches!(other.decrypt(Cursor::new(&file)), Err(Locked::OtherRecipient)));
    }

    #[test]
    fn a_file_without_its_end_cannot_be_read_to_its_end() {
        let (recipient, identity, _) = keys();
        let mut file = Vec::new();
        let mut out = recipient.encrypt(&mut file).unwrap();
        out.write_all(&vec![7; 200_000]).unwrap();
        drop(out);
        let mut clear = identity.decrypt(Cursor::new(&file)).unwrap();
        assert!(clear.read_to_end(&mut Vec::new()).is_err());
    }

    #[test]
    fn errors_repeat_nothing_of_the_text() {
        let (_, _, secret) = keys();
        let recipient = secret.parse::<Recipient>().unwrap_err();
        let identity = format!("# mine\nx{secret}\n").parse::<Identity>().unwrap_err();
        assert_eq!(identity, IdentityError::Line(2));
        for told in [format!("{recipient} {recipient:?}"), format!("{identity} {identity:?}")] {
            assert!(!told.contains(&secret[..20]), "{told}");
        }
        assert_eq!("# nothing\n".parse::<Identity>().unwrap_err(), IdentityError::Empty);
    }

    #[test]
    fn passphrases_ssh_keys_and_typing_errors_are_no_recipients() {
        let (recipient, _, _) = keys();
        let mut wrong = recipient.to_string();
        wrong.pop();
        for text in ["", "secret", "ssh-ed25519 AAAA", "age1", wrong.as_str()] {
            assert_eq!(text.parse::<Recipient>().unwrap_err(), RecipientError);
        }
        assert_eq!(format!("  {recipient}\n").parse::<Recipient>().unwrap().0, recipient.0);
    }
}
