//! What a name means to Mixpanel, and where.
//!
//! Names compare exactly, as Mixpanel compares them. Sources: `reserved-properties`, `default-properties` and
//! `tracking-best-practices/geolocation` in Mixpanel's documentation.

/// What a name means, wherever it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// `event`: an event's name.
    Event,
    /// `properties` of an event.
    Properties,
    /// `token` of an event.
    EventToken,
    /// `$token` of a profile update.
    ProfileToken,
    /// `time` of an event.
    Time,
    /// `$insert_id` of an event.
    InsertId,
    /// `distinct_id`: whose event it is.
    DistinctId,
    /// `$distinct_id`: whose profile it is.
    ProfileId,
    /// `$user_id`.
    UserId,
    /// `$device_id`, which stands for `$device:` and itself as well.
    DeviceId,
    /// Another id.
    OtherId(&'static str),
    /// `$distinct_ids`: a list of ids, or its JSON as text.
    Ids,
    /// `ip` of an event: the address that a place is derived from.
    EventAddress,
    /// `$ip` of a profile update.
    ProfileAddress,
    /// A place, or what a place is derived from.
    Place,
    /// An operator whose value is an object of properties.
    Operator(&'static str),
    /// `$unset`: names, no values.
    Unset,
    /// `$delete`: the profile goes; the value means nothing.
    Delete,
    /// A switch that changes what the update does.
    Switch,
    /// `$ignore`: Mixpanel drops the event. Without it the event would count.
    Ignore,
    /// Belongs to an update of a group.
    Group,
    /// `$email`.
    Email,
    /// `$phone`.
    Phone,
    /// What the SDKs add about themselves and the moment.
    Envelope,
    /// Nothing in particular.
    Other,
}

impl Meaning {
    pub(super) fn of(name: &str) -> Self {
        match name {
            "event" => Self::Event,
            "properties" => Self::Properties,
            "token" => Self::EventToken,
            "$token" => Self::ProfileToken,
            "time" => Self::Time,
            "$insert_id" => Self::InsertId,
            "distinct_id" => Self::DistinctId,
            "$distinct_id" => Self::ProfileId,
            "$user_id" => Self::UserId,
            "$device_id" => Self::DeviceId,
            "$anon_id" => Self::OtherId("$anon_id"),
            "$anon_distinct_id" => Self::OtherId("$anon_distinct_id"),
            "$identified_id" => Self::OtherId("$identified_id"),
            "$distinct_id_before_identity" => Self::OtherId("$distinct_id_before_identity"),
            "mp_original_distinct_id" => Self::OtherId("mp_original_distinct_id"),
            "alias" => Self::OtherId("alias"),
            "$distinct_ids" => Self::Ids,
            "ip" => Self::EventAddress,
            "$ip" => Self::ProfileAddress,
            "$city" | "$region" | "$country" | "$country_code" | "mp_country_code"
            | "$timezone" | "$geo_source" | "$latitude" | "$longitude" | "$geolocation" => {
                Self::Place
            }
            "$set" => Self::Operator("$set"),
            "$set_once" => Self::Operator("$set_once"),
            "$add" => Self::Operator("$add"),
            "$append" => Self::Operator("$append"),
            "$union" => Self::Operator("$union"),
            "$remove" => Self::Operator("$remove"),
            "$unset" => Self::Unset,
            "$delete" => Self::Delete,
            "$ignore_alias" | "$ignore_time" | "$had_persisted_distinct_id" => Self::Switch,
            "$ignore" => Self::Ignore,
            "$group_key" | "$group_id" => Self::Group,
            "$email" => Self::Email,
            "$phone" => Self::Phone,
            "$time" | "$mp_metadata" => Self::Envelope,
            _ => Self::Other,
        }
    }

    /// The name, if ids stand under it.
    pub(super) fn id_name(self) -> Option<&'static str> {
        match self {
            Self::DistinctId => Some("distinct_id"),
            Self::ProfileId => Some("$distinct_id"),
            Self::UserId => Some("$user_id"),
            Self::DeviceId => Some("$device_id"),
            Self::Ids => Some("$distinct_ids"),
            Self::OtherId(name) => Some(name),
            _ => None,
        }
    }

    /// Whether it tells where somebody is.
    pub(super) fn is_geographic(self) -> bool {
        matches!(self, Self::Place | Self::EventAddress | Self::ProfileAddress)
    }
}

/// An object that names stand in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// An event itself.
    Event,
    /// An event's `properties`.
    Properties,
    /// A profile update itself.
    Profile,
    /// The properties of an operator.
    Operator,
    /// An object in a value.
    Nested,
}

impl Place {
    /// Whether a name stays here even if the blacklist has it: the record could not be understood without
    /// it. Elsewhere the same name is a property like any other.
    pub(super) fn protects(self, meaning: Meaning) -> bool {
        use Meaning as M;
        let id = meaning.id_name().is_some();
        match self {
            Self::Event => id || matches!(meaning, M::Event | M::Properties),
            Self::Properties => {
                id || matches!(
                    meaning,
                    M::EventToken | M::Time | M::InsertId | M::EventAddress | M::Switch | M::Ignore
                )
            }
            Self::Profile => {
                id || matches!(
                    meaning,
                    M::ProfileToken
                        | M::ProfileAddress
                        | M::Operator(_)
                        | M::Unset
                        | M::Delete
                        | M::Switch
                )
            }
            Self::Operator => id,
            Self::Nested => false,
        }
    }
}

/// Whether `name` stays where a record cannot be understood without it, even if the blacklist has it.
pub fn is_protected(name: &str) -> bool {
    let meaning = Meaning::of(name);
    [Place::Event, Place::Properties, Place::Profile].iter().any(|place| place.protects(meaning))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_a_record_needs_are_protected() {
        for name in [
            "event",
            "properties",
            "token",
            "time",
            "distinct_id",
            "$insert_id",
            "$device_id",
            "$user_id",
            "$identified_id",
            "$anon_id",
            "$anon_distinct_id",
            "$had_persisted_distinct_id",
            "alias",
            "$distinct_ids",
            "$token",
            "$distinct_id",
            "$delete",
            "$ignore_alias",
            "$ignore_time",
            "$ignore",
            "ip",
            "$ip",
            "$set",
            "$unset",
        ] {
            assert!(is_protected(name), "{name}");
        }
        for name in ["$email", "$city", "Time", "Distinct_id", "plan", "$time", ""] {
            assert!(!is_protected(name), "{name}");
        }
    }

    #[test]
    fn a_name_is_protected_only_where_it_has_its_meaning() {
        assert!(Place::Profile.protects(Meaning::of("$set")));
        assert!(!Place::Properties.protects(Meaning::of("$set")));
        assert!(!Place::Properties.protects(Meaning::of("event")));
        assert!(!Place::Operator.protects(Meaning::of("time")));
        assert!(!Place::Nested.protects(Meaning::of("distinct_id")));
    }

    #[test]
    fn an_id_knows_its_own_name() {
        for name in
            ["distinct_id", "$distinct_id", "$user_id", "$device_id", "$distinct_ids", "alias"]
        {
            assert_eq!(Meaning::of(name).id_name(), Some(name));
        }
        assert_eq!(Meaning::of("plan").id_name(), None);
    }
}
