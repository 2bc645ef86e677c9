//! What can be wrong: at least two forgeries for each invariant, each of them one change and what follows from it.

use serde_json::{Value, json};

use crate::{
    draft::Draft,
    right::{records, seen},
    zips::archive,
};

pub(crate) type Forgery = (&'static str, &'static str, fn(&mut Draft));

fn add_id(call: &mut Value, id: &str) {
    call["ids"].as_array_mut().unwrap().push(id.into());
}

/// Drops the one event of a batch about an attempt that says why.
fn drop_event(d: &mut Draft, batch: &str, why: &str) {
    let place =
        d.events.iter().position(|e| e.get("batch") == batch && e.get("why") == why).unwrap();
    d.events.remove(place);
}

fn repack(d: &mut Draft, change: fn(&mut Vec<Value>)) {
    let mut content = records("u-gamma-1");
    change(&mut content);
    d.put_archive("ret-1", archive("ret-1", "1580000000000000002", &content, |_| {}));
}

/// A call between two others that are far apart.
fn squeeze_in(d: &mut Draft, after: u64, kind: &str, task: &str, ids: Value) {
    let seq = d.calls.len() + 1;
    let mut call = d.calls[0].clone();
    (call["seq"], call["ms"], call["unix_ms"]) =
        (seq.into(), (after - crate::draft::BEGAN_MS).into(), after.into());
    (call["kind"], call["task"], call["ids"]) = (kind.into(), task.into(), ids);
    d.calls.push(call);
    d.run["replayed"]["call"] = seq.into();
}

pub(crate) const ALL: &[Forgery] = &[
    ("I1", "acknowledged and never taken in", |d| {
        d.acknowledge(
            "del-lost",
            &json!({ "kind": "deletion", "distinct_ids": ["u-lost-1"] }),
            false,
        );
    }),
    ("I1", "taken in for somebody else", |d| {
        d.moved("out-2", "completed").set("tags", "aaaa,bbbb");
    }),
    ("I1", "rejected, although it is right", |d| {
        let line = d.producers.iter_mut().find(|line| line["request"] == "bad-1").unwrap();
        line["refused"] = false.into();
    }),
    ("I1", "taken in twice", |d| {
        let mut event = d.moved("in-1", "completed").clone();
        event.ms = d.now;
        d.events.push(event);
        d.run["replayed"]["event"] = format!("{}-0", d.now).into();
    }),
    ("I2", "moved after its end", |d| {
        d.moves(&["del-1"], "failed", &[("why", &"odd")]);
        let last = d.events.pop().unwrap();
        let end =
            d.events.iter().position(|e| e.names("ret-1") && e.get("to") == "queued").unwrap();
        let ms = d.events[end].ms;
        d.events.insert(end, crate::draft::Event { ms, ..last });
    }),
    ("I2", "never ended", |d| {
        d.events.retain(|event| !(event.names("can-1") && event.get("to") == "completed"));
        d.set_status("can-1", "queued");
    }),
    ("I2", "held, and nobody expected it", |d| {
        d.moved("del-3", "failed").set("to", "held");
        d.set_status("del-3", "held");
    }),
    ("I3", "came from where it was not", |d| d.moved("del-6", "cancelled").set("from", "held")),
    ("I3", "completed without having been submitted", |d| {
        d.events.retain(|event| !(event.names("del-4") && event.get("to") == "submitted"));
        d.moved("del-4", "completed").set("from", "submitting");
    }),
    ("I3", "a script met an illegal move", |d| d.state["stats"]["illegal_moves"] = 1.into()),
    ("I3", "the hash says something else", |d| {
        let hash = d.hashes.get_mut("request:del-4").unwrap();
        hash.1.insert("status".to_owned(), "failed".to_owned());
    }),
    ("I3", "the counts say something else", |d| d.state["stats"]["deletion.failed"] = 7.into()),
    ("I4", "an id was not in the call", |d| {
        d.call_of("create-deletion", "task-1")["ids"] = json!(["u-alpha-1", "u-beta-1"]);
    }),
    ("I4", "completed before SUCCESS", |d| {
        let poll =
            d.calls.iter_mut().find(|c| c["task"] == "task-2" && c["task_status"] == "SUCCESS");
        poll.unwrap()["task_status"] = "STARTED".into();
    }),
    ("I4", "the call was not accepted", |d| {
        d.call_of("create-deletion", "task-3")["acted"] = false.into();
    }),
    ("I5", "an id that nobody asked for", |d| {
        add_id(d.call_of("create-deletion", "task-2"), "u-nobody-1");
    }),
    ("I5", "an id that was cancelled before", |d| {
        add_id(d.call_of("create-deletion", "task-3"), "u-eta-1");
    }),
    ("I5", "an id that was asked for another kind", |d| {
        add_id(d.call_of("create-deletion", "task-2"), "u-gamma-1");
    }),
    ("I6", "sent before the attempt was recorded", |d| {
        let at = d.call_of("create-deletion", "task-3")["unix_ms"].as_u64().unwrap();
        d.moved("del-7", "submitting").ms = at + 10;
    }),
    ("I6", "a second task, and no lost answer", |d| drop_event(d, "b3", "no answer in time")),
    ("I6", "more tasks than the budget allows", |d| d.run["budget_retrieval"] = 0.into()),
    ("I6", "a call without an attempt", |d| {
        let after = d.call_of("poll-retrieval", "1580000000000000002")["unix_ms"].as_u64().unwrap();
        squeeze_in(
            d,
            after - 20_000,
            "create-retrieval",
            "1580000000000000009",
            json!(["u-gamma-1"]),
        );
    }),
    ("I7", "too many ids", |d| d.run["batch_deletion"] = 2.into()),
    ("I7", "an id twice", |d| add_id(d.call_of("create-deletion", "task-2"), "u-zeta-1")),
    ("I8", "two calls within a second", |d| {
        let at = d.call_of("create-deletion", "task-2")["ms"].as_u64().unwrap();
        d.calls.iter_mut().rev().find(|call| call["task"].is_null()).unwrap()["ms"] =
            (at - 999).into();
    }),
    ("I8", "a poll right after a call", |d| {
        let at = d.call_of("create-deletion", "task-3")["unix_ms"].as_u64().unwrap();
        squeeze_in(d, at + 400, "poll-deletion", "task-3", json!([]));
    }),
    ("I9", "the file is not the ledger's", |d| d.store.get_mut("ret-1.zip").unwrap().push(0)),
    ("I9", "an entry is not the manifest's", |d| {
        let content = records("u-gamma-1");
        let forged = archive("ret-1", "1580000000000000002", &content, |manifest| {
            manifest["entries"][1]["sha256"] = "00".into();
        });
        d.put_archive("ret-1", forged);
    }),
    ("I9", "a record of another person", |d| repack(d, |content| content.push(seen("u-alpha-1")))),
    ("I9", "an archive of another request", |d| {
        let content = records("u-gamma-1");
        d.put_archive("ret-1", archive("ret-2", "1580000000000000002", &content, |_| {}));
    }),
    ("I9", "an archive that nobody should have", |d| {
        let bytes = d.store["ret-1.zip"].clone();
        d.store.insert("del-1.zip".to_owned(), bytes);
    }),
    ("I9", "an archive is not there", |d| drop(d.store.remove("ret-2.zip"))),
    ("I9", "unfinished work lies about", |d| {
        drop(d.store.insert(".tmp-x/0".to_owned(), Vec::new()));
    }),
    ("I10", "an archive whose time is over", |d| {
        d.moved("ret-2", "completed").set("archive_expires_at", "2026-11-18T11:00:00Z");
    }),
    ("I10", "sealed ids of a request that ended", |d| d.state["sealed"] = json!(["del-1"])),
    ("I10", "a hash that stays for ever", |d| d.hashes.get_mut("request:del-2").unwrap().0 = -1),
    ("I11", "a record is missing", |d| repack(d, |content| drop(content.remove(1)))),
    ("I11", "a record is another", |d| {
        repack(d, |content| content[1]["properties"]["page"] = "e".into());
    }),
    ("I11", "a record is there twice", |d| repack(d, |content| content.push(content[0].clone()))),
    ("I12", "an event after the opt-out", |d| {
        let out = d.moved("out-1", "completed").ms;
        d.smuggle(out + 2_000, seen("u-theta-1"));
    }),
    ("I12", "an event of a device after the opt-out", |d| {
        let event = json!({ "event": "Seen", "properties": { "distinct_id": "u-other-1", "$device_id": "iota" } });
        d.smuggle(d.now - 5_000, event);
    }),
    ("I12", "a profile update after the opt-out", |d| {
        d.smuggle(d.now - 5_000, json!({ "$distinct_id": "u-iota-1", "$set": { "plan": "pro" } }));
    }),
    ("I13", "not opted out by a deletion", |d| {
        let tag = checker::history::tag(crate::draft::PEPPER, "default", "u-alpha-1");
        let user = d.hashes.get_mut(&format!("user:{tag}")).unwrap();
        user.1.insert("consent".to_owned(), "opted_in".to_owned());
    }),
    ("I13", "an event while the deletion is at Mixpanel", |d| {
        let sent = d.moved("del-2", "submitting").ms;
        d.smuggle(sent + 5_000, seen("u-beta-1"));
    }),
    ("I14", "a distinct_id in the ledger", |d| {
        d.moved("del-6", "cancelled").set("why", "u-eta-1 left");
    }),
    ("I14", "a distinct_id in a hash", |d| {
        let hash = d.hashes.get_mut("request:del-3").unwrap();
        hash.1.insert("reason".to_owned(), "u-epsilon-1 was refused".to_owned());
    }),
    ("I14", "a token in a log", |d| d.log += "calling with oauth-secret\n"),
    ("I15", "a value was changed", |d| {
        d.tampering = Some(|chain| {
            let place = chain[4].1.iter().position(|field| field == "worker").unwrap();
            chain[4].1[place + 1] = String::from("replica-2");
        });
    }),
    ("I15", "an event was removed", |d| {
        d.tampering = Some(|chain| {
            let place = chain.iter().position(|(_, fields)| fields.contains(&"STARTED".to_owned()));
            chain.remove(place.unwrap());
        });
    }),
    ("I15", "two events were swapped", |d| {
        d.tampering = Some(|chain| {
            let last = chain.len() - 1;
            let fields = std::mem::take(&mut chain[last].1);
            chain[last].1 = std::mem::replace(&mut chain[last - 1].1, fields);
        });
    }),
    ("I15", "the tail was cut off", |d| d.tampering = Some(|chain| drop(chain.pop()))),
    ("I15", "an event was removed and all were hashed anew", |d| {
        let added = d.events.len();
        d.events.retain(|event| event.get("mixpanel_status") != "STARTED");
        let length = d.events.len();
        let removed = format!("{}-0", d.now);
        d.state["ledger"] = json!({ "length": length, "added": added, "deleted": removed });
    }),
    ("I15", "a checkpoint does not fit", |d| d.checkpoint_hash = Some("00".to_owned())),
    ("I16", "a deadline that is too late", |d| {
        d.moved("del-1", "queued").set("due_at", "2027-01-18T11:06:40Z");
    }),
    ("I16", "a deadline that is too late, and set to another one that is too late", |d| {
        d.moved("del-1", "queued").set("due_at", "2027-01-18T11:06:40Z");
        d.event(&[
            ("requests", &"del-1"),
            ("kind", &"deletion"),
            ("due_at", &"2027-01-17T11:06:40Z"),
        ]);
    }),
    ("I16", "sent too late", |d| d.run["submit_within_ms"] = 100_000.into()),
    ("I16", "sent too late, even without the time in which nothing could be sent", |d| {
        d.run["submit_within_ms"] = 200_000.into();
        let from = d.moved("del-1", "queued").ms;
        d.run["unhealthy"] = json!([[from - 60_000, from + 10_000]]);
    }),
    ("I17", "a call after the replay", |d| {
        let post = d.call_of("create-deletion", "task-3")["seq"].as_u64().unwrap();
        d.run["replayed"]["call"] = (post - 1).into();
    }),
    ("I17", "a move after the replay", |d| {
        let ms = d.moved("del-7", "completed").ms;
        d.run["replayed"]["event"] = format!("{}-0", ms - 1).into();
    }),
    ("I18", "a poll after the end", |d| {
        let at = d.now + 90_000;
        squeeze_in(d, at, "poll-deletion", "task-3", json!([]));
    }),
    ("I18", "a batch that nobody let go", |d| d.state["batches"] = json!(["b8"])),
    ("I18", "a job that still wants to run", |d| {
        d.state["delayed"] = json!(["expire/ret-1", "poll/b8/task-3"]);
    }),
    ("I18", "an entry that nobody settled", |d| d.state["pending"] = 1.into()),
];
