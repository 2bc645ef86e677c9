//! **I9 archives and ledger agree.** Each archive in the store belongs to a completed retrieval whose ledger has its
//! SHA-256 and size; its manifest names that request and the hash of each entry; no record in it names another person
//! of the run. Each completed retrieval whose archive has not expired has one, or the ledger says that it is missing.
//! Nothing unfinished lies about.

use crate::{
    account::{Account, Life},
    history::{Archive, Content, Stored},
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let Some(store) = &account.history.archives else { return without_a_store(account) };
    let mut ruling = Ruling::default();
    for stored in store {
        match &stored.archive {
            Some(archive) => {
                if let Some(text) = wrong(account, archive) {
                    ruling.note(Finding::new(text).request(&archive.request));
                }
            }
            None if is_unfinished(stored) => {
                ruling.note(Finding::new(format!(
                    "unfinished work lies in the store: {}",
                    stored.name
                )));
            }
            None => {}
        }
    }
    for life in waiting_for_one(account) {
        let is_there = store.iter().any(|stored| {
            stored.archive.as_ref().is_some_and(|archive| archive.request == life.id)
        });
        if !is_there {
            ruling.note(Finding::new("completed, but its archive is not there").request(life.id));
        }
    }
    ruling
}

fn without_a_store(account: &Account<'_>) -> Ruling {
    if waiting_for_one(account).next().is_none() {
        return Ruling::default();
    }
    Ruling::lacks("the archive store: a folder `archives`, or its path in run.json")
}

/// Completed retrievals that must have an archive.
fn waiting_for_one<'a, 'h>(account: &'a Account<'h>) -> impl Iterator<Item = &'a Life<'h>> {
    let done = account.lives.iter();
    done.filter(|life| {
        let noted = life.steps.last().is_some_and(|event| event.get("from") == "completed");
        life.kind() == "retrieval" && life.status() == "completed" && !noted
    })
}

fn is_unfinished(stored: &Stored) -> bool {
    let parts = || stored.name.split('/');
    parts().any(|part| part.starts_with(".tmp-")) || stored.name.rsplit('.').next() == Some("part")
}

fn wrong(account: &Account<'_>, archive: &Archive) -> Option<String> {
    let Some(life) = account.life(&archive.request).filter(|life| life.receipts > 0) else {
        return Some("an archive of a request that is not in the ledger".to_owned());
    };
    if life.kind() != "retrieval" || life.status() != "completed" {
        return Some(format!("an archive of a {} that is {}", life.kind(), life.status()));
    }
    let done = life.completed()?;
    if done.word_of(life.id, "archive_sha256") != archive.sha256 {
        return Some("its SHA-256 is not the ledger's".to_owned());
    }
    if done.word_of(life.id, "archive_bytes") != archive.bytes.to_string() {
        return Some("its size is not the ledger's".to_owned());
    }
    match archive.content.as_ref()? {
        Err(error) => Some(format!("cannot be opened: {error}")),
        Ok(content) => wrong_content(account, life, content),
    }
}

fn wrong_content(account: &Account<'_>, life: &Life<'_>, content: &Content) -> Option<String> {
    if content.request != life.id {
        return Some("its manifest names another request".to_owned());
    }
    if !content.wrong.is_empty() {
        return Some(format!(
            "entries are not what the manifest says: {}",
            content.wrong.join(", ")
        ));
    }
    let own = |id: &str| {
        life.ids().iter().any(|one| one == id || one.strip_prefix("$device:") == Some(id))
    };
    let others = content
        .records
        .iter()
        .filter(|(_, ids)| ids.iter().any(|id| !own(id) && account.owners(id).next().is_some()));
    let count = others.count();
    (count > 0).then(|| format!("{count} of its records are another person's"))
}
