//! The ledger shows what was done to it, and its statements hold for those who have nothing but the public key.

mod tampering;

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::world::{World, document};

const SECRET: &str =
    "ed25519-secret:9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str =
    "ed25519-public:d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";
const STRANGER: &str =
    "ed25519-public:3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";

/// A world that signs.
async fn signing() -> World {
    let mut world = World::new().await;
    world.set("GDPR_SIGNING_KEY", SECRET);
    world
}

/// Writes the receipt of a request into a file, checks it with nothing but the public key, and returns its content.
async fn receipt(world: &mut World, id: &str) -> Value {
    let file = world.folder().join(format!("receipt-{id}.json"));
    let file = file.to_str().unwrap();
    let (code, out, err) = world.command(&["receipt", id, "--out", file]).await;
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    world.unset("GDPR_SIGNING_KEY");
    let redis = world.redis.url();
    world.set("GDPR_REDIS_URL", "redis://127.0.0.1:1");
    let (code, out, err) = world.command(&["verify", file, "--public-key", PUBLIC, "--json"]).await;
    assert_eq!(code, 0, "{out}{err}");
    let told: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(told["verified"], true);

    let (code, out, _) = world.command(&["verify", file]).await;
    assert!(code == 1 && out.contains("--public-key"), "a key in the receipt is no proof: {out}");
    let (code, _, _) = world.command(&["verify", file, "--public-key", STRANGER]).await;
    assert_eq!(code, 1);
    world.set("GDPR_SIGNING_KEY", SECRET);
    world.set("GDPR_REDIS_URL", redis);

    let text = std::fs::read_to_string(file).unwrap();
    let forged = text.replace("\"done\":true", "\"done\":false").replace("not done", "done: done");
    let forged_file = format!("{file}.forged");
    std::fs::write(&forged_file, forged).unwrap();
    let (code, _, err) = world.command(&["verify", &forged_file, "--public-key", PUBLIC]).await;
    assert!(code == 1 && err.contains("signature"), "{err}");
    told["receipt"].clone()
}

#[tokio::test]
async fn the_receipt_of_a_deletion_says_when_it_was_sent_confirmed_and_done_and_outlives_its_hash()
{
    let mut world = signing().await;
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["canary@example.test", "user-002"])).await;
    let hash = world.until(&id, "completed").await;
    let gone: i64 = world.ask(&["DEL", &format!("gdpr:{{default}}:request:{id}")]).await;
    assert_eq!(gone, 1);
    let receipt = receipt(&mut world, &id).await;
    assert_eq!((&receipt["done"], &receipt["deadline"]), (&json!(true), &json!("met")));
    for (name, field) in [
        ("kind", "kind"),
        ("regulation", "regulation"),
        ("received_at", "received_at"),
        ("due_at", "due_at"),
        ("status", "status"),
    ] {
        assert_eq!(receipt[name], hash[field], "{name}");
    }
    for time in ["accepted_at", "sent_at", "confirmed_at", "completed_at"] {
        assert!(receipt[time].is_string(), "{time}");
    }
    let tags: Vec<&str> = hash["tags"].split(' ').collect();
    assert_eq!(receipt["tags"], json!(tags));
    assert_eq!(receipt["tasks"][0]["tracking_id"], hash["tracking_id"]);
    assert!(!receipt.to_string().contains("canary"));
    assert!(!receipt["not_covered"].as_array().unwrap().is_empty());
}

#[tokio::test]
async fn the_receipt_of_a_lost_answer_explains_each_attempt() {
    let mut world = signing().await;
    world.set("GDPR_UNKNOWN_WAIT_DELETION", "200ms");
    world
        .emulator
        .fault(json!({ "match": "create-deletion", "fault": "act-then-close", "times": 1 }))
        .await;
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    world.until(&id, "completed").await;
    let receipt = receipt(&mut world, &id).await;
    let attempts = receipt["attempts"].as_array().unwrap();
    let told = |text: &str| attempts.iter().any(|a| a["what"].as_str().unwrap().contains(text));
    assert!(told("sealed into a batch") && told("lost"), "{attempts:?}");
    let tasks = receipt["tasks"].as_array().unwrap();
    assert_eq!(tasks.len(), 1);
    assert!(tasks[0]["how"].as_str().unwrap().contains("live deletion task"), "adopted: {tasks:?}");
}

#[tokio::test]
async fn the_receipts_of_rejected_and_held_requests_say_that_nothing_was_done() {
    let mut world = signing().await;
    world.set("GDPR_UNKNOWN_WAIT_RETRIEVAL", "200ms");
    world.emulator.fault(json!({ "match": "create-retrieval", "fault": "act-then-close" })).await;
    let _worker = world.worker().await;
    let bad = world.add(&json!({ "kind": "deletion", "distinct_ids": ["null"] })).await;
    let lost = world.add(&document("retrieval", &["user-001"])).await;
    world.until(&bad, "rejected").await;
    world.until(&lost, "held").await;
    for (id, status) in [(&bad, "rejected"), (&lost, "held")] {
        let receipt = receipt(&mut world, id).await;
        assert_eq!((&receipt["done"], &receipt["status"]), (&json!(false), &json!(status)));
        let conclusion = receipt["conclusion"].as_str().unwrap();
        assert!(conclusion.starts_with(&format!("not done: {status}: ")), "{conclusion}");
        assert!(receipt.get("completed_at").is_none());
    }
    let (code, _, err) = world.command(&["receipt", "no-such-request"]).await;
    assert!(code == 1 && err.contains("does not know"), "{err}");
}

#[tokio::test]
async fn a_worker_signs_checkpoints_which_cover_receipts_and_prove_the_ledger() {
    let mut world = signing().await;
    let file = world.folder().join("checkpoints.jsonl");
    world.set("GDPR_CHECKPOINT_FILE", file.to_str().unwrap());
    world.set("GDPR_CHECKPOINT_EVERY", "1s");
    let worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    world.until(&id, "completed").await;
    let events = world.ledger().await.len() as u64;
    let lines = async || {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        text.lines().map(str::to_owned).collect::<Vec<_>>()
    };
    let covers = |line: &str| {
        serde_json::from_str::<Value>(line).unwrap()["events"].as_u64().unwrap() >= events
    };
    let signed = world
        .wait("a checkpoint over all events", async || {
            Some(lines().await).filter(|all| all.last().is_some_and(|line| covers(line)))
        })
        .await;
    assert!(worker.log().contains("gdpr-worker/checkpoint/1"), "in the log, too");
    let receipt = receipt(&mut world, &id).await;
    assert!(receipt["ledger"]["checkpoint"].is_string());
    let (receipt_file, file) =
        (world.folder().join(format!("receipt-{id}.json")), file.to_str().unwrap().to_owned());
    let offline =
        ["verify", receipt_file.to_str().unwrap(), "--checkpoint", &file, "--public-key", PUBLIC];
    let (code, out, err) = world.command(&offline).await;
    assert!(code == 0 && out.contains("among those given"), "{out}{err}");

    // Another second, and nothing new: nothing is signed. A request, and something is.
    let more = world.add(&document("deletion", &["user-002"])).await;
    world.until(&more, "completed").await;
    let later = world
        .wait("one more", async || Some(lines().await).filter(|all| all.len() > signed.len()))
        .await;
    let mut counts: Vec<u64> = later
        .iter()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["events"].as_u64().unwrap())
        .collect();
    let sorted = counts.clone();
    counts.dedup();
    assert!(counts == sorted && counts.is_sorted(), "{sorted:?}");

    let (code, out, err) = world.command(&["verify", "--ledger", "--checkpoint", &file]).await;
    assert_eq!(code, 0, "{out}{err}");
    let (code, out, _) = world.command(&["verify", &file, "--public-key", PUBLIC]).await;
    assert!(code == 0 && out.contains("given with --public-key"));
    let stranger = ["verify", "--ledger", "--checkpoint", &file, "--public-key", STRANGER];
    assert_eq!(world.command(&stranger).await.0, 1, "somebody else's key");
}

#[tokio::test]
async fn a_worker_signs_nothing_about_a_ledger_that_was_changed_and_says_so() {
    let mut world = signing().await;
    let file = world.folder().join("checkpoints.jsonl");
    let file = file.to_str().unwrap().to_owned();
    world.set("GDPR_CHECKPOINT_FILE", file.clone());
    world.set("GDPR_CHECKPOINT_EVERY", "1s");
    let worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    world.until(&id, "completed").await;
    let (code, _, err) = world.command(&["checkpoint", "--out", &file]).await;
    assert_eq!(code, 0, "{err}");
    worker.kill().await;
    let first: Vec<(String, Vec<String>)> =
        world.ask(&["XRANGE", "gdpr:{default}:ledger", "-", "+", "COUNT", "1"]).await;
    let _: i64 = world.ask(&["XDEL", "gdpr:{default}:ledger", &first[0].0]).await;
    let worker = world.worker().await;
    worker.until_logged("the ledger is not what was written").await;
    for command in [&["checkpoint"][..], &["receipt", &id]] {
        let (code, out, err) = world.command(command).await;
        assert!(code == 1 && out.is_empty() && err.contains("nothing was signed"), "{err}");
    }
}

#[tokio::test]
async fn the_recipe_of_the_readme_verifies_what_was_signed() {
    let python = |code: &str| {
        let mut command = Command::new("python3");
        command.arg("-c").arg(code).stdin(Stdio::null()).output()
    };
    let has_it = python("import cryptography").is_ok_and(|output| output.status.success());
    if !has_it {
        // The vectors in src/evidence/tests hold anyway.
        eprintln!("not run: python3 has no package cryptography");
        return;
    }
    let world = signing().await;
    let _worker = world.worker().await;
    let id = world.add(&document("deletion", &["user-001"])).await;
    world.until(&id, "completed").await;
    let (_, checkpoint, _) = world.command(&["checkpoint"]).await;
    let (_, receipt, _) = world.command(&["receipt", &id]).await;
    let entries: Vec<(String, Vec<String>)> =
        world.ask(&["XRANGE", "gdpr:{default}:ledger", "-", "+"]).await;
    let readme = include_str!("../../../README.md");
    let proof = readme.split("\n## Proof\n").nth(1).unwrap();
    let recipe = proof.split("```python\n").nth(1).unwrap().split("\n```").next().unwrap();
    let given = json!({ "checkpoint": checkpoint.trim(), "receipt": receipt.trim(), "entries": entries, "key": PUBLIC });
    let file = world.folder().join("given.json");
    std::fs::write(&file, given.to_string()).unwrap();
    let code = format!(
        r#"{recipe}
given = json.load(open({file:?}))
checkpoint = verify(given["checkpoint"], given["key"])
leaves = [leaf(entry.encode(), [field.encode() for field in fields]) for entry, fields in given["entries"]]
assert root(leaves[:checkpoint["events"]]).hex() == checkpoint["root"]
assert verify(given["receipt"], given["key"])["done"] is True
for forged in [given["receipt"].replace("true", "false"), given["checkpoint"].replace("default", "other")]:
    try:
        verify(forged, given["key"])
    except Exception:
        continue
    raise SystemExit("a forged statement was taken")
"#
    );
    let output = python(&code).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[tokio::test]
async fn keys_are_made_and_wrong_ones_are_told_without_being_shown() {
    let mut world = World::new().await;
    let (code, out, err) = world.command(&["check", "--make-signing-key"]).await;
    assert!(code == 0 && out.starts_with("ed25519-secret:") && err.contains("ed25519-public:"));
    world.set("GDPR_SIGNING_KEY", out.trim());
    let (code, shown, _) = world.command(&["check"]).await;
    let public = err.trim().rsplit(' ').next().unwrap();
    assert!(code == 0 && shown.contains(public) && !shown.contains(out.trim()), "{shown}");
    world.set("GDPR_SIGNING_KEY", "ed25519-public:canary");
    let (code, _, err) = world.command(&["run"]).await;
    assert!(code == 1 && err.contains("GDPR_SIGNING_KEY") && !err.contains("canary"), "{err}");
    world.unset("GDPR_SIGNING_KEY");
    let (code, _, err) = world.command(&["checkpoint"]).await;
    assert!(code == 1 && err.contains("--make-signing-key"), "{err}");
    world.set("GDPR_CHECKPOINT_FILE", "checkpoints.jsonl");
    let (code, _, err) = world.command(&["run"]).await;
    assert!(code == 1 && err.contains("GDPR_SIGNING_KEY"), "{err}");
}
