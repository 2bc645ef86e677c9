//! `unseal`: what lies in a file that the worker sealed in its spool.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use super::{Outcome, failure::Failure, verify::read_identity};
use crate::{
    archive::{SpoolKey, unseal as open},
    config::{Access, ConfigError, Flags},
};

/// Prints the content of `file` to stdout, as it was before it was sealed.
pub(super) async fn unseal(
    flags: &Flags,
    file: &Path,
    identity: Option<&Path>,
) -> Result<Outcome, Failure> {
    let identity = identity.map(read_identity).transpose()?;
    let sealed = File::open(file).map_err(|e| {
        Failure::told(format!("the file cannot be read ({e}): expected one of the spool folder"))
    })?;
    let mut content: Box<dyn Read + Send> = if let Some(identity) = identity {
        Box::new(identity.open(sealed).map_err(|error| Failure::told(error.to_string()))?)
    } else {
        let pepper = Access::load(flags)?.pepper.ok_or(ConfigError::Missing {
            variable: "GDPR_PEPPER",
            expected: "the secret that the worker had when it sealed the file",
        })?;
        let key = SpoolKey::derive(pepper.key_material());
        Box::new(open(&key, sealed).map_err(|error| Failure::told(error.to_string()))?)
    };
    let copied = tokio::task::spawn_blocking(move || io::copy(&mut content, &mut io::stdout()));
    match copied.await.map_err(|_| Failure::told("unsealing broke off; try again"))? {
        Ok(_) => Ok(Outcome::Done),
        Err(error) => Err(Failure::Output(error)),
    }
}
