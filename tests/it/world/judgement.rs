//! A story as a history that the checker can judge.

use std::{fs, path::Path};

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
        Replay { call: self.emulator.last_call(0).await, event: last[0].0.clone() }
    }

    /// Collects the story and judges it. What is particular about it stands in `run`.
    pub(crate) async fn judge(&self, asked: &[Asked], kills: usize, run: Run) -> Verdict {
        let folder = self.folder().join("history");
        fs::create_dir(&folder).unwrap();
        let run = Run {
            pepper: PEPPER.to_owned(),
            archives: Some(self.archives().display().to_string()),
            canaries: vec!["emulator-oauth-token".to_owned()],
            searched: self.log_files().iter().map(|path| path.display().to_string()).collect(),
            ..run
        };
        let lines = asked.iter().map(|one| {
            let line = json!({ "request": one.request, "entry": one.entry, "document": one.text, "refused": one.refused });
            format!("{line}\n")
        });
        let put = |name: &str, text: String| fs::write(folder.join(name), text).unwrap();
        put("producers.jsonl", lines.collect());
        put("kills.jsonl", "{\"what\":\"worker\"}\n".repeat(kills));
        self.judge_history(&folder, &run, &self.redis.url()).await
    }

    /// Collects into a folder what is not there yet, from the one server of Redis at `redis`, and has it judged.
    pub(crate) async fn judge_history(&self, folder: &Path, run: &Run, redis: &str) -> Verdict {
        fs::write(folder.join("run.json"), serde_json::to_vec(run).unwrap()).unwrap();
        collect::emulator(&self.emulator.url(), folder).await.unwrap();
        collect::redis(redis, folder).await.unwrap();
        checker::judge(&History::load(folder).unwrap())
    }

    /// What a killed worker was delivering may arrive until its time is over.
    pub(crate) async fn until_wire_is_empty(&self) {
        self.wait("an empty wire", async || {
            let (seconds, _): (u64, u64) = self.ask(&["TIME"]).await;
            let from = (seconds * 1000).to_string();
            let on_it: u64 = self.ask(&["ZCOUNT", "gdpr:{default}:wire", &from, "+inf"]).await;
            (on_it == 0).then_some(())
        })
        .await;
    }
}
