//! Phone and card numbers: a text of digits and separators alone.

/// Most digits that anything here has.
const MAX_DIGITS: usize = 19;
/// Longest number with its separators.
const MAX_BYTES: usize = 40;

/// A text of digits and separators alone.
pub(super) struct Number {
    digits: [u8; MAX_DIGITS],
    count: usize,
    /// Lengths of the groups between separators.
    groups: [usize; MAX_DIGITS],
    group_count: usize,
    plus: bool,
    /// Spaces and dashes.
    gaps: usize,
    /// Brackets and slashes.
    brackets: usize,
    dots: usize,
}

impl Number {
    pub(super) fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_BYTES {
            return None;
        }
        let mut number = Self {
            digits: [0; MAX_DIGITS],
            count: 0,
            groups: [0; MAX_DIGITS],
            group_count: 0,
            plus: false,
            gaps: 0,
            brackets: 0,
            dots: 0,
        };
        let mut in_group = false;
        for (at, character) in text.char_indices() {
            if let Some(digit) = character.to_digit(10) {
                *number.digits.get_mut(number.count)? = u8::try_from(digit).ok()?;
                number.count += 1;
                number.group_count += usize::from(!in_group);
                number.groups[number.group_count - 1] += 1;
                in_group = true;
                continue;
            }
            in_group = false;
            match character {
                '+' if at == 0 => number.plus = true,
                ' ' | '\u{a0}' | '\u{202f}' | '-' | '\u{2010}' | '\u{2011}' | '\u{2013}' => {
                    number.gaps += 1;
                }
                '(' | ')' | '/' => number.brackets += 1,
                '.' => number.dots += 1,
                _ => return None,
            }
        }
        Some(number)
    }

    fn digits(&self) -> &[u8] {
        &self.digits[..self.count]
    }

    fn groups(&self) -> &[usize] {
        &self.groups[..self.group_count]
    }

    /// A prefix that an issuer has, the right length, a right check digit; groups by spaces or dashes.
    pub(super) fn is_card(&self) -> bool {
        if self.plus || self.dots + self.brackets > 0 || !(13..=MAX_DIGITS).contains(&self.count) {
            return false;
        }
        let prefix =
            |count: usize| self.digits[..count].iter().fold(0_u32, |n, d| n * 10 + u32::from(*d));
        let is_length = match (prefix(2), prefix(4)) {
            (40..=49, _) => matches!(self.count, 13 | 16 | 19),
            (51..=55, _) | (_, 2221..=2720) => self.count == 16,
            (34 | 37, _) => self.count == 15,
            (36 | 38 | 39, _) | (_, 3000..=3059) => matches!(self.count, 14 | 16 | 19),
            (62 | 65, _) | (_, 3528..=3589 | 6011 | 6440..=6499) => self.count >= 16,
            _ => false,
        };
        is_length && luhn(self.digits())
    }

    /// With a plus, or written as people write phone numbers at home.
    pub(super) fn is_phone(&self, text: &str) -> bool {
        if !(8..=15).contains(&self.count) {
            return false;
        }
        if self.plus {
            return self.digits[0] != 0;
        }
        let home = match self.groups() {
            // Postal code of the US, with four digits more.
            [5, 4] => false,
            // North America: area, exchange, line.
            [3, 3, 4] => true,
            [1, 3, 3, 4] => self.digits[0] == 1,
            // France.
            [2, 2, 2, 2, 2] => self.digits[0] == 0 && self.digits[1] != 0,
            // A trunk prefix before the area, or the way out before the country.
            [3..=6, _, ..] => self.digits[0] == 0 && self.gaps + self.brackets > 0,
            _ => false,
        };
        home && text.chars().next_back().is_some_and(|last| last.is_ascii_digit())
    }
}

/// Whether the check digit is right (ISO/IEC 7812-1).
fn luhn(digits: &[u8]) -> bool {
    let weighed = digits.iter().rev().enumerate().map(|(place, digit)| match (place % 2, *digit) {
        (0, digit) => u32::from(digit),
        (_, digit) if digit > 4 => u32::from(digit) * 2 - 9,
        (_, digit) => u32::from(digit) * 2,
    });
    weighed.sum::<u32>().is_multiple_of(10)
}
