//! Processes of the real program.

use std::{
    collections::HashMap,
    path::Path,
    process::Stdio,
    sync::atomic::{AtomicU32, Ordering},
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
};

use super::Signal;

static STARTED: AtomicU32 = AtomicU32::new(0);

pub(crate) struct Worker {
    process: Child,
    log: std::path::PathBuf,
}

impl Worker {
    pub(super) async fn start(environment: &HashMap<String, String>, folder: &Path) -> Self {
        let number = STARTED.fetch_add(1, Ordering::Relaxed);
        let log = folder.join(format!("worker-{number}.log"));
        let process = program(environment, folder)
            .arg("run")
            .stderr(std::fs::File::create(&log).unwrap())
            .stdout(Stdio::null())
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let worker = Self { process, log };
        worker.until_logged("working").await;
        worker
    }

    /// Waits until the worker wrote a message.
    pub(crate) async fn until_logged(&self, message: &str) {
        let deadline = Instant::now() + super::PATIENCE;
        while !self.log().contains(message) {
            assert!(
                Instant::now() < deadline,
                "the worker never said {message:?}:\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().unwrap()
    }

    /// Waits until the worker has died by itself, at a failpoint.
    pub(crate) async fn until_dead(mut self) {
        let ended = tokio::time::timeout(super::PATIENCE, self.process.wait()).await;
        let status = ended.unwrap_or_else(|_| panic!("the worker lives on:\n{}", self.log()));
        assert!(!status.unwrap().success(), "the worker stopped in good order:\n{}", self.log());
    }

    /// SIGKILL: no chance to tidy up.
    pub(crate) async fn kill(mut self) {
        self.process.kill().await.unwrap();
    }

    /// SIGTERM; returns the exit code and how long the stop took.
    pub(crate) async fn stop(mut self) -> (Option<i32>, Duration) {
        let started = Instant::now();
        Signal::Terminate.send(self.pid());
        let ended = tokio::time::timeout(super::PATIENCE, self.process.wait()).await;
        (ended.expect("the worker did not stop").unwrap().code(), started.elapsed())
    }
}

pub(super) async fn output(
    environment: &HashMap<String, String>,
    folder: &Path,
    args: &[&str],
) -> Vec<u8> {
    let output = program(environment, folder).args(args).output().await.unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

pub(super) async fn command(
    environment: &HashMap<String, String>,
    folder: &Path,
    args: &[&str],
    input: Option<&str>,
) -> (i32, String, String) {
    let mut process = program(environment, folder)
        .args(args)
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    if let (Some(text), Some(mut stdin)) = (input, process.stdin.take()) {
        stdin.write_all(text.as_bytes()).await.unwrap();
    }
    let output = process.wait_with_output().await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

/// The program with nothing in its environment but what the story gives it.
fn program(environment: &HashMap<String, String>, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gdpr-worker"));
    command.env_clear().env("GDPR_LOG", "debug").envs(environment).current_dir(folder);
    command
}
