//! The connection that the program's parts share: it finds the primary again by itself.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::{
    FutureExt as _,
    future::{BoxFuture, Shared},
};
use redis::{
    Cmd, ErrorKind, Pipeline, RedisError, RedisFuture, RedisResult, Value,
    aio::{ConnectionLike, MultiplexedConnection},
};

use super::Connector;

/// How often a connection is tried before those who wait for it hear of the failure. The next command starts over.
const TRIES: u32 = 6;
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// A connection to the primary, to be cloned and shared by everything that does not block.
///
/// It is made anew, and asks anew which server is the primary, when it breaks, and when the server says that it is not
/// (or not yet) the one to ask. A command that was refused as sent to the wrong server goes once more to the right one;
/// one whose answer is lost fails.
#[derive(Clone)]
pub struct Connection(Arc<Inner>);

struct Inner {
    connector: Connector,
    current: Mutex<Current>,
}

type Making = Shared<BoxFuture<'static, RedisResult<MultiplexedConnection>>>;

#[derive(Clone)]
struct Current {
    number: u64,
    making: Making,
}

/// What an answer says about the connection it came over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    /// It serves.
    Good,
    /// It is broken, or its server does not serve now.
    Broken,
    /// Its server is not the one to ask, and did nothing.
    Elsewhere,
}

impl Connection {
    pub(super) fn new(connector: Connector) -> Self {
        let making = make(connector.clone());
        Self(Arc::new(Inner { connector, current: Mutex::new(Current { number: 0, making }) }))
    }

    /// Waits until it is connected, or cannot be.
    pub(super) async fn ready(&self) -> RedisResult<()> {
        self.take().await.map(|_| ())
    }

    async fn take(&self) -> RedisResult<(u64, MultiplexedConnection)> {
        let Current { number, making } =
            self.0.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match making.await {
            Ok(connection) => Ok((number, connection)),
            Err(error) => {
                self.replace(number);
                Err(error)
            }
        }
    }

    /// Has the connection made anew, unless somebody has done so since `number`.
    fn replace(&self, number: u64) -> bool {
        let mut current = self.0.current.lock().unwrap_or_else(PoisonError::into_inner);
        let first = current.number == number;
        if first {
            *current = Current { number: number + 1, making: make(self.0.connector.clone()) };
        }
        first
    }

    /// Has it made anew at once, whether or not somebody asks for it.
    fn renew(&self, number: u64) {
        if self.replace(number) {
            let making =
                self.0.current.lock().unwrap_or_else(PoisonError::into_inner).making.clone();
            tokio::spawn(making.map(|_| ()));
        }
    }

    async fn command(&self, command: &Cmd) -> RedisResult<Value> {
        let (number, mut connection) = self.take().await?;
        let answer = connection.send_packed_command(command).await;
        let verdict = self.judge(answer.as_ref());
        if verdict != Verdict::Good {
            self.renew(number);
        }
        if verdict != Verdict::Elsewhere {
            return answer;
        }
        let (number, mut connection) = self.take().await?;
        let answer = connection.send_packed_command(command).await;
        if self.judge(answer.as_ref()) != Verdict::Good {
            self.renew(number);
        }
        answer
    }

    /// Never sent twice: of a pipeline, a part may have been done.
    async fn pipeline(
        &self,
        pipeline: &Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisResult<Vec<Value>> {
        let (number, mut connection) = self.take().await?;
        let answers = connection.send_packed_commands(pipeline, offset, count).await;
        let verdict = match &answers {
            Ok(answers) => answers.first().map_or(Verdict::Good, |first| self.judge(Ok(first))),
            Err(error) => self.judge(Err(error)),
        };
        if verdict != Verdict::Good {
            self.renew(number);
        }
        answers
    }

    fn judge(&self, answer: Result<&Value, &RedisError>) -> Verdict {
        let code = match answer {
            Err(error) if error.is_unrecoverable_error() => return Verdict::Broken,
            // A server that is cut off or stopped keeps its connections; the Sentinels or the Cluster may have
            // another one by now.
            Err(error) if error.is_timeout() && self.0.connector.may_move() => {
                return Verdict::Broken;
            }
            Err(error) => error.code(),
            Ok(Value::ServerError(error)) => Some(error.code()),
            Ok(_) => None,
        };
        match code {
            Some("MOVED" | "READONLY") => Verdict::Elsewhere,
            // Nobody follows a primary that was replaced while it was cut off; and a transaction that is refused does
            // not say why.
            Some(
                "MASTERDOWN" | "CLUSTERDOWN" | "LOADING" | "TRYAGAIN" | "ASK" | "NOREPLICAS"
                | "EXECABORT",
            ) if self.0.connector.may_move() => Verdict::Broken,
            _ => Verdict::Good,
        }
    }
}

/// Whether the server refused the command as sent to the wrong one, before it did anything.
pub fn was_not_run(error: &RedisError) -> bool {
    matches!(error.code(), Some("MOVED" | "READONLY"))
}

fn make(connector: Connector) -> Making {
    async move {
        let mut pause = FIRST_PAUSE;
        let mut error: RedisError = (ErrorKind::Io, "never tried").into();
        for attempt in 0..TRIES {
            if attempt > 0 {
                tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
            match connector.connect().await {
                Ok(connection) => return Ok(connection),
                Err(failed) => error = failed,
            }
        }
        Err(error)
    }
    .boxed()
    .shared()
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        self.command(cmd).boxed()
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        cmd: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        self.pipeline(cmd, offset, count).boxed()
    }

    fn get_db(&self) -> i64 {
        self.0.connector.database()
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connection")
    }
}
