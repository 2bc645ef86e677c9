//! A story as a history that the checker can judge.

use std::fs;

use checker::{
    History, Verdict, collect,
    history::{Replay, Run},
};
use serde_json::{Value, json};

use super::{PEPPER, World};

/// A document that a producer has an acknowledgement for.
pub(crate) struct Asked {
    /// The request's id: the document's own, or the entry's.
    pub(crate) request: String,
    /// What XADD returned.
    pub(crate) entry: String,
    pub(crate) text: String,
    /// Whether it is to be rejected.
    pub(crate) refused: bool,
}

impl World {
    /// XADDs a document and keeps the acknowledgement.
    pub(crate) async fn ask_for(&self, document: &Value) -> Asked {
        let text = document.to_string();
        let entry = self.add_text(&text).await;
        let own = document["id"].as_str().map(str::to_owned);
        Asked { request: own.unwrap_or_else(|| entry.clone()), entry, text, refused: false }
    }

    /// XADDs what is no document.
    pub(crate) async fn ask_in_vain(&self, text: &str) -> Asked {
        let entry = self.add_text(text).await;
        Asked { request: entry.clone(), entry, text: text.to_owned(), refused: true }
    }

    /// Where the story stands: the moment before a replay.
    pub(crate) async fn mark(&self) -> Replay {
        let last: Vec<(String, Vec<String>)> =
            self.ask(&["XREVRANGE", "gdpr:{default}:ledger", "+", "-", "COUNT", "1"]).await;
        let kinds = "create-deletion create-retrieval poll-deletion poll-retrieval cancel export";
        let calls = self.emulator.calls(kinds).await;
        let call = calls.last().and_then(|call| call["seq"].as_u64());
        Replay { call: call.unwrap_or(0), event: last[0].0.clone() }
    }

    /// Collects the story and judges it. What is particular about it stands in `run`.
    pub(crate) async fn judge(&self, asked: &[Asked], kills: usize, run: Run) -> Verdict {
        let folder = self.folder().join("history");
        fs::create_dir(&folder).unwrap();
        let logs = fs::read_dir(self.folder()).unwrap().map(|entry| entry.unwrap().path());
        let logs = logs.filter(|path| path.extension().is_some_and(|ending| ending == "log"));
        let run = Run {
            pepper: PEPPER.to_owned(),
            archives: Some(self.archives().display().to_string()),
            canaries: vec!["emulator-oauth-token".to_owned()],
            searched: logs.map(|path| path.display().to_string()).collect(),
            ..run
        };
        let lines = asked.iter().map(|one| {
            let line = json!({ "request": one.request, "entry": one.entry, "document": one.text, "refused": one.refused });
            format!("{line}\n")
        });
        let put = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
        put("producers.jsonl", lines.collect());
        put("kills.jsonl", "{\"what\":\"worker\"}\n".repeat(kills));
        put("run.json", serde_json::to_string(&run).unwrap());
        collect::emulator(&self.emulator.url(), &folder).await.unwrap();
        collect::redis(&self.redis.url(), &folder).await.unwrap();
        checker::judge(&History::load(&folder).unwrap())
    }
}
