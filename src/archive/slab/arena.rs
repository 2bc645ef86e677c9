//! The pages that raw bytes wait in: made when they are needed, and then used again and again.

/// A page; all are of one size.
pub(super) type Page = Box<[u8]>;

pub(super) struct Arena {
    page: usize,
    most: usize,
    made: usize,
    /// Pages of texts that are not at a compressor.
    waiting: usize,
    free: Vec<Page>,
}

impl Arena {
    /// At most `most` pages of `page` bytes.
    pub(super) fn new(page: usize, most: usize) -> Self {
        Self { page, most, made: 0, waiting: 0, free: Vec::new() }
    }

    /// A page for a text, if one is free or may be made. Its content is of no meaning.
    pub(super) fn take(&mut self) -> Option<Page> {
        let page = match self.free.pop() {
            Some(page) => page,
            None if self.made < self.most => {
                self.made += 1;
                vec![0; self.page].into_boxed_slice()
            }
            None => return None,
        };
        self.waiting += 1;
        Some(page)
    }

    /// Pages of a text go to a compressor.
    pub(super) fn away(&mut self, pages: usize) {
        self.waiting = self.waiting.saturating_sub(pages);
    }

    /// Pages come back from a compressor; those of a text's end are given up.
    pub(super) fn back(&mut self, pages: Vec<Page>, give_up: bool) {
        if give_up {
            self.made = self.made.saturating_sub(pages.len());
        } else {
            self.free.extend(pages);
        }
    }

    /// Pages in which raw bytes wait.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Bytes of all pages there are.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.made * self.page
    }
}
