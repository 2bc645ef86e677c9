//! Applications and people who say no.

use std::collections::HashMap;

use axum::{body::Body, http::Request};
use chrono::{TimeDelta, Utc};
use gdpr_jobs::DistinctId;
use serde_json::{Value, json};

use super::rig::{Answer, KEY, Rig};
use crate::door::opt_out::{LinkKey, OptOutLink};

async fn documents(rig: &Rig) -> Vec<Value> {
    let entries: Vec<(String, HashMap<String, String>)> =
        rig.ask(&["XRANGE", "gdpr:{web}:requests", "-", "+"]).await;
    entries.iter().map(|(_, fields)| serde_json::from_str(&fields["request"]).unwrap()).collect()
}

async fn ask(rig: &Rig, path: &str, key: &str, body: &Value) -> Answer {
    let headers =
        [("authorization", &*format!("Bearer {key}")), ("content-type", "application/json")];
    rig.post_with(path, &headers, body.to_string()).await
}

/// Says of the request `id` what a worker would.
async fn becomes(rig: &Rig, id: &str, kind: &str, status: &str) {
    let key = format!("gdpr:{{web}}:request:{id}");
    let _: i64 = rig.ask(&["HSET", &key, "status", status, "kind", kind]).await;
}

#[tokio::test]
async fn an_application_with_the_key_opts_a_person_out_and_in() {
    let rig = Rig::new().await;
    let said = json!({"distinct_ids": ["u1", "$device:7"], "id": "order-2"});
    let answer = ask(&rig, "/opt_out", KEY, &said).await;
    assert_eq!(answer.status, 202);
    assert_eq!(answer.json(), json!({"request": "order-2", "status": "queued"}));
    let said = json!({"distinct_ids": ["u1"], "properties": {"via": "settings"}, "project": "web", "id": "order-3"});
    becomes(&rig, "order-3", "opt_in", "completed").await;
    assert_eq!(ask(&rig, "/opt_in", KEY, &said).await.status, 200);
    let documents = documents(&rig).await;
    assert_eq!(documents.len(), 1, "order-3 was known already");
    assert_eq!(
        (&documents[0]["kind"], &documents[0]["distinct_ids"]),
        (&json!("opt_out"), &json!(["u1", "$device:7"]))
    );
}

#[tokio::test]
async fn an_answer_says_when_the_request_is_in_force() {
    let rig = Rig::new().await;
    let said = json!({"distinct_ids": ["u1"], "id": "order-4"});
    let works = async {
        while documents(&rig).await.is_empty() {
            tokio::task::yield_now().await;
        }
        becomes(&rig, "order-4", "opt_out", "completed").await;
    };
    let (answer, ()) = tokio::join!(ask(&rig, "/opt_out", KEY, &said), works);
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json(), json!({"request": "order-4", "status": "completed"}));
}

#[tokio::test]
async fn the_status_of_another_request_is_not_taken_for_this_ones() {
    let rig = Rig::new().await;
    becomes(&rig, "order-5", "deletion", "completed").await;
    let answer =
        ask(&rig, "/opt_out", KEY, &json!({"distinct_ids": ["u1"], "id": "order-5"})).await;
    assert_eq!(answer.status, 409);
    assert!(documents(&rig).await.is_empty());
}

#[tokio::test]
async fn without_the_key_nothing_is_asked_for() {
    let rig = Rig::new().await;
    let said = json!({"distinct_ids": ["u1"]});
    for key in ["", "another key", &KEY[1..], &KEY.to_uppercase()] {
        let answer = ask(&rig, "/opt_out", key, &said).await;
        assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, "Bearer"));
    }
    assert_eq!(rig.post("/opt_out", said.to_string()).await.status, 401);
    // The key of one project is none of another's.
    let other = json!({"distinct_ids": ["u1"], "project": "app"});
    assert_eq!(ask(&rig, "/opt_out", KEY, &other).await.status, 401);
    assert!(documents(&rig).await.is_empty());
}

#[tokio::test]
async fn what_is_no_request_is_told_without_quoting_it() {
    let rig = Rig::new().await;
    for said in [
        json!({}),
        json!({"distinct_ids": []}),
        json!({"distinct_ids": ["undefined"]}),
        json!({"distinct_ids": ["ada-secret"], "kind": "deletion"}),
        json!({"distinct_ids": ["ada-secret"], "ada-secret": 1}),
        json!({"distinct_ids": ["ada-secret"], "properties": {"a": 1}}),
        json!(["ada-secret"]),
    ] {
        let answer = ask(&rig, "/opt_out", KEY, &said).await;
        assert_eq!(answer.status, 400, "{said}");
        assert!(!answer.text().contains("ada-secret"), "{}", answer.text());
    }
    assert!(documents(&rig).await.is_empty());
}

fn link(project: &str, key: &str, valid_for: TimeDelta) -> String {
    let link = OptOutLink {
        project: project.parse().unwrap(),
        distinct_ids: vec![DistinctId::new("ada"), DistinctId::new("$device:7")],
        expires: Utc::now() + valid_for,
    };
    let base = "https://events.example.com".parse().unwrap();
    LinkKey::new(&key.into()).url(&base, &link).unwrap().path().to_owned()
}

#[tokio::test]
async fn opening_a_link_changes_nothing_and_pressing_its_button_opts_out() {
    let rig = Rig::new().await;
    let path = link("web", KEY, TimeDelta::days(1));
    let page = rig.get(&path).await;
    assert_eq!(page.status, 200);
    assert!(page.text().contains("<form method=\"post\">") && !page.text().contains("ada"));
    for (name, value) in [
        ("content-type", "text/html; charset=utf-8"),
        ("referrer-policy", "no-referrer"),
        ("x-frame-options", "DENY"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(page.header(name), value);
    }
    assert!(
        page.header("content-security-policy")
            .starts_with("default-src 'none'; style-src 'sha256-")
    );
    let head = Request::head(&path).body(Body::empty()).unwrap();
    assert_eq!(rig.send(head).await.status, 200);
    assert!(documents(&rig).await.is_empty());

    let works = async {
        loop {
            let entries: Vec<(String, HashMap<String, String>)> =
                rig.ask(&["XRANGE", "gdpr:{web}:requests", "-", "+"]).await;
            if let Some((id, _)) = entries.first() {
                break becomes(&rig, id, "opt_out", "completed").await;
            }
        }
    };
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let (page, ()) = tokio::join!(rig.post_with(&path, &form, "List-Unsubscribe=One-Click"), works);
    assert_eq!(page.status, 200);
    assert!(page.text().contains("You have opted out"));
    let documents = documents(&rig).await;
    assert_eq!(
        (&documents[0]["kind"], &documents[0]["distinct_ids"]),
        (&json!("opt_out"), &json!(["ada", "$device:7"]))
    );
}

#[tokio::test]
async fn a_link_that_is_not_ours_or_over_gets_one_answer() {
    let rig = Rig::new().await;
    let good = link("web", KEY, TimeDelta::days(1));
    let mut texts = Vec::new();
    for path in [
        link("web", KEY, TimeDelta::seconds(-1)),
        link("web", "another key", TimeDelta::days(1)),
        link("app", KEY, TimeDelta::days(1)),
        good[..good.len() - 1].to_owned(),
        "/opt_out/x".to_owned(),
        format!("/opt_out/{}", "A".repeat(20_000)),
    ] {
        for answer in [rig.get(&path).await, rig.post(&path, "").await] {
            assert_eq!(answer.status, 404);
            texts.push(answer.text().to_owned());
        }
    }
    texts.dedup();
    assert_eq!(texts.len(), 1);
    assert!(documents(&rig).await.is_empty());
}

#[tokio::test]
async fn without_redis_a_person_is_asked_to_try_again() {
    let mut rig = Rig::new().await;
    rig.redis_server.kill();
    let page = rig.post(&link("web", KEY, TimeDelta::days(1)), "").await;
    assert_eq!(page.status, 503);
    assert!(page.text().contains("could not be recorded"));
}
