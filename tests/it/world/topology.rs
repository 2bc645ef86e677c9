//! Redis as more than one server, and Valkey: plain processes on this host.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use gdpr_worker::queue::Connector;

use super::process::{Server, and, durable, free_port};

const NAME: &str = "main";

/// A primary, two replicas, and three Sentinels that watch them.
pub(crate) struct Sentinels {
    pub(crate) servers: Vec<Server>,
    sentinels: Vec<Server>,
}

impl Sentinels {
    /// Starts them; returns when every server knows the others.
    pub(crate) async fn start(folder: &Path) -> Self {
        // A primary that nobody follows takes no writes: they would be lost with it.
        let careful = ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "2"];
        let careful = [&careful[..], &["--repl-diskless-sync-delay", "0"]].concat();
        let primary = Server::start("redis-server", folder.join("node-0"), |port| {
            and(durable(port), &careful)
        });
        let port = primary.port.to_string();
        let follower = |number: usize| {
            Server::start("redis-server", folder.join(format!("node-{number}")), |own| {
                and(and(durable(own), &careful), &["--replicaof", "127.0.0.1", &port])
            })
        };
        let servers = vec![primary, follower(1), follower(2)];
        let watch = |number: usize| {
            let folder = folder.join(format!("sentinel-{number}"));
            let file = folder.join("sentinel.conf");
            let primary = servers[0].port;
            Server::start("redis-server", folder, |own| {
                let settings = format!(
                    "port {own}\nbind 127.0.0.1\nsentinel monitor {NAME} 127.0.0.1 {primary} 2\n\
                     sentinel down-after-milliseconds {NAME} 2500\n\
                     sentinel failover-timeout {NAME} 4000\n"
                );
                std::fs::write(&file, settings).unwrap();
                vec![file.display().to_string(), "--sentinel".to_owned()]
            })
        };
        let sentinels = (0..3).map(watch).collect();
        let all = Self { servers, sentinels };
        all.until("connected_slaves:2", &all.servers[0]).await;
        for sentinel in &all.sentinels {
            all.until("slaves=2,sentinels=3", sentinel).await;
        }
        all
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<_> = self.sentinels.iter().map(Server::address).collect();
        format!("redis+sentinel://{}/{NAME}", hosts.join(","))
    }

    /// The number of the server that the Sentinels agree is the primary.
    pub(crate) async fn primary(&self) -> Option<usize> {
        let mut named = Vec::new();
        for sentinel in &self.sentinels {
            let client = redis::Client::open(sentinel.url()).unwrap();
            let mut connection = client.get_multiplexed_async_connection().await.unwrap();
            let mut ask = redis::cmd("SENTINEL");
            ask.arg("get-master-addr-by-name").arg(NAME);
            let (_, port): (String, u16) = ask.query_async(&mut connection).await.unwrap();
            named.push(port);
        }
        let same = named.iter().all(|port| *port == named[0]);
        self.servers.iter().position(|server| same && server.port == named[0])
    }

    /// The primary has failed or was cut off: waits until the Sentinels have agreed on another one.
    pub(crate) async fn until_another_than(&self, before: usize) -> usize {
        let mut now = before;
        wait("another primary", async || {
            now = self.primary().await.unwrap_or(before);
            now != before
        })
        .await;
        now
    }

    /// Waits until there is one primary and both others follow it with all that it has. Returns which one it is.
    pub(crate) async fn until_whole(&self) -> usize {
        let mut now = 0;
        wait("a primary with two replicas that have everything", async || {
            let Some(primary) = self.primary().await else { return false };
            now = primary;
            let Ok(info) = try_info(&self.servers[primary]).await else { return false };
            info.contains("role:master") && info.matches("state=online").count() == 2
        })
        .await;
        now
    }

    async fn until(&self, wanted: &str, server: &Server) {
        wait(&format!("{wanted} at {}", server.address()), async || {
            info(server).await.contains(wanted)
        })
        .await;
    }
}

/// Three primaries, a third of the slots each.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
}

impl Cluster {
    pub(crate) async fn start(folder: &Path) -> Self {
        let node = |number: usize| {
            Server::start("redis-server", folder.join(format!("node-{number}")), |port| {
                // The bus has a port of its own, which must be free and a port.
                let bus = free_port().to_string();
                and(durable(port), &["--cluster-enabled", "yes", "--cluster-port", &bus])
            })
        };
        let all = Self { servers: (0..3).map(node).collect() };
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(all.servers.iter().map(Server::address))
            .arg("--cluster-yes")
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        all.until_whole().await;
        all
    }

    /// Waits until every server knows the others and takes commands.
    pub(crate) async fn until_whole(&self) {
        for server in &self.servers {
            wait("a whole cluster", async || {
                let client = redis::Client::open(server.url()).unwrap();
                let mut connection = client.get_multiplexed_async_connection().await.unwrap();
                let mut ask = redis::cmd("CLUSTER");
                let state: String = ask.arg("INFO").query_async(&mut connection).await.unwrap();
                state.contains("cluster_state:ok") && state.contains("cluster_known_nodes:3")
            })
            .await;
        }
    }

    /// The number of the server that has a project's keys.
    pub(crate) async fn holder(&self, project: &str) -> usize {
        let connector = Connector::new(&self.url()).unwrap();
        let connector = connector.towards(&format!("gdpr:{{{project}}}:ledger"));
        let mut connection = connector.connect().await.unwrap();
        let mut ask = redis::cmd("CONFIG");
        let (_, port): (String, u16) =
            ask.arg("GET").arg("port").query_async(&mut connection).await.unwrap();
        self.servers.iter().position(|server| server.port == port).unwrap()
    }

    /// One server is enough to find the others.
    pub(crate) fn url(&self) -> String {
        format!("redis+cluster://{}", self.servers[0].address())
    }
}

/// A Valkey, which can be asked to wait for the disk, that syncs as `appendfsync` says.
pub(crate) fn valkey(folder: &Path, appendfsync: &str) -> Server {
    Server::start(valkey_server(), folder.join("valkey"), |port| {
        and(durable(port), &["--appendfsync", appendfsync])
    })
}

/// A replica of it, with a file of its own.
pub(crate) fn replica(folder: &Path, of: &Server) -> Server {
    let port = of.port.to_string();
    Server::start(valkey_server(), folder.join("replica"), |own| {
        and(durable(own), &["--replicaof", "127.0.0.1", &port])
    })
}

/// The program, from the distribution's packages if it is not installed.
fn valkey_server() -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let installed = Command::new(root.join("scripts/install-valkey")).output().unwrap();
    assert!(installed.status.success(), "{}", String::from_utf8_lossy(&installed.stderr));
    String::from_utf8(installed.stdout).unwrap().trim().into()
}

async fn info(server: &Server) -> String {
    try_info(server).await.unwrap()
}

async fn try_info(server: &Server) -> redis::RedisResult<String> {
    let client = redis::Client::open(server.url())?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    redis::cmd("INFO").query_async(&mut connection).await
}

async fn wait(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let look = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let found = tokio::time::timeout(super::PATIENCE, look).await;
    found.unwrap_or_else(|_| panic!("waited in vain for {what}"));
}
