//! Zips that need a password: given, missing, another one, and damaged ones.

use zip::CompressionMethod;

use super::{A, Case, Expected, case, fault, reads};
use crate::archive::{
    error::{Fault, Seal},
    tests::exports::{Cipher, PASSWORD, zip_by},
};

fn edited(mut zip: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    zip[at] ^= byte;
    zip
}

pub(super) fn cases() -> Vec<Case> {
    let long = format!("{A}\n").repeat(5_000);
    let expected = || reads(&vec![A; 5_000]);
    let mut cases = Vec::new();
    for (cipher, names) in [
        (
            Cipher::ZipCrypto,
            ["ZipCrypto", "ZipCrypto, no password", "ZipCrypto, another", "ZipCrypto, damaged"],
        ),
        (Cipher::Aes, ["AES", "AES, no password", "AES, another", "AES, damaged"]),
    ] {
        // Stored, so that damage shows at the end and not before the text is seen.
        let export = zip_by(&[("secret", long.as_bytes())], cipher, CompressionMethod::Stored);
        let damaged = edited(export.clone(), export.len() - 150, 0x10);
        let [right, none, another, damage] = names;
        cases.push(case(right, export.clone(), expected()).with_password(PASSWORD));
        cases.push(case(none, export.clone(), Expected::Seal(Seal::Missing)));
        cases.push(case(another, export, Expected::Seal(Seal::Wrong)).with_password("another"));
        cases.push(case(damage, damaged, fault(Fault::Damaged)).with_password(PASSWORD));
    }
    cases
}
