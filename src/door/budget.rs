//! How much memory the bodies of calls may take together, so that many large ones at once cannot exhaust it. A call
//! pays for what has arrived, not for what it announces.

use std::sync::Arc;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::refusal::Refusal;

/// Bodies are paid for in steps of this many bytes.
const STEP: usize = 1024;
/// What there is at least.
const LEAST: usize = 64 * 1024 * 1024;
/// So many of the largest bodies fit at once.
const LARGEST: usize = 8;

/// What is left.
#[derive(Clone)]
pub(super) struct Budget(Arc<Semaphore>);

/// What a call has paid for; it comes back when this is dropped.
pub(super) struct Paid {
    budget: Budget,
    bytes: usize,
    permit: Option<OwnedSemaphorePermit>,
}

impl Budget {
    /// A budget for bodies of at most `body_max` bytes.
    pub(super) fn new(body_max: usize) -> Self {
        let bytes = body_max.saturating_mul(LARGEST).max(LEAST);
        Self(Arc::new(Semaphore::new((bytes / STEP).min(Semaphore::MAX_PERMITS))))
    }

    pub(super) fn account(&self) -> Paid {
        Paid { budget: self.clone(), bytes: 0, permit: None }
    }
}

impl Paid {
    /// Pays for `bytes` more.
    pub(super) fn pay_more(&mut self, bytes: usize) -> Result<(), Refusal> {
        let all = self.bytes.saturating_add(bytes);
        let more = all.div_ceil(STEP) - self.bytes.div_ceil(STEP);
        if more > 0 {
            let more = u32::try_from(more).map_err(|_| Refusal::Busy)?;
            let semaphore = Arc::clone(&self.budget.0);
            let permit = semaphore.try_acquire_many_owned(more).map_err(|_| Refusal::Busy)?;
            match &mut self.permit {
                Some(held) => held.merge(permit),
                None => self.permit = Some(permit),
            }
        }
        self.bytes = all;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_comes_back_when_a_call_ends() {
        let budget = Budget::new(1);
        let (mut one, mut two) = (budget.account(), budget.account());
        assert_eq!(one.pay_more(LEAST - STEP), Ok(()));
        assert_eq!(two.pay_more(STEP - 1), Ok(()));
        assert_eq!(two.pay_more(1), Ok(()));
        assert_eq!(two.pay_more(1), Err(Refusal::Busy));
        drop(one);
        assert_eq!(two.pay_more(LEAST - STEP), Ok(()));
    }
}
