//! The spool through its front door.

mod bounds;
mod keeping;
mod reading;

use std::io::Write as _;

use super::*;

/// Nothing is in the way.
const FREE: Quota = Quota { most: u64::MAX, reserve: 0 };

/// A spool in a folder of its own.
pub(super) fn spool() -> (tempfile::TempDir, Spool) {
    spool_with(FREE)
}

fn spool_with(quota: Quota) -> (tempfile::TempDir, Spool) {
    let home = tempfile::tempdir().unwrap();
    let spool = Spool::new(home.path(), key(1), quota).unwrap();
    (home, spool)
}

/// The same folder as another process sees it.
fn again(home: &tempfile::TempDir) -> Spool {
    Spool::new(home.path(), key(1), FREE).unwrap()
}

fn key(number: u8) -> SpoolKey {
    SpoolKey::derive(&[number; 32])
}

fn name(batch: &str) -> ExportName {
    ExportName::new(&"shop".parse().unwrap(), batch, "tracking-canary")
}

fn receive(spool: &Spool, batch: &str, content: &[u8]) -> io::Result<()> {
    let mut receiving = spool.receive(&name(batch))?;
    receiving.write_all(content)?;
    receiving.finish()
}

fn read(spool: &Spool, batch: &str) -> Option<Vec<u8>> {
    spool.existing(&name(batch)).unwrap().map(|mut opened| {
        let mut content = Vec::new();
        opened.read_to_end(&mut content).unwrap();
        content
    })
}

/// Destroys the kept files that `condemned` means. Returns how many.
fn destroy(spool: &Spool, condemned: impl Fn(&Kept) -> bool) -> usize {
    let kept = spool.kept().unwrap();
    kept.iter().filter(|file| condemned(file) && spool.destroy(file).unwrap()).count()
}

/// Destroys what is kept for a batch.
fn destroy_batch(spool: &Spool, project: &str, batch: &str) -> usize {
    destroy(spool, |file| file.project == project && file.batch == batch)
}

/// The names in the spool, in order.
fn files(spool: &Spool) -> Vec<String> {
    let names = fs::read_dir(spool.folder()).unwrap().map(|entry| entry.unwrap().file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// Bytes of all files in the spool.
fn on_disk(spool: &Spool) -> u64 {
    let entries = fs::read_dir(spool.folder()).unwrap().map(|entry| entry.unwrap());
    entries
        .map(|entry| entry.metadata().unwrap())
        .filter(fs::Metadata::is_file)
        .map(|f| f.len())
        .sum()
}
