//! Zips whose directory lies, whose entries overlap, or whose names want out.

use super::{A, B, Case, Expected, MIB, case, fault, raw_zip::*, reads};
use crate::archive::{
    error::{Fault, Seal},
    limits::Limit,
    tests::exports::gzip,
};

fn a() -> RawEntry {
    RawEntry::deflated("secret-a", A.as_bytes())
}

fn b() -> RawEntry {
    RawEntry::stored("secret-b", B.as_bytes())
}

fn one(entry: RawEntry) -> Vec<u8> {
    RawZip::of([entry]).bytes()
}

fn two() -> RawZip {
    RawZip::of([a(), b()])
}

fn named(name: &[u8]) -> RawEntry {
    RawEntry { name: name.to_vec(), ..a() }
}

fn method(method: u16) -> Vec<u8> {
    one(RawEntry { method, ..a() })
}

fn flagged(flags: u16) -> Vec<u8> {
    one(RawEntry { flags, ..a() })
}

/// A data descriptor, with or without its signature.
fn described(signature: &[u8]) -> RawEntry {
    let a = a();
    let numbers = [a.crc32, a.packed_bytes, a.bytes].map(u32::to_le_bytes).concat();
    RawEntry { flags: 8, behind: [signature, &numbers].concat(), ..a }
}

/// Sizes in an extra field of zip64, where the header says that they are.
fn zip64(bytes: u64, packed_bytes: u64) -> Vec<u8> {
    let mut extra = vec![1, 0, 16, 0];
    extra.extend([bytes, packed_bytes].map(u64::to_le_bytes).concat());
    one(RawEntry { bytes: u32::MAX, packed_bytes: u32::MAX, extra, ..a() })
}

fn honest_zip64() -> Vec<u8> {
    let a = a();
    zip64(a.bytes.into(), a.packed_bytes.into())
}

/// An entry at `offset` that is only listed, beside one that is there.
fn elsewhere(offset: u32) -> Vec<u8> {
    RawZip::of([a(), RawEntry { offset: Some(offset), ..a() }]).bytes()
}

/// A deflate block of `text` as it is, with others to follow.
fn block(text: &[u8]) -> Vec<u8> {
    let length = u16::try_from(text.len()).unwrap();
    [&[0], &length.to_le_bytes()[..], &(!length).to_le_bytes(), text].concat()
}

/// Two entries, the first of which quotes the header of the second and goes on with its content.
fn quoted_overlap() -> Vec<u8> {
    let (line, inner) = (format!("{A}\n"), a());
    let header = inner.local_header();
    let before = [block(line.as_bytes()), block(&header)].concat();
    let text = [line.as_bytes(), &header, A.as_bytes()].concat();
    let packed = [before.as_slice(), &inner.packed].concat();
    let outer = RawEntry::packed("x", 8, packed, &text);
    let at = outer.local_header().len() + before.len() - header.len();
    let offset = Some(u32::try_from(at).unwrap());
    RawZip::of([outer, RawEntry { offset, ..inner }]).bytes()
}

fn cut(zip: &[u8], from_end: usize) -> Vec<u8> {
    zip[..zip.len() - from_end].to_vec()
}

fn blank(mib: u64) -> Vec<u8> {
    b"                                \n".repeat(usize::try_from(mib * MIB / 33).unwrap())
}

pub(super) fn cases() -> Vec<Case> {
    [directories(), claims(), names(), extras(), methods(), contents()].concat()
}

fn directories() -> Vec<Case> {
    vec![
        case("a zip without entries", RawZip::of([]).bytes(), reads(&[])),
        case("an end record and nothing else, cut", b"PK\x05\x06\0\0", fault(Fault::Damaged)),
        case("without its end", cut(&two().bytes(), 22), fault(Fault::Damaged)),
        case("cut in its end record", cut(&two().bytes(), 1), fault(Fault::Damaged)),
        case("cut in its directory", cut(&two().bytes(), 60), fault(Fault::Damaged)),
        case("cut in its first header", &two().bytes()[..20], fault(Fault::Damaged)),
        case(
            "a directory that counts one entry too few",
            RawZip { count: Some(1), ..two() }.bytes(),
            fault(Fault::Inconsistent),
        ),
        case(
            "a directory that counts one entry too many",
            RawZip { count: Some(3), ..two() }.bytes(),
            fault(Fault::Damaged),
        ),
        case(
            "an entry that is not in the directory",
            RawZip::of([RawEntry { hidden: true, ..a() }, b()]).bytes(),
            fault(Fault::Inconsistent),
        ),
        case(
            "an entry hidden behind another",
            one(RawEntry { behind: [b().local_header(), b().packed].concat(), ..a() }),
            fault(Fault::Inconsistent),
        ),
        case(
            "a program in front",
            RawZip { prefix: b"MZ\x90\0".repeat(25), ..two() }.bytes(),
            fault(Fault::UnknownFormat),
        ),
        case("two zips in one file", [one(a()), one(b())].concat(), fault(Fault::Inconsistent)),
        case("two entries with the same bytes", elsewhere(0), fault(Fault::Inconsistent)),
        case("an entry that quotes the next", quoted_overlap(), fault(Fault::Inconsistent)),
        case(
            "a directory beyond the end",
            RawZip { shift: 1_000_000, ..two() }.bytes(),
            fault(Fault::Damaged),
        ),
        case("an entry beyond the end", elsewhere(0x7fff_ffff), fault(Fault::Truncated)),
        case("an entry where there is none", elsewhere(7), fault(Fault::Damaged)),
    ]
}

fn claims() -> Vec<Case> {
    vec![
        case(
            "a claim of four gigabytes",
            one(RawEntry { bytes: u32::MAX - 1, ..a() }),
            fault(Fault::Truncated),
        ),
        case(
            "a claim of less than there is",
            one(RawEntry { bytes: 5, ..a() }),
            fault(Fault::Damaged),
        ),
        case("a claim of nothing", one(RawEntry { bytes: 0, ..a() }), fault(Fault::Damaged)),
        case(
            "packed bytes beyond the directory",
            one(RawEntry { packed_bytes: 1_000_000, ..a() }),
            fault(Fault::Damaged),
        ),
        case("sizes in zip64", honest_zip64(), reads(&[A])),
        case("sizes in zip64 beyond all bounds", zip64(u64::MAX, u64::MAX), fault(Fault::Damaged)),
        case(
            "a size in zip64 that lies",
            zip64(1 << 40, a().packed_bytes.into()),
            fault(Fault::Truncated),
        ),
        case("a wrong checksum", one(RawEntry { crc32: 7, ..a() }), fault(Fault::Damaged)),
        case(
            "damaged deflate",
            one(RawEntry { packed: vec![0xff; 40], packed_bytes: 40, ..a() }),
            fault(Fault::Damaged),
        ),
        case(
            "deflate that stops early",
            one(RawEntry { packed: a().packed[..9].to_vec(), packed_bytes: 9, ..a() }),
            fault(Fault::Truncated),
        ),
        case(
            "bytes behind the deflate stream",
            one(RawEntry {
                packed: [a().packed, B.as_bytes().to_vec()].concat(),
                packed_bytes: a().packed_bytes + b().bytes,
                ..a()
            }),
            fault(Fault::Damaged),
        ),
        case(
            "a stored entry with fewer packed bytes than bytes",
            one(RawEntry { packed_bytes: b().bytes - 9, ..b() }),
            fault(Fault::Damaged),
        ),
    ]
}

fn names() -> Vec<Case> {
    vec![
        case(
            "two entries of one name",
            RawZip::of([named(b"n"), RawEntry { name: b"n".to_vec(), ..b() }]).bytes(),
            reads(&[A, B]),
        ),
        case(
            "names that want out",
            RawZip::of(
                [
                    &b"../../up"[..],
                    b"/etc/passwd",
                    b"C:\\x",
                    b"..\\x",
                    b"\\\\host\\share",
                    b"nul\0x",
                    "\u{202e}txt".as_bytes(),
                    b"a/../../b",
                    b"CON",
                    b"\xff\xfe",
                    b"",
                ]
                .map(named),
            )
            .bytes(),
            reads(&[A; 11]),
        ),
        case("a name of 65535 bytes", one(named(&[b'n'; 65535])), reads(&[A])),
        case("a symbolic link", one(RawEntry { mode: 0o120_777, ..a() }), reads(&[A])),
        case("a device", one(RawEntry { mode: 0o060_600, ..a() }), reads(&[A])),
        case("a folder with content", one(named(b"folder/")), reads(&[A])),
        case(
            "an empty folder and an entry",
            RawZip::of([RawEntry::stored("folder/", b""), a()]).bytes(),
            reads(&[A]),
        ),
    ]
}

fn extras() -> Vec<Case> {
    vec![
        case(
            "a comment of 65535 bytes",
            RawZip { comment: vec![b'c'; 65535], ..two() }.bytes(),
            reads(&[A, B]),
        ),
        case(
            "the comment of an entry of 65535 bytes",
            one(RawEntry { comment: vec![b'c'; 65535], ..a() }),
            reads(&[A]),
        ),
        case(
            "an end record in the comment",
            RawZip { comment: RawZip::of([]).bytes(), ..two() }.bytes(),
            fault(Fault::Inconsistent),
        ),
        case(
            "extra fields of 65500 bytes",
            one(RawEntry { extra: [&[0xfe, 0xca, 0xd8, 0xff][..], &[0; 65496]].concat(), ..a() }),
            reads(&[A]),
        ),
        case(
            "an extra field longer than itself",
            one(RawEntry { extra: vec![1, 0, 0xff, 0xff, 0], ..a() }),
            reads(&[A]),
        ),
    ]
}

fn methods() -> Vec<Case> {
    vec![
        case("one of several parts", RawZip { disk: 3, ..two() }.bytes(), fault(Fault::Damaged)),
        case("strong encryption", flagged(1 | 1 << 6), fault(Fault::Unsupported)),
        case("an encrypted directory", flagged(1 << 13), fault(Fault::Unsupported)),
        case("a patch", flagged(1 << 5), fault(Fault::Unsupported)),
        case("imploded", method(6), fault(Fault::Unsupported)),
        case("deflate64", method(9), fault(Fault::Unsupported)),
        case("bzip2 in a zip", method(12), fault(Fault::Unsupported)),
        case("lzma", method(14), fault(Fault::Unsupported)),
        case("xz in a zip", method(95), fault(Fault::Unsupported)),
        case("ppmd", method(98), fault(Fault::Unsupported)),
        case("a method that nobody knows", method(0xabcd), fault(Fault::Unsupported)),
        case("zstd in a zip", one(RawEntry::zstd("a", A.as_bytes())), reads(&[A])),
        case(
            "sizes behind the content",
            RawZip::of([described(b"PK\x07\x08"), described(b""), b()]).bytes(),
            reads(&[A, A, B]),
        ),
    ]
}

fn contents() -> Vec<Case> {
    vec![
        case("a gzip in a zip", one(RawEntry::stored("a.gz", &gzip(A.as_bytes()))), reads(&[A])),
        case(
            "a zip in a zip",
            one(RawEntry::stored("z", &two().bytes())),
            Expected::Limit(Limit::Nesting),
        ),
        case(
            "a gzip in a gzip in a zip",
            one(RawEntry::stored("g", &gzip(&gzip(A.as_bytes())))),
            Expected::Limit(Limit::Nesting),
        ),
        case(
            "five million zeros in a string",
            one(RawEntry::deflated("z", &[b"{\"a\":\"".to_vec(), vec![b'0'; 5_000_000]].concat())),
            Expected::Limit(Limit::Ratio(200)),
        ),
        case(
            "five million spaces",
            one(RawEntry::deflated("z", &vec![b' '; 5_000_000])),
            Expected::Limit(Limit::Ratio(200)),
        ),
        case(
            "one text that is too long",
            one(RawEntry::stored("z", &blank(7))),
            Expected::Limit(Limit::Text(6 * MIB)),
        ),
        case(
            "texts that are too long together",
            RawZip::of([RawEntry::stored("x", &blank(5)), RawEntry::stored("y", &blank(5))])
                .bytes(),
            Expected::Limit(Limit::Unpacked(8 * MIB)),
        ),
        case(
            "too many entries",
            RawZip::of(vec![b(); 21]).bytes(),
            Expected::Limit(Limit::Entries(20)),
        ),
        case(
            "unknown content beside data",
            RawZip::of([RawEntry::stored(".DS_Store", b"\0\0\0\x01Bud1"), a()]).bytes(),
            reads(&["\0\0\0\x01Bud1", A]),
        ),
        case(
            "unknown content and nothing else",
            RawZip::of([RawEntry::stored("x", b"READ ME"), RawEntry::stored("y", b"")]).bytes(),
            fault(Fault::UnknownFormat),
        ),
        case(
            "unknown content that is longer than a record",
            RawZip::of([a(), RawEntry::stored("x", &b"READ ME".repeat(200_000))]).bytes(),
            fault(Fault::UnknownFormat),
        ),
        case("a flag of encryption on what is plain", flagged(1), Expected::Seal(Seal::Missing)),
        case(
            "a plain entry flagged as sealed, with a password",
            one(RawEntry { flags: 1, ..a() }),
            Expected::Seal(Seal::Wrong),
        )
        .with_password("another"),
    ]
}
