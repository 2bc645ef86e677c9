//! The JSON of a rule, and what it must hold.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{BadRecords, Fault, Match, Replacement, Rule, Wire, WireFault};
use crate::call::Manner;
use crate::export::Taint;
use crate::kind::Kind;

/// A rule as it is posted. Which members a fault reads stands in the README.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct RuleDocument {
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    matches: Option<String>,
    fault: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    headers: BTreeMap<String, String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    ids: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_ids: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    task_status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    link: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    project: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    skip: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    times: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    probability: Option<f64>,
}

const FAULTS: &str = "status, timeout, act-then-timeout, act-then-status, act-then-close, close, \
    truncate, garbage, slow, redirect, retry-after, fail-tasks, task-status, bad-ids, conflict, \
    wrong-echo, empty-link, link, cut, stall, wrong-length, wrong-checksum, no-ranges, new-etag, stray, \
    ambiguous, corrupt, bomb, slow-read, bad-records";
const MATCHES: &str = "any, create, create-deletion, create-retrieval, poll, poll-deletion, \
    poll-retrieval, cancel, export, ingest, track, import, engage, groups, other";

impl RuleDocument {
    /// The rule, or what is wrong with the document.
    pub(crate) fn into_rule(self) -> Result<Rule, String> {
        let probability = self.probability.unwrap_or(1.0);
        if !(0.0..=1.0).contains(&probability) {
            return Err(format!("probability is {probability}: expected 0 to 1"));
        }
        if self.status.is_some_and(|status| !(200..=599).contains(&status)) {
            return Err("status: expected 200 to 599".to_owned());
        }
        self.check_headers()?;
        let fault = self.fault()?;
        Ok(Rule {
            matches: self.matches()?,
            fault,
            project: self.project,
            skip: self.skip.unwrap_or(0),
            times: self.times,
            probability,
            number: 0,
            applied: 0,
            document: serde_json::Value::Null,
        })
    }

    /// Headers that hyper could not send would end the connection and look like another fault.
    fn check_headers(&self) -> Result<(), String> {
        use hyper::header::{HeaderName, HeaderValue};
        let bad = self.headers.iter().find(|(name, value)| {
            name.parse::<HeaderName>().is_err() || value.parse::<HeaderValue>().is_err()
        });
        bad.map_or(Ok(()), |(name, _)| Err(format!("headers: {name:?} cannot be sent")))
    }

    fn matches(&self) -> Result<Match, String> {
        match self.matches.as_deref().unwrap_or("any") {
            "any" => Ok(Match::Any),
            "create" => Ok(Match::Create),
            "poll" => Ok(Match::Poll),
            "ingest" => Ok(Match::Ingest),
            name => Kind::named(name)
                .map(Match::One)
                .ok_or_else(|| format!("match is {name:?}: expected one of {MATCHES}")),
        }
    }

    fn fault(&self) -> Result<Fault, String> {
        let wire = |name, acts, wire| Ok(Fault::Wire(WireFault { name, acts, wire }));
        let manner = |name, acts, manner| wire(name, acts, Wire::Manner(manner));
        match self.fault.as_str() {
            "status" => wire("status", false, self.instead(503, "html")?),
            "act-then-status" => wire("act-then-status", true, self.instead(502, "html")?),
            "garbage" => wire("garbage", false, self.instead(200, "html")?),
            "redirect" => wire("redirect", false, self.redirect()?),
            "retry-after" => wire("retry-after", false, self.retry_after()?),
            "timeout" => manner("timeout", false, Manner::Never(self.pause(3600.0)?)),
            "act-then-timeout" => {
                manner("act-then-timeout", true, Manner::Never(self.pause(3600.0)?))
            }
            "close" => manner("close", false, Manner::Cut),
            "act-then-close" => manner("act-then-close", true, Manner::Cut),
            "truncate" => manner("truncate", true, Manner::Truncated),
            "slow" => manner("slow", true, Manner::Slow(self.pause(5.0)?)),
            "cut" => manner("cut", true, Manner::CutAfter(self.size(0)?)),
            "stall" => {
                manner("stall", true, Manner::StallAfter(self.size(0)?, self.pause(3600.0)?))
            }
            "wrong-length" => manner("wrong-length", true, Manner::TooLong(self.size(1)?)),
            _ => match self.taint() {
                Some(taint) => Ok(Fault::Taint(taint)),
                None => self.task_fault(),
            },
        }
    }

    fn taint(&self) -> Option<Taint> {
        Some(match self.fault.as_str() {
            "wrong-checksum" => Taint::WrongChecksum,
            "no-ranges" => Taint::NoRanges,
            "new-etag" => Taint::NewEtag(0),
            "stray" => Taint::Stray(self.count.unwrap_or(1)),
            "ambiguous" => Taint::Ambiguous(self.count.unwrap_or(1)),
            "corrupt" => Taint::Corrupt,
            "bomb" => Taint::Bomb(self.bytes.unwrap_or(256 * 1024 * 1024)),
            _ => return None,
        })
    }

    fn size(&self, default: u64) -> Result<usize, String> {
        usize::try_from(self.bytes.unwrap_or(default)).map_err(|error| format!("bytes: {error}"))
    }

    fn task_fault(&self) -> Result<Fault, String> {
        match self.fault.as_str() {
            "fail-tasks" => Ok(Fault::FailTasks(self.ids.iter().cloned().collect())),
            "task-status" => {
                let word = self.task_status.clone();
                let word = word.ok_or("task-status needs `task_status`, e.g. \"UNKNOWN\"")?;
                Ok(Fault::TaskStatus { word, task: self.task.clone() })
            }
            "bad-ids" if self.ids.is_empty() => Err("bad-ids needs `ids`".to_owned()),
            "bad-ids" => Ok(Fault::BadIds {
                ids: self.ids.iter().cloned().collect(),
                status: self.status.unwrap_or(400),
                named: self.name_ids.unwrap_or(false),
            }),
            "conflict" => Ok(Fault::Conflict { ids: self.ids.clone(), task: self.task.clone() }),
            "slow-read" => Ok(Fault::SlowRead(self.pause(1.0)?)),
            "bad-records" if self.count == Some(0) => {
                Err("count is 0: expected 1 or more".to_owned())
            }
            "bad-records" => Ok(Fault::BadRecords(BadRecords {
                ids: self.ids.iter().cloned().collect(),
                every: self.count.and_then(|count| usize::try_from(count).ok()),
                status: self.status,
            })),
            "wrong-echo" => Ok(Fault::WrongEcho),
            "empty-link" => Ok(Fault::EmptyLink),
            "link" => {
                let link = self.link.clone();
                let link = link.ok_or("link needs `link`, e.g. \"http://127.0.0.1/\"")?;
                Ok(Fault::Link { link, ids: self.ids.iter().cloned().collect() })
            }
            other => Err(format!("fault is {other:?}: expected one of {FAULTS}")),
        }
    }

    fn instead(&self, status: u16, body: &str) -> Result<Wire, String> {
        Ok(Wire::Instead(Replacement {
            status: self.status.unwrap_or(status),
            body: self.body.clone().unwrap_or_else(|| body.to_owned()),
            headers: self.headers.clone().into_iter().collect(),
            after: self.pause(0.0)?,
        }))
    }

    fn redirect(&self) -> Result<Wire, String> {
        let mut document = self.clone();
        document.headers.entry("location".to_owned()).or_insert_with(|| "/moved/".to_owned());
        document.instead(301, "empty")
    }

    /// `seconds` is what the header says here; no wait.
    fn retry_after(&self) -> Result<Wire, String> {
        let mut document = self.clone();
        let seconds = document.pause(5.0)?.as_secs().to_string();
        document.headers.entry("retry-after".to_owned()).or_insert(seconds);
        document.seconds = None;
        document.instead(429, "json")
    }

    fn pause(&self, default: f64) -> Result<Duration, String> {
        let seconds = self.seconds.unwrap_or(default);
        if !(0.0..=1e6).contains(&seconds) {
            return Err(format!("seconds is {seconds}: expected 0 to 1000000"));
        }
        Ok(Duration::from_secs_f64(seconds))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn rule(document: Value) -> Result<Rule, String> {
        serde_json::from_value::<RuleDocument>(document).map_err(|e| e.to_string())?.into_rule()
    }

    #[test]
    fn every_fault_that_the_message_lists_is_known() {
        for fault in FAULTS.split(',').map(str::trim) {
            let document =
                json!({"fault": fault, "ids": ["a"], "task_status": "UNKNOWN", "link": "/"});
            assert!(rule(document).is_ok(), "{fault}");
        }
    }

    #[test]
    fn every_match_that_the_message_lists_is_known() {
        for name in MATCHES.split(',').map(str::trim) {
            assert!(rule(json!({"fault": "close", "match": name})).is_ok(), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (document, expected) in [
            (json!({"fault": "explode"}), "explode"),
            (json!({"fault": "close", "match": "delete"}), "delete"),
            (json!({"fault": "close", "probability": 2}), "probability"),
            (json!({"fault": "close", "tiems": 2}), "tiems"),
            (json!({"fault": "bad-ids"}), "ids"),
            (json!({"fault": "link"}), "link needs"),
            (json!({"fault": "status", "headers": {"a b": "c"}}), "a b"),
        ] {
            assert!(rule(document).unwrap_err().contains(expected), "{expected}");
        }
    }

    #[test]
    fn retry_after_puts_its_seconds_into_the_header() {
        let Fault::Wire(WireFault { wire: Wire::Instead(replacement), .. }) =
            rule(json!({"fault": "retry-after", "seconds": 7})).unwrap().fault
        else {
            panic!("expected another answer")
        };
        let reply = replacement.reply();
        assert_eq!(reply.status, 429);
        assert!(reply.headers.contains(&("retry-after".to_owned(), "7".to_owned())));
        assert_eq!(replacement.after, Duration::ZERO);
    }
}
