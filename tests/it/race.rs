//! The promise of the opt-out, under load: 8 producers, 3 replicas, people who change their minds, and kills.
//!
//! `RACE_SECONDS=60 RACE_PEOPLE=1000 cargo test --test it race` is the long form.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use serde_json::json;

use crate::world::{World, document};

const PRODUCERS: u64 = 8;
const REPLICAS: usize = 3;
/// These never opt out: not one of their events may be lost.
const STEADY: u64 = 50;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

fn now_us() -> u64 {
    u64::try_from(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap()
}

/// One opt-out: when it was acknowledged (microseconds by our clock, which is the emulator's), and the moment of
/// the next opt-in's entry (milliseconds by Redis, which names the events' entries, too).
#[derive(Clone, Copy, Debug)]
struct Out {
    acknowledged: u64,
    in_again: u64,
}

fn entry_ms(id: &str) -> u64 {
    id.split('-').next().unwrap().parse().unwrap()
}

/// Waits until a request is completed, and looks often: that moment is the acknowledgement.
async fn completed(world: &World, id: &str) {
    while world.status(id).await != "completed" {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_an_acknowledged_opt_out_nothing_is_delivered() {
    let (seconds, people) = (number("RACE_SECONDS", 12), number("RACE_PEOPLE", 300));
    let mut world = World::new().await;
    world.set("GDPR_CALL_TIMEOUT", "2s");
    world.set("GDPR_LOG", "info");
    let world = Arc::new(world);
    let over = Arc::new(AtomicBool::new(false));
    let sent = Arc::new(AtomicU64::new(0));
    let steady: Arc<Mutex<HashSet<String>>> = Arc::default();
    let outs: Arc<Mutex<HashMap<u64, Vec<Out>>>> = Arc::default();

    let mut tasks = Vec::new();
    for producer in 0..PRODUCERS {
        let (world, over) = (Arc::clone(&world), Arc::clone(&over));
        let (sent, steady) = (Arc::clone(&sent), Arc::clone(&steady));
        tasks.push(tokio::spawn(async move {
            let mut dice = StdRng::seed_from_u64(producer);
            while !over.load(Ordering::Relaxed) {
                let person = dice.random_range(0..people + STEADY);
                let event = json!({ "event": "Race", "properties": { "distinct_id": format!("p-{person}") } });
                let alone = dice.random_bool(0.8);
                let entry = if alone {
                    world.put_event(&event).await
                } else {
                    world.put_event(&json!([event])).await
                };
                sent.fetch_add(1, Ordering::Relaxed);
                if person >= people {
                    steady.lock().unwrap().insert(format!("{entry}-0"));
                }
                tokio::time::sleep(Duration::from_millis(dice.random_range(0..8))).await;
            }
        }));
    }
    for changer in 0..PRODUCERS {
        let (world, over, outs) = (Arc::clone(&world), Arc::clone(&over), Arc::clone(&outs));
        tasks.push(tokio::spawn(async move {
            let mut dice = StdRng::seed_from_u64(100 + changer);
            while !over.load(Ordering::Relaxed) {
                // Each changer has people of its own.
                let person = dice.random_range(0..people / PRODUCERS) * PRODUCERS + changer;
                let name = format!("p-{person}");
                let id = world.add(&document("opt_out", &[&name])).await;
                completed(&world, &id).await;
                let acknowledged = now_us();
                tokio::time::sleep(Duration::from_millis(dice.random_range(0..300))).await;
                let mut in_again = u64::MAX;
                if dice.random_bool(0.7) {
                    let id = world.add(&document("opt_in", &[&name])).await;
                    in_again = entry_ms(&id);
                    completed(&world, &id).await;
                }
                let mut outs = outs.lock().unwrap();
                let of_person: &mut Vec<Out> = outs.entry(person).or_default();
                of_person.push(Out { acknowledged, in_again });
                // Somebody who stayed out a while ago is back now, too.
                for out in of_person.iter_mut() {
                    out.in_again = out.in_again.min(in_again);
                }
            }
        }));
    }

    let mut dice = StdRng::seed_from_u64(7);
    let mut replicas = Vec::new();
    for _ in 0..REPLICAS {
        replicas.push(world.worker().await);
    }
    let end = std::time::Instant::now() + Duration::from_secs(seconds);
    let mut kills = 0;
    while std::time::Instant::now() < end {
        tokio::time::sleep(Duration::from_millis(dice.random_range(1500..3500))).await;
        let victim = dice.random_range(0..REPLICAS);
        replicas.swap_remove(victim).kill().await;
        kills += 1;
        replicas.push(world.worker().await);
    }
    over.store(true, Ordering::Relaxed);
    for task in tasks {
        task.await.unwrap();
    }
    world.until_queue_is_empty().await;

    let outs = outs.lock().unwrap().clone();
    let (violations, delivered, arrived) = judge(&world, &outs).await;
    let acknowledged: usize = outs.values().map(Vec::len).sum();
    println!(
        "{seconds} s, {people} people, {kills} kills: {} events enqueued, {delivered} delivered, {acknowledged} opt-outs acknowledged, {violations} delivered after one",
        sent.load(Ordering::Relaxed)
    );
    assert_eq!(violations, 0);
    assert!(acknowledged > 10 && kills > 0);
    let lost = steady.lock().unwrap().iter().filter(|mark| !arrived.contains(*mark)).count();
    assert_eq!(lost, 0, "events of people who never opted out");
}

/// By the emulator's log: how many events arrived that were not to, how many in all, and where these came from.
async fn judge(world: &World, outs: &HashMap<u64, Vec<Out>>) -> (u64, u64, HashSet<String>) {
    let (mut violations, mut delivered, mut arrived) = (0, 0, HashSet::new());
    for arrival in world.emulator.records().await {
        let properties = &arrival.record["properties"];
        if arrival.record["event"] != "Race" {
            continue;
        }
        delivered += 1;
        let (source, person) =
            (properties["$insert_id"].as_str().unwrap(), &properties["distinct_id"]);
        let person: u64 = person.as_str().unwrap()[2..].parse().unwrap();
        arrived.insert(source.to_owned());
        // Enqueued before the person came back, and arrived after the opt-out was acknowledged.
        violations += u64::from(
            outs.get(&person)
                .into_iter()
                .flatten()
                .any(|out| entry_ms(source) < out.in_again && arrival.at_us > out.acknowledged),
        );
    }
    (violations, delivered, arrived)
}
