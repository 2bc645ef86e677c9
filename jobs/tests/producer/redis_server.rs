//! A Redis of the test's own: on a Unix socket in a temporary folder, gone when dropped.

use std::{process::Stdio, time::Duration};

use redis::{AsyncConnectionConfig, Client, aio::MultiplexedConnection};
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

const DEADLINE: Duration = Duration::from_secs(30);

pub(crate) struct RedisServer {
    process: Child,
    folder: TempDir,
}

impl RedisServer {
    pub(crate) async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// Starts Redis with further options and waits until it says that it is ready.
    pub(crate) async fn start_with(options: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut process = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--logfile", "", "--unixsocket"])
            .arg(folder.path().join("redis.sock"))
            .arg("--dir")
            .arg(folder.path())
            .args(options)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|e| {
                panic!("redis-server did not start ({e}): install Redis 7, e.g. apt install redis-server")
            });
        let mut log = BufReader::new(process.stdout.take().unwrap()).lines();
        let ready = async {
            while let Some(line) = log.next_line().await.unwrap() {
                if line.to_ascii_lowercase().contains("ready to accept connections") {
                    return;
                }
            }
            panic!("redis-server ended before it was ready: run it by hand to see why");
        };
        timeout(DEADLINE, ready).await.unwrap();
        // The pipe stays open, or the next line of the log would end the server.
        tokio::spawn(async move { while let Ok(Some(_)) = log.next_line().await {} });
        Self { process, folder }
    }

    pub(crate) async fn connect(&self) -> MultiplexedConnection {
        self.connect_with_timeout(DEADLINE).await
    }

    pub(crate) async fn connect_with_timeout(&self, answer: Duration) -> MultiplexedConnection {
        self.open("", answer).await
    }

    /// Connects as `user`, whose password is `secret`.
    pub(crate) async fn connect_as(&self, user: &str) -> MultiplexedConnection {
        self.open(&format!("?user={user}&pass=secret"), DEADLINE).await
    }

    async fn open(&self, query: &str, answer: Duration) -> MultiplexedConnection {
        let socket = self.folder.path().join("redis.sock");
        let client = Client::open(format!("redis+unix://{}{query}", socket.display())).unwrap();
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(DEADLINE))
            .set_response_timeout(Some(answer));
        client.get_multiplexed_async_connection_with_config(&config).await.unwrap()
    }

    pub(crate) async fn stop(mut self) {
        self.process.kill().await.unwrap();
    }
}
