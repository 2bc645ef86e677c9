//! Gzip of one or more members, checked to its last byte.
//!
//! Behind the last member there may be zeros, as tape and block writers leave them. Anything else
//! there is an error: it could be a member whose header was damaged, with records in it.

use std::io::{self, BufRead, Read};

use flate2::bufread::GzDecoder;

/// The text of all members of a gzip, one after the other.
pub(in crate::archive) struct Members<R>(State<R>);

enum State<R> {
    Inside(Box<GzDecoder<R>>),
    Between(R),
    Ended,
}

impl<R: BufRead> Members<R> {
    /// `packed` begins with a member.
    pub(in crate::archive) fn new(packed: R) -> Self {
        Self(State::Between(packed))
    }
}

impl<R: BufRead> Read for Members<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if buf.is_empty() {
            return Ok(0);
        }
        loop {
            match std::mem::replace(&mut self.0, State::Ended) {
                State::Ended => return Ok(0),
                State::Between(mut packed) => match is_over(&mut packed) {
                    Ok(true) => return Ok(0),
                    Ok(false) => self.0 = State::Inside(Box::new(GzDecoder::new(packed))),
                    Err(error) => {
                        self.0 = State::Between(packed);
                        return Err(error);
                    }
                },
                State::Inside(mut member) => match member.read(buf) {
                    Ok(0) => self.0 = State::Between(member.into_inner()),
                    // Also after an error: who reads on must not take it for the end.
                    outcome => {
                        self.0 = State::Inside(member);
                        return outcome;
                    }
                },
            }
        }
    }
}

/// Whether nothing but zeros comes from here on. What begins otherwise must be a member.
fn is_over(packed: &mut impl BufRead) -> io::Result<bool> {
    let mut zeros = false;
    loop {
        let chunk = packed.fill_buf()?;
        match chunk.first() {
            None => return Ok(true),
            Some(0) => {}
            Some(0x1f) if !zeros => return Ok(false),
            Some(_) => return Err(io::ErrorKind::InvalidData.into()),
        }
        zeros = true;
        let count = chunk.iter().take_while(|&&byte| byte == 0).count();
        packed.consume(count);
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::io::{BufReader, Write};

    use flate2::{Compression, write::GzEncoder};

    use super::*;

    fn member(text: &str) -> Vec<u8> {
        let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
        gzip.write_all(text.as_bytes()).unwrap();
        gzip.finish().unwrap()
    }

    fn text(packed: &[u8]) -> io::Result<String> {
        let mut text = String::new();
        Members::new(BufReader::with_capacity(3, packed)).read_to_string(&mut text)?;
        Ok(text)
    }

    #[test]
    fn members_follow_each_other_and_zeros_may_follow_them() {
        let mut packed = [member("one "), member(""), member("two")].concat();
        assert_eq!(text(&packed).unwrap(), "one two");
        packed.extend([0; 700]);
        assert_eq!(text(&packed).unwrap(), "one two");
    }

    #[test]
    fn anything_else_behind_a_member_is_an_error() {
        for tail in [&b"garbage"[..], b"\0\0\0x", b"\x1f", b"\x1f\x8b\x08"] {
            assert!(text(&[&member("one"), tail].concat()).is_err(), "{tail:?}");
        }
    }
}
