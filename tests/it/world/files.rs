//! What lies in the folders of a story.

use std::{collections::HashMap, path::Path};

use super::World;

/// Every file below a folder, by its path in it.
pub(crate) fn files(root: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                found.push(path.strip_prefix(root).unwrap().display().to_string());
            }
        }
    }
    found.sort();
    found
}

/// Whether a file is called like an archive in clear.
pub(crate) fn is_archive(name: &str) -> bool {
    Path::new(name).extension().is_some_and(|extension| extension == "zip")
}

impl World {
    /// Files in the spool.
    pub(crate) fn spooled(&self) -> Vec<String> {
        files(&self.archives().join(".spool"))
    }

    /// The ledger's events about a request that say that it was completed.
    pub(crate) async fn completions(&self, id: &str) -> usize {
        let of_it = |event: &&HashMap<String, String>| {
            event.get("requests").is_some_and(|all| all.split(' ').any(|one| one == id))
                && event.get("to").is_some_and(|to| to == "completed")
        };
        self.ledger().await.iter().filter(of_it).count()
    }
}
