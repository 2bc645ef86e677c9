//! One event or profile update: its text, and the few members that decide about it. The rest is read only where somebody
//! keeps it: a sender is not to wait for what its receiver does for tests alone.

use serde::ser::{Serialize, Serializer};
use serde_json::{Value, value::RawValue};

use super::members::{Lenient, Outer};
use crate::kind::Kind;

/// A record as it came. What it lacks, or has in another form, is null.
#[derive(Debug)]
pub(crate) struct Record {
    text: Box<RawValue>,
    known: Outer,
}

impl Record {
    /// The record in a text that is one JSON value.
    pub(super) fn read(text: &RawValue) -> serde_json::Result<Self> {
        let Lenient(known) = serde_json::from_str(text.get())?;
        Ok(Self { text: text.to_owned(), known })
    }

    /// All of it.
    pub(crate) fn value(&self) -> Value {
        let text = self.text.get();
        serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()))
    }

    /// The id that it is about, if it names one.
    pub(crate) fn owner(&self, kind: Kind) -> Option<&str> {
        match kind {
            Kind::Engage => self.known.distinct_id.as_str(),
            Kind::Groups => self.known.group_id.as_str(),
            _ => self.known.properties.distinct_id.as_str(),
        }
    }

    /// The project's token in it.
    pub(super) fn token(&self, kind: Kind) -> Option<&str> {
        match kind {
            Kind::Track | Kind::Import => self.known.properties.token.as_str(),
            _ => self.known.token.as_str(),
        }
    }

    pub(crate) const fn event(&self) -> &Value {
        &self.known.event
    }

    pub(crate) const fn distinct_id(&self) -> &Value {
        &self.known.properties.distinct_id
    }

    pub(crate) const fn time(&self) -> &Value {
        &self.known.properties.time
    }

    pub(crate) const fn insert_id(&self) -> &Value {
        &self.known.properties.insert_id
    }

    /// Whether it says of itself that it is to be refused.
    pub(crate) fn fails(&self) -> bool {
        [&self.known.properties, &self.known.set].iter().any(|place| place.fail == true)
    }
}

/// Anew, not as its sender wrote it: there may be line feeds in that, and records are shown one a line.
impl Serialize for Record {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value().serialize(serializer)
    }
}

#[cfg(test)]
impl From<Value> for Record {
    fn from(value: Value) -> Self {
        let text = serde_json::value::to_raw_value(&value).unwrap_or_default();
        let known = serde_json::from_str(text.get())
            .map_or_else(|_| Outer::default(), |Lenient(known)| known);
        Self { text, known }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Record {
        Record::from(serde_json::from_str::<Value>(text).unwrap_or_default())
    }

    #[test]
    fn the_members_that_decide_are_those_of_the_value() {
        let record = read(
            r#"{"event":"A","$token":"t","$distinct_id":"p","properties":{"distinct_id":"u","time":5,
                "$insert_id":"i","token":"s","more":{"distinct_id":"x"},"$fail":true}}"#,
        );
        assert_eq!((record.event(), record.time()), (&json!("A"), &json!(5)));
        assert_eq!((record.owner(Kind::Track), record.owner(Kind::Engage)), (Some("u"), Some("p")));
        assert_eq!((record.token(Kind::Track), record.token(Kind::Engage)), (Some("s"), Some("t")));
        assert_eq!(record.insert_id(), "i");
        assert!(record.fails());
    }

    #[test]
    fn whatever_is_no_record_has_no_members() {
        for text in [
            "null",
            "5",
            "-5",
            "0.5",
            "\"event\"",
            "true",
            "[{\"event\":1}]",
            "{}",
            "{\"properties\":[1]}",
        ] {
            let record = read(text);
            assert!(record.event().is_null() && record.owner(Kind::Import).is_none(), "{text}");
            assert_eq!(record.value().to_string(), text);
        }
    }
}
