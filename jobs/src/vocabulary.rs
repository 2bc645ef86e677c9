//! The words of the document's fields. They are part of the contract: never renamed, only added to.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// Every value.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The word in the document and in Redis.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.pad(self.as_str()) }
        }

        impl FromStr for $name {
            type Err = UnknownWord;
            fn from_str(word: &str) -> Result<Self, UnknownWord> {
                Self::ALL.iter().copied().find(|v| v.as_str() == word).ok_or(UnknownWord)
            }
        }
    };
}

/// A word outside the vocabulary of its field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a word of this field")]
pub struct UnknownWord;

words! {
    /// What is asked for.
    Kind {
        /// A copy of the person's data.
        Retrieval = "retrieval",
        /// Erasure of the person's data.
        Deletion = "deletion",
        /// Withdrawal of an earlier request.
        Cancellation = "cancellation",
        /// No more tracking of this person.
        OptOut = "opt_out",
        /// Tracking of this person again.
        OptIn = "opt_in",
    }
}

words! {
    /// What a person has said about tracking: the field `consent` of the user hash.
    ConsentState {
        /// Tracking is allowed.
        OptedIn = "opted_in",
        /// Tracking is forbidden.
        OptedOut = "opted_out",
    }
}

words! {
    /// The law that the request is made under.
    Regulation {
        /// General Data Protection Regulation: one month to answer.
        Gdpr = "GDPR",
        /// California Consumer Privacy Act: 45 days to answer.
        Ccpa = "CCPA",
    }
}

words! {
    /// What a CCPA retrieval discloses.
    Disclosure {
        /// The data itself.
        Data = "Data",
        /// Only which categories are held.
        Categories = "Categories",
        /// Only where the data came from.
        Sources = "Sources",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_word_reads_back_and_case_matters() {
        for kind in Kind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(*kind));
        }
        for regulation in Regulation::ALL {
            assert_eq!(regulation.as_str().parse(), Ok(*regulation));
        }
        for disclosure in Disclosure::ALL {
            assert_eq!(disclosure.as_str().parse(), Ok(*disclosure));
        }
        assert_eq!("Deletion".parse::<Kind>(), Err(UnknownWord));
        assert_eq!("gdpr".parse::<Regulation>(), Err(UnknownWord));
    }
}
