//! The people, and everything that must be found nowhere.

use crate::world::PEPPER;

pub(super) const PEOPLE: usize = 1_000;
pub(super) const APPLICATION_KEY: &str = "application-key-of-the-thousand-people";
pub(super) const DOCUMENT_KEY: &str = "document-key-of-the-thousand-people";
pub(super) const EXPORT_PASSWORD: &str = "export-password-of-the-thousand";

/// What no other text has by chance, whatever it is escaped or encoded with.
pub(super) fn core(number: usize) -> String {
    format!("kanarie{number:04}q{:08x}", u32::try_from(number).unwrap().wrapping_mul(0x9E37_79B1))
}

/// A person, as backends name theirs.
pub(super) fn person(number: usize) -> String {
    let core = core(number);
    match number % 5 {
        0 => format!("{core}@example.test"),
        1 => format!("{core}+tag:7@Zürich.example"),
        2 => format!("$device:{core}"),
        3 => format!("ключ/{core}/\"Zoë\"\\"),
        _ => format!("id={core}&name=%41 b"),
    }
}

/// What befalls a person.
pub(super) fn group(number: usize) -> usize {
    number % 20
}

pub(super) fn people(groups: &[usize]) -> impl Iterator<Item = String> {
    (0..PEOPLE).filter(|number| groups.contains(&group(*number))).map(person)
}

/// Everything that must be found nowhere.
pub(super) fn secrets(signing_key: &str) -> Vec<String> {
    let own = [
        "emulator-oauth-token",
        "emulator-project-token",
        PEPPER,
        APPLICATION_KEY,
        DOCUMENT_KEY,
        EXPORT_PASSWORD,
        "/exports/",
        "169.254.169.254",
        signing_key,
    ];
    let people = (0..PEOPLE).flat_map(|number| [core(number), person(number)]);
    people.chain(own.map(str::to_owned)).collect()
}
