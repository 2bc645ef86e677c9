//! The program itself: port file, log file, seed file, health command, stop by signal.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

const PROGRAM: &str = env!("CARGO_BIN_EXE_mixpanel-emulator");
const DEADLINE: Duration = Duration::from_secs(20);

async fn spawn(folder: &Path, flags: &[&str]) -> (Child, String) {
    let port_file = folder.join("port");
    let child = Command::new(PROGRAM)
        .args(["--listen", "127.0.0.1:0", "--port-file"])
        .arg(&port_file)
        .args(flags)
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let port = timeout(DEADLINE, async {
        loop {
            if let Ok(port) = std::fs::read_to_string(&port_file) {
                return port;
            }
            sleep(Duration::from_millis(5)).await;
        }
    });
    let url = format!("http://127.0.0.1:{}", port.await.unwrap().trim());
    (child, url)
}

async fn health(url: &str) -> Option<i32> {
    let status =
        Command::new(PROGRAM).args(["health", "--url", url]).stderr(Stdio::null()).status();
    status.await.unwrap().code()
}

#[tokio::test]
async fn it_is_healthy_until_a_signal_stops_it_gracefully() {
    let folder = tempfile::tempdir().unwrap();
    let (mut child, url) = spawn(folder.path(), &[]).await;
    assert_eq!(health(&url).await, Some(0));
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").arg(pid).status().await.unwrap().success());
    let status = timeout(DEADLINE, child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
    assert_eq!(health(&url).await, Some(1));
}

#[tokio::test]
async fn seeded_people_are_exported_and_calls_are_in_the_log_file() {
    let folder = tempfile::tempdir().unwrap();
    let (people, log) = (folder.path().join("people"), folder.path().join("log"));
    let profile = r#"{"$distinct_id":"u1","$properties":{"plan":"pro"}}"#;
    let event = r#"{"event":"A","properties":{"distinct_id":"u1","time":1700000000}}"#;
    std::fs::write(&people, format!("{profile}\n\n{event}\n")).unwrap();
    let flags = ["--seed-people", people.to_str().unwrap(), "--log", log.to_str().unwrap()];
    let (_child, url) = spawn(folder.path(), &flags).await;
    let person = get(&url, "/_emulator/person?id=u1").await;
    let mut lines: Vec<&str> = person.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, [profile, event]);
    get(&url, "/no/such/path").await;
    let logged = std::fs::read_to_string(&log).unwrap();
    let entry: Value = serde_json::from_str(logged.trim()).unwrap();
    assert_eq!((&entry["seq"], &entry["path"]), (&Value::from(1), &Value::from("/no/such/path")));
}

#[tokio::test]
async fn what_cannot_work_is_said_and_nothing_starts() {
    for (flags, expected) in [
        (vec!["--project", "lonely"], "TOKEN:OAUTH"),
        (vec!["--seed-people", "/no/such/file"], "cannot read"),
        (vec!["--link-seconds=-1"], "link_seconds"),
    ] {
        let output = Command::new(PROGRAM)
            .args(["--listen", "127.0.0.1:0"])
            .args(&flags)
            .kill_on_drop(true)
            .output();
        let output = timeout(DEADLINE, output).await.unwrap().unwrap();
        let message = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && message.contains(expected), "{message}");
    }
}

async fn get(url: &str, path: &str) -> String {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let address = url.trim_start_matches("http://");
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    let call = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(call.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer.split_once("\r\n\r\n").map(|(_, body)| body.to_owned()).unwrap_or_default()
}
