//! Ledgers that were tampered with.

use super::{super::*, audit, chained, checkpoints, event, extent, ledger};

fn is_found(entries: &[Entry], at: &str) {
    let audit = audit(entries, &Checkpoints::default());
    let first = audit.findings().first().unwrap();
    assert_eq!(first.event, at);
}

#[test]
fn a_ledger_as_it_was_written_is_whole() {
    for n in [0, 1, 2, 33] {
        assert_eq!(audit(&ledger(n), &Checkpoints::default()).findings(), []);
    }
}

#[test]
fn a_change_a_removal_and_a_reordering_break_the_chain_where_they_are() {
    let whole = ledger(9);
    for i in 0..9 {
        for field in 0..whole[i].fields.len() {
            let mut changed = whole.clone();
            changed[i].fields[field].1[0] ^= 1;
            is_found(&changed, &whole[i].id);
            let mut renamed = whole.clone();
            renamed[i].fields[field].0.push(b'x');
            is_found(&renamed, &whole[i].id);
        }
    }
    for i in 0..8 {
        let mut removed = whole.clone();
        removed.remove(i);
        is_found(&removed, &whole[i + 1].id);
        let mut swapped = whole.clone();
        let second = swapped[i + 1].fields.clone();
        swapped[i + 1].fields = std::mem::replace(&mut swapped[i].fields, second);
        is_found(&swapped, &whole[i].id);
    }
}

/// Names, and the time in `at`, are hashed without their lengths: two events may have the same text.
#[test]
fn fields_cannot_be_hidden_in_a_name_or_in_the_time() {
    let whole = ledger(3);
    let mut in_name = whole.clone();
    let kind = in_name[1].fields.remove(2);
    let hidden = [&in_name[1].fields[1].0[..], b"\n2:r1\n", &kind.0].concat();
    in_name[1].fields[1] = (hidden, kind.1.clone());
    assert_eq!(
        chain::hash(whole[0].text("hash"), &in_name[1]),
        whole[1].text("hash"),
        "the same text"
    );
    is_found(&in_name, &whole[1].id);
    let mut in_time = whole.clone();
    let requests = in_time[1].fields.remove(1);
    in_time[1].fields[0].1.extend([b"\n", &requests.0[..], b"\n2:", &requests.1].concat());
    assert_eq!(
        chain::hash(whole[0].text("hash"), &in_time[1]),
        whole[1].text("hash"),
        "the same text"
    );
    is_found(&in_time, &whole[1].id);
}

#[test]
fn an_event_removed_from_the_end_shows_in_what_redis_counts() {
    let (whole, mut audit) = (ledger(5), Audit::default());
    for entry in &whole[..4] {
        audit.see(entry, false);
    }
    audit.finish(&extent(&whole));
    assert_eq!(audit.faults(), 2);
    // The worker went on after it: the chain is closed over the gap, the count is not.
    let (closed, mut audit) = (ledger(4), Audit::default());
    for entry in &closed {
        audit.see(entry, false);
    }
    audit.finish(&Extent { added: Some(5), ..extent(&closed) });
    assert!(audit.faults() == 1 && audit.findings()[0].expected.starts_with("5,"));
}

#[test]
fn an_event_at_another_time_than_its_own_is_found_but_not_after_a_clock_went_back() {
    let mut moved = ledger(3);
    moved[2].id = "1795999000000-0".to_owned();
    is_found(&moved, "1795999000000-0");
    let mut back =
        vec![event(1_795_000_900_000, &[("to", "x")]), event(1_795_000_000_000, &[("to", "y")])];
    back[1].id = "1795000900000-1".to_owned();
    assert_eq!(audit(&chained(back), &Checkpoints::default()).faults(), 0);
}

#[test]
fn a_checkpoint_finds_a_tail_that_was_cut_and_a_chain_that_was_made_anew() {
    let whole = ledger(9);
    let checkpoints = checkpoints(&whole[..7]);
    for good in [&whole[..7], &whole] {
        let audit = audit(good, &checkpoints);
        assert_eq!((audit.faults(), audit.proved()), (0, 1));
    }
    for cut in 0..7 {
        let audit = audit(&whole[..cut], &checkpoints);
        assert!(
            audit.faults() == 1 && audit.findings()[0].expected.contains("at least 7"),
            "{cut}"
        );
    }
    for i in 0..7 {
        let mut anew = whole.clone();
        anew[i].fields[3].1 = b"failed".to_vec();
        let anew = chained(anew);
        assert_eq!(
            audit(&anew, &Checkpoints::default()).faults(),
            0,
            "the chain alone shows nothing"
        );
        assert_eq!(audit(&anew, &checkpoints).faults(), 1);
        let mut moved = whole.clone();
        moved[i].id = moved[i].id.replace("-0", "-1");
        assert_eq!(audit(&moved, &checkpoints).faults(), 1);
    }
}

#[test]
fn a_walk_may_stop_and_go_on() {
    let (whole, mut parts) = (ledger(20), Audit::default());
    for (i, entry) in whole.iter().enumerate() {
        parts.see(entry, false);
        parts.finish(&extent(&whole[..=i]));
    }
    let at_once = audit(&whole, &Checkpoints::default());
    assert_eq!((parts.faults(), parts.ground()), (0, at_once.ground()));
}
