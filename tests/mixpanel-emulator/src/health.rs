//! The health probe: one GET over a bare socket, because a container image may hold nothing else
//! that could ask.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(3);

/// Asks the emulator at a base URL whether it answers.
pub(crate) async fn probe(base: &str) -> Result<(), String> {
    let wrong = || format!("--url is {base:?}: expected http://HOST:PORT");
    let url = url::Url::parse(base).ok().filter(|url| url.scheme() == "http").ok_or_else(wrong)?;
    let host = url.host_str().ok_or_else(wrong)?;
    let address = format!("{host}:{}", url.port_or_known_default().unwrap_or(80));
    let answer = timeout(PATIENCE, status_line(&address)).await;
    match answer {
        Ok(Ok(line)) if line.starts_with("HTTP/1.1 200") => Ok(()),
        Ok(Ok(_)) => Err(format!("{address} answers, but is not a healthy emulator")),
        Ok(Err(error)) => Err(format!("{address} does not answer: {error}")),
        Err(_) => Err(format!("{address} did not answer within 3 seconds")),
    }
}

async fn status_line(address: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request =
        format!("GET /_emulator/health HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(1024).read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
