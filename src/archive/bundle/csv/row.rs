//! One event as cells.

use std::borrow::Cow;

use crate::archive::bundle::csv::{
    cell,
    columns::Columns,
    members::{self, Member, members},
    time,
};

/// A property of an event.
pub(super) struct Property<'a> {
    pub(super) name: Cow<'a, str>,
    member: Member<'a>,
}

/// An event, taken apart. Values are JSON text.
#[derive(Default)]
pub(super) struct Row<'a> {
    event: Option<&'a str>,
    time: Option<&'a str>,
    distinct_id: Option<&'a str>,
    pub(super) properties: Vec<Property<'a>>,
    /// A line that is no JSON object.
    whole: Option<&'a str>,
}

impl<'a> Row<'a> {
    /// Takes `line` apart. What stands beside `properties` counts as a property, too.
    pub(super) fn of(line: &'a str) -> Self {
        let mut row = Self::default();
        let Some(found) = members(line) else {
            return Self { whole: Some(line), ..row };
        };
        let mut seen_properties = false;
        for member in found {
            let name = members::string(member.key).unwrap_or(Cow::Borrowed(member.key));
            let inner =
                (name == "properties" && !seen_properties).then(|| members(member.value)).flatten();
            match inner {
                Some(inner) => {
                    seen_properties = true;
                    for property in inner {
                        row.add_property(property);
                    }
                }
                None if name == "event" && row.event.is_none() => row.event = Some(member.value),
                None => row.properties.push(Property { name, member }),
            }
        }
        row
    }

    fn add_property(&mut self, member: Member<'a>) {
        let name = members::string(member.key).unwrap_or(Cow::Borrowed(member.key));
        match name.as_ref() {
            "time" if self.time.is_none() => self.time = Some(member.value),
            "distinct_id" if self.distinct_id.is_none() => self.distinct_id = Some(member.value),
            _ => self.properties.push(Property { name, member }),
        }
    }

    /// The cells of the row, from the first column to the last.
    pub(super) fn cells(&self, columns: &Columns) -> impl Iterator<Item = Cow<'a, str>> {
        let mut placed: Vec<Option<&'a str>> = vec![None; columns.count()];
        let mut others = Vec::new();
        for Property { name, member } in &self.properties {
            match columns.place(name).and_then(|place| placed.get_mut(place)) {
                Some(free @ None) => *free = Some(member.value),
                // A name that stands twice, or one without a column.
                _ => others.push(*member),
            }
        }
        let shown = |value: Option<&'a str>| value.map_or(Cow::Borrowed(""), cell::shown);
        let time = self.time.map_or(Cow::Borrowed(""), |value| {
            time::written_out(value).map_or_else(|| cell::shown(value), Cow::Owned)
        });
        [shown(self.event), time, shown(self.distinct_id)]
            .into_iter()
            .chain(placed.into_iter().map(shown))
            .chain([self.others(&others)])
    }

    fn others(&self, members: &[Member<'a>]) -> Cow<'a, str> {
        match (self.whole, members) {
            (Some(line), _) => cell::guarded(Cow::Borrowed(line)),
            (None, []) => Cow::Borrowed(""),
            (None, members) => {
                let pairs: Vec<String> =
                    members.iter().map(|m| format!("{}:{}", m.key, m.value)).collect();
                Cow::Owned(format!("{{{}}}", pairs.join(",")))
            }
        }
    }
}
