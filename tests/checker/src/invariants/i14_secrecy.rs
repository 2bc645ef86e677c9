//! **I14 secrecy.** No distinct_id of the run and no canary (token, link, value of an event) stands in the ledger, in
//! hashes and indexes, or in the files that the run names: logs, dumps, append-only files.
//!
//! Ids shorter than six bytes are left out: they occur by chance.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use aho_corasick::{AhoCorasick, MatchKind};

use crate::{
    account::Account,
    verdict::{Finding, Ruling},
};

const SHORTEST: usize = 6;
/// What was collected from Redis is searched always.
const COLLECTED: [&str; 3] = ["ledger.jsonl", "hashes.jsonl", "state.json"];

/// Whose secret a pattern is.
enum Owner<'h> {
    Request(&'h str),
    Canary(usize),
}

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let history = account.history;
    let mut ruling = Ruling::default();
    let (mut patterns, mut owners) = (Vec::new(), Vec::new());
    for life in &account.lives {
        for id in life.ids().iter().filter(|id| id.len() >= SHORTEST) {
            add(&mut patterns, &mut owners, id, || Owner::Request(life.id));
        }
    }
    for (number, canary) in history.run.canaries.iter().enumerate() {
        add(&mut patterns, &mut owners, canary, || Owner::Canary(number + 1));
    }
    let Ok(search) = AhoCorasick::builder().match_kind(MatchKind::Standard).build(&patterns) else {
        return Ruling::lacks("a search: too many patterns");
    };
    let named = history.run.searched.iter().map(|name| history.folder.join(name));
    let collected = COLLECTED.iter().map(|name| history.folder.join(name));
    let mut files = Vec::new();
    for path in collected.chain(named) {
        list(path, &mut files);
    }
    for file in files {
        let name = file.strip_prefix(&history.folder).unwrap_or(&file).display().to_string();
        match first_match(&search, &file) {
            Ok(None) => {}
            Ok(Some((pattern, at))) => {
                let text = format!("byte {at} of {name}");
                ruling.note(match &owners[pattern] {
                    Owner::Request(id) => {
                        Finding::new(format!("a distinct_id of it stands at {text}")).request(id)
                    }
                    Owner::Canary(number) => {
                        Finding::new(format!("canary {number} stands at {text}"))
                    }
                });
            }
            Err(error) => ruling.missing.push(format!("{name}: {error}")),
        }
    }
    if history.run.searched.is_empty() {
        ruling.missing.push(
            "logs, dump and append-only file: name them in `searched` of run.json".to_owned(),
        );
    }
    ruling
}

/// A secret as it is, and as JSON would have it.
fn add<'h>(
    patterns: &mut Vec<String>,
    owners: &mut Vec<Owner<'h>>,
    secret: &str,
    owner: impl Fn() -> Owner<'h>,
) {
    let quoted = serde_json::Value::from(secret).to_string();
    let escaped = quoted.trim_matches('"');
    if escaped != secret {
        patterns.push(escaped.to_owned());
        owners.push(owner());
    }
    patterns.push(secret.to_owned());
    owners.push(owner());
}

fn list(path: PathBuf, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(&path) else { return files.push(path) };
    for entry in entries.flatten() {
        list(entry.path(), files);
    }
}

/// The first match in a file of any size: pattern and place.
fn first_match(search: &AhoCorasick, path: &Path) -> std::io::Result<Option<(usize, usize)>> {
    let file = BufReader::new(File::open(path)?);
    let found = search.stream_find_iter(file.take(u64::MAX)).next().transpose()?;
    Ok(found.map(|found| (found.pattern().as_usize(), found.start())))
}
