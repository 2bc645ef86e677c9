//! `health`: asks a worker on this host, with no more HTTP than that takes, so that a container needs no curl.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{Outcome, failure::Failure, output::Output, table::presentable};
use crate::config::{self, Flags};

const PATIENCE: Duration = Duration::from_secs(5);
/// Longest answer that is read.
const MAX_ANSWER: u64 = 64 * 1024;

/// What the worker says.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Health {
    #[serde(default)]
    ok: bool,
    #[serde(default)]
    problems: Vec<String>,
}

/// Prints whether the worker at `GDPR_LISTEN` is well; done only if it is.
pub(super) async fn health(flags: &Flags, output: &mut Output) -> Result<Outcome, Failure> {
    let listen = config::listen_address(flags)?
        .ok_or_else(|| Failure::told("GDPR_LISTEN is off: expected an address to ask"))?;
    let address = reachable(listen);
    let health = match timeout(PATIENCE, ask(address)).await {
        Ok(Ok(answer)) => read(&answer, address),
        Ok(Err(_)) => trouble(format!("no worker answers at {address}")),
        Err(_) => trouble(format!("no worker answers at {address} within 5 s")),
    };
    if output.is_json() {
        output.json(&health)?;
    } else if health.ok {
        output.line("ok")?;
    } else {
        output.line(format_args!("not ok: {}", presentable(&health.problems.join("; "))))?;
    }
    Ok(Outcome::done_if(health.ok))
}

/// Whoever listens everywhere is asked here.
fn reachable(mut address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        _ => {}
    }
    address
}

async fn ask(address: SocketAddr) -> std::io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /health HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    Ok(answer)
}

fn read(answer: &[u8], address: SocketAddr) -> Health {
    let answer = String::from_utf8_lossy(answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let mut words = head.split_whitespace();
    let status = match (words.next(), words.next()) {
        (Some(protocol), Some(status)) if protocol.starts_with("HTTP/1.") => status,
        _ => return trouble(format!("what answers at {address} is no worker")),
    };
    let said: Health = serde_json::from_str(body).unwrap_or_default();
    let problems = match said.problems {
        problems if problems.is_empty() && status != "200" => {
            vec![format!("the worker at {address} answers {status}")]
        }
        problems => problems,
    };
    Health { ok: status == "200", problems }
}

fn trouble(problem: String) -> Health {
    Health { ok: false, problems: vec![problem] }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn said(answer: &str) -> Health {
        read(answer.as_bytes(), "127.0.0.1:9464".parse().unwrap())
    }

    #[test]
    fn only_a_200_is_healthy() {
        assert!(said("HTTP/1.1 200 OK\r\n\r\n{\"ok\":true,\"problems\":[]}").ok);
        let ill =
            said("HTTP/1.1 503 Service Unavailable\r\n\r\n{\"ok\":false,\"problems\":[\"p\"]}");
        assert_eq!(ill, Health { ok: false, problems: vec!["p".to_owned()] });
        assert_eq!(said("HTTP/1.1 404 Not Found\r\n\r\n").problems.len(), 1);
    }

    #[test]
    fn what_is_no_http_is_no_worker() {
        for answer in ["", "-ERR unknown command\r\n", "SSH-2.0-x\r\n"] {
            assert!(said(answer).problems[0].contains("no worker"), "{answer}");
        }
    }

    #[test]
    fn a_worker_that_listens_everywhere_is_asked_on_this_host() {
        for (listen, asked) in
            [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("192.0.2.1:1", "192.0.2.1:1")]
        {
            assert_eq!(reachable(listen.parse().unwrap()).to_string(), asked);
        }
    }

    #[tokio::test]
    async fn a_worker_is_asked_over_the_wire() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 1024];
            let length = stream.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /health HTTP/1.1\r\n"));
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}").await.unwrap();
        });
        assert!(read(&ask(address).await.unwrap(), address).ok);
        server.await.unwrap();
    }
}
