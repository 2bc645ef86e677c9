//! What is found and, as important, what is left alone.

use super::*;

fn assert_all(texts: &[&str], expected: Option<Personal>) {
    for text in texts {
        assert_eq!(looks_like(text), expected, "{text}");
    }
}

#[test]
fn addresses_are_found_wherever_they_stand() {
    assert_all(
        &[
            "ada@example.test",
            " Ada.L+news@mail.example.co.uk ",
            "\"Ada\" <ada@example.test>",
            "write to ada@example.test.",
            "https://shop.test/?mail=ada@example.test&x=1",
            "https://shop.test/?mail=ada%40example.test",
            "mailto:ada@example.test",
            "ädä@exämple.test",
            "ada@münchen.de",
            "ada@x.xn--p1ai",
            "ada@x.test",
        ],
        Some(Personal::Email),
    );
}

#[test]
fn other_uses_of_the_sign_are_no_addresses() {
    assert_all(
        &[
            "@ada",
            "ada@",
            "a @ b.test",
            "ada@localhost",
            "react@18.2.0",
            "logo@2x.png",
            "logo@3x.min.png",
            "https://m.test/@ada/x",
            "50%40.5",
            "",
            "@",
            "a@.test",
            "a@b.",
            "a@b.c",
        ],
        None,
    );
}

#[test]
fn phone_numbers_are_found_as_people_write_them() {
    assert_all(
        &[
            "+4930123456",
            "+49 (0)30 12 34 56-78",
            "tel:+14155552671",
            " +1 415.555.2671 ",
            "(415) 555-2671",
            "415-555-2671",
            "415.555.2671",
            "1 (415) 555-2671",
            "030 1234567",
            "0151/12345678",
            "0049 151 1234567",
            "06 12 34 56 78",
            "020 7946 0958",
        ],
        Some(Personal::Phone),
    );
}

#[test]
fn other_numbers_are_no_phone_numbers() {
    assert_all(
        &[
            "1700000000",
            "1700000000000",
            "4155552671",
            "2026-01-02",
            "02.01.2026",
            "2026-01-02 10.30",
            "01/02/2026",
            "192.168.100.100",
            "10.15.7.12345",
            "12345678.90",
            "1 234 567.00",
            "01234-5678",
            "123-45-6789",
            "10000-20000",
            "+1234567",
            "+1234567890123456",
            "-12345678",
            "0.123456789",
            "0151 1234567 ext 3",
            "550e8400-e29b-41d4-a716-446655440000",
            "1920 1080",
            "+0123456789",
            "1.234.567.890",
            "",
        ],
        None,
    );
}

#[test]
fn card_numbers_are_found_by_issuer_length_and_check_digit() {
    assert_all(
        &[
            "4111111111111111",
            "4111 1111 1111 1111",
            "4111-1111-1111-1111",
            "5555555555554444",
            "2223003122003222",
            "378282246310005",
            "3782 822463 10005",
            "6011111111111117",
            "3530111333300000",
            "30569309025904",
            "4222222222222",
        ],
        Some(Personal::Card),
    );
}

#[test]
fn other_long_numbers_are_no_card_numbers() {
    assert_all(
        &[
            "4111111111111112",
            "411111111111111",
            "1700000000000",
            "1700000000000000",
            "9111111111111111",
            "41111111111111111111",
            "4111.1111.1111.1111",
            "12345678901234567890123456789012345678901",
        ],
        None,
    );
}
