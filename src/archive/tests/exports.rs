//! Exports for tests, in every packing.

use std::io::{Cursor, Write};

use flate2::{Compression, write::GzEncoder};
use zip::{
    AesMode, CompressionMethod, ZipWriter,
    unstable::write::FileOptionsExt,
    write::{FileOptions, SimpleFileOptions},
};

/// The password of every sealed export here.
pub(in crate::archive) const PASSWORD: &str = "open sesame";

#[derive(Clone, Copy, Debug)]
pub(in crate::archive) enum Cipher {
    None,
    ZipCrypto,
    Aes,
}

pub(in crate::archive) fn gzip(text: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text).unwrap();
    gzip.finish().unwrap()
}

/// A zip of entries by name; one whose name ends in `/` is a folder.
pub(in crate::archive) fn zip(entries: &[(&str, &[u8])], cipher: Cipher) -> Vec<u8> {
    zip_by(entries, cipher, CompressionMethod::Deflated)
}

pub(in crate::archive) fn zip_by(
    entries: &[(&str, &[u8])],
    cipher: Cipher,
    method: CompressionMethod,
) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let plain = SimpleFileOptions::default()
        .compression_method(method)
        .last_modified_time(zip::DateTime::default());
    for (name, content) in entries {
        if name.ends_with('/') {
            zip.add_directory(*name, plain).unwrap();
            continue;
        }
        zip.start_file(*name, sealed(plain, cipher)).unwrap();
        zip.write_all(content).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn sealed(options: SimpleFileOptions, cipher: Cipher) -> FileOptions<'static, 'static, ()> {
    match cipher {
        Cipher::None => options,
        Cipher::ZipCrypto => options.with_deprecated_encryption(PASSWORD.as_bytes()).unwrap(),
        Cipher::Aes => options.with_aes_encryption(AesMode::Aes256, PASSWORD),
    }
}
