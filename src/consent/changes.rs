//! What the rules did to records, for the counters.

use std::ops::AddAssign;

/// Counts of what was found and done. Says nothing of the content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Members removed because the blacklist has their names.
    pub blacklisted: u32,
    /// Places and addresses removed or replaced.
    pub geolocation: u32,
    /// Ids that left as keyed hashes.
    pub anonymized: u32,
    /// Values found that look like e-mail addresses, or stand under `$email`.
    pub email: u32,
    /// Values found that look like phone numbers, or stand under `$phone`.
    pub phone: u32,
    /// Values found that look like card numbers.
    pub card: u32,
    /// How many of the values found were dropped.
    pub dropped_values: u32,
}

impl AddAssign for Changes {
    fn add_assign(&mut self, other: Self) {
        self.blacklisted += other.blacklisted;
        self.geolocation += other.geolocation;
        self.anonymized += other.anonymized;
        self.email += other.email;
        self.phone += other.phone;
        self.card += other.card;
        self.dropped_values += other.dropped_values;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_add_up_each_on_its_own() {
        let one = Changes {
            blacklisted: 1,
            geolocation: 2,
            anonymized: 3,
            email: 4,
            phone: 5,
            card: 6,
            dropped_values: 7,
        };
        let mut sum = one;
        sum += one;
        let twice = Changes {
            blacklisted: 2,
            geolocation: 4,
            anonymized: 6,
            email: 8,
            phone: 10,
            card: 12,
            dropped_values: 14,
        };
        assert_eq!(sum, twice);
    }
}
