//! The door on a socket.

use std::time::Duration;

use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    sync::oneshot,
};

use super::rig::{RedisServer, config, event, projects};
use crate::{
    config::DoorConfig,
    door::{BoundDoor, DoorError, bind},
};

const PATIENCE: Duration = Duration::from_secs(60);

async fn read_answer(stream: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = async {
        while !answer.ends_with(b"\r\n\r\n1") {
            let mut some = [0; 1024];
            let count = stream.read(&mut some).await.unwrap();
            assert!(count > 0, "closed after {:?}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&some[..count]);
        }
    };
    tokio::time::timeout(PATIENCE, read).await.unwrap();
    String::from_utf8(answer).unwrap()
}

fn post(body: &str) -> String {
    format!("POST /track?ip=1 HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn calls_are_answered_on_one_connection_and_a_stop_lets_one_under_way_end() {
    let redis = RedisServer::start();
    let connection = redis.connect().await;
    let door: BoundDoor = bind(
        DoorConfig { behind_proxy: false, ..config() },
        projects(&redis.connector(), &connection),
    )
    .await
    .unwrap();
    let address = door.address().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = tokio::spawn(door.serve(async move {
        let _ = stopped.await;
    }));
    let body = event("A").to_string();
    let mut stream = TcpStream::connect(address).await.unwrap();
    for _ in 0..2 {
        stream.write_all(post(&body).as_bytes()).await.unwrap();
        assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
    }
    // Half a call is there when the door is told to close.
    let call = post(&body);
    let (head, tail) = call.split_at(call.len() - 10);
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut length = 0_usize;
    let mut other = TcpStream::connect(address).await.unwrap();
    other.write_all(post(&body).as_bytes()).await.unwrap();
    read_answer(&mut other).await;
    stop.send(()).unwrap();
    stream.write_all(tail.as_bytes()).await.unwrap();
    assert!(read_answer(&mut stream).await.starts_with("HTTP/1.1 200 OK"));
    tokio::time::timeout(PATIENCE, serving).await.unwrap().unwrap();
    let entries: Vec<(String, Vec<String>)> = redis::cmd("XRANGE")
        .arg("gdpr:{web}:events")
        .arg("-")
        .arg("+")
        .query_async(&mut connection.clone())
        .await
        .unwrap();
    for (_, fields) in &entries {
        let records: serde_json::Value = serde_json::from_str(&fields[1]).unwrap();
        assert_eq!(records[0]["properties"]["ip"], json!("127.0.0.1"));
        length += 1;
    }
    assert_eq!(length, 4);
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn a_taken_address_and_a_shared_token_are_told() {
    let redis = RedisServer::start();
    let connection = redis.connect().await;
    let door = bind(config(), projects(&redis.connector(), &connection)).await.unwrap();
    let taken = DoorConfig { listen: door.address().unwrap(), ..config() };
    let error = bind(taken, projects(&redis.connector(), &connection)).await.err().unwrap();
    assert!(
        matches!(error, DoorError::Listen { .. })
            && error.to_string().contains("GDPR_INGEST_LISTEN")
    );
    let mut twice = projects(&redis.connector(), &connection);
    twice[1].project_token = "web-token".into();
    let error = bind(config(), twice).await.err().unwrap().to_string();
    assert!(error.contains("web and app") && !error.contains("web-token"), "{error}");
}
