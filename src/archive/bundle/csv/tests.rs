//! The table, read back.

use std::{fs, io::Read};

use proptest::{collection::vec, prelude::*};
use serde_json::{Map, Value, json};

use crate::archive::{
    bundle::{
        csv::{cell, write},
        tests::run,
    },
    deflated::{Deflated, DeflatedFacts, Held},
    error::PackageError,
};

fn table(events: &str) -> String {
    let mut out = Vec::new();
    write(&Held::new(events.as_bytes()).unwrap(), &mut out).unwrap();
    String::from_utf8(out).unwrap().strip_prefix('\u{feff}').unwrap().to_owned()
}

fn rows(table: &str) -> Vec<Vec<String>> {
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(table.as_bytes());
    let row = |record: csv::StringRecord| record.iter().map(str::to_owned).collect();
    reader.records().map(|record| row(record.unwrap())).collect()
}

#[test]
fn events_become_rows_under_the_properties_in_the_order_of_their_first_sight() {
    let events = concat!(
        r#"{"event":"A","properties":{"time":1728000000,"distinct_id":"u1","b":-5,"a":"-5"}}"#,
        "\n",
        r#"{"event":"=B","properties":{"distinct_id":7,"a":{"x":[1.10]},"=c":"x,\"y\"","n":null},"$top":true}"#,
        "\n"
    );
    let expected = "event,time,distinct_id,b,a,'=c,n,$top,other_properties\r\n\
                    A,2024-10-04T00:00:00Z,u1,-5,'-5,,,,\r\n\
                    '=B,,7,,\"{\"\"x\"\":[1.10]}\",\"x,\"\"y\"\"\",,true,\r\n";
    assert_eq!(table(events), expected);
}

#[test]
fn what_has_no_column_of_its_own_stands_in_the_last_one() {
    let properties: Map<String, Value> = (0..205).map(|n| (format!("p{n:03}"), n.into())).collect();
    let many = json!({"event": "A", "properties": properties});
    let twice =
        r#"{"event":"B","event":"C","properties":{"p000":1,"p000":2,"other_properties":3}}"#;
    let odd = r#"{"event":"D","properties":"none"}"#;
    let rows = rows(&table(&format!("{many}\n{twice}\n{odd}\n")));
    assert!(rows.iter().all(|row| row.len() == 3 + 200 + 1));
    let last: Vec<&str> = rows.iter().map(|row| row.last().unwrap().as_str()).collect();
    assert_eq!(last[1], r#"{"p200":200,"p201":201,"p202":202,"p203":203,"p204":204}"#);
    assert_eq!(last[2], r#"{"event":"C","p000":2,"other_properties":3}"#);
    assert_eq!(last[3], r#"{"properties":"none"}"#);
}

#[test]
fn a_text_that_is_cut_off_is_no_table() {
    struct Cut(Held);
    impl Deflated for Cut {
        fn facts(&self) -> DeflatedFacts {
            self.0.facts()
        }
        fn open(&self) -> std::io::Result<Box<dyn Read + '_>> {
            let half = self.0.facts().packed_bytes / 2;
            Ok(Box::new(self.0.open()?.take(half)))
        }
    }
    let events: String = "{\"event\":\"A\"}\n".repeat(1_000);
    let cut = Cut(Held::new(events.as_bytes()).unwrap());
    assert!(matches!(write(&cut, &mut Vec::new()), Err(PackageError::Spool(_))));
}

/// Texts with a liking for what is special in a table.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[-=+@\t\r\n \"',;|＝－a0]{0,6}", any::<String>()]
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        text().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
        vec(text(), 0..3).prop_map(Value::from),
    ]
}

/// What a cell should say, made in another way than the table makes it.
fn shown(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => cell::guarded(text.into()).into_owned(),
        Some(other) => other.to_string(),
    }
}

fn is_formula(cell: &str) -> bool {
    let start = cell.trim_start_matches([' ', '"', '\'']);
    let quoted = cell.starts_with('\'');
    let dangerous = ['=', '+', '-', '@', '\t', '\r', '＝', '＋', '－', '＠'];
    start.starts_with(dangerous) && !quoted && cell.parse::<f64>().is_err()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn cells_come_back_and_none_of_them_is_a_formula(
        events in vec((text(), vec((text(), value()), 0..6)), 0..8)
    ) {
        let lines: Vec<Value> = events
            .into_iter()
            .map(|(event, properties)| {
                json!({"event": event, "properties": properties.into_iter().collect::<Map<_, _>>()})
            })
            .collect();
        let text = lines.iter().map(|line| format!("{line}\n")).collect::<Vec<_>>().concat();
        let rows = rows(&table(&text));
        let (header, rows) = rows.split_first().unwrap();
        prop_assert_eq!(rows.len(), lines.len());
        for (row, line) in rows.iter().zip(&lines) {
            prop_assert!(row.iter().all(|cell| !is_formula(cell)));
            prop_assert_eq!(&row[0], &shown(line.get("event")));
            for (name, value) in line["properties"].as_object().unwrap() {
                let name = cell::guarded(name.into());
                let reserved = ["event", "time", "distinct_id", "other_properties"];
                if reserved.contains(&&*name) || name.len() > 250 {
                    continue;
                }
                // Names that differ by the apostrophe alone have a column each.
                let cells = header.iter().zip(row).filter(|(column, _)| *column == &*name);
                let shown = shown(Some(value));
                prop_assert!(cells.into_iter().any(|(_, cell)| *cell == shown));
            }
        }
    }
}

#[test]
fn python_reads_the_cells_that_were_written() {
    let texts = ["=1+1", "a,b", "c\"d", "e\nf", "g\r\nh", "é;ü", "-5", "\t@x", ""];
    let events: String = texts
        .map(|text| json!({"event": text, "properties": {"n": -5, "text": text}}))
        .map(|event| format!("{event}\n"))
        .concat();
    let home = tempfile::tempdir().unwrap();
    fs::write(home.path().join("a.csv"), format!("\u{feff}{}", table(&events))).unwrap();
    let script = "import csv, json\n\
                  with open('a.csv', encoding='utf-8-sig', newline='') as file:\n\
                  \x20   print(json.dumps(list(csv.reader(file))))";
    let read = run("python3", &["-c", script], home.path());
    let read: Vec<Vec<String>> = serde_json::from_slice(&read).unwrap();
    assert_eq!(read[0], ["event", "time", "distinct_id", "n", "text", "other_properties"]);
    for (row, text) in read[1..].iter().zip(texts) {
        let text = cell::guarded(text.into());
        assert_eq!(row, &[&text, "", "", "-5", &text, ""]);
    }
    assert_eq!(read.len(), 1 + texts.len());
}
