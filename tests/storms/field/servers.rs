//! The Redis of a field: the one server of its world, or more of them.

use crate::world::{Cluster, Sentinels, Server, World, valkey};

/// What is to be started.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Topology {
    /// One server.
    One,
    /// A primary with two replicas that three Sentinels watch.
    Sentinels,
    /// Three primaries.
    Cluster,
    /// One Valkey, which syncs every second and is waited for.
    Valkey,
}

/// What was started.
pub(crate) enum Servers {
    World,
    Sentinels(Sentinels),
    Cluster(Cluster),
    Valkey(Server),
}

impl Servers {
    /// Starts them, and has the world use them.
    pub(super) async fn start(topology: Topology, world: &mut World) -> Self {
        let folder = world.folder().join("set");
        let servers = match topology {
            Topology::One => return Self::World,
            Topology::Sentinels => Self::Sentinels(Sentinels::start(&folder).await),
            Topology::Cluster => Self::Cluster(Cluster::start(&folder).await),
            Topology::Valkey => Self::Valkey(valkey(&folder, "everysec")),
        };
        world.use_redis(&servers.url(world)).await;
        servers
    }

    /// What clients are told.
    pub(super) fn url(&self, world: &World) -> String {
        match self {
            Self::World => world.redis.url(),
            Self::Sentinels(set) => set.url(),
            Self::Cluster(cluster) => cluster.url(),
            Self::Valkey(server) => server.url(),
        }
    }

    /// The server that has what the project has.
    pub(super) async fn holder(&self, world: &World) -> String {
        match self {
            Self::World | Self::Valkey(_) => self.url(world),
            Self::Sentinels(set) => set.servers[set.until_whole().await].url(),
            Self::Cluster(cluster) => cluster.servers[cluster.holder("default").await].url(),
        }
    }

    /// Every server.
    pub(super) fn all(&self, world: &World) -> Vec<String> {
        match self {
            Self::World | Self::Valkey(_) => vec![self.url(world)],
            Self::Sentinels(Sentinels { servers, .. }) | Self::Cluster(Cluster { servers }) => {
                servers.iter().map(Server::url).collect()
            }
        }
    }

    /// The folder of the world in which they keep their files.
    pub(super) const fn folder(&self) -> &'static str {
        match self {
            Self::World => "redis",
            Self::Sentinels(_) | Self::Cluster(_) | Self::Valkey(_) => "set",
        }
    }

    /// The servers and their Sentinels, of a field that has such.
    pub(crate) fn sentinels(&mut self) -> &mut Sentinels {
        match self {
            Self::Sentinels(set) => set,
            _ => panic!("this field has no Sentinels"),
        }
    }

    /// The Cluster of a field that has one.
    pub(crate) fn cluster(&mut self) -> &mut Cluster {
        match self {
            Self::Cluster(cluster) => cluster,
            _ => panic!("this field has no Cluster"),
        }
    }

    /// The Valkey of a field that has one.
    pub(crate) fn valkey(&mut self) -> &mut Server {
        match self {
            Self::Valkey(server) => server,
            _ => panic!("this field has no Valkey"),
        }
    }
}
