//! The closed sets of forms that answers, exports and switches can take.
//!
//! Invariant: what `pick` gives is never `Random`, so whoever writes an answer need not ask.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::dice::Dice;

/// What happens to credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// Compare them.
    Check,
    /// Answer 401 to all.
    Unauthorized,
    /// Answer 403 to all.
    Forbidden,
}

/// Declares a closed set of answer forms with a `random` member that the dice replace.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $($(#[$vdoc])* $variant,)+
            /// One of the others each time, decided by the seed.
            Random,
        }

        impl $name {
            /// The form to use now: itself, or another one if it is `Random`.
            pub(crate) fn pick(self, dice: &mut Dice) -> Self {
                const FORMS: &[$name] = &[$($name::$variant),+];
                if self == Self::Random { dice.one_of(FORMS) } else { self }
            }
        }
    };
}

choice! {
    /// On, off, or either.
    Toggle {
        /// Always.
        On,
        /// Never.
        Off,
    }
}

choice! {
    /// Body of a 429.
    LimitBody {
        /// The bare message.
        Text,
        /// The message in an error object.
        Json,
    }
}

choice! {
    /// Answer to a create.
    CreateShape {
        /// `results` is an array of full records.
        Array,
        /// `results` holds `task_id` alone.
        TaskId,
        /// `results` is one full record.
        Object,
    }
}

choice! {
    /// Answer to a poll.
    PollShape {
        /// Status, link and ids.
        Prose,
        /// As the OpenAPI file has it.
        Openapi,
    }
}

choice! {
    /// Answer to a cancel.
    CancelShape {
        /// 204 without a body.
        Empty,
        /// 200 with a task id.
        TaskId,
    }
}

choice! {
    /// Where the link of a retrieval stands.
    LinkField {
        /// `results.result`.
        Result,
        /// `results.results`.
        Results,
        /// `results.destination_url`.
        #[value(name = "destination_url")]
        #[serde(rename = "destination_url")]
        DestinationUrl,
    }
}

choice! {
    /// Letter case of statuses.
    StatusCase {
        /// `SUCCESS`.
        Upper,
        /// `success`.
        Lower,
        /// `Success`.
        Mixed,
    }
}

choice! {
    /// Form of an export.
    ExportFormat {
        /// One JSON object a line.
        Ndjson,
        /// One JSON array.
        Array,
        /// One indented JSON array.
        Pretty,
        /// Gzipped lines.
        Gzip,
        /// Lines in one zstd frame.
        Zstd,
        /// The profiles as CSV; events are left out.
        Csv,
        /// A zip with two files of lines.
        Zip,
        /// The same, sealed with ZipCrypto.
        ZipPassword,
        /// The same, sealed with AES-256.
        ZipAes,
        /// A zip whose files are gzipped lines.
        ZipGzip,
    }
}
