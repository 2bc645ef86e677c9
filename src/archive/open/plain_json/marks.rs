//! Where the bytes are that end a string, or may not stand in one.

/// Bytes that are looked at together.
const BLOCK: usize = 64;
/// Positions that are noted together; in text with many short strings that is what a block has.
const STEP: usize = 8;

/// Positions of quotes, backslashes and control characters in one text, in order. It serves one text after the
/// other, so that its room is made once.
#[derive(Default)]
pub(super) struct Marks {
    room: Vec<u32>,
}

impl Marks {
    /// Finds those of `text`. `None` for a text of 4 GiB or more.
    pub(super) fn find(&mut self, text: &[u8]) -> Option<&[u32]> {
        u32::try_from(text.len()).ok()?;
        // Every byte may be one, and the last step may write that much behind them.
        let most = text.len() + BLOCK + STEP;
        if self.room.len() < most {
            self.room.resize(most, 0);
        }
        let (mut found, mut start) = (0, 0);
        let (blocks, rest) = text.as_chunks::<BLOCK>();
        for block in blocks {
            found += self.note(found, start, marked(block))?;
            start += 64;
        }
        if !rest.is_empty() {
            let mut block = [b' '; BLOCK];
            block.get_mut(..rest.len())?.copy_from_slice(rest);
            found += self.note(found, start, marked(&block))?;
        }
        self.room.get(..found)
    }

    /// Notes the positions of the ones in `bits` behind the first `found`, and returns how many there are. It
    /// always notes a few at once: what is one too many is written over.
    #[inline]
    fn note(&mut self, mut found: usize, start: u32, mut bits: u64) -> Option<usize> {
        let count = bits.count_ones() as usize;
        loop {
            for place in self.room.get_mut(found..)?.first_chunk_mut::<STEP>()? {
                *place = start.wrapping_add(bits.trailing_zeros());
                bits &= bits.wrapping_sub(1);
            }
            if bits == 0 {
                return Some(count);
            }
            found += STEP;
        }
    }
}

/// A bit for each byte, the first byte's the lowest. Written so that the compiler makes vector code of it.
#[inline]
fn marked(block: &[u8; BLOCK]) -> u64 {
    /// Of a word of zeros and ones as bytes, gathers the ones in its highest byte.
    const GATHER: u64 = 0x0102_0408_1020_4080;
    let mut marked = [0; BLOCK];
    for (mark, &byte) in marked.iter_mut().zip(block) {
        *mark = u8::from(byte < 0x20) | u8::from(byte == b'"') | u8::from(byte == b'\\');
    }
    let (words, _) = marked.as_chunks::<8>();
    words
        .iter()
        .rev()
        .fold(0, |bits, word| bits << 8 | u64::from_le_bytes(*word).wrapping_mul(GATHER) >> 56)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn all_are_found_and_nothing_else(
            texts in prop::collection::vec("[a-c\"\\\\\n\u{1f}\u{20}é]{0,300}|[a-z\"]{0,300}|\"{0,300}", 1..4)
        ) {
            let mut marks = Marks::default();
            for text in texts {
                let expected = text.bytes().enumerate().filter(|(_, b)| *b < b' ' || b"\"\\".contains(b));
                let expected: Vec<u32> = expected.map(|(at, _)| u32::try_from(at).unwrap()).collect();
                prop_assert_eq!(marks.find(text.as_bytes()), Some(expected.as_slice()));
            }
        }
    }
}
