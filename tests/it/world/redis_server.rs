//! A real Redis of the story's own, durable, that can be killed and started again on the same data.

use std::{
    fs::File,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command},
    time::{Duration, Instant},
};

use redis::aio::MultiplexedConnection;

pub(crate) struct RedisServer {
    port: u16,
    more: &'static [&'static str],
    folder: PathBuf,
    process: Child,
}

impl RedisServer {
    /// Starts a server with these further arguments.
    pub(crate) fn start(folder: &Path, more: &'static [&'static str]) -> Self {
        let folder = folder.join("redis");
        std::fs::create_dir(&folder).unwrap();
        // Another story may take the port between its choice and its use: then this server ends at once.
        loop {
            let port = free_port();
            let mut process = spawn(port, &folder, more);
            if is_up(&mut process, &folder) {
                return Self { port, more, folder, process };
            }
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
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
            assert!(
                Instant::now() < deadline,
                "redis-server does not answer on port {}",
                self.port
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Kills the server as a power cut to its process would, without a word.
    pub(crate) fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    /// Starts it again on the same port and data.
    pub(crate) fn restart(&mut self) {
        self.process = spawn(self.port, &self.folder, self.more);
    }

    /// The same, set up otherwise.
    pub(crate) fn restart_with(&mut self, more: &'static [&'static str]) {
        self.more = more;
        self.restart();
    }

    /// Everything that Redis has on disk.
    pub(crate) fn files(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        let mut folders = vec![self.folder.clone()];
        while let Some(folder) = folders.pop() {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { files.push(path) }
            }
        }
        files
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn spawn(port: u16, folder: &Path, more: &[&str]) -> Child {
    Command::new("redis-server")
        .args(["--bind", "127.0.0.1", "--save", "", "--appendonly", "yes", "--appendfsync", "always"])
        .args(["--maxmemory-policy", "noeviction", "--port", &port.to_string()])
        .arg("--dir")
        .arg(folder)
        .args(more)
        .stdout(File::create(folder.join("redis.log")).unwrap())
        .spawn()
        .expect("redis-server could not be started: scripts/test installs it; by hand: apt-get install redis-server")
}

/// Waits until the server says that it is ready (true) or has ended (false).
fn is_up(process: &mut Child, folder: &Path) -> bool {
    let deadline = Instant::now() + super::PATIENCE;
    loop {
        let log = std::fs::read_to_string(folder.join("redis.log")).unwrap();
        if log.contains("Ready to accept connections") {
            return true;
        }
        if process.try_wait().unwrap().is_some() {
            return false;
        }
        assert!(Instant::now() < deadline, "redis-server does not start:\n{log}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
