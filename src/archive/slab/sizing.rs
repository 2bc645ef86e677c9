//! How large things are, for so much memory and so many texts. Nothing else may decide it: the same
//! memory and records must give the same bytes.

/// Below this the texts would be flushed before they compress at all.
const LEAST_MEMORY: usize = 64 * 1024;

/// A text has a page that is not full. Many texts in little memory have smaller pages, so that not
/// all of it is lost in that way.
const PAGE: std::ops::RangeInclusive<usize> = 512..=4096;

/// Each piece costs time besides that of its bytes: to forget the one before and to take in a dictionary. Longer
/// ones compress hardly better, and there would be too few for all threads.
const PIECE: std::ops::RangeInclusive<usize> = 128 * 1024..=1024 * 1024;

/// Deflate looks back 32 KiB. A quarter of it costs about 1 % of size and a quarter of the memory.
const DICTIONARY: std::ops::RangeInclusive<usize> = 8 * 1024..=32 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Sizing {
    /// Bytes of a page.
    pub(super) page: usize,
    /// Pages in all.
    pub(super) pages: usize,
    /// Pages of a piece, at most.
    pub(super) piece: usize,
    /// Bytes of the dictionary that a text keeps, at most.
    pub(super) dictionary: usize,
}

impl Sizing {
    pub(super) fn of(memory: usize, texts: usize) -> Self {
        let memory = memory.max(LEAST_MEMORY);
        let share = memory / texts.max(1) / 4;
        let page = 1 << (2 * share).clamp(*PAGE.start(), *PAGE.end()).ilog2();
        let pages = memory / page;
        // A quarter at most: the others fill while it is compressed.
        let piece = (share.clamp(*PIECE.start(), *PIECE.end()) / page).min(pages / 4);
        let dictionary = share.clamp(*DICTIONARY.start(), *DICTIONARY.end());
        Self { page, pages, piece, dictionary }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn one_person_compresses_like_one_stream_and_two_thousand_fit() {
        let one = Sizing::of(16 * MIB, 4);
        assert_eq!((one.page, one.piece, one.dictionary), (4096, 256, 32 * 1024));
        let many = Sizing::of(16 * MIB, 6_001);
        assert_eq!((many.page, many.piece, many.dictionary), (1024, 128, 8 * 1024));
    }

    #[test]
    fn pages_fill_the_memory_and_never_more() {
        for memory in [LEAST_MEMORY, 100_000, 3 * MIB, 64 * MIB] {
            for texts in [1, 4, 100, 6_001, 1_000_000] {
                let sizing = Sizing::of(memory, texts);
                assert!(sizing.page * sizing.pages <= memory);
                assert!(sizing.page * (sizing.pages + 1) > memory);
                assert!((1..=sizing.pages / 4).contains(&sizing.piece), "{sizing:?}");
            }
        }
    }
}
