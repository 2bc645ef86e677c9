//! Redis as more than one server: a failover, a Cluster, and Valkey, where it is waited for the disk.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    time::Duration,
};

use gdpr_jobs::{Document, Kind, Producer, Reader};
use gdpr_worker::queue::{Connection, Connector};
use serde_json::{Value, json};

use crate::world::{
    Cluster, Sentinels, Signal, World, document, free_port, replica, tag, unzip, valkey,
};

/// Calls of the emulator that made a task: each id in them, as often as it stands there.
async fn sent(world: &World, kind: &str) -> Vec<String> {
    let calls = world.emulator.created(kind).await;
    let ids = calls.iter().flat_map(|call| call["ids"].as_array().unwrap());
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// A producer that counts a document as acknowledged when a replica has it, too, and repeats it until then.
async fn acknowledged(sentinels: &Sentinels, name: &str) {
    let url = sentinels.url();
    let document = json!({ "kind": "deletion", "id": name, "distinct_ids": [name] }).to_string();
    let told = async {
        let connector = Connector::new(&url).unwrap();
        loop {
            if let Ok(mut connection) = connector.connect().await {
                let mut pipe = redis::pipe();
                pipe.cmd("XADD").arg("gdpr:{default}:requests").arg("*");
                pipe.arg("request").arg(&document).ignore();
                pipe.cmd("WAIT").arg(1).arg(1000);
                let answer: redis::RedisResult<(u64,)> = pipe.query_async(&mut connection).await;
                if answer.is_ok_and(|(replicas,)| replicas >= 1) {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(crate::world::PATIENCE, told).await.unwrap();
}

async fn add_some(sentinels: &Sentinels, names: std::ops::Range<usize>) {
    for number in names {
        acknowledged(sentinels, &format!("r-{number:03}")).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failovers_with_requests_in_flight_lose_nothing_that_was_acknowledged() {
    let mut world = World::with(World::patient()).await;
    let mut sentinels = Sentinels::start(&world.folder().join("set")).await;
    world.use_redis(&sentinels.url()).await;
    world.set("GDPR_REDIS_REPLICAS", "1");
    world.set("GDPR_BATCH_DELETION", "10");
    world.set("GDPR_JOB_LEASE", "3s");
    // A claim whose answer is lost costs time; a call that waits for its record may take as long as a failover.
    world.set("GDPR_CALL_TIMEOUT", "5s");
    world.set("GDPR_SEND_LEASE", "15s");
    world.set("GDPR_UNKNOWN_WAIT_DELETION", "200ms");
    let workers = (world.worker().await, world.worker().await);
    let started = sentinels.primary().await.unwrap();

    add_some(&sentinels, 0..30).await;
    sentinels.servers[started].kill();
    // Some go on while nobody is the primary.
    add_some(&sentinels, 30..60).await;
    let second = sentinels.primary().await.unwrap();
    assert_ne!(second, started, "another one has taken over");
    let port = sentinels.servers[second].port.to_string();
    sentinels.servers[started].restart(&["--replicaof", "127.0.0.1", &port]);
    sentinels.until_whole().await;

    // The next one only stands still, and comes back believing that it is the primary.
    sentinels.servers[second].signal(Signal::Stop);
    add_some(&sentinels, 60..90).await;
    sentinels.until_another_than(second).await;
    sentinels.servers[second].signal(Signal::Continue);
    add_some(&sentinels, 90..100).await;

    world.emulator.change(json!({ "task_polls": 1 })).await;
    world.until_stats(&[("deletion.completed", 100)]).await;
    let once: HashSet<String> = sent(&world, "create-deletion").await.into_iter().collect();
    assert_eq!(once.len(), 100, "every request that was acknowledged was sent");
    let tasks = world.emulator.created("create-deletion").await.len();
    let unknown = world
        .ledger()
        .await
        .iter()
        .filter(|event| {
            event.get("why").is_some_and(|why| {
                why.contains("unknown") || why.contains("no answer was recorded")
            })
        })
        .count();
    let batches: usize =
        world.ask::<String>(&["GET", "gdpr:{default}:batches:last"]).await.parse().unwrap();
    assert!(
        tasks <= batches + unknown,
        "{tasks} tasks, {batches} batches, {unknown} unknown answers"
    );
    drop(workers);
}

/// The connection to the server that has a project's keys.
async fn of(cluster: &Cluster, project: &str) -> Connection {
    let connector = Connector::new(&cluster.url()).unwrap();
    connector.towards(&format!("gdpr:{{{project}}}:ledger")).shared().await.unwrap()
}

async fn ask<T: redis::FromRedisValue>(connection: &Connection, command: &[&str]) -> T {
    let mut built = redis::cmd(command[0]);
    built.arg(&command[1..]).query_async(&mut connection.clone()).await.unwrap()
}

async fn add(connection: &Connection, project: &str, document: &Value) -> String {
    let stream = format!("gdpr:{{{project}}}:requests");
    ask(connection, &["XADD", &stream, "*", "request", &document.to_string()]).await
}

async fn until(
    world: &World,
    connection: &Connection,
    project: &str,
    id: &str,
    status: &str,
) -> HashMap<String, String> {
    let key = format!("gdpr:{{{project}}}:request:{id}");
    world
        .wait(&format!("{project} {id} {status}"), async || {
            let hash: HashMap<String, String> = ask(connection, &["HGETALL", &key]).await;
            hash.get("status").is_some_and(|is| is == status).then_some(hash)
        })
        .await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_worker_serves_projects_on_three_primaries_of_a_cluster() {
    let mut world = World::new().await;
    let cluster = Cluster::start(&world.folder().join("cluster")).await;
    let mut chosen: HashMap<usize, String> = HashMap::new();
    for number in 0..40 {
        let name = format!("p{number}");
        chosen.entry(cluster.holder(&name).await).or_insert(name);
    }
    let projects: BTreeSet<String> = chosen.into_values().collect();
    assert_eq!(projects.len(), 3, "a project on each server");
    let archives = world.folder().join("of");
    let tables = projects.iter().fold(String::new(), |tables, name| {
        let folder = archives.join(name);
        tables + &format!("[projects.{name}]\narchive_url = \"file://{}\"\n", folder.display())
    });
    std::fs::write(world.folder().join("gdpr-worker.toml"), tables).unwrap();
    world.unset("GDPR_ARCHIVE_URL");
    world.set("GDPR_REDIS_URL", cluster.url());
    let _worker = world.worker().await;

    for project in &projects {
        let redis = of(&cluster, project).await;
        let person = format!("person-of-{project}");
        let get = add(&redis, project, &document("retrieval", &[&person])).await;
        let hash = until(&world, &redis, project, &get, "completed").await;
        let file = hash["archive"].strip_prefix("file://").unwrap_or(&hash["archive"]);
        assert!(unzip(file).contains_key("events.ndjson"));
        let gone = add(&redis, project, &document("deletion", &[&person])).await;
        until(&world, &redis, project, &gone, "completed").await;

        let out = add(&redis, project, &document("opt_out", &["silent"])).await;
        until(&world, &redis, project, &out, "completed").await;
        let events = format!("gdpr:{{{project}}}:events");
        for (name, who) in [("Hidden", "silent"), ("Seen", project.as_str())] {
            let event = json!({ "event": name, "properties": { "distinct_id": who } });
            let _: String = ask(&redis, &["XADD", &events, "*", "event", &event.to_string()]).await;
        }
        world
            .wait("delivery", async || {
                let left: u64 = ask(&redis, &["XLEN", &events]).await;
                (left == 0).then_some(())
            })
            .await;

        // The commands, and producers in Rust over the client of the redis crate.
        let (code, text, error) =
            world.command(&["status", &gone, "--project", project, "--json"]).await;
        assert!(code == 0 && text.contains("completed"), "{text}{error}");
        let client = redis::cluster::ClusterClient::new([cluster.servers[1].url()]).unwrap();
        let connection = client.get_async_connection().await.unwrap();
        let named: gdpr_jobs::Project = project.parse().unwrap();
        let ticket: gdpr_jobs::RequestId = "ticket-1".parse().unwrap();
        let ours = Document::new(Kind::Deletion, [gdpr_jobs::DistinctId::new("someone")])
            .with_id(ticket.clone());
        let producer = Producer::new(connection.clone(), &named);
        producer.enqueue(&ours).await.unwrap();
        until(&world, &redis, project, "ticket-1", "completed").await;
        let record = Reader::new(connection, &named).status(&ticket).await.unwrap().unwrap();
        assert_eq!(record.status, gdpr_jobs::Status::Completed);
    }
    assert!(world.records("Hidden").await.is_empty());
    assert_eq!(world.records("Seen").await.len(), 3);

    // Every primary is looked at, also those that have no project of ours.
    let (_, text, _) = world.command(&["check"]).await;
    for server in &cluster.servers {
        assert!(text.contains(&format!("redis durability {}", server.address())), "{text}");
    }
}

#[tokio::test]
async fn a_script_that_a_server_has_forgotten_is_loaded_again_where_it_is_needed() {
    let mut world = World::new().await;
    let cluster = Cluster::start(&world.folder().join("cluster")).await;
    world.use_redis(&cluster.url()).await;
    let _worker = world.worker().await;
    for round in 0..3 {
        for server in &cluster.servers {
            let client = redis::Client::open(server.url()).unwrap();
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            let mut flush = redis::cmd("SCRIPT");
            flush.arg("FLUSH").exec_async(&mut connection).await.unwrap();
        }
        let id = world.add(&document("deletion", &[&format!("u-{round}")])).await;
        world.until(&id, "completed").await;
    }
}

#[tokio::test]
async fn valkey_is_waited_for_until_it_has_synced() {
    let mut world = World::new().await;
    // Without WAITAOF this would not do.
    let valkey = valkey(world.folder(), "everysec");
    world.use_redis(&valkey.url()).await;
    let worker = world.worker().await;
    let id = world.add(&document("deletion", &["u-1"])).await;
    world.until(&id, "completed").await;
    let out = world.add(&document("opt_out", &["u-2"])).await;
    world.until(&out, "completed").await;
    let user: HashMap<String, String> =
        world.ask(&["HGETALL", &format!("gdpr:{{default}}:user:{}", tag("u-2"))]).await;
    assert_eq!(user["consent"], "opted_out");
    let waits: String = world.ask(&["INFO", "commandstats"]).await;
    let waits = waits.lines().find(|line| line.starts_with("cmdstat_waitaof:")).unwrap();
    let calls: u32 = waits.split(['=', ',']).nth(1).unwrap().parse().unwrap();
    assert!(calls >= 5, "intake, intent, answer, end, opt-out: {waits}");
    assert!(!worker.log().contains("WARN"), "{}", worker.log());
}

#[tokio::test]
async fn nothing_is_sent_while_a_replica_that_must_have_it_is_away() {
    let mut world = World::new().await;
    let valkey = valkey(world.folder(), "always");
    world.use_redis(&valkey.url()).await;
    world.set("GDPR_REDIS_REPLICAS", "1");
    let worker = world.worker().await;
    let id = world.add(&document("retrieval", &["u-1"])).await;
    worker.until_logged("a batch is not sent yet").await;
    worker.until_logged("on 0 of 1 replicas").await;
    assert_eq!(world.emulator.calls("create-retrieval create-deletion").await.len(), 0);

    let replica = replica(world.folder(), &valkey);
    let hash = world.until(&id, "completed").await;
    assert_eq!(sent(&world, "create-retrieval").await, ["u-1"], "once");
    assert!(
        hash["attempts"].parse::<u32>().unwrap() >= 2,
        "and no attempt counts as lost: {hash:?}"
    );
    drop(replica);
}

/// The door said that it had taken events when a failover could still lose them.
#[tokio::test]
async fn the_door_takes_nothing_that_a_replica_that_must_have_it_lacks() {
    let mut world = World::new().await;
    let valkey = valkey(world.folder(), "everysec");
    let replica = replica(world.folder(), &valkey);
    world.use_redis(&valkey.url()).await;
    world
        .wait("a replica that follows", async || {
            let info: String = world.ask(&["INFO", "replication"]).await;
            info.contains("state=online").then_some(())
        })
        .await;
    world.set("GDPR_REDIS_REPLICAS", "1");
    let door = format!("127.0.0.1:{}", free_port());
    world.set("GDPR_INGEST_LISTEN", door.as_str());
    let worker = world.worker().await;
    let http = reqwest::Client::new();
    let track = async |person: usize| {
        let properties = json!({ "distinct_id": format!("u-{person}"), "token": "emulator-project-token", "$insert_id": format!("i-{person}") });
        let event = json!([{ "event": "Seen", "properties": properties }]);
        http.post(format!("http://{door}/track")).json(&event).send().await.unwrap().status()
    };
    // Many at once wait for the disk together.
    let all = futures_util::future::join_all((0..20).map(&track)).await;
    assert!(all.iter().all(|status| *status == 200), "{all:?}");
    replica.signal(Signal::Stop);
    assert_eq!(track(20).await, 503);
    worker.until_logged("on 0 of 1 replicas").await;
    replica.signal(Signal::Continue);
    world
        .wait("a door that takes events again", async || (track(20).await == 200).then_some(()))
        .await;
    world.until_queue_is_empty().await;
}

#[tokio::test]
async fn a_job_is_not_acknowledged_before_replicas_have_its_effect() {
    // Else a failover in between loses the next poll: the effect with the old primary, the job on the new one.
    let mut world = World::with(World::patient()).await;
    let valkey = valkey(world.folder(), "always");
    let replica = replica(world.folder(), &valkey);
    world.use_redis(&valkey.url()).await;
    world.set("GDPR_REDIS_REPLICAS", "1");
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["u-1"])).await;
    world.until(&id, "submitted").await;
    replica.signal(Signal::Stop);
    // One task has one poll after the other, unless the earlier ones cannot end.
    world
        .wait("polls that do not end", async || {
            let jobs: u64 = world.ask(&["XLEN", "gdpr:{default}:work"]).await;
            (jobs >= 3).then_some(())
        })
        .await;
    replica.signal(Signal::Continue);
    world.emulator.change(json!({ "task_polls": 1 })).await;
    world.until(&id, "completed").await;
}
