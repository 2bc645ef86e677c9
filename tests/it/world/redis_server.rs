//! A real Redis of the story's own, durable, that can be killed and started again on the same data.

use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use redis::aio::MultiplexedConnection;

use super::{
    files::files,
    process::{Server, and, durable},
};

pub(crate) struct RedisServer {
    server: Server,
    folder: PathBuf,
}

impl RedisServer {
    /// Starts a server with these further arguments.
    pub(crate) fn start(folder: &Path, more: &[&str]) -> Self {
        let folder = folder.join("redis");
        let arguments = |port| and(durable(port), more);
        let server = Server::start("redis-server", folder.clone(), arguments);
        Self { server, folder }
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Connects; waits while the server starts or loads its data.
    pub(crate) async fn connect(&self) -> MultiplexedConnection {
        let client = redis::Client::open(self.url()).unwrap();
        let config =
            redis::AsyncConnectionConfig::new().set_response_timeout(Some(Duration::from_secs(30)));
        let deadline = Instant::now() + super::PATIENCE;
        loop {
            if let Ok(mut connection) =
                client.get_multiplexed_async_connection_with_config(&config).await
                && redis::cmd("PING").query_async::<String>(&mut connection).await.is_ok()
            {
                return connection;
            }
            assert!(Instant::now() < deadline, "redis-server does not answer at {}", self.url());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills the server as a power cut to its process would, without a word.
    pub(crate) fn kill(&mut self) {
        self.server.kill();
    }

    /// Starts it again on the same port and data.
    pub(crate) fn restart(&mut self) {
        self.server.restart(&[]);
    }

    /// The same, set up otherwise.
    pub(crate) fn restart_with(&mut self, more: &[&str]) {
        self.server.restart(more);
    }

    /// Everything that Redis has on disk.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        files(&self.folder).into_iter().map(|file| self.folder.join(file)).collect()
    }
}
