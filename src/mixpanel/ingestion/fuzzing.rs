//! The part of [`crate::mixpanel::fuzzing`] that is about parcels.

use super::{Delivery, Parcel, classify, client::Attempt};
use crate::mixpanel::exchange::Answer;

/// What an answer to `parcel` means.
pub(in crate::mixpanel) fn deliver(answer: Answer, parcel: &Parcel) -> Delivery {
    classify::delivery(&Attempt::Answered(answer), parcel)
}
