//! Faults that change what goes over the wire.

use std::time::Duration;

use serde_json::json;

use crate::call::{Delivery, Manner, Reply};

/// One such fault: whether the call still takes effect, and what the caller sees.
#[derive(Debug, Clone)]
pub(crate) struct WireFault {
    /// Its name in the log.
    pub(crate) name: &'static str,
    /// Whether the call is carried out.
    pub(crate) acts: bool,
    pub(crate) wire: Wire,
}

impl WireFault {
    /// What goes on the wire, given the answer that the call itself would have had.
    pub(crate) fn deliver(&self, reply: Reply) -> Delivery {
        match &self.wire {
            Wire::Instead(replacement) if replacement.after.is_zero() => replacement.reply().into(),
            Wire::Instead(replacement) => {
                Delivery { reply: replacement.reply(), manner: Manner::Slow(replacement.after) }
            }
            Wire::Manner(manner) => Delivery { reply, manner: *manner },
        }
    }
}

/// What the caller sees.
#[derive(Debug, Clone)]
pub(crate) enum Wire {
    /// Another answer.
    Instead(Replacement),
    /// The true answer in another manner, or no answer.
    Manner(Manner),
}

/// An answer that has nothing to do with the call.
#[derive(Debug, Clone)]
pub(crate) struct Replacement {
    pub(crate) status: u16,
    /// `html`, `text`, `json`, `api`, `empty`, or the body itself.
    pub(crate) body: String,
    pub(crate) headers: Vec<(String, String)>,
    /// Wait before it.
    pub(crate) after: Duration,
}

impl Replacement {
    pub(crate) fn reply(&self) -> Reply {
        let phrase = hyper::StatusCode::from_u16(self.status).ok();
        let phrase = phrase.and_then(|status| status.canonical_reason()).unwrap_or("Unnamed");
        let mut reply = match self.body.as_str() {
            "html" => Reply::new(self.status, "text/html", html(self.status, phrase)),
            "text" => Reply::text(self.status, phrase),
            "json" => Reply::json(self.status, &json!({"status": "error", "error": phrase})),
            "api" => Reply::json(self.status, &api(self.status, phrase)),
            "empty" => Reply::empty(self.status),
            literal => Reply::new(self.status, "application/json", literal.to_owned()),
        };
        for (name, value) in &self.headers {
            reply = reply.with_header(&name.to_lowercase(), value.clone());
        }
        reply
    }
}

/// A refusal in the form of the ingestion API.
fn api(status: u16, phrase: &str) -> serde_json::Value {
    let error = match status {
        401 => "Invalid credentials",
        429 => "Project exceeded rate limits. Please retry the request with exponential backoff.",
        _ => phrase,
    };
    json!({"code": status, "error": error, "status": phrase})
}

fn html(status: u16, phrase: &str) -> String {
    format!(
        "<html><head><title>{status} {phrase}</title></head>\n<body><h1>{phrase}</h1>\n\
         <p>This page comes from a proxy, not from the service.</p></body></html>\n"
    )
}
