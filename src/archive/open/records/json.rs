//! The elements of JSON arrays, and pretty-printed objects one after the other.

use crate::archive::{
    error::{Fault, PackageError},
    open::json_text::Nesting,
    open::records::{Cut, RecordSink},
};

const MALFORMED: PackageError = PackageError::Corrupt(Fault::Malformed);
const TRUNCATED: PackageError = PackageError::Corrupt(Fault::Truncated);

/// Hands over the elements of each array.
pub(super) fn each_element(
    cut: &mut Cut<'_>,
    sink: &mut RecordSink<'_>,
) -> Result<(), PackageError> {
    while cut.skip_white_space()? {
        if take(cut) != Some(b'[') {
            return Err(MALFORMED);
        }
        array(cut, sink)?;
    }
    Ok(())
}

/// From behind the bracket that opens an array to behind the one that closes it.
fn array(cut: &mut Cut<'_>, sink: &mut RecordSink<'_>) -> Result<(), PackageError> {
    let mut after_comma = false;
    loop {
        if !cut.skip_white_space()? {
            return Err(TRUNCATED);
        }
        match cut.text.held().first() {
            Some(b']') if !after_comma => {
                cut.text.skip(1);
                return Ok(());
            }
            Some(b']' | b',') => return Err(MALFORMED),
            _ => {}
        }
        let length = element(cut)?;
        emit(cut, length, sink)?;
        after_comma = take(cut) == Some(b',');
        if !after_comma {
            return Ok(());
        }
    }
}

/// Finds the comma or bracket behind the element that begins here, and returns its position.
fn element(cut: &mut Cut<'_>) -> Result<usize, PackageError> {
    let mut nesting = Nesting::default();
    let mut at = 0;
    loop {
        let rest = cut.text.from(at);
        if nesting.is_inside() {
            match nesting.close(rest) {
                Some(taken) => at += taken,
                None => at = go_on(cut)?,
            }
            continue;
        }
        match rest.first() {
            None => at = go_on(cut)?,
            Some(b',' | b']') => return Ok(at),
            Some(&byte) => {
                nesting.step(byte);
                at += 1;
            }
        }
    }
}

/// Hands over each object.
pub(super) fn each_object(
    cut: &mut Cut<'_>,
    sink: &mut RecordSink<'_>,
) -> Result<(), PackageError> {
    while cut.skip_white_space()? {
        if cut.text.held().first() != Some(&b'{') {
            return Err(MALFORMED);
        }
        let mut nesting = Nesting::default();
        nesting.step(b'{');
        let mut at = 1;
        let length = loop {
            match nesting.close(cut.text.from(at)) {
                Some(taken) => break at + taken,
                None => at = go_on(cut)?,
            }
        };
        emit(cut, length, sink)?;
    }
    Ok(())
}

/// Reads on inside a record. Returns how much of it was there before.
fn go_on(cut: &mut Cut<'_>) -> Result<usize, PackageError> {
    let held = cut.text.held().len();
    cut.allow(held)?;
    if cut.more()? { Ok(held) } else { Err(TRUNCATED) }
}

fn emit(cut: &mut Cut<'_>, length: usize, sink: &mut RecordSink<'_>) -> Result<(), PackageError> {
    let record = cut.text.held().get(..length).unwrap_or_default().trim_ascii_end();
    cut.allow(record.len())?;
    sink(record)?;
    cut.text.skip(length);
    Ok(())
}

/// Takes the next byte at hand.
fn take(cut: &mut Cut<'_>) -> Option<u8> {
    let byte = cut.text.held().first().copied();
    cut.text.skip(1);
    byte
}
