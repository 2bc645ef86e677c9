//! Events: how producers put them on the queue, and what of them Mixpanel got.

use std::collections::HashMap;

use gdpr_jobs::{DistinctId, Pepper};
use serde_json::{Value, json};

use super::{PEPPER, World};

/// An event of a person, of some time in 2026.
pub(crate) fn event(person: &str, name: &str) -> Value {
    json!({ "event": name, "properties": { "distinct_id": person, "time": 1_790_000_000 } })
}

/// The tag of a person in the project of the stories.
pub(crate) fn tag(person: &str) -> String {
    let pepper = Pepper::new(PEPPER.to_owned().into()).unwrap();
    pepper.tag(&"default".parse().unwrap(), &DistinctId::new(person)).to_string()
}

impl World {
    /// XADDs an entry of one field; returns its id.
    pub(crate) async fn put(&self, field: &str, text: &str) -> String {
        self.ask(&["XADD", "gdpr:{default}:events", "*", field, text]).await
    }

    pub(crate) async fn put_event(&self, event: &Value) -> String {
        self.put("event", &event.to_string()).await
    }

    pub(crate) async fn put_profile(&self, profile: &Value) -> String {
        self.put("profile", &profile.to_string()).await
    }

    /// Waits until nothing is left on the event stream.
    pub(crate) async fn until_queue_is_empty(&self) {
        self.wait("an empty queue of events", async || {
            let left: u64 = self.ask(&["XLEN", "gdpr:{default}:events"]).await;
            (left == 0).then_some(())
        })
        .await;
    }

    /// Waits until a delivery is on its way.
    pub(crate) async fn until_a_parcel_is_on_the_wire(&self) {
        self.wait("the wire", async || {
            (self.ask::<u64>(&["ZCARD", "gdpr:{default}:wire"]).await == 1).then_some(())
        })
        .await;
    }

    /// The events of a name that reached Mixpanel, repeats included, in the order of their arrival.
    pub(crate) async fn records(&self, event: &str) -> Vec<Value> {
        let all = self.emulator.records().await.into_iter().map(|arrival| arrival.record);
        all.filter(|record| record["event"] == event).collect()
    }

    /// The operations on a profile that reached Mixpanel, in the order of their arrival.
    pub(crate) async fn profiles(&self, person: &str) -> Vec<Value> {
        let all = self.emulator.records().await.into_iter().map(|arrival| arrival.record);
        all.filter(|record| record["$distinct_id"] == person).collect()
    }

    /// The deletions of profiles that reached Mixpanel.
    pub(crate) async fn deletions(&self) -> Vec<Value> {
        let all = self.emulator.records().await.into_iter().map(|arrival| arrival.record);
        all.filter(|record| record.get("$delete").is_some()).collect()
    }

    /// Waits until so many events of a name reached Mixpanel.
    pub(crate) async fn until_records(&self, event: &str, count: usize) {
        self.wait(&format!("{count} events {event}"), async || {
            (self.records(event).await.len() >= count).then_some(())
        })
        .await;
    }

    /// Waits until so many records of any kind reached Mixpanel.
    pub(crate) async fn until_delivered(&self, count: usize) {
        self.wait(&format!("{count} records"), async || {
            (self.emulator.records().await.len() >= count).then_some(())
        })
        .await;
    }

    /// What the filter counted.
    pub(crate) async fn filter(&self) -> HashMap<String, i64> {
        self.ask(&["HGETALL", "gdpr:{default}:filter"]).await
    }

    /// What was set aside.
    pub(crate) async fn refused(&self) -> Vec<HashMap<String, String>> {
        let command = ["XRANGE", "gdpr:{default}:events:refused", "-", "+"];
        let entries: Vec<(String, HashMap<String, Vec<u8>>)> = self.ask(&command).await;
        let readable =
            |(name, value): (String, Vec<u8>)| (name, String::from_utf8_lossy(&value).into_owned());
        entries.into_iter().map(|(_, fields)| fields.into_iter().map(readable).collect()).collect()
    }

    /// All that Redis holds, uncompressed, as a backup would have it.
    pub(crate) async fn dump(&self) -> Vec<u8> {
        let _: String = self.ask(&["CONFIG", "SET", "rdbcompression", "no"]).await;
        let _: String = self.ask(&["SAVE"]).await;
        let files = self.redis.files();
        std::fs::read(files.iter().find(|file| file.ends_with("dump.rdb")).unwrap()).unwrap()
    }
}
