//! Texts that look like e-mail addresses, phone or card numbers.
//!
//! A guess, and meant to be a careful one: an address is found anywhere in a text (a link with one in its
//! query is the common leak), a number only where it is the whole text, so that ids, times, dates, versions
//! and prices are left alone.

mod address;
mod number;

use number::Number;

/// What a text looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Personal {
    /// An e-mail address, or a text with one in it.
    Email,
    /// A phone number.
    Phone,
    /// A payment card's number.
    Card,
}

/// What `text` looks like, if like anything.
pub(super) fn looks_like(text: &str) -> Option<Personal> {
    if address::is_in(text.as_bytes()) {
        return Some(Personal::Email);
    }
    let text = text.trim();
    let text = text.strip_prefix("tel:").unwrap_or(text);
    let number = Number::read(text)?;
    if number.is_card() {
        Some(Personal::Card)
    } else {
        number.is_phone(text).then_some(Personal::Phone)
    }
}

#[cfg(test)]
mod tests;
