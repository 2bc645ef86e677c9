//! The keys and ids of a record in plain JSON.

use super::{
    Id,
    scan::{Key, Seen},
};
use crate::archive::open::plain_json::{Ask, Look};

/// Keys with an id, at the top level and in `properties`; none of them stands twice.
const MOST: usize = 10;

/// What is found in one record.
#[derive(Default)]
pub(super) struct Found<'t> {
    ids: [Option<Id<'t>>; MOST],
    count: usize,
    /// The last key, whose value is an id.
    key: Option<Key>,
    top: Seen,
    inside: Seen,
    /// The last key of the top level was `properties`.
    in_properties: bool,
}

impl<'t> Found<'t> {
    /// Its ids, in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = Id<'t>> {
        self.ids.iter().copied().flatten()
    }

    /// The keys of its top level.
    pub(super) fn top(&self) -> Seen {
        self.top
    }
}

impl<'t> Look<'t> for Found<'t> {
    fn key(&mut self, depth: u32, name: &'t str) -> Ask {
        let key = Key::of(name);
        let top = depth == 1;
        if top {
            self.in_properties = key == Key::Properties;
        } else if !self.in_properties {
            return Ask::Nothing;
        }
        if key == Key::Other {
            return Ask::Nothing;
        }
        let seen = if top { &mut self.top } else { &mut self.inside };
        if seen.note(key) {
            return Ask::Stop;
        }
        if key.is_id() {
            self.key = Some(key);
            return Ask::Text;
        }
        Ask::Nothing
    }

    fn text(&mut self, text: &'t str) {
        let Some(key) = self.key.take() else { return };
        if let Some(place) = self.ids.get_mut(self.count) {
            *place = Some(Id::of(key, text));
            self.count += 1;
        }
    }
}
