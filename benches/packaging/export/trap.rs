//! Awkward lines, on which a careless search for the id names the wrong person.
//!
//! Lines that put a request in doubt (two people, an id that stands twice) are only about each 40th person, so that
//! the archives of all the others are there to be compared.

use std::io::{self, Write};

use super::{people::Subject, random::Random, record};

/// People whose requests may come into doubt: each 40th.
const DOUBTFUL: usize = 40;

/// Writes a line about the person at `who`, with somebody else's id in the way.
pub(super) fn write(
    out: &mut Vec<u8>,
    people: &[Subject],
    who: usize,
    number: u64,
    random: &mut Random,
) -> io::Result<()> {
    let other = usize::try_from(random.below(people.len() as u64)).unwrap_or(0);
    let (Some(own), Some(decoy)) = (people.get(who), people.get(other)) else { return Ok(()) };
    let event = |out: &mut Vec<u8>, random: &mut Random, ids: std::fmt::Arguments<'_>| {
        record::event_with(out, own, number, random, &ids)
    };
    let (id, strange) = (own.id(), decoy.id());
    match random.below(18) {
        0 => event(
            out,
            random,
            format_args!(r#""cart":{{"distinct_id":"{strange}"}},"distinct_id":"{id}","#),
        ),
        1 => event(
            out,
            random,
            format_args!(
                r#""list":[{{"distinct_id":"{strange}","x":[{{}}]}},"distinct_id"],"distinct_id":"{id}","#
            ),
        ),
        2 => event(
            out,
            random,
            format_args!(r#""note":"\"distinct_id\":\"{strange}\",}}","distinct_id":"{id}","#),
        ),
        3 => event(out, random, format_args!(r#""distinct\u005fid":"{id}","#)),
        4 => event(
            out,
            random,
            format_args!(r#""distinct_id":"\u0075\u0073er{}","#, id.get(4..).unwrap_or_default()),
        ),
        5 => event(out, random, format_args!(r#""distinct_id" : "{id}" , "#)),
        6 => event(
            out,
            random,
            format_args!(r#""properties":{{"distinct_id":"{strange}"}},"distinct_id":"{id}","#),
        ),
        7 => event(out, random, format_args!(r#""distinct_id":null,"$user_id":"{id}","#)),
        8 => event(
            out,
            random,
            format_args!(
                r#""distinct_id":"nobody-{number}","$distinct_id_before_identity":"{id}","#
            ),
        ),
        9 => late(out, own, strange, number),
        10 => early_properties(out, own, strange),
        // A device's id, with and without its prefix; without a request for the device it is a stray.
        11 => event(
            out,
            random,
            format_args!(r#""distinct_id":"{}","#, own.device_id().unwrap_or("$device:unknown")),
        ),
        12 => event(out, random, format_args!(r#""distinct_id":"nobody-{number}","#)),
        13 => event(out, random, format_args!("")),
        14 => malformed(out, id, number),
        15 => not_an_object(out, id, number),
        kind => doubtful(out, people, who, other, kind == 16),
    }
}

/// The id is the last thing in the line, behind many kilobytes.
fn late(out: &mut Vec<u8>, own: &Subject, strange: &str, number: u64) -> io::Result<()> {
    let long = "distinct_id \\\\ }".repeat(usize::try_from(number % 600).unwrap_or(0));
    write!(
        out,
        r#"{{"event":"{{Late}}","properties":{{"text":"{long}","to":"{strange}","distinct_id":"{}"}}}}"#,
        own.id()
    )
}

/// Properties come before the event's name, and a top-level object has somebody else's id.
fn early_properties(out: &mut Vec<u8>, own: &Subject, strange: &str) -> io::Result<()> {
    write!(
        out,
        r#"{{"properties":{{"price":1.10,"distinct_id":"{}"}},"context":{{"distinct_id":"{strange}"}},"event":"distinct_id"}}"#,
        own.id()
    )
}

/// Lines that name a person and are no JSON.
fn malformed(out: &mut Vec<u8>, id: &str, number: u64) -> io::Result<()> {
    match number % 5 {
        0 => write!(out, r#"{{"event":"a","properties":{{"distinct_id":"{id}"}}"#),
        1 => write!(out, r#"{{"event":"a","properties":{{"distinct_id":"{id}","x":NaN}}}}"#),
        2 => write!(out, r#"{{"event":"a","properties":{{"distinct_id":"{id}"}}}} {{}}"#),
        3 => write!(out, r#"{{"event":"a","properties":{{"distinct_id":"{id}","x":"\q"}}}}"#),
        _ => {
            write!(out, r#"{{"event":"a","properties":{{"distinct_id":"{id}","x":""#)?;
            out.extend_from_slice(b"\xff\"}}");
            Ok(())
        }
    }
}

/// JSON, but no record.
fn not_an_object(out: &mut Vec<u8>, id: &str, number: u64) -> io::Result<()> {
    match number % 3 {
        0 => write!(out, r#"[{{"event":"a","properties":{{"distinct_id":"{id}"}}}}]"#),
        1 => write!(out, r#""{id}""#),
        _ => write!(out, r#"{{"event":"a","properties":"distinct_id {id}"}}"#),
    }
}

/// Two people in one line, or one whose id stands twice.
fn doubtful(
    out: &mut Vec<u8>,
    people: &[Subject],
    who: usize,
    other: usize,
    two: bool,
) -> io::Result<()> {
    // The last one of each 40, so that the person with the most lines is in no doubt.
    let chosen = |n: usize| people.get(n - n % DOUBTFUL + DOUBTFUL - 1).or(people.last());
    let (Some(one), Some(another)) = (chosen(who), chosen(other)) else { return Ok(()) };
    let key = if two { "$user_id" } else { "distinct_id" };
    write!(
        out,
        r#"{{"event":"a","properties":{{"distinct_id":"{}","{key}":"{}"}}}}"#,
        one.id(),
        another.id()
    )
}
