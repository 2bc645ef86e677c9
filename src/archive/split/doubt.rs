//! Which requests may lack something that is theirs.
//!
//! A record that cannot be given may be somebody's. Whoever it names lacks it for certain; whoever
//! got nothing at all may lack it. Their archives would be incomplete without saying so: they are
//! not made, and the requests are to be retrieved one by one, where everything is one person's.

use crate::archive::split::{Reasons, Share};

/// Requests, by their place in the batch.
#[derive(Debug, Default)]
pub(in crate::archive) struct Doubt {
    about: Vec<bool>,
}

impl Doubt {
    pub(in crate::archive) fn new(requests: usize) -> Self {
        Self { about: vec![false; requests] }
    }

    /// A record that these requests may own was not given to them.
    pub(in crate::archive) fn fall_on(&mut self, requests: &[usize]) {
        for &request in requests {
            if let Some(doubt) = self.about.get_mut(request) {
                *doubt = true;
            }
        }
    }

    /// The export was read, with these shares and these records left over.
    pub(in crate::archive) fn conclude(&mut self, shares: &[Share], left: Reasons) {
        if left.malformed + left.ambiguous + left.nobody == 0 {
            return;
        }
        for (doubt, share) in self.about.iter_mut().zip(shares) {
            *doubt |= share.is_empty();
        }
    }

    /// Whether there is doubt about a request.
    pub(in crate::archive) fn is_about(&self, request: usize) -> bool {
        self.about.get(request).copied().unwrap_or_default()
    }
}
