//! Reads entries out of Redis answers, whatever bytes the producer put into them.
//!
//! redis-rs would refuse a whole answer because of one field name that is not UTF-8; one such
//! entry must not stand in the way of the others.

use redis::{ParsingError, Value};

use super::entry::{Fields, RawEntry};

type Parsed<T> = Result<T, ParsingError>;

/// The entries in an answer to XREADGROUP for one stream; none when it timed out.
pub(super) fn read_entries(answer: Value) -> Parsed<Vec<RawEntry>> {
    match answer {
        Value::Nil => Ok(Vec::new()),
        // RESP3 answers with a map from stream to entries, RESP2 with a list of pairs.
        Value::Map(streams) => flatten(streams.into_iter().map(|(_, list)| entries(list))),
        Value::Array(streams) => flatten(streams.into_iter().map(|stream| match stream {
            Value::Array(pair) => pair.into_iter().nth(1).map_or(Ok(Vec::new()), entries),
            _ => Err(unexpected("a stream")),
        })),
        _ => Err(unexpected("a list of streams")),
    }
}

fn flatten(lists: impl Iterator<Item = Parsed<Vec<RawEntry>>>) -> Parsed<Vec<RawEntry>> {
    Ok(lists.collect::<Parsed<Vec<_>>>()?.into_iter().flatten().collect())
}

/// A list of entries, as XCLAIM answers.
pub(super) fn entries(list: Value) -> Parsed<Vec<RawEntry>> {
    match list {
        Value::Nil => Ok(Vec::new()),
        Value::Array(list) => {
            list.into_iter().filter(|item| *item != Value::Nil).map(entry).collect()
        }
        _ => Err(unexpected("a list of entries")),
    }
}

fn entry(item: Value) -> Parsed<RawEntry> {
    let Value::Array(parts) = item else { return Err(unexpected("an entry")) };
    let mut parts = parts.into_iter();
    let (Some(id), Some(fields)) = (parts.next(), parts.next()) else {
        return Err(unexpected("an id and fields"));
    };
    let id = String::from_utf8(bytes(id)?).map_err(|_| unexpected("an id"))?;
    let id = id.parse().map_err(|_| unexpected("an id"))?;
    Ok(RawEntry { id, fields: pairs(fields)?, deliveries: 1 })
}

fn pairs(list: Value) -> Parsed<Fields> {
    let Value::Array(list) = list else { return Err(unexpected("a list of fields")) };
    let mut list = list.into_iter().map(bytes);
    let pairs = std::iter::from_fn(|| Some((list.next()?, list.next()?)));
    pairs.map(|(name, value)| Ok((name?, value?))).collect()
}

fn bytes(value: Value) -> Parsed<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Ok(bytes),
        Value::SimpleString(text) => Ok(text.into_bytes()),
        _ => Err(unexpected("a text")),
    }
}

/// Says what was expected; quoting what was found could leak personal data.
fn unexpected(expected: &str) -> ParsingError {
    format!("expected {expected}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(bytes: &[u8]) -> Value {
        Value::BulkString(bytes.to_vec())
    }

    fn list() -> Value {
        let fields = Value::Array(vec![text(b"\xff"), text(b"1"), text(b"job"), text(b"2")]);
        Value::Array(vec![Value::Array(vec![text(b"5-1"), fields])])
    }

    #[test]
    fn both_protocol_versions_read_the_same_and_names_need_not_be_utf8() {
        let resp2 = Value::Array(vec![Value::Array(vec![text(b"s"), list()])]);
        let resp3 = Value::Map(vec![(text(b"s"), list())]);
        for answer in [resp2, resp3] {
            let found = read_entries(answer).unwrap_or_default();
            assert_eq!(found.len(), 1);
            assert_eq!(found[0].id.to_string(), "5-1");
            assert_eq!(found[0].fields.get("job"), Some(b"2".as_slice()));
        }
    }

    #[test]
    fn an_answer_of_another_shape_is_an_error_that_quotes_nothing() {
        let error = read_entries(text(b"private")).err().map(|error| error.to_string());
        assert!(error.is_some_and(|text| !text.contains("private")));
        assert!(read_entries(Value::Nil).is_ok_and(|entries| entries.is_empty()));
    }
}
