//! Whatever the program prints and serves, and whatever Redis has.

use std::{fmt::Write as _, path::PathBuf};

use super::{Story, people::person};

impl Story {
    pub(super) async fn keep(&mut self, call: reqwest::RequestBuilder) {
        let answer = call.send().await.unwrap();
        writeln!(self.told, "{:?}", answer.headers()).unwrap();
        self.told += &answer.text().await.unwrap();
    }

    pub(super) async fn command(&mut self, args: &[&str], input: &str) {
        for args in [args.to_vec(), [args, &["--json"]].concat()] {
            let (code, out, err) = self.world.command_with(&args, input).await;
            assert!((0..=1).contains(&code), "{args:?}: {err}");
            self.told += &out;
            self.told += &err;
        }
    }

    /// Every command that looks, and every page.
    pub(super) async fn look(&mut self, ids: &[String]) {
        let all: Vec<String> = (0..20).map(person).collect();
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        for id in [0, 60, 200, ids.len() - 1].map(|n| ids[n].as_str()) {
            self.command(&["status", id], "").await;
            self.command(&["history", "--request", id], "").await;
            self.command(&["receipt", id], "").await;
            self.command(&["link", id], "").await;
            self.command(&["retry", id], "").await;
        }
        for id in &all {
            self.command(&["user", id], "").await;
            self.command(&["history", "--user", id], "").await;
        }
        let lists: [&[&str]; 9] = [
            &["check"],
            &["due"],
            &["health"],
            &["history"],
            &["refused"],
            &["retention"],
            &["checkpoint"],
            &["verify", "--ledger"],
            &["opt-out-link", all[4]],
        ];
        for args in lists {
            self.command(args, "").await;
        }
        self.command(&[&["tag"], &all[..]].concat(), "").await;
        self.command(&[&["consent"], &all[..]].concat(), "").await;
        self.command(&["status", "no-such-id"], "").await;
        for path in ["", "health", "metrics"] {
            let call = self.http.get(format!("{}/{path}", self.page));
            self.keep(call).await;
        }
    }

    /// All that Redis would hand over with its disks: both files, without compression, and the names of its keys.
    pub(super) async fn redis(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let world = &self.world;
        let _: String = world.ask(&["CONFIG", "SET", "rdbcompression", "no"]).await;
        let _: String = world.ask(&["BGREWRITEAOF"]).await;
        world
            .wait("a new append-only file", async || {
                let info: String = world.ask(&["INFO", "persistence"]).await;
                let idle = [
                    "aof_rewrite_in_progress:0",
                    "aof_rewrite_scheduled:0",
                    "aof_last_bgrewrite_status:ok",
                ];
                idle.iter().all(|line| info.contains(line)).then_some(())
            })
            .await;
        let _: String = world.ask(&["SAVE"]).await;
        let read = |file: PathBuf| {
            let content = std::fs::read(&file).unwrap();
            (file, content)
        };
        world.redis.files().into_iter().map(read).collect()
    }

    pub(super) async fn keys(&self) -> Vec<String> {
        let (mut cursor, mut keys) = ("0".to_owned(), Vec::new());
        loop {
            let (next, some): (String, Vec<String>) =
                self.world.ask(&["SCAN", &cursor, "COUNT", "1000"]).await;
            keys.extend(some);
            if next == "0" {
                return keys;
            }
            cursor = next;
        }
    }
}
