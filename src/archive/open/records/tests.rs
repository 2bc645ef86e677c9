use std::io::{self, Read};

use crate::archive::{
    error::{Fault, PackageError},
    limits::{Limit, Limits},
    open::records::Text,
};

/// Gives one byte at a time, which finds frames that depend on how the text is cut.
struct Drops<'t>(&'t [u8]);

impl Read for Drops<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = buf.len().min(1);
        self.0.read(buf.get_mut(..most).unwrap_or_default())
    }
}

fn records(text: &str) -> Result<Vec<String>, PackageError> {
    limited(text, &Limits::default())
}

fn limited(text: &str, limits: &Limits) -> Result<Vec<String>, PackageError> {
    let mut found = Vec::new();
    Text::sniff(&mut Drops(text.as_bytes()), limits)?.each_record(&mut |record| {
        found.push(String::from_utf8_lossy(record).into_owned());
        Ok(())
    })?;
    Ok(found)
}

fn assert_records(text: &str, expected: &[&str]) {
    let found = records(text);
    assert!(found.as_ref().is_ok_and(|found| found == expected), "{text:?}: {found:?}");
}

fn assert_fault(texts: &[&str], expected: Fault) {
    for text in texts {
        let outcome = records(text);
        assert!(
            matches!(outcome, Err(PackageError::Corrupt(fault)) if fault == expected),
            "{text:?}: {outcome:?}"
        );
    }
}

#[test]
fn lines_may_end_in_either_way_and_the_last_need_not() {
    assert_records(
        "{\"a\":1}\r\n\n  {\"b\":2}\n{\"c\":3}",
        &["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"],
    );
    assert_records("\u{feff}{\"a\":1}\n", &["{\"a\":1}"]);
    assert_records(" \r\n\t\n", &[]);
}

#[test]
fn a_bad_line_does_not_take_its_neighbours_along() {
    assert_records("{\"a\":1}\n{\"b\":\n{\"c\":3}\n", &["{\"a\":1}", "{\"b\":", "{\"c\":3}"]);
}

#[test]
fn array_elements_keep_their_own_text() {
    assert_records("[]", &[]);
    assert_records(" [ ] \n", &[]);
    assert_records(
        "[{\"a\":\"],[\"},{ \"b\" : 1.0 } , 3,\"x\"]\n",
        &["{\"a\":\"],[\"}", "{ \"b\" : 1.0 }", "3", "\"x\""],
    );
    assert_records(
        "[\n  {\n    \"a\": [1, 2]\n  },\n  {}\n]\n",
        &["{\n    \"a\": [1, 2]\n  }", "{}"],
    );
    assert_records("[{}]\n[{\"b\":1}]", &["{}", "{\"b\":1}"]);
}

#[test]
fn pretty_printed_objects_are_one_record_each() {
    assert_records("{\n \"a\": \"}\"\n}", &["{\n \"a\": \"}\"\n}"]);
    assert_records("{\n\"a\": 1\n}\n{\n\"b\": 2\n}\n", &["{\n\"a\": 1\n}", "{\n\"b\": 2\n}"]);
}

#[test]
fn rows_of_profiles_become_profiles() {
    assert_records(
        "$distinct_id,$email,note\r\nu1,a@example.test,\"x \"\"y\"\",\r\nz\"\r\nu2,,\\\n",
        &[
            r#"{"$distinct_id":"u1","$properties":{"$email":"a@example.test","note":"x \"y\",\r\nz"}}"#,
            r#"{"$distinct_id":"u2","$properties":{"note":"\\"}}"#,
        ],
    );
    assert_records(
        "\u{feff}\"name\";\"distinct_id\"\n\"a;b\";u1",
        &[r#"{"distinct_id":"u1","$properties":{"name":"a;b"}}"#],
    );
    assert_records("distinct_id\tn\n\t\n\t1\n", &[r#"{"$properties":{"n":"1"}}"#]);
    assert_records("distinct_id,n\n", &[]);
}

#[test]
fn rows_with_an_event_become_events() {
    assert_records(
        "event,time,distinct_id\nA,1,u1\nB,,u2\n",
        &[
            r#"{"event":"A","properties":{"time":"1","distinct_id":"u1"}}"#,
            r#"{"event":"B","properties":{"distinct_id":"u2"}}"#,
        ],
    );
}

#[test]
fn columns_of_one_name_stay_two_so_that_two_ids_are_seen() {
    assert_records(
        "distinct_id,$distinct_id,distinct_id\nu1,u2,u3\n",
        &[r#"{"distinct_id":"u1","$distinct_id":"u2","distinct_id":"u3","$properties":{}}"#],
    );
}

#[test]
fn a_row_that_does_not_fit_is_no_record_of_anybody_and_its_neighbours_are() {
    assert_records(
        "distinct_id,n\nu1\n{\"distinct_id\":\"u1\"}\n\"u1\"x,2\nu1,2,3\nu2,5\"\n",
        &[
            r#"["u1"]"#,
            r#"["{\"distinct_id\":\"u1\"}"]"#,
            r#"["\"u1\"x,2"]"#,
            r#"["u1,2,3"]"#,
            r#"{"distinct_id":"u2","$properties":{"n":"5\""}}"#,
        ],
    );
}

#[test]
fn a_text_without_an_id_column_is_no_csv() {
    for text in ["a,b\n1,2", "distinct_id\nu1", "distinct_id of all, in\n", "\"distinct_id,b\n"] {
        assert_records(text, &[text.trim_ascii()]);
    }
}

#[test]
fn a_text_that_stops_inside_a_record_is_truncated() {
    assert_fault(
        &[
            "{\"a\":1}\n{\"b\":",
            "[{\"a\":1},",
            "[{\"a\":1}",
            "[",
            "[1",
            "{\n\"a\": 1\n",
            "distinct_id,n\nu1,\"x",
        ],
        Fault::Truncated,
    );
}

#[test]
fn broken_frames_are_malformed() {
    let texts = ["[{},]", "[,{}]", "[{},,{}]", "[{}] x", "[{}],[{}]", "{\n\"a\":1\n}\nx"];
    assert_fault(&texts, Fault::Malformed);
}

#[test]
fn a_record_over_the_limit_stops_the_run_in_every_layout() {
    let limits = Limits { record_bytes: 8, ..Limits::default() };
    assert!(limited("{\"a\":12}\r\n{\"b\":34}", &limits).is_ok_and(|r| r.len() == 2));
    let long = "distinct_id,n\nu1,\"1234567";
    for text in
        ["{\"a\":123}\n", "{\"a\":123}", "[{\"a\":123}]", "[1234567890", "{\n\"a\":1234}", long]
    {
        let outcome = limited(text, &limits);
        assert!(
            matches!(outcome, Err(PackageError::Limit(Limit::Record(8)))),
            "{text:?}: {outcome:?}"
        );
    }
    let unknown = limited("no known format", &limits);
    assert!(matches!(unknown, Err(PackageError::Corrupt(Fault::UnknownFormat))), "{unknown:?}");
}

#[test]
fn an_archive_inside_is_not_opened() {
    for text in ["PK\x03\x04....", "PK\x05\x06....", "\x5a\x2a\x4d\x18"] {
        assert!(matches!(records(text), Err(PackageError::Limit(Limit::Nesting))));
    }
    assert_fault(&["BZh91AY"], Fault::Unsupported);
}
