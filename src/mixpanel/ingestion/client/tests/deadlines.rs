//! Not one byte leaves after the deadline, whatever the server, the network and the scheduler do.

use std::{
    io::{ErrorKind, Read, Write},
    net::{SocketAddr, TcpListener},
    sync::mpsc,
    thread,
};

use tokio::sync::oneshot;

use super::*;

/// Enough that no pair of socket buffers takes all of it at once when the receiver's is small.
const LARGE: usize = MAX_PARCEL_BYTES - 100;

/// A profile update that fills a parcel; `/engage` is not gzipped, so its length is what travels.
fn large() -> Parcel {
    let records = [LARGE / 2, LARGE / 2]
        .map(|length| format!("{{\"$set\":{{\"a\":\"{}\"}}}}", "x".repeat(length - 40)));
    parcel(Channel::Engage, records)
}

/// A listener whose connections take little before they are read from.
fn narrow() -> (TcpListener, String) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(8 * 1024).unwrap();
    socket.bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let listener = socket.listen(8).unwrap().into_std().unwrap();
    listener.set_nonblocking(false).unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    (listener, base)
}

fn is_stopped(delivery: &Delivery) -> bool {
    let why = Outage::Timeout;
    *delivery == Delivery::Unavailable { why, sent: true }
}

#[tokio::test]
async fn after_the_deadline_no_connection_is_made() {
    let (listener, base) = narrow();
    listener.set_nonblocking(true).unwrap();
    let client = client(&base);
    assert_eq!(client.send(&large(), Instant::now()).await, Delivery::Late);
    assert_eq!(listener.accept().unwrap_err().kind(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_host_that_is_not_there_got_nothing() {
    let delivery = client("http://127.0.0.1:1").send(&large(), soon()).await;
    assert_eq!(delivery, Delivery::Unavailable { why: Outage::Unreachable, sent: false });
}

/// The server reads on only after the deadline: the request must not be whole then.
#[tokio::test]
async fn a_request_that_is_under_way_ends_at_the_deadline() {
    let (listener, base) = narrow();
    let (ended, go) = mpsc::channel::<()>();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut first = [0; 100];
        stream.read_exact(&mut first).unwrap();
        go.recv().unwrap();
        // Thrown away, what was still on its way: an error rather than an end.
        let mut rest = Vec::new();
        (stream.read_to_end(&mut rest).is_err(), rest.len())
    });
    let deadline = Instant::now() + Duration::from_secs(1);
    let delivery = client(&base).send(&large(), deadline).await;
    assert!(Instant::now() >= deadline && is_stopped(&delivery), "{delivery:?}");
    ended.send(()).unwrap();
    let (reset, remainder) = server.join().unwrap();
    assert!(reset && remainder < LARGE, "reset: {reset}, {remainder} bytes after the deadline");
}

/// The whole process stands still in the middle of a body, while the server makes room. When it wakes up, the
/// socket can be written to and the timer has fired: whoever is first, nothing may leave.
#[tokio::test]
async fn a_process_that_stood_still_sends_nothing_when_it_wakes_up() {
    let (listener, base) = narrow();
    let (signal_begun, has_begun) = oneshot::channel::<()>();
    let (stopped, is_stopped_now) = mpsc::channel::<()>();
    let (drained, is_drained) = mpsc::channel::<usize>();
    let (woken, is_woken) = mpsc::channel::<()>();
    let deadline = Instant::now() + Duration::from_secs(2);
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 100]).unwrap();
        signal_begun.send(()).unwrap();
        is_stopped_now.recv().unwrap();
        while Instant::now() < deadline {
            thread::sleep(Duration::from_millis(10));
        }
        // All that the system holds, until it has nothing more.
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        let (mut before, mut piece) = (100, vec![0; 1 << 16]);
        while let Ok(count @ 1..) = stream.read(&mut piece) {
            before += count;
        }
        drained.send(before).unwrap();
        is_woken.recv().unwrap();
        let mut after = Vec::new();
        let _ = stream.read_to_end(&mut after);
        after.len()
    });
    let (client, parcel) = (client(&base), large());
    let send = client.send(&parcel, deadline);
    tokio::pin!(send);
    tokio::select! {
        delivery = &mut send => panic!("over before it signal_begun: {delivery:?}"),
        begun = has_begun => begun.unwrap(),
    }
    stopped.send(()).unwrap();
    // This thread runs all that is ours: nothing is polled meanwhile.
    let before = is_drained.recv().unwrap();
    assert!(before < LARGE, "the system took all of it: {before} bytes");
    let delivery = send.await;
    woken.send(()).unwrap();
    assert_eq!(server.join().unwrap(), 0, "bytes after {before} that left in time");
    assert!(is_stopped(&delivery), "{delivery:?}");
}

/// A kept connection serves a later call with a later deadline, not with its first one.
#[tokio::test]
async fn each_call_on_a_connection_has_its_own_deadline() {
    let (listener, base) = narrow();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        for _ in 0..2 {
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            while !request.ends_with(b"[{}]") {
                let count = stream.read(&mut piece).unwrap();
                request.extend_from_slice(&piece[..count]);
            }
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\n1").unwrap();
        }
        listener.set_nonblocking(true).unwrap();
        listener.accept().unwrap_err().kind()
    });
    let (client, parcel) = (client(&base), parcel(Channel::Engage, ["{}".to_owned()]));
    let first = Instant::now() + Duration::from_secs(1);
    let yes = Delivery::Accepted { uncounted: 0 };
    assert_eq!(client.send(&parcel, first).await, yes);
    tokio::time::sleep_until(first).await;
    assert_eq!(client.send(&parcel, first).await, Delivery::Late);
    assert_eq!(client.send(&parcel, soon()).await, yes);
    assert_eq!(server.join().unwrap(), ErrorKind::WouldBlock);
}

#[tokio::test]
async fn a_call_ends_by_its_own_timeout_if_that_is_earlier() {
    let (_listener, base) = narrow();
    let timeouts = Timeouts { total: Duration::from_millis(200), ..Timeouts::default() };
    let delivery = client_with(&base, TOKEN, timeouts).send(&large(), soon()).await;
    assert!(is_stopped(&delivery), "{delivery:?}");
}

#[tokio::test]
async fn a_call_that_is_dropped_takes_along_what_it_has_not_sent() {
    let (listener, base) = narrow();
    let (signal_begun, has_begun) = oneshot::channel::<()>();
    let (dropped, is_dropped) = mpsc::channel::<()>();
    let server = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0; 100]).unwrap();
        signal_begun.send(()).unwrap();
        is_dropped.recv().unwrap();
        let mut rest = Vec::new();
        (stream.read_to_end(&mut rest).is_err(), rest.len())
    });
    let (client, parcel) = (client(&base), large());
    tokio::select! {
        delivery = client.send(&parcel, soon()) => panic!("over before it signal_begun: {delivery:?}"),
        begun = has_begun => begun.unwrap(),
    }
    dropped.send(()).unwrap();
    let (reset, remainder) = server.join().unwrap();
    assert!(reset && remainder < LARGE, "reset: {reset}, {remainder} bytes after the drop");
}
