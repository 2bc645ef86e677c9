//! From what people said to whether a record may leave.

use gdpr_jobs::ConsentState;

/// Whether a record may leave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may.
    Allowed,
    /// It is dropped.
    Forbidden,
}

/// Decides by what the ids of one record said, `None` for an id that nobody asked: forbidden when any
/// is opted out, else allowed when any is opted in, else what `default` says.
pub fn verdict(
    states: impl IntoIterator<Item = Option<ConsentState>>,
    default: ConsentState,
) -> Verdict {
    let mut said = None;
    for state in states.into_iter().flatten() {
        if state == ConsentState::OptedOut {
            return Verdict::Forbidden;
        }
        said = Some(state);
    }
    match said.unwrap_or(default) {
        ConsentState::OptedIn => Verdict::Allowed,
        ConsentState::OptedOut => Verdict::Forbidden,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IN: Option<ConsentState> = Some(ConsentState::OptedIn);
    const OUT: Option<ConsentState> = Some(ConsentState::OptedOut);

    #[test]
    fn one_who_opted_out_forbids_whatever_the_others_said() {
        for states in [vec![OUT], vec![IN, OUT], vec![OUT, IN], vec![None, OUT, IN]] {
            assert_eq!(verdict(states, ConsentState::OptedIn), Verdict::Forbidden);
        }
    }

    #[test]
    fn one_who_opted_in_allows_even_where_the_default_forbids() {
        assert_eq!(verdict([None, IN], ConsentState::OptedOut), Verdict::Allowed);
    }

    #[test]
    fn the_default_decides_where_nobody_was_asked() {
        for states in [vec![], vec![None, None]] {
            assert_eq!(verdict(states.clone(), ConsentState::OptedIn), Verdict::Allowed);
            assert_eq!(verdict(states, ConsentState::OptedOut), Verdict::Forbidden);
        }
    }
}
