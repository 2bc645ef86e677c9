//! Every record reaches whom it belongs to, byte for byte, compared with the referee's split; and the
//! archives are the same bytes whatever the threads.

use std::io::{self, Cursor, Read, Seek, SeekFrom};

use proptest::prelude::*;

use crate::archive::{
    tests::referee::{self, Expected},
    tests::workbench::{Bench, entries, hashes, person},
    *,
};

const KIB: usize = 1024;

fn means(memory: usize, threads: usize) -> Means {
    Means { memory, threads }
}

fn batch(ids: &[Vec<String>]) -> Vec<Person> {
    let of = |(n, ids): (usize, &Vec<String>)| {
        person(&format!("r{n}"), &ids.iter().map(String::as_str).collect::<Vec<_>>())
    };
    ids.iter().enumerate().map(of).collect()
}

fn ids(people: &[&[&str]]) -> Vec<Vec<String>> {
    people.iter().map(|ids| ids.iter().map(ToString::to_string).collect()).collect()
}

/// Gives at most `step` bytes at a time.
struct Trickle(Cursor<Vec<u8>>, usize);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = self.1.min(buffer.len());
        self.0.read(&mut buffer[..most])
    }
}

impl Seek for Trickle {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.0.seek(to)
    }
}

/// Packages the records and compares the outcome with the referee's. Returns the archives' hashes.
fn compared(records: &[String], people: &[Vec<String>], means: Means, step: usize) -> Vec<String> {
    let bench = Bench { means, ..Bench::new() };
    let export = records.join("\n") + "\n";
    let trickle = Trickle(Cursor::new(export.into_bytes()), step);
    let packaged = bench.run_on(trickle, &batch(people)).unwrap();
    assert_eq!(packaged.read, records.len() as u64);
    assert_eq!(packaged.read, packaged.given + packaged.quarantined);
    let expected = referee::split(records, people);
    assert_eq!((packaged.given, packaged.quarantined), (expected.given, expected.quarantined));
    assert_archives(&packaged, &expected);
    let quarantine =
        packaged.quarantine.as_deref().map(|path| bench.quarantined(path)).unwrap_or_default();
    assert!(quarantine == expected.quarantine, "the quarantine differs");
    hashes(&packaged)
}

fn assert_archives(packaged: &Packaged, expected: &Expected) {
    let number =
        |request: &gdpr_jobs::RequestId| request.to_string()[1..].parse::<usize>().unwrap();
    let in_doubt: Vec<usize> = packaged.in_doubt.iter().map(number).collect();
    assert_eq!(in_doubt, expected.in_doubt);
    let archives: Vec<usize> = packaged.archives.iter().map(|a| number(&a.request)).collect();
    let certain = (0..expected.texts.len()).filter(|request| !in_doubt.contains(request));
    assert_eq!(archives, certain.collect::<Vec<_>>());
    for archive in &packaged.archives {
        let request = number(&archive.request);
        let [events, profiles, unparsed] = &expected.texts[request];
        let profiles = match profiles.trim_end() {
            "" => "[]\n".to_owned(),
            lines => format!("[\n{}\n]\n", lines.replace('\n', ",\n")),
        };
        let found = entries(&archive.location);
        let text =
            |name: &str| found.iter().find(|(n, _)| n == name).map(|(_, text)| text.as_str());
        assert!(text("events.ndjson") == Some(events), "the events of request {request} differ");
        assert!(text("profile.json") == Some(&profiles), "the profiles of {request} differ");
        assert!(text("unparsed.txt").unwrap_or_default() == unparsed, "what is no JSON differs");
        assert_eq!(text("unparsed.txt").is_some(), !unparsed.is_empty());
        assert_eq!(archive.events, events.lines().count() as u64);
    }
}

/// Records that mislead a reader that is not careful, and honest ones between them.
fn traps() -> Vec<String> {
    let mut records: Vec<String> = [
        r#"{"event":"plain","properties":{"distinct_id":"u1","time":1}}"#,
        r#"{"event":"spaces" , "properties" : { "distinct_id" :"u2" } }"#,
        r#"{"properties":{"distinct_id":"u1"},"event":"late"}"#,
        r#"{"event":"nested first","x":{"distinct_id":"u2"},"properties":{"y":{"distinct_id":"u2"},"distinct_id":"u1"}}"#,
        r#"{"event":"array first","properties":{"list":[{"distinct_id":"u2"},["distinct_id","u2"]],"distinct_id":"u1"}}"#,
        r#"{"event":"text","properties":{"note":"\"distinct_id\":\"u2\"}","distinct_id":"u1"}}"#,
        r#"{"event":"brace } in the name","properties":{"distinct_id":"u2"}}"#,
        r#"{"event":"escaped key","properties":{"distinct\u005fid":"u1"}}"#,
        r#"{"event":"escaped value","properties":{"distinct_id":"\u00751"}}"#,
        r#"{"event":"number","properties":{"distinct_id":77,"n":12345678901234567890123}}"#,
        r#"{"event":"user","properties":{"distinct_id":"canonical","$user_id":"u1"}}"#,
        r#"{"event":"before","properties":{"distinct_id":"canonical","$distinct_id_before_identity":"u2"}}"#,
        r#"{"event":"device","properties":{"distinct_id":"x","$device_id":"dev1"}}"#,
        r#"{"event":"device","properties":{"distinct_id":"x","$device_id":"$device:dev1"}}"#,
        r#"{"event":"device","properties":{"$device_id":"$device:dev2"}}"#,
        r#"{"event":"device","properties":{"distinct_id":"$device:dev1"}}"#,
        r#"{"event":"twice nested","properties":{"cart":{"a":1,"a":2},"distinct_id":"u1"}}"#,
        r#"{"$distinct_id":"u1","$properties":{"$email":"u2","distinct_id":"u2"}}"#,
        r#"{"$distinct_id":"u2","$properties":{"$name":"B"}}"#,
        r#"{"$distinct_id":"u1","$properties":{}}"#,
        r#"{"event":"profile-like","$distinct_id":"u1"}"#,
    ]
    .map(str::to_owned)
    .to_vec();
    // Longer than a page, a piece and the memory.
    for (n, len) in [5 * KIB, 70 * KIB, 300 * KIB].into_iter().enumerate() {
        let text = (0..len).map(|i| ['a', 'b', 'c', 'd', 'e'][(i * i + n) % 5]).collect::<String>();
        let id = ["u1", "u2"][n % 2];
        let properties = format!("{{\"text\":\"{text}\",\"distinct_id\":\"{id}\"}}");
        records.push(format!("{{\"event\":\"long\",\"properties\":{properties}}}"));
    }
    records
}

fn strays() -> Vec<String> {
    [
        r#"{"event":"nobody","properties":{"distinct_id":"stranger"}}"#,
        r#"{"event":"nobody","properties":{"distinct_id":"u11"}}"#,
        r#"{"event":"nobody","properties":{"distinct_id":"dev1"}}"#,
        r#"{"event":"nobody"}"#,
        r#"{"event":"no text","properties":{"distinct_id":["stranger"]}}"#,
        r#"{"event":"twice","properties":{"distinct_id":"s","distinct_id":"s"}}"#,
        r#"{"event":"broken","properties":{"x":1}"#,
        r#"{"event":"brok"en"}"#,
        "[1,2]",
        "3",
    ]
    .map(str::to_owned)
    .to_vec()
}

fn three() -> Vec<Vec<String>> {
    ids(&[&["u1", "$device:dev1", "77"], &["u2", "dev2"], &["u3"]])
}

#[test]
fn records_that_mislead_reach_whom_they_belong_to() {
    for (memory, threads) in [(64 * KIB, 0), (64 * KIB, 2), (16 * KIB * KIB, 1)] {
        let archives = compared(&traps(), &three(), means(memory, threads), usize::MAX);
        assert_eq!(archives.len(), 3);
        let with_strays = [traps(), strays()].concat();
        let archives = compared(&with_strays, &three(), means(memory, threads), 100);
        assert_eq!(archives.len(), 2, "whoever got nothing may lack something");
    }
}

#[test]
fn whoever_a_record_of_two_people_names_is_in_doubt() {
    for trap in [
        r#"{"event":"two","properties":{"distinct_id":"u1","$user_id":"u2"}}"#,
        r#"{"event":"two","distinct_id":"u1","properties":{"distinct_id":"u2"}}"#,
        r#"{"event":"two","properties":{"distinct_id":"u1","distinct_id":"u2"}}"#,
        r#"{"event":"two","properties":{"distinct_id":"u2","$device_id":"dev1"}}"#,
    ] {
        let records = [traps(), vec![trap.to_owned()]].concat();
        let bench = Bench::new();
        let packaged = bench.run(records.join("\n").as_bytes(), &batch(&three())).unwrap();
        assert!(["r0", "r1"].iter().all(|r| packaged.in_doubt.iter().any(|d| d.to_string() == *r)));
        assert!(!bench.files("store").iter().any(|name| name == "r0.zip" || name == "r1.zip"));
        compared(&records, &three(), Means::default(), usize::MAX);
    }
}

#[test]
fn whoever_a_record_that_cannot_be_read_may_be_about_is_in_doubt() {
    let honest = r#"{"event":"A","properties":{"distinct_id":"u1"}}"#;
    for trap in [
        &b"{\"event\":\"\xff\",\"properties\":{\"distinct_id\":\"u1\"}}"[..],
        br#"{"event":NaN,"properties":{"distinct_id":"u1"}}"#,
        br#"{"event":"quo"te","properties":{"$device_id":"dev1"}}"#,
        br#"{"event":"list","properties":{"distinct_id":["u1"]}}"#,
        br#"{"event":"number","properties":{"distinct_id":77.0,"x":{"$user_id":"u1"}}}"#,
    ] {
        let export = [honest.as_bytes(), b"\n", trap, b"\n"].concat();
        let packaged = Bench::new().run(&export, &batch(&three()[..2])).unwrap();
        let in_doubt: Vec<String> = packaged.in_doubt.iter().map(ToString::to_string).collect();
        assert_eq!(in_doubt, ["r0", "r1"], "{}", String::from_utf8_lossy(trap));
    }
}

#[test]
fn nobody_is_in_doubt_when_every_record_was_given() {
    let records = vec![r#"{"event":"A","properties":{"distinct_id":"u1"}}"#.to_owned()];
    assert_eq!(compared(&records, &three(), Means::default(), usize::MAX).len(), 3);
}

#[test]
fn a_single_person_gets_everything_also_what_is_no_json() {
    let people = ids(&[&["u1", "u9"]]);
    let records = [traps(), strays()].concat();
    for (memory, threads) in [(64 * KIB, 0), (16 * KIB * KIB, 2)] {
        compared(&records, &people, means(memory, threads), usize::MAX);
    }
    let bench = Bench::new();
    let packaged = bench.run(records.join("\n").as_bytes(), &batch(&people)).unwrap();
    assert_eq!((packaged.quarantined, packaged.quarantine), (0, None));
    assert!(packaged.in_doubt.is_empty());
    let unparsed = entries(&packaged.archives[0].location).into_iter().nth(3).unwrap();
    assert_eq!(unparsed.0, "unparsed.txt");
    assert_eq!(unparsed.1.lines().count(), 4);
}

/// One record: some honest, some not; of one of a few ids, or of several.
fn record() -> impl Strategy<Value = String> {
    let id = || (0..9_usize).prop_map(|n| format!("u{n}"));
    let text = prop_oneof![
        9 => "[ -~äé]{0,60}".prop_map(|text| serde_json::to_string(&text).unwrap()),
        1 => (1..9_usize).prop_map(|n| format!("\"{}\"", "lorem ipsum ".repeat(n * 400))),
    ];
    let shape = prop_oneof![8 => 0..4_usize, 1 => 4..10_usize];
    (id(), id(), text, shape).prop_map(|(a, b, text, shape)| match shape {
        0 | 1 => format!(r#"{{"event":"E","properties":{{"x":{text},"distinct_id":"{a}"}}}}"#),
        2 => format!(r#"{{"$distinct_id":"{a}","$properties":{{"x":{text},"y":"{b}"}}}}"#),
        3 => format!(r#"{{"event":"E","properties":{{"$device_id":"{a}","x":{text}}}}}"#),
        4 => format!(r#"{{"event":{text},"properties":{{"distinct_id":"{a}","$user_id":"{b}"}}}}"#),
        5 => format!(r#"{{"event":{text},"properties":{{"x":[{{"distinct_id":"{a}"}}]}}}}"#),
        6 => format!(r#"{{"distinct_id":"{a}","x":{text},"distinct_id":"{b}"}}"#),
        7 => format!(r#"{{"event":{text},"properties":{{"distinct_id":{{"a":"{a}"}}}}}}"#),
        8 => format!(r#"{{"event":{text},"distinct_id":null,"properties":"{a}"}}"#),
        _ => format!(r#"{{"event":{text},"distinct_id":"{a}",}}"#),
    })
}

/// Requests, each with a few ids; some share one, and are one person's.
fn people() -> impl Strategy<Value = Vec<Vec<String>>> {
    let id = prop_oneof![
        5 => (0..7_usize).prop_map(|n| format!("u{n}")),
        1 => (0..7_usize).prop_map(|n| format!("$device:u{n}")),
    ];
    prop::collection::vec(prop::collection::vec(id, 1..3), 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn any_export_is_split_as_by_the_referee_whatever_the_threads(
        records in prop::collection::vec(record(), 0..120),
        people in people(),
        memory in (64 * KIB)..(512 * KIB),
        threads in 1..4_usize,
        step in 1..3_000_usize,
    ) {
        // The layout of an export is read from its first line.
        let records = [vec![r#"{"event":"first"}"#.to_owned()], records].concat();
        let alone = compared(&records, &people, means(memory, 0), usize::MAX);
        prop_assert_eq!(alone, compared(&records, &people, means(memory, threads), step));
    }
}
