//! Calls of SDKs: what is taken, where it goes, what is answered.

use axum::body::Body;
use axum::http::{Method, Request};
use data_encoding::BASE64;
use serde_json::{Value, json};

use super::rig::{Rig, event};

fn basic(user: &str, password: &str) -> String {
    format!("Basic {}", BASE64.encode(format!("{user}:{password}").as_bytes()))
}

#[tokio::test]
async fn an_event_is_on_the_stream_byte_for_byte_when_the_answer_comes() {
    let rig = Rig::new().await;
    let text = r#"{"event":"A", "properties":{"token":"web-token","distinct_id":"u1","n":1.0,"big":12345678901234567890}}"#;
    assert_eq!(rig.post("/track", text).await.plain(), (200, "1"));
    let entries = rig.entries("web").await;
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0]["event"], format!("[{text}]"));
    assert_eq!(entries[0].len(), 1);
    assert_eq!(
        rig.post("/track/?verbose=1", text).await.json(),
        json!({"status": 1, "error": null})
    );
    assert_eq!(rig.entries("web").await.len(), 2);
}

#[tokio::test]
async fn profiles_go_on_as_profiles() {
    let rig = Rig::new().await;
    let update = json!({"$token": "web-token", "$distinct_id": "u1", "$set": {"plan": "pro"}});
    for path in ["/engage", "/engage/"] {
        assert_eq!(rig.post(path, json!([update]).to_string()).await.plain(), (200, "1"));
    }
    assert_eq!(rig.records("web", "profile").await, [update.clone(), update]);
    assert!(rig.records("web", "event").await.is_empty());
}

#[tokio::test]
async fn records_of_several_projects_are_told_apart_and_an_unknown_token_stops_all() {
    let rig = Rig::new().await;
    let of_app = json!({"event": "B", "properties": {"token": "app-token"}});
    let both = json!([event("A"), of_app, event("C")]).to_string();
    assert_eq!(rig.post("/track", both).await.plain(), (200, "1"));
    assert_eq!(rig.records("web", "event").await, [event("A"), event("C")]);
    assert_eq!(rig.records("app", "event").await, [of_app]);

    let stranger = json!({"event": "D", "properties": {"token": "other", "distinct_id": "u9"}});
    for wrong in [json!([event("E"), stranger]), json!([{"event": "F", "properties": {}}])] {
        let answer = rig.post("/track", wrong.to_string()).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.json()["status"], "error");
        let answer = rig.post("/track?verbose=1", wrong.to_string()).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["status"]), (401, &json!(0)));
        assert!(!answer.text().contains("other"));
    }
    assert_eq!(rig.records("web", "event").await.len(), 2);
    assert!(rig.counters.prometheus().contains("outcome=\"unknown_token\"} 4"));
}

#[tokio::test]
async fn one_good_record_makes_a_call_good_and_none_makes_it_bad() {
    let rig = Rig::new().await;
    let mixed = json!([event("A"), {"event": "", "properties": {}}, 7]).to_string();
    let answer = rig.post("/track?verbose=1", mixed).await.json();
    assert_eq!(answer["status"], 1);
    assert!(answer["error"].as_str().unwrap().starts_with("2 of 3 records refused, first 1:"));
    assert_eq!(rig.records("web", "event").await, [event("A")]);
    assert_eq!(rig.post("/track", "[7]").await.plain(), (200, "0"));
    let answer = rig.post("/engage?verbose=1", "[{}]").await.json();
    assert_eq!(answer, json!({"status": 0, "error": "'$distinct_id' must be a non-empty string"}));
    assert_eq!(rig.post("/track", "nonsense").await.plain(), (400, "0"));
    assert_eq!(rig.post("/track", "").await.plain(), (400, "0"));
}

#[tokio::test]
async fn groups_are_refused_with_a_reason_and_in_a_way_that_no_sdk_repeats() {
    let rig = Rig::new().await;
    let group = json!([{"$token": "web-token", "$group_key": "k", "$group_id": "g", "$set": {}}])
        .to_string();
    assert_eq!(rig.post("/groups", group.clone()).await.plain(), (200, "0"));
    let answer = rig.post("/groups/?verbose=1", group).await.json();
    assert_eq!(answer["status"], 0);
    assert!(answer["error"].as_str().unwrap().starts_with("groups are not forwarded"));
    assert!(rig.entries("web").await.is_empty());
}

#[tokio::test]
async fn a_get_with_data_in_the_query_is_a_call_too() {
    let rig = Rig::new().await;
    let data =
        BASE64.encode(event("A").to_string().as_bytes()).replace('+', "%2B").replace('=', "%3D");
    assert_eq!(rig.get(&format!("/track?data={data}&ip=0")).await.plain(), (200, "1"));
    assert_eq!(rig.records("web", "event").await, [event("A")]);
    let answer = rig.get(&format!("/track?data={data}&img=1")).await;
    assert_eq!(
        (answer.header("content-type"), &answer.bytes[..6]),
        ("image/gif", b"GIF89a".as_slice())
    );
    let answer = rig
        .get(&format!("/track?data={data}&callback=mp._jsc.x&redirect=https://evil.example"))
        .await;
    assert_eq!(answer.plain(), (200, "/**/mp._jsc.x(1);"));
    assert_eq!(answer.header("location"), "");
    let answer = rig.get(&format!("/track?data={data}&callback=alert(1)//")).await;
    assert_eq!(
        (answer.plain(), answer.header("content-type")),
        ((200, "1"), "text/plain; charset=utf-8")
    );
}

#[tokio::test]
async fn the_clients_address_goes_along_only_where_sdk_and_project_want_a_place() {
    let rig = Rig::new().await;
    let web = event("A");
    let own = json!({"event": "B", "properties": {"token": "web-token", "ip": "198.51.100.1"}});
    let app = json!({"event": "C", "properties": {"token": "app-token"}});
    let from = [("x-forwarded-for", "10.0.0.1, 203.0.113.9"), ("content-type", "application/json")];
    let all = json!([web, own, app]).to_string();
    rig.post_with("/track?ip=1", &from, all.clone()).await;
    let records = rig.records("web", "event").await;
    assert_eq!(records[0]["properties"]["ip"], "203.0.113.9");
    assert_eq!(records[1], own);
    assert_eq!(rig.records("app", "event").await, [app]);

    let update = json!({"$token": "web-token", "$distinct_id": "u1", "$set": {}});
    rig.post_with("/engage?ip=1", &from, update.to_string()).await;
    assert_eq!(rig.records("web", "profile").await[0]["$ip"], "203.0.113.9");

    for query in ["", "?ip=0", "?ip=1&ip=0"] {
        rig.post_with(&format!("/track{query}"), &from, web.to_string()).await;
        let last = rig.entries("web").await.pop().unwrap();
        assert_eq!(last["event"], format!("[{web}]"));
        let off = last.get("geolocation").map(String::as_str);
        assert_eq!(off, (!query.is_empty()).then_some("off"), "{query}");
    }
}

fn importable(name: &str, insert_id: &str) -> Value {
    json!({ "event": name, "properties": {
        "time": 1_700_000_000, "distinct_id": "u1", "$insert_id": insert_id,
    }})
}

#[tokio::test]
async fn an_import_is_checked_record_by_record_and_its_good_ones_are_taken() {
    let rig = Rig::new().await;
    let headers =
        [("authorization", &*basic("web-token", "")), ("content-type", "application/json")];
    let good = json!([importable("A", "i-1"), importable("B", "i-2")]).to_string();
    let answer = rig.post_with("/import?strict=1", &headers, good.clone()).await;
    assert_eq!(answer.json(), json!({"code": 200, "num_records_imported": 2, "status": "OK"}));

    let lines = format!("{}\n{}\n", importable("C", "i-3"), importable("D", "not allowed!"));
    let ndjson = [headers[0], ("content-type", "application/x-ndjson")];
    let answer = rig.post_with("/import?strict=1", &ndjson, lines.clone()).await;
    assert_eq!(answer.status, 400);
    let body = answer.json();
    assert_eq!(
        (&body["code"], &body["num_records_imported"], &body["status"]),
        (&json!(400), &json!(1), &json!("Bad Request"))
    );
    let failed = &body["failed_records"][0];
    assert_eq!((&failed["index"], &failed["field"]), (&json!(1), &json!("properties.$insert_id")));
    assert_eq!(
        (&failed["insert_id"], &failed["$insert_id"]),
        (&json!("not allowed!"), &json!("not allowed!"))
    );

    let answer = rig.post_with("/import", &ndjson, lines).await;
    assert_eq!((answer.status.as_u16(), &answer.json()["num_records_imported"]), (200, &json!(1)));
    assert_eq!(rig.records("web", "event").await.len(), 4);
}

#[tokio::test]
async fn an_import_needs_a_known_token_as_user_or_in_its_records() {
    let rig = Rig::new().await;
    let mut with_token = importable("A", "i-1");
    with_token["properties"]["token"] = json!("app-token");
    let json_type = ("content-type", "application/json");
    for (user, password) in [("service.account", "secret"), ("an-api-secret", "")] {
        let headers = [("authorization", &*basic(user, password)), json_type];
        let answer =
            rig.post_with("/import?strict=1&project_id=1", &headers, with_token.to_string()).await;
        assert_eq!(answer.json()["num_records_imported"], 1, "{user}");
        let answer =
            rig.post_with("/import?strict=1", &headers, importable("B", "i-2").to_string()).await;
        assert_eq!(answer.status, 401);
        assert_eq!(
            (&answer.json()["code"], &answer.json()["status"]),
            (&json!(401), &json!("Unauthorized"))
        );
    }
    assert_eq!(rig.records("app", "event").await.len(), 2);
    // The text as it is, which Mixpanel takes as well.
    let headers = [("authorization", "Basic web-token:"), json_type];
    rig.post_with("/import?strict=1", &headers, importable("C", "i-3").to_string()).await;
    assert_eq!(rig.records("web", "event").await.len(), 1);
}

#[tokio::test]
async fn an_import_sent_as_a_form_is_answered_as_python_ruby_and_node_expect() {
    let rig = Rig::new().await;
    let headers = [
        ("authorization", &*basic("web-token", "")),
        ("content-type", "application/x-www-form-urlencoded"),
    ];
    let form =
        format!("data={}&verbose=1", BASE64.encode(importable("A", "i-1").to_string().as_bytes()));
    assert_eq!(rig.post_with("/import", &headers, form).await.json()["status"], 1);
    let form = format!("data={}", BASE64.encode(importable("A", "i-1").to_string().as_bytes()));
    assert_eq!(rig.post_with("/import", &headers, form).await.plain(), (200, "1"));
    let form = format!("data={}&verbose=1", BASE64.encode(b"{\"event\":\"A\",\"properties\":{}}"));
    assert_eq!(rig.post_with("/import", &headers, form).await.json()["status"], 0);
}

#[tokio::test]
async fn a_browser_may_send_from_any_page_and_see_when_to_come_again() {
    let rig = Rig::new().await;
    let preflight = Request::builder()
        .method(Method::OPTIONS)
        .uri("/track/")
        .header("origin", "https://shop.example")
        .header("access-control-request-headers", "content-type,x-custom")
        .body(Body::empty())
        .unwrap();
    let answer = rig.send(preflight).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example");
    assert_eq!(answer.header("access-control-allow-credentials"), "true");
    assert_eq!(answer.header("access-control-allow-headers"), "content-type,x-custom");

    let headers = [("origin", "https://shop.example"), ("content-type", "text/plain")];
    let answer = rig.post_with("/track/?verbose=1&ip=0", &headers, event("A").to_string()).await;
    assert_eq!(answer.header("access-control-allow-origin"), "https://shop.example");
    assert_eq!(answer.header("access-control-expose-headers"), "Retry-After");
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.header("cache-control"), "no-store");
    for path in ["/decide?token=web-token", "/flags", "/record", "/settings", "/"] {
        let answer = rig.post_with(path, &headers, "").await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("access-control-allow-origin")),
            (404, "https://shop.example")
        );
    }
    // Opting out is for applications and for pages of our own.
    let answer = rig.post_with("/opt_out", &headers, "").await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}
