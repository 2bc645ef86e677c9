//! One private file per text, enciphered. One is open at a time, however many there are.
//!
//! The cipher is ChaCha20 with a key that exists in this run alone: the number of the text is the
//! nonce, and a byte's place in the file is its place in the key stream. It keeps what is on disk
//! from being read. That it was not changed is found out by a checksum, where it is read.

use std::{
    fs::{File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

use chacha20::{
    ChaCha20, KeyIvInit,
    cipher::{StreamCipher, StreamCipherSeek},
};
use secrecy::{ExposeSecret, SecretBox};

use crate::archive::spool::private_folder;

/// The key of one run. It is never stored, and overwritten when it is dropped.
pub(in crate::archive) struct RunKey(SecretBox<[u8; 32]>);

impl RunKey {
    /// A new one.
    pub(in crate::archive) fn random() -> Self {
        Self(SecretBox::init_with_mut(|key| *key = rand::random()))
    }
}

/// Where the files may be.
#[derive(Clone, Copy)]
pub(in crate::archive) struct Workplace<'a> {
    /// An empty, private folder.
    pub(in crate::archive) folder: &'a Path,
    /// Called with a number of bytes before they are written; its error stops the run.
    pub(in crate::archive) reserve: &'a (dyn Fn(u64) -> io::Result<()> + Sync),
}

pub(super) struct Files<'a> {
    place: Workplace<'a>,
    key: RunKey,
}

impl<'a> Files<'a> {
    pub(super) fn new(place: Workplace<'a>, key: RunKey) -> Self {
        Self { place, key }
    }

    /// Writes `bytes` at the end of a text's file, which is at `offset`, and leaves them enciphered.
    pub(super) fn append(&self, text: usize, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let path = self.path(text);
        let mut cipher = self.cipher(text)?;
        cipher.try_seek(offset).map_err(|_| too_long())?;
        cipher.try_apply_keystream(bytes).map_err(|_| too_long())?;
        (self.place.reserve)(bytes.len() as u64)?;
        let mut file = if offset == 0 {
            private_folder::create(&path)?
        } else {
            OpenOptions::new().append(true).open(path)?
        };
        file.write_all(bytes)
    }

    /// A text's file, from its beginning, and what deciphers it.
    pub(super) fn open(&self, text: usize) -> io::Result<(File, ChaCha20)> {
        Ok((File::open(self.path(text))?, self.cipher(text)?))
    }

    fn cipher(&self, text: usize) -> io::Result<ChaCha20> {
        let mut nonce = [0; 12];
        let number = u64::try_from(text).map_err(io::Error::other)?;
        if let Some(place) = nonce.first_chunk_mut() {
            *place = number.to_le_bytes();
        }
        Ok(ChaCha20::new(self.key.0.expose_secret().into(), &nonce.into()))
    }

    fn path(&self, text: usize) -> PathBuf {
        self.place.folder.join(text.to_string())
    }
}

/// The key stream ends after 256 GiB.
fn too_long() -> io::Error {
    io::Error::new(io::ErrorKind::FileTooLarge, "a text of more than 256 GiB, packed")
}
