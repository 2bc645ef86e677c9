//! Requests of every kind, events and profiles by every way in, and a Mixpanel at its worst.

use serde_json::{Value, json};

use super::{
    Story,
    people::{APPLICATION_KEY, PEOPLE, core, people, person},
};
use crate::world::{document, event};

impl Story {
    /// Mixpanel at its worst: it quotes people in its refusals.
    pub(super) async fn misfortunes(&self) {
        let bad: Vec<String> = people(&[7]).take(3).collect();
        let in_conflict: Vec<String> = people(&[1]).take(5).collect();
        let quoted = json!({ "error": person(1), "ids": [person(2), person(3)] }).to_string();
        let rules = json!([
            { "match": "create", "fault": "bad-ids", "ids": bad, "name_ids": true },
            { "match": "create-deletion", "fault": "conflict", "ids": in_conflict, "task": "9", "times": 1 },
            { "match": "create", "fault": "status", "status": 500, "body": quoted, "times": 2 },
            { "match": "poll", "fault": "status", "status": 502, "body": quoted, "times": 2 },
            { "match": "create-deletion", "fault": "act-then-close", "times": 1 },
            { "match": "poll", "fault": "garbage", "times": 2 },
            { "match": "export", "fault": "ambiguous", "count": 3 },
            { "match": "export", "fault": "stray", "count": 3 },
            { "match": "export", "fault": "cut", "bytes": 5_000, "times": 1 },
            { "match": "ingest", "fault": "bad-records", "ids": people(&[9]).collect::<Vec<_>>() },
            { "match": "ingest", "fault": "status", "status": 400, "body": quoted, "times": 1 },
            { "match": "ingest", "fault": "status", "status": 503, "body": quoted, "times": 1 },
        ]);
        self.world.emulator.fault(rules).await;
    }

    /// Requests of every kind; returns those that must come to an end.
    pub(super) async fn ask(&self) -> Vec<String> {
        let world = &self.world;
        let each = |kind: &'static str, groups: &[usize]| {
            let all: Vec<String> = people(groups).collect();
            all.into_iter().map(move |id| document(kind, &[&id]))
        };
        let mut ids = world.add_many(each("retrieval", &[0, 7])).await;
        ids.extend(world.add_many(each("deletion", &[1, 2, 7])).await);
        ids.extend(world.add_many(each("opt_out", &[3, 4])).await);
        ids.extend(world.add_many(each("opt_in", &[4])).await);
        // All ids of a household in one request; a copy of it is merged.
        let several: Vec<String> = people(&[5]).collect();
        let household =
            several.chunks(5).map(|ids| json!({ "kind": "deletion", "distinct_ids": ids }));
        let household: Vec<Value> = household.collect();
        ids.extend(world.add_many(household.iter().chain(&household).cloned()).await);
        // Taken back in time, or not.
        let deletions = world.add_many(each("deletion", &[6])).await;
        let back = deletions.iter().map(|id| json!({ "kind": "cancellation", "request_id": id }));
        ids.extend(world.add_many(back.collect::<Vec<_>>()).await);
        ids.extend(deletions);
        // What no request is.
        let mut texts = Vec::new();
        for (number, id) in people(&[8]).enumerate() {
            texts.push(match number % 6 {
                0 => json!({ "kind": id, "distinct_ids": [id] }).to_string(),
                1 => json!({ "kind": "deletion", "distinct_ids": id }).to_string(),
                2 => json!({ "kind": "deletion", "distinct_ids": [id], "received_at": id })
                    .to_string(),
                3 => json!({ "kind": "deletion", "distinct_ids": [id], &id: 1 }).to_string(),
                4 => json!({ "kind": "deletion", "distinct_ids": [id], "id": id }).to_string(),
                _ => id,
            });
        }
        for text in texts {
            ids.push(world.add_text(&text).await);
        }
        let stream = "gdpr:{default}:requests";
        let id = person(8);
        let signed = json!({ "kind": "deletion", "distinct_ids": [id] }).to_string();
        ids.push(
            world
                .ask(&["XADD", stream, "*", "request", &signed, "key", &id, "signature", &id])
                .await,
        );
        ids.push(world.ask(&["XADD", stream, "*", &id, &id]).await);
        ids
    }

    /// Events and profiles of everybody: by the stream, by a file and by the door.
    pub(super) async fn send(&mut self) {
        let everybody: Vec<String> = (0..PEOPLE).map(person).collect();
        for some in everybody.chunks(100) {
            let of = |id: &String| {
                let mut event = event(id, "Bought");
                event["properties"]["mail"] = json!(id);
                event["properties"]["secret"] = json!(id);
                event
            };
            self.world.put_event(&some.iter().map(of).collect()).await;
            let of = |id: &String| json!({ "$distinct_id": id, "$set": { "mail": id } });
            self.world.put_profile(&some.iter().map(of).collect()).await;
        }
        for (number, id) in people(&[10]).enumerate() {
            match number % 4 {
                0 => self.world.put("event", &id).await,
                1 => self.world.put(&id, "{}").await,
                2 => self.world.put_event(&json!({ "event": { id: 1 } })).await,
                _ => self
                    .world
                    .put_event(
                        &json!({ "event": "Old", "properties": { "distinct_id": id, "time": 5 } }),
                    )
                    .await,
            };
        }
        let token = "emulator-project-token";
        let tracked: Value = people(&[11])
            .map(|id| json!({ "event": "Seen", "properties": { "distinct_id": id, "token": token } }))
            .collect();
        let data = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("data", &data_encoding::BASE64.encode(tracked.to_string().as_bytes()))
            .finish();
        let id = person(12);
        let calls = [
            self.http.post(format!("{}/track?verbose=1", self.door)).body(data),
            self.http.post(format!("{}/track?verbose=1", self.door)).body(id.clone()),
            self.http
                .post(format!("{}/engage?verbose=1", self.door))
                .json(&json!([{ "$token": id, "$distinct_id": id }])),
            self.http
                .get(format!("{}/track", self.door))
                .query(&[("data", &id), ("verbose", &"1".to_owned())]),
            self.http
                .post(format!("{}/opt_out", self.door))
                .bearer_auth(&id)
                .json(&json!({ "distinct_ids": [id] })),
            self.http
                .post(format!("{}/opt_out", self.door))
                .bearer_auth(APPLICATION_KEY)
                .json(&json!({ "distinct_ids": [id] })),
            self.http
                .post(format!("{}/opt_out", self.door))
                .bearer_auth(APPLICATION_KEY)
                .json(&json!({ "distinct_ids": id, &id: id })),
            self.http.get(format!("{}/{}", self.door, core(12))),
        ];
        for call in calls {
            self.keep(call).await;
        }
        let lines = people(&[13]).map(|id| event(&id, "Read").to_string()).chain(people(&[14]));
        self.command(&["events", "-"], &lines.collect::<Vec<_>>().join("\n")).await;
        let rows = people(&[15]).enumerate().map(|(number, id)| {
            let id = format!("\"{}\"", id.replace('"', "\"\""));
            if number % 2 == 0 { format!("deletion,{id},") } else { format!("{id},{id},{id}") }
        });
        let rows = format!("kind,distinct_ids,id\n{}", rows.collect::<Vec<_>>().join("\n"));
        self.command(&["enqueue", "--csv", "-"], &rows).await;
    }
}
