//! Who may do what: the users of `redis/users.acl`, signed documents, and more deletions than anybody can have meant.

use gdpr_jobs::{DistinctId, Document, Kind, Producer};
use redis::aio::MultiplexedConnection;
use serde_json::json;

use crate::world::{World, document, event, tag};

const KEYS: &str = "shop:0123456789abcdef0123456789abcdef";

/// Makes the users of the file known to the server; its own user stays as it is, for the story.
async fn with_users(world: &World) {
    for line in include_str!("../../redis/users.acl").lines() {
        let words: Vec<&str> = line.split(' ').collect();
        if words[1] != "default" {
            let () = world.ask(&[&["ACL", "SETUSER"], &words[1..]].concat()).await;
        }
    }
}

fn url(world: &World, user: &str) -> String {
    world.redis.url().replace("redis://", &format!("redis://{user}:for-trying-out-only-{user}@"))
}

async fn connect(world: &World, user: &str) -> MultiplexedConnection {
    let client = redis::Client::open(url(world, user)).unwrap();
    client.get_multiplexed_async_connection().await.unwrap()
}

/// None of these commands may be run by `user`.
async fn all_are_denied(world: &World, user: &str, commands: &[&str]) {
    let mut connection = connect(world, user).await;
    for command in commands {
        let (name, words) = command.split_once(' ').unwrap_or((command, ""));
        let mut cmd = redis::cmd(name);
        cmd.arg(words.split(' ').filter(|word| !word.is_empty()).collect::<Vec<_>>());
        let answer = cmd.query_async::<redis::Value>(&mut connection).await;
        let denied = answer.is_err_and(|error| error.code() == Some("NOPERM"));
        assert!(denied, "{user}: {command}");
    }
}

#[tokio::test]
async fn each_user_of_redis_can_do_its_work_and_nothing_else() {
    let mut world = World::new().await;
    with_users(&world).await;
    world.set("GDPR_REDIS_URL", url(&world, "worker"));
    let worker = world.worker().await;

    let mut producer = connect(&world, "producer").await;
    let mut add = redis::cmd("XADD");
    add.arg("gdpr:{default}:requests").arg("*").arg("request");
    add.arg(document("retrieval", &["user-001"]).to_string());
    let id: String = add.query_async(&mut producer).await.unwrap();
    world.until(&id, "completed").await;
    world.put_event(&event("user-001", "Sign Up")).await;
    world.until_records("Sign Up", 1).await;
    world.until_queue_is_empty().await;
    let delivered: i64 = world.ask(&["HGET", "gdpr:{default}:filter", "events_delivered"]).await;
    assert_eq!(delivered, 1);

    // Who puts requests there cannot see whose they are, nor take any away.
    let denied = [
        "XRANGE gdpr:{default}:requests - +",
        "XREAD STREAMS gdpr:{default}:requests 0",
        "HGETALL gdpr:{default}:sealed",
        "XDEL gdpr:{default}:requests 1-1",
        "XTRIM gdpr:{default}:requests MAXLEN 0",
        "XADD gdpr:{default}:ledger * a b",
        "XADD other * a b",
        "SCRIPT FLUSH",
        "CONFIG GET dir",
        "KEYS *",
    ];
    all_are_denied(&world, "producer", &denied).await;
    let denied = [
        "HSET gdpr:{default}:user:a consent opted_in",
        "DEL gdpr:{default}:ledger",
        "EVAL return(1) 0",
        "XADD gdpr:{default}:requests * request {}",
        "PUBLISH gdpr:{default}:changed:x completed",
        "GET other",
        "CONFIG GET dir",
        "FLUSHALL",
    ];
    all_are_denied(&world, "admin", &denied).await;
    let denied = [
        "SET other 1",
        "GET other",
        "FLUSHALL",
        "CONFIG SET dir /tmp",
        "ACL LIST",
        "SHUTDOWN",
        "MONITOR",
        "KEYS *",
        "REPLICAOF NO ONE",
    ];
    all_are_denied(&world, "worker", &denied).await;

    // An admin looks with the program's own commands, too, and is told what is not theirs to do.
    world.set("GDPR_REDIS_URL", url(&world, "admin"));
    for command in [
        &["status", &id][..],
        &["user", "user-001"],
        &["history", "--request", &id],
        &["due"],
        &["consent", "user-001"],
    ] {
        let (code, _, problem) = world.command(command).await;
        assert_eq!(code, 0, "{command:?}: {problem}");
    }
    let (code, _, problem) = world.command(&["retry", &id]).await;
    assert!(code == 1 && problem.contains("NOPERM"), "{problem}");
    assert_eq!(worker.stop().await.0, Some(0));
}

#[tokio::test]
async fn only_signed_documents_are_believed_and_a_copy_is_worth_nothing() {
    let mut world = World::new().await;
    world.set("GDPR_DOCUMENT_KEYS", KEYS);
    world.set("GDPR_REQUIRE_SIGNATURE", "true");
    let unsigned = world.add(&document("deletion", &["user-001"])).await;
    let project = "default".parse().unwrap();
    let producer =
        Producer::new(world.redis.connect().await, &project).signing(KEYS.parse().unwrap());
    let ask = Document::new(Kind::Deletion, [DistinctId::new("user-002")]);
    let signed = producer.enqueue(&ask).await.unwrap().id().to_string();
    let named = Document::new(Kind::Deletion, [DistinctId::new("user-005")]);
    let named = named.with_id("order-1".parse().unwrap());
    producer.enqueue(&named).await.unwrap();
    // Whoever has seen an entry adds it again, and once more with another person in it.
    let entry: Vec<(String, Vec<String>)> =
        world.ask(&["XRANGE", "gdpr:{default}:requests", &signed, &signed]).await;
    let fields: Vec<&str> = entry[0].1.iter().map(String::as_str).collect();
    let add = ["XADD", "gdpr:{default}:requests", "*"];
    let copy: String = world.ask(&[&add[..], &fields].concat()).await;
    let other = fields[1].replace("user-002", "user-003");
    let forged: String = world.ask(&[&add[..], &["request", &other], &fields[2..]].concat()).await;
    let half: String = world.ask(&[&add[..], &fields[..4]].concat()).await;

    let worker = world.worker().await;
    world.until(&signed, "completed").await;
    world.until("order-1", "completed").await;
    for (id, reason) in [
        (&unsigned, "not signed"),
        (&copy, "nonce was used before"),
        (&forged, "does not match"),
        (&half, "incomplete"),
    ] {
        let request = world.until(id, "rejected").await;
        assert!(
            request["reason"].contains(reason) && request["reason"].contains("expected"),
            "{}",
            request["reason"]
        );
    }
    // The worker's own ways in sign by themselves.
    let (code, out, problem) = world.command(&["enqueue", "deletion", "user-004", "--json"]).await;
    assert_eq!(code, 0, "{problem}");
    let id =
        serde_json::from_str::<serde_json::Value>(&out).unwrap()["id"].as_str().unwrap().to_owned();
    world.until(&id, "completed").await;
    let bodies = world.emulator.calls("create-deletion").await;
    assert!(!json!(bodies).to_string().contains("user-003"));
    assert_eq!(worker.stop().await.0, Some(0));
}

#[tokio::test]
async fn more_deletions_than_a_day_may_have_wait_for_a_person() {
    let mut world = World::new().await;
    world.set("GDPR_DELETIONS_PER_DAY", "3");
    let ids =
        world.add_many((0..10).map(|n| document("deletion", &[&format!("user-{n:03}")]))).await;
    let copy = world.add(&document("retrieval", &["user-020"])).await;
    let worker = world.worker().await;
    world.until_stats(&[("deletion.completed", 3), ("deletion.held", 7)]).await;
    world.until(&copy, "completed").await;
    for id in &ids[3..] {
        let request = world.request(id).await;
        assert!(request["reason"].contains("GDPR_DELETIONS_PER_DAY"), "{}", request["reason"]);
        assert!(!request["due_at"].is_empty(), "the clock runs");
    }
    // A person's word holds at once, whatever becomes of the deletion.
    let consent: String = world
        .ask(&["HGET", &format!("gdpr:{{default}}:user:{}", tag("user-009")), "consent"])
        .await;
    assert_eq!(consent, "opted_out");
    let (code, _, problem) = world.command(&["fail", "--reason", "a mistake", &ids[3]]).await;
    assert_eq!(code, 0, "{problem}");
    let (code, _, problem) = world.command(&["retry", "--capped"]).await;
    assert_eq!(code, 0, "{problem}");
    world.until_stats(&[("deletion.completed", 9), ("deletion.failed", 1)]).await;
    let left: u64 = world.ask(&["SCARD", "gdpr:{default}:deletions:capped"]).await;
    assert_eq!(left, 0);
    assert_eq!(
        world.path(&ids[4]).await,
        ["queued", "held", "queued", "submitting", "submitted", "completed"]
    );
    assert_eq!(worker.stop().await.0, Some(0));
}
