//! `producers.jsonl`: what was acknowledged. The document is read leniently here: what is malformed has no kind.

use chrono::DateTime;
use serde::Deserialize;
use serde_json::Value;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    request: String,
    entry: String,
    #[serde(default)]
    ms: u64,
    document: String,
    #[serde(default)]
    refused: bool,
}

/// One acknowledged document: `{"request", "entry", "ms", "document", "refused"}`.
#[derive(Clone, Debug, Deserialize)]
#[serde(from = "Line")]
pub struct Produced {
    /// The request's id.
    pub request: String,
    /// What XADD returned.
    pub entry: String,
    /// When that was, in Unix ms by the producer.
    pub ms: u64,
    /// Whether the rig means it to be rejected.
    pub refused: bool,
    /// `retrieval`, `deletion`, `cancellation`, `opt_out`, `opt_in`, or nothing.
    pub kind: String,
    /// One person's ids, without repeats.
    pub ids: Vec<String>,
    /// `GDPR` or `CCPA`.
    pub regulation: String,
    /// `Data`, `Categories` or `Sources`.
    pub disclosure: String,
    /// When the person asked, in Unix seconds, if the document says so.
    pub received_s: Option<i64>,
}

impl From<Line> for Produced {
    fn from(line: Line) -> Self {
        let document: Value = serde_json::from_str(&line.document).unwrap_or_default();
        let word = |name: &str| document[name].as_str().map(str::to_owned);
        let mut ids: Vec<String> = Vec::new();
        for id in document["distinct_ids"].as_array().into_iter().flatten() {
            if let Some(id) = id.as_str()
                && !ids.iter().any(|known| known == id)
            {
                ids.push(id.to_owned());
            }
        }
        let received = word("received_at").and_then(|at| DateTime::parse_from_rfc3339(&at).ok());
        Self {
            request: line.request,
            entry: line.entry,
            ms: line.ms,
            refused: line.refused,
            kind: word("kind").unwrap_or_default(),
            ids,
            regulation: word("regulation").unwrap_or_else(|| "GDPR".to_owned()),
            disclosure: word("disclosure_type").unwrap_or_else(|| "Data".to_owned()),
            received_s: received.map(|at| at.timestamp()),
        }
    }
}

impl Produced {
    /// The two numbers of its entry.
    pub fn order(&self) -> (u64, u64) {
        super::event::entry_order(&self.entry)
    }
}
