//! What an error of the client means. Its own text is never shown: it holds addresses, keys of
//! objects and answers of servers.

use std::error::Error as StdError;

use object_store::{
    Error,
    client::{HttpError, HttpErrorKind},
};

use super::StoreError;
use crate::archive::store::{Provider, error::Code};

/// Longer than any code of the providers.
const LONGEST_CODE: usize = 64;

pub(super) fn fault(provider: Provider, error: &Error) -> StoreError {
    let code = code(error);
    match error {
        Error::PermissionDenied { .. } | Error::Unauthenticated { .. } => {
            StoreError::Refused { provider, code }
        }
        // An object that is missing is nobody's error; callers know which case they have.
        Error::NotFound { .. } if code.0.as_deref() == Some("NoSuchUpload") => {
            StoreError::Server(code)
        }
        Error::NotFound { .. } => StoreError::NoBucket,
        // A list of a bucket that is not there is no 404 to the client.
        _ if code.0.as_deref() == Some("NoSuchBucket") => StoreError::NoBucket,
        _ if is_full(&code) => StoreError::Full,
        _ => match http(error) {
            Some(HttpErrorKind::Connect) => StoreError::Unreachable("no connection"),
            Some(HttpErrorKind::Timeout) => StoreError::Unreachable("no answer in time"),
            Some(HttpErrorKind::Interrupted) => StoreError::Unreachable("connection lost"),
            _ => StoreError::Server(code),
        },
    }
}

/// Servers of one's own have disks of their own.
fn is_full(code: &Code) -> bool {
    code.0.as_ref().is_some_and(|code| {
        ["StorageFull", "QuotaExceeded", "InsufficientStorage"]
            .iter()
            .any(|full| code.contains(full))
    })
}

/// The `<Code>` of an answer, if it is a plain word.
fn code(error: &Error) -> Code {
    let text = error.to_string();
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>"));
    let word = code.map(|(code, _)| code).filter(|code| {
        code.len() <= LONGEST_CODE && code.bytes().all(|b| b.is_ascii_alphanumeric())
    });
    Code(word.map(str::to_owned))
}

fn http(error: &Error) -> Option<HttpErrorKind> {
    let mut next: Option<&(dyn StdError + 'static)> = error.source();
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<HttpError>() {
            return Some(found.kind());
        }
        next = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(text: &str) -> StoreError {
        fault(Provider::S3, &Error::Generic { store: "S3", source: text.to_owned().into() })
    }

    #[test]
    fn the_code_of_an_answer_is_told_and_nothing_else_of_it() {
        let text =
            answered("GET https://h/b/r.zip: <Code>SlowDown</Code><Key>b/r.zip</Key>").to_string();
        assert!(text.contains("(SlowDown)") && !text.contains("r.zip"), "{text}");
        let text = answered("<Code>see https://h/b</Code>").to_string();
        assert!(!text.contains("https"), "{text}");
    }

    #[test]
    fn a_server_without_room_is_a_full_store() {
        assert!(matches!(answered("<Code>XMinioStorageFull</Code>"), StoreError::Full));
        assert!(matches!(answered("<Code>QuotaExceeded</Code>"), StoreError::Full));
    }

    #[test]
    fn refused_credentials_lead_to_the_settings() {
        let source = "<Code>InvalidAccessKeyId</Code>".to_owned().into();
        let error = Error::PermissionDenied { path: "p/r.zip".into(), source };
        let text = fault(Provider::S3, &error).to_string();
        assert!(
            text.contains("(InvalidAccessKeyId)") && text.contains("AWS_ACCESS_KEY_ID"),
            "{text}"
        );
        assert!(!text.contains("r.zip"));
    }
}
