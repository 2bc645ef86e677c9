//! **I15 chain.** Ids grow; the hash of each event covers its fields and the hash before it; as many events are there as
//! were ever added, and none was removed; each checkpoint is found again. (Events have no number of their own: that the
//! sequence has no gap is known from the stream's own count of additions and removals.)

use std::collections::HashMap;

use data_encoding::HEXLOWER;
use sha1::{Digest, Sha1};

use crate::{
    account::Account,
    history::Event,
    verdict::{Finding, Ruling},
};

/// By the reference the last checkpoint covers all but so many events.
const UNCOVERED: usize = 1000;

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let ledger = &account.history.ledger;
    let mut ruling = Ruling::default();
    let mut heads: HashMap<&str, (usize, &str)> = HashMap::new();
    let (mut before, mut last) = ("", (0, 0));
    for (place, event) in ledger.iter().enumerate() {
        let found = event.get("hash");
        if event.order() <= last {
            ruling.note(about(event, "stands out of order"));
        }
        if hash(before, event) != found {
            // Everything after the first would only say the same.
            ruling.note(about(event, "its hash does not fit its fields and the event before"));
            break;
        }
        (before, last) = (found, event.order());
        heads.insert(&event.entry, (place + 1, found));
    }
    counted(account, &mut ruling);
    checkpoints(account, &heads, &mut ruling);
    ruling
}

fn about(event: &Event, text: &str) -> Finding {
    Finding::new(format!("event {} {text}", event.entry))
}

/// `sha1(previous \n at \n TIME \n NAME \n LENGTH:VALUE …)`, in hex: every field but the hash, in the stream's order.
fn hash(before: &str, event: &Event) -> String {
    let mut text = Sha1::new();
    text.update(before);
    for pair in event.fields.chunks_exact(2).filter(|pair| pair[0] != "hash") {
        let (name, value) = (&pair[0], &pair[1]);
        text.update("\n");
        text.update(name);
        text.update("\n");
        // The time has a fixed length and stands alone.
        if name != "at" {
            text.update(format!("{}:", value.len()));
        }
        text.update(value);
    }
    HEXLOWER.encode(&text.finalize())
}

fn counted(account: &Account<'_>, ruling: &mut Ruling) {
    let (events, stream) = (account.history.ledger.len(), &account.history.state.ledger);
    if stream.length != events {
        ruling.note(Finding::new(format!("{events} events, the stream says {}", stream.length)));
    }
    match (stream.added, stream.deleted.as_deref()) {
        (Some(added), Some(deleted)) => {
            if added != events {
                ruling.note(Finding::new(format!("{events} events, but {added} were added")));
            }
            if deleted != "0-0" {
                ruling.note(Finding::new(format!("event {deleted} was removed")));
            }
        }
        _ => ruling.missing.push("the stream's count of additions (Redis 7 or later)".to_owned()),
    }
}

fn checkpoints(account: &Account<'_>, heads: &HashMap<&str, (usize, &str)>, ruling: &mut Ruling) {
    let all = &account.history.checkpoints;
    for checkpoint in all {
        let expected = Some(&(checkpoint.events, checkpoint.hash.as_str()));
        if heads.get(checkpoint.entry.as_str()) != expected {
            let text =
                format!("the checkpoint at event {} does not fit the chain", checkpoint.entry);
            ruling.note(Finding::new(text));
        }
    }
    if let Some(last) = all.iter().map(|checkpoint| checkpoint.events).max()
        && last + UNCOVERED < account.history.ledger.len()
    {
        let text =
            format!("the last checkpoint covers {last} of {} events", account.history.ledger.len());
        ruling.note(Finding::new(text));
    }
}
