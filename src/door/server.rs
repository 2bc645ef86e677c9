//! Connections: how many, and how long one may be without a word.

use std::{future::Future, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::JoinSet,
};
use tower::ServiceExt as _;

use super::intake::Peer;

/// Most connections at once; further ones wait in the system's queue.
const CONNECTIONS: usize = 1024;
/// A connection on which no whole head of a call arrives for this long is closed. Longer than the idle time-out of the
/// usual load balancers (60 s), so that they close first and never send into a closed connection.
const HEAD_WITHIN: Duration = Duration::from_secs(75);
/// How long calls that are being answered may still take once we stop.
const GRACE: Duration = Duration::from_secs(10);
/// Out of descriptors, most likely: some will be free again soon.
const ACCEPT_AGAIN: Duration = Duration::from_millis(50);

/// Answers connections with `router` until `stop`, then lets calls under way end.
pub(super) async fn serve(listener: TcpListener, router: Router, stop: impl Future<Output = ()>) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    let mut stop = std::pin::pin!(stop);
    loop {
        let accepted = async {
            let place = Arc::clone(&room).acquire_owned().await;
            (place, listener.accept().await)
        };
        tokio::select! {
            () = stop.as_mut() => break,
            (place, accepted) = accepted => match accepted {
                Ok((stream, peer)) => {
                    let connection = converse(stream, Peer(peer.ip()), router.clone(), stopped.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(place);
                    });
                }
                Err(error) => {
                    tracing::debug!(%error, "a connection could not be accepted");
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let _ = stopping.send(true);
    let all = async { while connections.join_next().await.is_some() {} };
    let _ = tokio::time::timeout(GRACE, all).await;
}

async fn converse(
    stream: TcpStream,
    peer: Peer,
    router: Router,
    mut stopped: watch::Receiver<bool>,
) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: Request<Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(peer);
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_WITHIN)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = std::pin::pin!(connection);
    // How a client ends its connection is its own affair.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopped.wait_for(|stopped| *stopped) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
