//! A ledger of a mixed load, tampered with at random, some hundreds of times.

use rand::{RngExt as _, SeedableRng as _, rngs::StdRng};
use serde_json::{Value, json};
use sha1::Digest as _;

use super::signing;
use crate::world::{World, document};

const LEDGER: &str = "gdpr:{default}:ledger";
const EACH: u32 = 30;

/// An event: its id, and names and values.
type Event = (String, Vec<Vec<u8>>);

#[derive(Clone, Copy, Debug, PartialEq)]
enum Tampering {
    Changed,
    Removed,
    Swapped,
    Appended,
    Cut,
    Anew,
    Moved,
}

use Tampering::{Anew, Appended, Changed, Cut, Moved, Removed, Swapped};

const ALL: [Tampering; 7] = [Changed, Removed, Swapped, Appended, Cut, Anew, Moved];

#[tokio::test]
async fn two_hundred_tamperings_are_found() {
    let world = signing().await;
    let worker = world.worker().await;
    mixed_load(&world).await;
    worker.kill().await;
    let file = world.folder().join("checkpoint");
    let file = file.to_str().unwrap();
    let (code, _, err) = world.command(&["checkpoint", "--out", file]).await;
    assert_eq!(code, 0, "{err}");
    let whole: Vec<Event> = world.ask(&["XRANGE", LEDGER, "-", "+"]).await;
    assert!(whole.len() > 20, "{} events", whole.len());

    let seed = rand::random::<u64>();
    let mut chance = StdRng::seed_from_u64(seed);
    let mut found = 0;
    for round in 0..EACH {
        write(&world, &whole).await;
        assert_eq!(verify(&world, Some(file)).await.0, 0, "whole");
        for how in ALL {
            let what = tamper(&world, &whole, how, &mut chance).await;
            // What leaves a whole chain behind shows next to the checkpoint, everything else without it, too.
            let hidden = [Cut, Anew, Moved].contains(&how);
            let (code, told) = verify(&world, hidden.then_some(file)).await;
            assert_eq!(code, 1, "{how:?} ({what}) was not found; round {round}, seed {seed}");
            let finding: Value = serde_json::from_str(told.lines().next().unwrap()).unwrap();
            for part in ["event", "found", "expected", "advice"] {
                assert!(!finding[part].as_str().unwrap().is_empty(), "{how:?}: {told}");
            }
            found += 1;
        }
    }
    println!("{found} tamperings, all found");
    assert!(found >= 200);
}

/// Deletions, retrievals, opt-outs, a merge, a cancellation, a rejection.
async fn mixed_load(world: &World) {
    for n in 0..4 {
        world.add(&document("deletion", &[&format!("user-d{n}"), &format!("$device:d{n}")])).await;
        world.add(&document("retrieval", &[&format!("user-r{n}")])).await;
        world.add(&document("opt_out", &[&format!("user-o{n}")])).await;
    }
    world.add(&document("deletion", &["user-d1"])).await;
    world.add(&json!({ "kind": "cancellation", "request_id": "nobody" })).await;
    world.add(&json!({ "kind": "deletion", "distinct_ids": ["null"] })).await;
    world.until_stats(&[("retrieval.completed", 4), ("opt_out.completed", 4)]).await;
    world
        .wait("all deletions", async || {
            let stats = world.stats().await;
            let ended = ["deletion.completed", "deletion.merged"];
            let ended: i64 = ended.iter().filter_map(|name| stats.get(*name)).sum();
            (ended == 5).then_some(())
        })
        .await;
}

/// Exit code and output of `verify --ledger`.
async fn verify(world: &World, checkpoint: Option<&str>) -> (i32, String) {
    let mut args = vec!["verify", "--ledger", "--json"];
    args.extend(checkpoint.iter().flat_map(|file| ["--checkpoint", *file]));
    let (code, out, err) = world.command(&args).await;
    assert!(err.is_empty(), "{err}");
    (code, out)
}

/// Makes the stream anew with these events.
async fn write(world: &World, events: &[Event]) {
    let mut pipe = redis::pipe();
    pipe.del(LEDGER).ignore();
    for (id, fields) in events {
        pipe.cmd("XADD").arg(LEDGER).arg(id).arg(fields).ignore();
    }
    let () = pipe.query_async(&mut world.redis.connect().await).await.unwrap();
}

/// Tampers with the ledger and says with what.
async fn tamper(world: &World, whole: &[Event], how: Tampering, chance: &mut StdRng) -> String {
    let mut events = whole.to_vec();
    let at = chance.random_range(0..events.len());
    let what = format!("{at} of {}", events.len());
    match how {
        Changed => {
            // A name, a value, the time, the hash: any byte of it.
            let field = chance.random_range(0..events[at].1.len());
            let field = &mut events[at].1[field];
            let byte = chance.random_range(0..field.len());
            field[byte] ^= 1 << chance.random_range(0..8);
        }
        Removed => {
            write(world, &events).await;
            let gone: i64 = world.ask(&["XDEL", LEDGER, &events[at].0]).await;
            assert_eq!(gone, 1);
            return what;
        }
        Swapped => {
            let other = (at + chance.random_range(1..events.len())) % events.len();
            let fields = events[at].1.clone();
            events[at].1 = std::mem::replace(&mut events[other].1, fields);
        }
        Appended => {
            let (last, _) = events.last().unwrap().clone();
            let (ms, seq) = last.split_once('-').unwrap();
            let id = format!("{ms}-{}", seq.parse::<u64>().unwrap() + 1);
            events.push((id, events[at].1.clone()));
        }
        Cut => events.truncate(at),
        Anew => {
            let hash = events[at].1.len() - 1;
            let value = chance.random_range(1..hash / 2) * 2 + 1;
            events[at].1[value].push(b'x');
            chain(&mut events);
        }
        // The same event, under an id a moment later or earlier.
        Moved => {
            let (ms, seq) = events[at].0.split_once('-').unwrap();
            let moved = format!("{ms}-{}", seq.parse::<u64>().unwrap() + 1);
            let taken = events.get(at + 1).is_some_and(|(next, _)| *next == moved);
            if taken {
                let last = events.len() - 1;
                let (ms, seq) = events[last].0.split_once('-').unwrap();
                events[last].0 = format!("{ms}-{}", seq.parse::<u64>().unwrap() + 7);
            } else {
                events[at].0 = moved;
            }
        }
    }
    write(world, &events).await;
    what
}

/// Computes the whole chain anew, as an attacker who has read the source would.
fn chain(events: &mut [Event]) {
    let mut before = Vec::new();
    for (_, fields) in events {
        let hash = fields.len() - 1;
        let mut text = before;
        for pair in fields[..hash - 1].chunks(2) {
            let length = format!("{}:", pair[1].len());
            let length = if pair[0] == b"at" { "" } else { &length };
            text = [&text[..], b"\n", &pair[0], b"\n", length.as_bytes(), &pair[1]].concat();
        }
        before = data_encoding::HEXLOWER.encode(&sha1::Sha1::digest(text)).into_bytes();
        fields[hash].clone_from(&before);
    }
}
