//! A Redis of the test's own: temporary directory, Unix socket (no port that another test could take), append-only
//! file. It can be killed and started again on the same socket and data, and dies with the test.

use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use redis::aio::MultiplexedConnection;
use tempfile::TempDir;

use crate::queue::Connector;

const START_TIMEOUT: Duration = Duration::from_secs(20);

pub(super) struct RedisServer {
    data: TempDir,
    process: Child,
}

impl RedisServer {
    pub(super) async fn start() -> Self {
        let data = TempDir::new().unwrap();
        let process = launch(&data);
        let server = Self { data, process };
        server.answers().await;
        server
    }

    pub(super) fn connector(&self) -> Connector {
        Connector::new(&format!("unix://{}", socket(&self.data).display())).unwrap()
    }

    pub(super) async fn connection(&self) -> MultiplexedConnection {
        self.connector().connect().await.unwrap()
    }

    /// SIGKILL: nothing is saved that was not saved before.
    pub(super) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    pub(super) async fn restart(&mut self) {
        self.process = launch(&self.data);
        self.answers().await;
    }

    async fn answers(&self) {
        let deadline = Instant::now() + START_TIMEOUT;
        loop {
            if let Ok(mut connection) = self.connector().connect().await {
                let pong = redis::cmd("PING").exec_async(&mut connection).await;
                if pong.is_ok() {
                    return;
                }
            }
            assert!(Instant::now() < deadline, "redis-server did not answer in {START_TIMEOUT:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn socket(data: &TempDir) -> PathBuf {
    data.path().join("redis.sock")
}

fn launch(data: &TempDir) -> Child {
    Command::new("redis-server")
        .args(["--port", "0", "--appendonly", "yes", "--unixsocket"])
        .arg(socket(data))
        .args(["--save", "", "--enable-debug-command", "yes", "--dir"])
        .arg(data.path())
        .stdout(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| {
            panic!(
                "these tests need redis-server 7 or later on the PATH, and starting it failed \
                 ({error}). Install it: `apt-get install redis-server` or `brew install redis`"
            )
        })
}
