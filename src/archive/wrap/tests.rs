//! Streams that may be wrapped, and others.

use std::io::{Cursor, Read, Seek, Write};

use flate2::{Compress, Compression, FlushCompress, read::DeflateDecoder, write::DeflateEncoder};
use proptest::{prelude::*, sample::Index};
use sha2::{Digest, Sha256};

use crate::archive::{
    deflated::Deflated,
    error::PackageError,
    limits::Limits,
    open::{Sole, sole::Size},
    wrap::inspect,
};

const BEFORE: &[u8] = b"some header";
const BEHIND: &[u8] = b"some trailer";

fn deflate(text: &[u8]) -> Vec<u8> {
    let mut packer = DeflateEncoder::new(Vec::new(), Compression::new(6));
    packer.write_all(text).unwrap();
    packer.finish().unwrap()
}

fn sole(text: &[u8], packed: &[u8]) -> Sole {
    Sole {
        offset: BEFORE.len() as u64,
        packed_bytes: packed.len() as u64,
        crc32: crc32fast::hash(text),
        bytes: Size::Exact(text.len() as u64),
    }
}

fn export(packed: &[u8]) -> Cursor<Vec<u8>> {
    Cursor::new([BEFORE, packed, BEHIND].concat())
}

/// The events that are found if the export may be wrapped.
fn events(text: &[u8], limits: &Limits) -> Option<u64> {
    let packed = deflate(text);
    let mut export = export(&packed);
    let wrapped = inspect(&mut export, &sole(text, &packed), limits, 2).unwrap()?;
    Some(wrapped.events())
}

fn lines(count: usize) -> String {
    let line = |n| format!("{{\"event\":\"E{n}\",\"properties\":{{\"n\":{n}}}}}\n");
    (0..count).map(line).collect::<Vec<_>>().concat()
}

#[test]
fn a_stream_of_events_is_given_as_it_stands_however_many_threads_check_it() {
    let text = lines(40_000);
    let packed = deflate(text.as_bytes());
    for threads in [0, 1, 2, 5] {
        let mut export = export(&packed);
        let sole = sole(text.as_bytes(), &packed);
        let wrapped = inspect(&mut export, &sole, &Limits::default(), threads).unwrap().unwrap();
        assert_eq!(wrapped.events(), 40_000);
        let facts = wrapped.facts();
        assert_eq!(facts.sha256, <[u8; 32]>::from(Sha256::digest(&text)));
        assert_eq!((facts.bytes, facts.crc32), (text.len() as u64, sole.crc32));
        // Two readers at once, in small steps, do not disturb each other.
        let (mut first, mut second) = (wrapped.open().unwrap(), wrapped.open().unwrap());
        let mut again = [Vec::new(), Vec::new()];
        loop {
            let read = first.by_ref().take(1_000).read_to_end(&mut again[0]).unwrap();
            second.by_ref().take(700).read_to_end(&mut again[1]).unwrap();
            if read == 0 {
                break;
            }
        }
        second.read_to_end(&mut again[1]).unwrap();
        assert!(again[0] == packed && again[1] == packed);
    }
}

#[test]
fn a_text_that_is_not_one_event_a_line_is_left_to_the_ordinary_path() {
    let limits = Limits::default();
    assert_eq!(events(lines(3).as_bytes(), &limits), Some(3));
    assert_eq!(events(b"{\"event\":\"\xc3\xa9\\n\", \"x\" : [1, 2.0e3] }\n", &limits), Some(1));
    for text in [
        b"".as_slice(),
        b"\n",
        b"{\"event\":1}",
        b"{\"event\":1}\r\n",
        b"{\"event\":1}\n\n",
        b"\n{\"event\":1}\n",
        b" {\"event\":1}\n",
        b"{\"event\":1} \n",
        b"{ \"event\":1}\n",
        b"\xef\xbb\xbf{\"event\":1}\n",
        b"[{\"event\":1}]\n",
        b"{\"event\":1}{\"event\":2}\n",
        b"{\"event\":\n1}\n",
        b"{\"event\":1,}\n",
        b"{\"event\":1\n",
        b"{\"event\":01}\n",
        b"{\"event\":\"\xff\"}\n",
        b"{\"event\":\"\t\"}\n",
        b"{\"event\":1}\n{\"$distinct_id\":\"u1\",\"$properties\":{}}\n",
        b"{\"event\":1}\nnull\n",
    ] {
        assert_eq!(events(text, &limits), None, "{:?}", String::from_utf8_lossy(text));
    }
}

#[test]
fn a_bad_line_is_found_wherever_it_stands() {
    let text = lines(30_000);
    for at in [0, 1_000_000, text.len() - 40] {
        let mut spoilt = text.clone().into_bytes();
        let quote = spoilt[at..].iter().position(|&byte| byte == b'"').unwrap();
        spoilt[at + quote] = b'\'';
        assert_eq!(events(&spoilt, &Limits::default()), None);
    }
}

#[test]
fn the_limits_hold() {
    let text = lines(100);
    let long = format!("{{\"event\":\"{}\"}}\n", "x".repeat(3 << 20));
    let record = Limits { record_bytes: 20, ..Limits::default() };
    assert_eq!(events(text.as_bytes(), &record), None);
    let total = Limits { unpacked_bytes: 100, ..Limits::default() };
    assert_eq!(events(text.as_bytes(), &total), None);
    assert_eq!(events(long.as_bytes(), &Limits::default()), None);
    let bomb = "{\"event\":1}\n".repeat(1 << 18);
    assert_eq!(events(bomb.as_bytes(), &Limits::default()), None);
    let trusting = Limits { ratio: 2_000, ..Limits::default() };
    assert_eq!(events(bomb.as_bytes(), &trusting), Some(1 << 18));
}

#[test]
fn a_claim_that_does_not_hold_is_left_to_the_ordinary_path() {
    let text = lines(500);
    let packed = deflate(text.as_bytes());
    let right = sole(text.as_bytes(), &packed);
    let size = text.len() as u64;
    let low = u32::try_from(size).unwrap();
    let looked =
        |sole: Sole| inspect(&mut export(&packed), &sole, &Limits::default(), 2).unwrap().is_some();
    assert!(looked(right) && looked(Sole { bytes: Size::Low32(low), ..right }));
    for wrong in [
        Sole { crc32: right.crc32 ^ 1, ..right },
        Sole { bytes: Size::Exact(size + 1), ..right },
        Sole { bytes: Size::Exact(size + (1 << 32)), ..right },
        Sole { bytes: Size::Low32(low - 1), ..right },
        Sole { packed_bytes: right.packed_bytes - 1, ..right },
        Sole { packed_bytes: right.packed_bytes + 1, ..right },
        Sole { packed_bytes: u64::MAX, ..right },
        Sole { offset: right.offset + 1, ..right },
        Sole { offset: 1 << 40, ..right },
    ] {
        assert!(!looked(wrong), "{wrong:?}");
    }
}

/// Two identical members: a reader of the first alone finds every checksum right.
#[test]
fn a_second_member_behind_the_first_is_not_lost() {
    let text = lines(500);
    let one = deflate(text.as_bytes());
    let both = [&one[..], BEHIND, &one[..]].concat();
    let (mut export, sole) = (export(&both), sole(text.as_bytes(), &both));
    assert!(inspect(&mut export, &sole, &Limits::default(), 2).unwrap().is_none());
}

#[test]
fn a_disk_that_fails_is_named_and_an_export_that_changed_is_noticed() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::from_raw_os_error(5))
        }
    }
    impl Seek for Broken {
        fn seek(&mut self, _: std::io::SeekFrom) -> std::io::Result<u64> {
            Ok(0)
        }
    }
    let text = lines(500);
    let packed = deflate(text.as_bytes());
    let sole = sole(text.as_bytes(), &packed);
    let mut broken = Broken;
    let outcome = inspect(&mut broken, &sole, &Limits::default(), 2);
    assert!(matches!(outcome, Err(PackageError::Export(_))));

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), export(&packed).into_inner()).unwrap();
    let mut export = file.reopen().unwrap();
    let wrapped = inspect(&mut export, &sole, &Limits::default(), 2).unwrap().unwrap();
    let mut other = file.reopen().unwrap();
    other.seek(std::io::SeekFrom::Start(sole.offset + 20)).unwrap();
    other.write_all(b"changed").unwrap();
    let read = wrapped.open().unwrap().read_to_end(&mut Vec::new());
    assert_eq!(read.unwrap_err().kind(), std::io::ErrorKind::InvalidData);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_wrapped_is_what_was_packed_however_it_was_packed_or_spoilt(
        count in 1usize..400,
        pieces in prop::collection::vec(any::<Index>(), 0..4),
        level in 0u32..=9,
        flip in prop::option::of((any::<Index>(), 1u8..)),
    ) {
        let text = lines(count);
        let mut cuts: Vec<usize> = pieces.iter().map(|cut| cut.index(text.len())).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let mut packer = Compress::new(Compression::new(level), false);
        let mut packed = Vec::with_capacity(2 * text.len() + 1_000);
        for pair in cuts.windows(2) {
            let piece = &text.as_bytes()[pair[0]..pair[1]];
            packer.compress_vec(piece, &mut packed, FlushCompress::Sync).unwrap();
        }
        packer.compress_vec(&[], &mut packed, FlushCompress::Finish).unwrap();
        if let Some((at, bits)) = flip {
            *at.get_mut(&mut packed) ^= bits;
        }
        let mut export = export(&packed);
        let found = inspect(&mut export, &sole(text.as_bytes(), &packed), &Limits::default(), 2).unwrap();
        prop_assert!(found.is_some() || flip.is_some());
        if let Some(wrapped) = found {
            let mut again = String::new();
            DeflateDecoder::new(wrapped.open().unwrap()).read_to_string(&mut again).unwrap();
            prop_assert_eq!(again, text);
        }
    }
}
