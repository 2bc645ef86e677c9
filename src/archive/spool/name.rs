//! Names of kept files: `export-PROJECT.BATCH.TASK.age`, `quarantine-PROJECT.BATCH.TASK.ndjson.gz.age`.
//!
//! They hold our own names for things only. Of Mixpanel's tracking id there is a short hash, so that two exports
//! of one batch do not meet.

use std::ffi::OsStr;

use data_encoding::HEXLOWER;
use gdpr_jobs::Project;
use sha2::{Digest, Sha256};

pub(super) const EXPORT: &str = "export-";
pub(super) const QUARANTINE: &str = "quarantine-";
/// What a file is called until it is whole: its name and this.
pub(super) const PART: &str = ".part";

const EXPORT_END: &str = ".age";
const QUARANTINE_END: &str = ".ndjson.gz.age";

/// What a kept file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeptKind {
    /// An export, as it was fetched.
    Export,
    /// The records of an export that nobody got.
    Quarantine,
}

impl KeptKind {
    fn around(self) -> (&'static str, &'static str) {
        match self {
            Self::Export => (EXPORT, EXPORT_END),
            Self::Quarantine => (QUARANTINE, QUARANTINE_END),
        }
    }
}

/// Which export of which batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExportName {
    pub(super) project: String,
    pub(super) batch: String,
    task: String,
}

impl ExportName {
    /// The export of a task of a batch.
    pub fn new(project: &Project, batch: &str, tracking_id: &str) -> Self {
        let hash = Sha256::digest([project.as_str(), "\0", tracking_id].concat());
        let task = HEXLOWER.encode(hash.get(..8).unwrap_or_default());
        Self { project: project.to_string(), batch: batch.to_owned(), task }
    }

    pub(super) fn file(&self, kind: KeptKind) -> String {
        let (start, end) = kind.around();
        let (project, batch) = (escape(&self.project), escape(&self.batch));
        format!("{start}{project}.{batch}.{task}{end}", task = self.task)
    }

    /// What a file's name says; `None` if it is none of these.
    pub(super) fn parse(file: &OsStr) -> Option<(KeptKind, Self)> {
        let file = file.to_str()?;
        [KeptKind::Quarantine, KeptKind::Export].into_iter().find_map(|kind| {
            let (start, end) = kind.around();
            let mut parts = file.strip_prefix(start)?.strip_suffix(end)?.split('.');
            let (project, batch) = (unescape(parts.next()?)?, unescape(parts.next()?)?);
            let task = parts.next()?.to_owned();
            parts.next().is_none().then_some((kind, Self { project, batch, task }))
        })
    }
}

/// Keeps letters, digits, `-` and `_`; the dot is what names are divided by.
fn escape(name: &str) -> String {
    use std::fmt::Write as _;
    name.bytes().fold(String::new(), |mut escaped, byte| {
        if byte.is_ascii_alphanumeric() || b"-_".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
        escaped
    })
}

fn unescape(text: &str) -> Option<String> {
    let mut pieces = text.split('%');
    let mut name = pieces.next()?.as_bytes().to_vec();
    for piece in pieces {
        let (code, rest) = (piece.get(..2)?, piece.get(2..)?);
        name.push(u8::from_str_radix(code, 16).ok()?);
        name.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(name).ok()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_back_from_its_file() {
        let project: Project = "shop-1".parse().unwrap();
        for batch in ["b17", "b.1", "../../etc/passwd", "ü%41", ""] {
            let name = ExportName::new(&project, batch, "tracking-id");
            for kind in [KeptKind::Export, KeptKind::Quarantine] {
                let file = name.file(kind);
                assert!(!file.contains('/') && !file.contains("tracking-id"), "{file}");
                assert_eq!(ExportName::parse(OsStr::new(&file)), Some((kind, name.clone())));
                assert_eq!(ExportName::parse(OsStr::new(&format!("{file}{PART}"))), None);
            }
        }
    }

    #[test]
    fn two_tasks_of_a_batch_have_two_names() {
        let project: Project = "shop".parse().unwrap();
        let file = |task| ExportName::new(&project, "b1", task).file(KeptKind::Export);
        assert_ne!(file("1"), file("2"));
        assert_eq!(file("1"), file("1"));
    }
}
