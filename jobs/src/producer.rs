//! The client that enqueues, for backend services in Rust.
//!
//! It says no more to Redis than a plain XADD would, but checks the document first and, for a
//! document with an `id`, sees to it that the same request stands on the stream once. Events and
//! profile updates go to a stream of their own.

mod events;

use chrono::{DateTime, Utc};
use redis::{Pipeline, RedisError, RedisResult, Value, aio::ConnectionLike, from_redis_value};

use crate::{
    document::{Document, Rejection, RequestId},
    fault::{RedisFault, by_fate},
    keys::{Keys, Project},
    signature::{DocumentKey, DocumentSignature},
};

pub use events::{EventError, EventSource};

const ENQUEUE: &str = include_str!("lua/enqueue.lua");
/// How long the note of an enqueued id lives: longer than any retry of a producer.
const NOTE_SECONDS: u32 = 24 * 60 * 60;
/// Most documents in one pipeline.
const CHUNK_DOCUMENTS: usize = 500;
/// Size at which a pipeline takes no more, so that it is answered within a usual time-out.
const CHUNK_BYTES: usize = 1024 * 1024;

/// What became of a document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Enqueued {
    /// It is on the stream now.
    New(RequestId),
    /// A request with this id is on the stream or with the worker already, whatever it asks for.
    /// Nothing was added.
    AlreadyKnown(RequestId),
}

impl Enqueued {
    /// The id to ask for the status with.
    pub const fn id(&self) -> &RequestId {
        match self {
            Self::New(id) | Self::AlreadyKnown(id) => id,
        }
    }
}

/// Why a document was not, or perhaps not, enqueued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ProducerError {
    /// The document breaks a rule; it was not sent.
    #[error("the document was not sent: {0}")]
    Rejected(#[from] Rejection),
    /// Redis was not reached; the document was not sent. Repeat it when Redis is back.
    #[error("Redis was not reached, so the document was not sent: {0}")]
    NotSent(RedisFault),
    /// Redis answered with an error; the document is not on the stream.
    #[error("Redis did not take the document: {0}")]
    Refused(RedisFault),
    /// The answer is lost (a time-out or a broken connection): the document may be on the stream or
    /// not. One with an `id` is safe to repeat: the answer is then [`Enqueued::New`] or
    /// [`Enqueued::AlreadyKnown`], and it stands there once. One without could stand there twice.
    #[error(
        "the answer of Redis is lost, so the document may or may not be on the stream; repeat it if it has an id: {0}"
    )]
    AnswerLost(RedisFault),
}

impl From<RedisError> for ProducerError {
    fn from(error: RedisError) -> Self {
        by_fate(&error, Self::NotSent, Self::Refused, Self::AnswerLost)
    }
}

/// Puts request documents, events and profile updates on the streams of one project.
///
/// `C` is any asynchronous connection of the `redis` crate that is cheap to clone: a multiplexed
/// connection, a connection manager or a cluster connection. Its time-outs hold.
#[derive(Clone, Debug)]
pub struct Producer<C> {
    connection: C,
    project: Project,
    keys: Keys,
    geolocation: bool,
    key: Option<DocumentKey>,
}

impl<C: ConnectionLike + Clone> Producer<C> {
    /// A producer for `project`.
    pub fn new(connection: C, project: &Project) -> Self {
        Self {
            connection,
            project: project.clone(),
            keys: Keys::new(project),
            geolocation: true,
            key: None,
        }
    }

    /// Signs request documents with `key`, which the worker has in `GDPR_DOCUMENT_KEYS`.
    #[must_use]
    pub fn signing(self, key: DocumentKey) -> Self {
        Self { key: Some(key), ..self }
    }

    /// Checks `document` and puts it on the stream.
    ///
    /// A document with an `id` is added only if no request with that id is known, so the call may be
    /// repeated at will. Without one, every call adds a request, named by its stream entry.
    pub async fn enqueue(&self, document: &Document) -> Result<Enqueued, ProducerError> {
        let message = [self.message(document, Utc::now())];
        self.send(&message).await?.pop().unwrap_or_else(|| Err(unexpected()))
    }

    /// Checks and enqueues many documents, in order, some hundreds to a round trip. One result per
    /// document, in the same order.
    ///
    /// A refused document does not keep the others from being sent. After a failure of the connection
    /// nothing more is tried: the documents of the part that failed count as [`ProducerError::AnswerLost`]
    /// (or [`ProducerError::NotSent`]), those after it as [`ProducerError::NotSent`].
    pub async fn enqueue_many(
        &self,
        documents: &[Document],
    ) -> Vec<Result<Enqueued, ProducerError>> {
        let now = Utc::now();
        let messages: Vec<_> = documents.iter().map(|d| self.message(d, now)).collect();
        let mut outcomes = Vec::with_capacity(messages.len());
        let mut rest = messages.as_slice();
        while !rest.is_empty() {
            let (chunk, later) = rest.split_at(chunk_length(rest));
            match self.send(chunk).await {
                Ok(answers) => outcomes.extend(answers),
                Err(error) => {
                    let skipped = ProducerError::NotSent(after_a_failure());
                    outcomes.extend(failed(chunk, &error));
                    outcomes.extend(failed(later, &skipped));
                    break;
                }
            }
            rest = later;
        }
        outcomes
    }

    fn message(&self, document: &Document, now: DateTime<Utc>) -> Result<Message, Rejection> {
        let mut message = Message::new(document, now)?;
        message.signature = self.key.as_ref().map(|key| {
            let nonce = format!("{:032x}", rand::random::<u128>());
            key.sign(&self.project, message.json.as_bytes(), now.timestamp(), nonce)
        });
        Ok(message)
    }

    /// Sends what may be sent in one pipeline. `Err` if the pipeline as a whole failed.
    async fn send(
        &self,
        messages: &[Result<Message, Rejection>],
    ) -> Result<Vec<Result<Enqueued, ProducerError>>, ProducerError> {
        let mut pipeline = redis::pipe();
        messages.iter().flatten().for_each(|message| message.add_to(&mut pipeline, &self.keys));
        let mut answers: Vec<RedisResult<Value>> = Vec::new();
        if !pipeline.is_empty() {
            let mut connection = self.connection.clone();
            answers = pipeline.ignore_errors().query_async(&mut connection).await?;
        }
        let mut answers = answers.into_iter();
        let outcome = |message: &Result<Message, Rejection>| match message {
            Err(rejection) => Err(rejection.clone().into()),
            Ok(message) => message.outcome(answers.next()),
        };
        Ok(messages.iter().map(outcome).collect())
    }
}

/// Redis answered, but not in a form that says whether the document was added.
fn unexpected() -> ProducerError {
    ProducerError::AnswerLost(unexpected_answer())
}

fn unexpected_answer() -> RedisFault {
    RedisFault::from_text("the answer is not the one expected")
}

/// Why nothing was tried any more.
fn after_a_failure() -> RedisFault {
    RedisFault::from_text("an earlier part failed")
}

/// A document that passed the checks, in its wire form.
struct Message {
    id: Option<RequestId>,
    json: String,
    signature: Option<DocumentSignature>,
}

impl Message {
    fn new(document: &Document, now: DateTime<Utc>) -> Result<Self, Rejection> {
        let json = document.to_json();
        Document::parse(json.as_bytes(), now)?;
        Ok(Self { id: document.id.clone(), json, signature: None })
    }

    fn add_to(&self, pipeline: &mut Pipeline, keys: &Keys) {
        let stream = keys.requests();
        let Some(id) = &self.id else {
            pipeline.cmd("XADD").arg(stream).arg("*").arg("request").arg(&self.json);
            self.add_signature(pipeline);
            return;
        };
        // EVAL and not EVALSHA: in a pipeline there is no second try for a script that Redis forgot.
        pipeline.cmd("EVAL").arg(ENQUEUE).arg(3).arg(stream);
        pipeline.arg(keys.request(id.as_str())).arg(keys.enqueued(id.as_str()));
        pipeline.arg(&self.json).arg(NOTE_SECONDS);
        self.add_signature(pipeline);
    }

    fn add_signature(&self, pipeline: &mut Pipeline) {
        for (name, value) in self.signature.iter().flat_map(DocumentSignature::fields) {
            pipeline.arg(name).arg(value);
        }
    }

    fn outcome(&self, answer: Option<RedisResult<Value>>) -> Result<Enqueued, ProducerError> {
        let answer = answer.ok_or_else(unexpected)??;
        let Some(id) = &self.id else {
            let entry: String = from_redis_value(answer).map_err(|_| unexpected())?;
            return entry.parse().map(Enqueued::New).map_err(|_| unexpected());
        };
        match answer {
            Value::Int(1) => Ok(Enqueued::New(id.clone())),
            Value::Int(0) => Ok(Enqueued::AlreadyKnown(id.clone())),
            _ => Err(unexpected()),
        }
    }
}

/// How many of `messages`, at least one, go into the next pipeline.
fn chunk_length(messages: &[Result<Message, Rejection>]) -> usize {
    let mut bytes = 0;
    let fitting = messages.iter().take(CHUNK_DOCUMENTS).take_while(|message| {
        let fits = bytes < CHUNK_BYTES;
        bytes += message.as_ref().map_or(0, |message| message.json.len());
        fits
    });
    fitting.count()
}

/// `error` for each document that would have been sent, and its own reason for each refused one.
fn failed<'a>(
    messages: &'a [Result<Message, Rejection>],
    error: &'a ProducerError,
) -> impl Iterator<Item = Result<Enqueued, ProducerError>> + 'a {
    messages.iter().map(move |message| match message {
        Err(rejection) => Err(rejection.clone().into()),
        Ok(_) => Err(error.clone()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn messages(count: usize, bytes: usize) -> Vec<Result<Message, Rejection>> {
        (0..count)
            .map(|_| Ok(Message { id: None, json: "x".repeat(bytes), signature: None }))
            .collect()
    }

    #[test]
    fn a_pipeline_is_bounded_in_documents_and_in_bytes() {
        assert_eq!(chunk_length(&messages(3, 100)), 3);
        assert_eq!(chunk_length(&messages(2_000, 100)), CHUNK_DOCUMENTS);
        assert_eq!(chunk_length(&messages(100, 64 * 1024)), 16);
        assert_eq!(chunk_length(&messages(1, 2 * CHUNK_BYTES)), 1);
    }

    #[test]
    fn an_answer_of_another_form_counts_as_lost() {
        let id = "order-1".parse().ok();
        for (id, answer) in [
            (id.clone(), Some(Ok(Value::Int(7)))),
            (id.clone(), Some(Ok(Value::Nil))),
            (id, None),
            (None, Some(Ok(Value::Array(Vec::new())))),
        ] {
            let message = Message { id, json: String::new(), signature: None };
            assert!(matches!(message.outcome(answer), Err(ProducerError::AnswerLost(_))));
        }
    }
}
