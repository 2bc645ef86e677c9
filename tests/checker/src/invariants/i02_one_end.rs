//! **I2 one end.** At the end each request has come to exactly one final state, with no move after it but the expiry of
//! a retrieval's archive; at most so many are held as the run expects.

use crate::{
    account::{Account, FINAL, Life},
    history::Event,
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let known = account.lives.iter().filter(|life| life.receipts > 0);
    let mut ruling = Ruling::default();
    let mut held = Vec::new();
    for life in known {
        if let Some(after) = after_the_end(life) {
            let text =
                format!("moved from {} to {} after its end", after.get("from"), after.get("to"));
            ruling.note(Finding::new(text).request(life.id));
        } else if life.status() == "held" {
            held.push(life.id);
        } else if !life.is_final() {
            ruling.note(Finding::new(format!("never ended: {}", life.status())).request(life.id));
        }
    }
    let expected = account.history.run.held;
    if held.len() > expected {
        let text = format!("{} held, expected {expected} at most", held.len());
        let requests = held.into_iter().map(str::to_owned).collect();
        ruling.note(Finding { requests, ..Finding::new(text) });
    }
    ruling
}

fn after_the_end<'h>(life: &Life<'h>) -> Option<&'h Event> {
    let mut steps = life.steps.iter();
    let end = steps.find(|event| FINAL.contains(&event.get("to")))?;
    let mut now = end.get("to");
    for event in steps {
        let next = event.get("to");
        // A completed retrieval expires; that its archive is missing is noted without a move.
        let may = now == "completed"
            && (next == "expired" || next == "completed" && event.get("from") == next);
        // That it was taken in a second time is told by I1.
        if !may && !event.get("from").is_empty() {
            return Some(event);
        }
        now = next;
    }
    None
}
