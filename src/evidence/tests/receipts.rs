//! What a receipt says of a request, by the events of the ledger.

use chrono::{DateTime, Utc};

use super::{super::*, audit, chained, checkpoints, event, extent};

const START: u64 = 1_795_000_000_000;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_795_000_100_000).unwrap()
}

fn queued(ms: u64, due_at: &str) -> Entry {
    event(
        ms,
        &[
            ("requests", "r0 r1"),
            ("kind", "deletion"),
            ("to", "queued"),
            ("regulation", "GDPR"),
            ("received_at", "2026-11-17T09:00:00Z"),
            ("due_at", due_at),
            ("tags", "other taga,tagb"),
        ],
    )
}

fn moved(ms: u64, fields: &[(&str, &str)]) -> Entry {
    let all: Vec<_> =
        [("requests", "r0 r1"), ("kind", "deletion")].iter().chain(fields).copied().collect();
    event(ms, &all)
}

/// A deletion whose first answer was lost.
fn deletion() -> Vec<Entry> {
    chained(vec![
        queued(START, "2026-12-17T09:00:00Z"),
        moved(
            START + 1000,
            &[
                ("from", "queued"),
                ("to", "submitting"),
                ("batch", "b1"),
                ("attempt", "1"),
                ("why", "sealed into a batch"),
            ],
        ),
        moved(
            START + 2000,
            &[
                ("from", "submitting"),
                ("to", "submitting"),
                ("batch", "b1"),
                ("attempt", "1"),
                ("why", "lost"),
            ],
        ),
        moved(
            START + 3000,
            &[
                ("from", "submitting"),
                ("to", "submitting"),
                ("batch", "b1"),
                ("attempt", "2"),
                ("why", "sent again"),
            ],
        ),
        moved(
            START + 4000,
            &[
                ("from", "submitting"),
                ("to", "submitted"),
                ("batch", "b1"),
                ("attempt", "2"),
                ("tracking_id", "t1"),
                ("why", "accepted by Mixpanel"),
            ],
        ),
        event(
            START + 5000,
            &[
                ("kind", "deletion"),
                ("batch", "b1"),
                ("tracking_id", "t1"),
                ("mixpanel_status", "STARTED"),
                ("why", "task status"),
            ],
        ),
        moved(
            START + 6000,
            &[
                ("from", "submitted"),
                ("to", "completed"),
                ("batch", "b1"),
                ("tracking_id", "t1"),
                ("why", "SUCCESS"),
            ],
        ),
    ])
}

fn receipt_of(entries: &[Entry], checkpoints: &Checkpoints) -> Option<Receipt> {
    let (mut audit, mut draft) = (Audit::against(checkpoints), Draft::new("r1"));
    for (index, entry) in (0..).zip(entries) {
        draft.see(entry, index);
        audit.see(entry, true);
    }
    audit.finish(&extent(entries));
    let (ground, proofs) = audit.proven();
    draft.finish("p", ground, &proofs, now())
}

pub(super) fn of_a_deletion() -> Receipt {
    receipt_of(&deletion(), &Checkpoints::default()).unwrap()
}

#[test]
fn a_completed_deletion_has_its_times_tasks_and_attempts() {
    let receipt = of_a_deletion();
    assert!(receipt.done && receipt.conclusion.contains("deletion succeeded"));
    assert_eq!(receipt.deadline, Deadline::Met);
    assert_eq!(receipt.tags, ["taga", "tagb"], "nobody else's");
    assert_eq!(receipt.received_at.as_deref(), Some("2026-11-17T09:00:00Z"));
    let (sent, confirmed) =
        (deletion()[1].text("at").to_owned(), deletion()[4].text("at").to_owned());
    assert_eq!((receipt.sent_at.unwrap(), receipt.confirmed_at.unwrap()), (sent, confirmed));
    let attempts: Vec<_> =
        receipt.attempts.iter().map(|a| (a.number.as_str(), a.what.as_str())).collect();
    assert_eq!(
        attempts,
        [
            ("1", "sealed into a batch"),
            ("1", "lost"),
            ("2", "sent again"),
            ("2", "accepted by Mixpanel")
        ]
    );
    assert_eq!(receipt.tasks.len(), 1);
    assert_eq!(receipt.tasks[0].mixpanel_status.as_deref(), Some("SUCCESS"));
    assert_eq!(receipt.history.len(), 7);
}

/// A deletion in a batch of two says the same whether events name both or only the batch; what happens to another batch is
/// not about it.
#[test]
fn what_happened_to_the_whole_batch_happened_to_the_request() {
    let mut entries = deletion();
    for entry in &mut entries[2..] {
        if let Some(named) = entry.fields.iter_mut().find(|(name, _)| name == b"requests") {
            *named = (b"whole_batch".to_vec(), b"2".to_vec());
        }
    }
    let whole = receipt_of(&chained(entries.clone()), &Checkpoints::default()).unwrap();
    let named = of_a_deletion();
    let facts = |receipt: &Receipt| {
        let times =
            [&receipt.sent_at, &receipt.confirmed_at, &receipt.completed_at].map(Clone::clone);
        (receipt.status.clone(), times, receipt.attempts.clone(), receipt.tasks.clone())
    };
    assert_eq!(facts(&whole), facts(&named));

    let done = entries.last_mut().unwrap();
    done.fields.iter_mut().find(|(name, _)| name == b"batch").unwrap().1 = b"b2".to_vec();
    let other = receipt_of(&chained(entries), &Checkpoints::default()).unwrap();
    assert_eq!(other.status, "submitted");
}

#[test]
fn its_events_are_proven_to_be_in_the_ledger_of_the_first_checkpoint_after_them() {
    let mut entries = deletion();
    entries
        .extend((0..5).map(|i| event(START + 7000 + i, &[("requests", "r9"), ("to", "queued")])));
    let entries = chained(entries);
    let late = checkpoints(&entries[..9]);
    let receipt = {
        let (mut audit, mut draft) = (Audit::against(&late), Draft::new("r1"));
        for (index, entry) in (0..).zip(&entries) {
            let ours = index < 7;
            if ours {
                draft.see(entry, index);
            }
            audit.see(entry, ours);
        }
        let (ground, proofs) = audit.proven();
        draft.finish("p", ground, &proofs, now()).unwrap()
    };
    assert_eq!(receipt.ledger.checkpoint.as_ref(), Some(&late.usable[0].1));
    assert_eq!((receipt.stray_event(), receipt.ledger.events), (None, 9));
    assert_eq!(receipt.cover(&late), Some(late.usable[0].1.as_str()));
    assert_eq!(receipt.cover(&checkpoints(&entries)), None, "says something else");
    let mut stray = receipt;
    stray.history[2].leaf.replace_range(..2, "zz");
    assert_eq!(stray.stray_event(), Some(entries[2].id.as_str()));
}

#[test]
fn a_checkpoint_before_the_last_event_does_not_cover_it() {
    let entries = deletion();
    let receipt = receipt_of(&entries, &checkpoints(&entries[..6])).unwrap();
    assert_eq!((receipt.ledger.checkpoint.clone(), receipt.stray_event()), (None, None));
    assert_eq!(receipt.ledger, audit(&entries, &Checkpoints::default()).ground());
}

#[test]
fn what_is_not_done_is_called_so() {
    for (to, deadline) in [
        ("rejected", Deadline::NotApplicable),
        ("cancelled", Deadline::NotApplicable),
        ("held", Deadline::Open),
        ("failed", Deadline::Open),
    ] {
        let mut entries = vec![queued(START, "2026-12-17T09:00:00Z")];
        entries.push(moved(START + 1000, &[("from", "queued"), ("to", to), ("why", "because")]));
        let receipt = receipt_of(&chained(entries), &Checkpoints::default()).unwrap();
        assert!(!receipt.done);
        assert_eq!(receipt.conclusion, format!("not done: {to}: because"));
        assert_eq!(receipt.deadline, deadline);
        assert_eq!(receipt.completed_at, None);
    }
    let late = chained(vec![queued(START, "2026-11-17T10:00:00Z")]);
    let late = receipt_of(&late, &Checkpoints::default()).unwrap();
    assert_eq!((late.deadline, late.conclusion.as_str()), (Deadline::Missed, "not done: queued"));
    assert!(receipt_of(&[], &Checkpoints::default()).is_none());
}

#[test]
fn a_merged_request_names_the_one_that_stands_for_it() {
    let merged = event(
        START,
        &[
            ("requests", "r8 r1"),
            ("kind", "deletion"),
            ("to", "merged"),
            ("why", "merged into a request that is open for the same ids"),
            ("merged_into", "r9 r0"),
            ("tags", "tagx taga"),
        ],
    );
    let receipt = receipt_of(&chained(vec![merged]), &Checkpoints::default()).unwrap();
    assert_eq!((receipt.merged_into.as_deref(), receipt.done), (Some("r0"), false));
}

#[test]
fn a_confirmation_that_came_to_nothing_does_not_stand() {
    let mut entries = deletion();
    entries.truncate(5);
    entries.push(moved(
        START + 6000,
        &[("from", "submitted"), ("to", "queued"), ("batch", "b1"), ("why", "FAILURE")],
    ));
    let receipt = receipt_of(&chained(entries), &Checkpoints::default()).unwrap();
    assert_eq!((receipt.confirmed_at, receipt.tasks.len()), (None, 1));
}

#[test]
fn an_id_that_was_used_again_is_told_of_its_last_use() {
    let mut entries = deletion();
    entries.push(queued(START + 9000, "2026-12-18T09:00:00Z"));
    let receipt = receipt_of(&chained(entries), &Checkpoints::default()).unwrap();
    assert_eq!((receipt.status.as_str(), receipt.history.len()), ("queued", 1));
    assert_eq!(receipt.stray_event(), None);
}
