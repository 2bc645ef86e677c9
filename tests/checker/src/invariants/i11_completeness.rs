//! **I11 completeness.** What the task of a completed retrieval held about the person is what the archive holds about
//! them: the same records, each as often.

use std::collections::{HashMap, HashSet};

use crate::{
    account::Account,
    verdict::{Finding, Ruling},
};

pub(super) fn judge(account: &Account<'_>) -> Ruling {
    let store = account.history.archives.iter().flatten();
    let opened = store.filter_map(|stored| {
        let archive = stored.archive.as_ref()?;
        Some((archive.request.as_str(), archive.content.as_ref()?.as_ref().ok()?))
    });
    let opened: HashMap<_, _> = opened.collect();
    let Some(delivered) = &account.history.delivered else {
        return if opened.is_empty() {
            Ruling::default()
        } else {
            Ruling::lacks(
                "delivered.jsonl: what the emulator's retrievals held (/_emulator/delivered)",
            )
        };
    };
    let held: HashMap<(&str, &str), &Vec<u128>> =
        delivered.iter().map(|one| ((one.task.as_str(), one.id.as_str()), &one.records)).collect();
    let tasks: HashSet<&str> = delivered.iter().map(|one| one.task.as_str()).collect();
    let mut ruling = Ruling::default();
    let mut unknown = 0;
    for (request, content) in opened {
        let Some(life) = account.life(request).filter(|life| life.produced.is_some()) else {
            continue;
        };
        // A rig may keep what some tasks held, to save room.
        if !tasks.contains(content.task.as_str()) {
            unknown += 1;
            continue;
        }
        let ids = life.ids();
        let of_person = ids.iter().filter_map(|id| held.get(&(content.task.as_str(), id.as_str())));
        let mut expected: Vec<u128> =
            of_person.flat_map(|records| records.iter().copied()).collect();
        let named = |(digest, names): &(u128, Vec<String>)| {
            names.iter().any(|name| ids.contains(name)).then_some(*digest)
        };
        let mut found: Vec<u128> = content.records.iter().filter_map(named).collect();
        expected.sort_unstable();
        found.sort_unstable();
        if found != expected {
            let text = format!(
                "{} records in the archive, {} were delivered, and they are not the same",
                found.len(),
                expected.len()
            );
            ruling.note(Finding::new(text).request(request));
        }
    }
    if unknown > 0 {
        ruling.missing.push(format!("what the tasks of {unknown} archives held"));
    }
    ruling
}
