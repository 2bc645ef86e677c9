//! A way to a server that can be cut: connections then hang, as in a partition, or break.

use std::{net::SocketAddr, sync::Arc};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

/// What the way does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Everything passes.
    Open,
    /// Nothing passes and nobody is told: packets are lost.
    Lost,
    /// Connections are reset.
    Reset,
}

/// A proxy in this process.
pub(crate) struct Proxy {
    address: SocketAddr,
    way: Arc<watch::Sender<Way>>,
}

impl Proxy {
    /// A way to `target` (host and port).
    pub(crate) async fn to(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let way = Arc::new(watch::Sender::new(Way::Open));
        let state = Arc::clone(&way);
        tokio::spawn(async move {
            while let Ok((from, _)) = listener.accept().await {
                tokio::spawn(serve(from, target.clone(), state.subscribe()));
            }
        });
        Self { address, way }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }
}

async fn serve(from: TcpStream, target: String, mut way: watch::Receiver<Way>) {
    if way.wait_for(|way| *way != Way::Lost).await.is_err() || *way.borrow() == Way::Reset {
        return;
    }
    let Ok(to) = TcpStream::connect(target).await else { return };
    let ((from_read, from_write), (to_read, to_write)) = (from.into_split(), to.into_split());
    let mut reset = way.clone();
    tokio::select! {
        () = pass(from_read, to_write, way.clone()) => {}
        () = pass(to_read, from_write, way) => {}
        _ = reset.wait_for(|way| *way == Way::Reset) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut way: watch::Receiver<Way>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        if way.wait_for(|way| *way == Way::Open).await.is_err()
            || to.write_all(&buffer[..length]).await.is_err()
        {
            return;
        }
    }
}
