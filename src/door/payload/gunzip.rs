//! Bodies packed with gzip, unpacked no further than a call may be large.

use std::{borrow::Cow, io::Read};

use flate2::read::MultiGzDecoder;

use crate::door::{budget::Paid, refusal::Refusal};

/// Bytes that are unpacked at once.
const STEP: usize = 64 * 1024;
const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The plain bytes. What gzip's first bytes mark is unpacked whatever the header says: some proxies unpack and leave the
/// header, some senders pack and set none.
pub(super) fn plain<'a>(
    bytes: &'a [u8],
    content_encoding: &str,
    most: usize,
    paid: &mut Paid,
) -> Result<Cow<'a, [u8]>, Refusal> {
    let known = ["", "identity", "gzip", "x-gzip"];
    if !known.contains(&content_encoding.trim().to_ascii_lowercase().as_str()) {
        return Err(Refusal::Unreadable("Content-Encoding: expected gzip or none"));
    }
    if !bytes.starts_with(&MAGIC) {
        return if bytes.len() > most { Err(Refusal::TooLarge(most)) } else { Ok(bytes.into()) };
    }
    let mut unpacking = MultiGzDecoder::new(bytes);
    let (mut plain, mut some) = (Vec::new(), vec![0; STEP]);
    loop {
        let count =
            unpacking.read(&mut some).map_err(|_| Refusal::Unreadable("the gzip is damaged"))?;
        if count == 0 {
            return Ok(plain.into());
        }
        if plain.len() + count > most {
            return Err(Refusal::TooLarge(most));
        }
        paid.pay_more(count)?;
        plain.extend_from_slice(&some[..count]);
    }
}
