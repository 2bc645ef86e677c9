//! The slab through its front door.

use std::{
    fs,
    io::{self, Read},
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use flate2::read::DeflateDecoder;
use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;
use crate::archive::deflated::{self, Deflated};

const MEMORY: usize = 64 * 1024;

fn place(folder: &Path) -> Workplace<'_> {
    Workplace { folder, reserve: &|_| Ok(()) }
}

fn slab(texts: usize, memory: usize, threads: usize, folder: &Path) -> Slab<'_> {
    let means = Means { memory, threads };
    Slab::new(texts, means, place(folder), RunKey::random()).unwrap()
}

fn packed(text: &dyn Deflated) -> io::Result<Vec<u8>> {
    let mut packed = Vec::new();
    text.open()?.read_to_end(&mut packed).map(|_| packed)
}

/// Checks a text against what is known of it, and returns it.
fn unpacked(text: &dyn Deflated) -> Vec<u8> {
    let packed = packed(text).unwrap();
    let mut plain = Vec::new();
    let mut inflate = DeflateDecoder::new(packed.as_slice());
    inflate.read_to_end(&mut plain).unwrap();
    assert_eq!(inflate.total_in(), packed.len() as u64, "bytes after the end of the stream");
    let facts = text.facts();
    assert_eq!(facts.bytes, plain.len() as u64);
    assert_eq!(facts.packed_bytes, packed.len() as u64);
    assert_eq!(facts.crc32, crc32fast::hash(&plain));
    assert_eq!(facts.sha256, <[u8; 32]>::from(Sha256::digest(&plain)));
    plain
}

/// Bytes that compress about as well as records do.
fn prose(seed: usize, len: usize) -> Vec<u8> {
    let line =
        |n: usize| format!("{{\"event\":\"{}\",\"n\":{}}}\n", n % 7, n.wrapping_mul(2_654_435));
    (seed..).flat_map(|n| line(n).into_bytes()).take(len).collect()
}

/// Bytes that do not compress.
fn noise(seed: usize, len: usize) -> Vec<u8> {
    let block = |n: usize| Sha256::digest(n.to_le_bytes());
    (seed << 32..).flat_map(block).take(len).collect()
}

#[test]
fn texts_come_out_as_they_went_in_and_memory_stays_within_bounds() {
    for (memory, threads) in [(MEMORY, 0), (MEMORY, 3), (1 << 20, 1), (1 << 20, 2)] {
        let home = tempfile::tempdir().unwrap();
        let mut slab = slab(40, memory, threads, home.path());
        let mut expected = vec![Vec::<u8>::new(); 40];
        for n in 0..400 {
            let text = n * n % 39;
            let part = if n % 3 == 0 { noise(n, n * 20) } else { prose(n, n * 20) };
            slab.add(text, &[&part, b"\n"]).unwrap();
            expected[text].extend(part.iter().chain(b"\n"));
            assert!(slab.arena.bytes() <= memory);
        }
        let packed = slab.finish().unwrap();
        for (n, text) in expected.iter().enumerate() {
            assert!(
                unpacked(&packed.text(n)) == *text,
                "text {n}, {memory} bytes, {threads} threads"
            );
        }
    }
}

#[test]
fn a_part_longer_than_the_memory_is_taken() {
    let home = tempfile::tempdir().unwrap();
    let mut slab = slab(2, MEMORY, 2, home.path());
    let long = noise(1, 5 * MEMORY + 1);
    slab.add(0, &[b"a", &long, b"z"]).unwrap();
    assert!(slab.arena.bytes() <= MEMORY);
    let packed = slab.finish().unwrap();
    assert!(unpacked(&packed.text(0)) == [b"a", long.as_slice(), b"z"].concat());
}

#[test]
fn an_empty_text_is_a_valid_stream_of_nothing() {
    let home = tempfile::tempdir().unwrap();
    let mut slab = slab(2, MEMORY, 0, home.path());
    slab.add(1, &[]).unwrap();
    slab.add(1, &[b""]).unwrap();
    let packed = slab.finish().unwrap();
    assert!(unpacked(&packed.text(0)).is_empty() && unpacked(&packed.text(1)).is_empty());
}

#[test]
fn a_text_that_stays_short_needs_no_file() {
    let home = tempfile::tempdir().unwrap();
    let mut slab = slab(3, MEMORY, 0, home.path());
    slab.add(0, &[&prose(1, 2 * MEMORY)]).unwrap();
    slab.add(1, &[b"short"]).unwrap();
    let packed = slab.finish().unwrap();
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    assert_eq!(unpacked(&packed.text(1)), b"short");
}

#[test]
fn a_number_beyond_the_count_is_refused() {
    let home = tempfile::tempdir().unwrap();
    let outcome = slab(2, MEMORY, 0, home.path()).add(2, &[b"x"]);
    assert!(outcome.is_err_and(|error| error.kind() == io::ErrorKind::InvalidInput));
}

#[test]
fn one_long_text_is_about_as_small_as_one_plain_deflate_stream() {
    let home = tempfile::tempdir().unwrap();
    let text = prose(1, 8 << 20);
    let mut slab = slab(4, 16 << 20, 2, home.path());
    slab.add(0, &[&text]).unwrap();
    let packed = slab.finish().unwrap();
    let plain = deflated::Held::new(&text).unwrap().facts().packed_bytes;
    assert!(packed.text(0).facts().packed_bytes * 100 <= plain * 101);
}

/// Two texts that are in files.
fn on_disk(home: &Path) -> Packed<'_> {
    let mut slab = slab(2, MEMORY, 0, home);
    for text in 0..2 {
        slab.add(text, &[&noise(text, 3 * MEMORY)]).unwrap();
    }
    slab.finish().unwrap()
}

#[test]
fn nothing_lies_on_disk_in_clear() {
    const CANARY: &[u8] = b"ada@example.test";
    let home = tempfile::tempdir().unwrap();
    let mut slab = slab(1, MEMORY, 0, home.path());
    // It does not compress, so it is stored as it stands, but for the cipher.
    let text = [noise(1, MEMORY), CANARY.to_vec(), noise(2, MEMORY)].concat();
    slab.add(0, &[&text]).unwrap();
    let packed = slab.finish().unwrap();
    let contains = |bytes: &[u8]| bytes.windows(CANARY.len()).any(|window| window == CANARY);
    assert!(contains(&self::packed(&packed.text(0)).unwrap()));
    assert!(!contains(&fs::read(home.path().join("0")).unwrap()));
    assert!(unpacked(&packed.text(0)) == text);
}

#[test]
fn a_file_that_was_changed_is_found_out_before_its_end() {
    type Change = fn(&mut Vec<u8>);
    let changes: [Change; 4] = [
        |file| file[0] ^= 1,
        |file| *file.last_mut().unwrap() ^= 1,
        |file| file.truncate(9),
        |file| {
            file.push(0);
        },
    ];
    for change in changes {
        let home = tempfile::tempdir().unwrap();
        let texts = on_disk(home.path());
        let path = home.path().join("1");
        let mut file = fs::read(&path).unwrap();
        change(&mut file);
        fs::write(&path, file).unwrap();
        let read = packed(&texts.text(1));
        assert!(read.is_err_and(|error| error.kind() == io::ErrorKind::InvalidData));
        assert!(packed(&texts.text(0)).is_ok());
    }
}

#[test]
fn several_threads_read_at_once() {
    let home = tempfile::tempdir().unwrap();
    let packed = on_disk(home.path());
    thread::scope(|scope| {
        for n in 0..6 {
            let packed = &packed;
            scope.spawn(move || {
                assert!(unpacked(&packed.text(n % 2)) == noise(n % 2, 3 * MEMORY));
            });
        }
    });
}

/// Feeds a slab until it fails. The error comes from `finish` if not before.
fn until_it_fails(mut slab: Slab<'_>) -> io::Error {
    for n in 0..100 {
        if let Err(error) = slab.add(n % 2, &[&prose(n, 10_000)]) {
            return error;
        }
    }
    slab.finish().err().unwrap()
}

#[test]
fn a_thread_that_panics_is_an_error() {
    for threads in 1..4 {
        let home = tempfile::tempdir().unwrap();
        let worker = || |_: piece::Piece| -> io::Result<piece::Piece> { panic!("on purpose") };
        let crew = Crew::start(threads, worker).unwrap();
        let slab = Slab::with_crew(2, MEMORY, place(home.path()), RunKey::random(), crew);
        until_it_fails(slab);
    }
}

#[test]
fn a_disk_that_fails_in_the_middle_is_an_error() {
    for threads in 0..3 {
        let home = tempfile::tempdir().unwrap();
        let left = AtomicU64::new(30_000);
        let reserve = |bytes| {
            let had = left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(bytes));
            had.map(|_| ()).map_err(|_| io::Error::from(io::ErrorKind::StorageFull))
        };
        let place = Workplace { folder: home.path(), reserve: &reserve };
        let means = Means { memory: MEMORY, threads };
        let slab = Slab::new(2, means, place, RunKey::random()).unwrap();
        assert_eq!(until_it_fails(slab).kind(), io::ErrorKind::StorageFull);
    }
}

#[test]
fn a_gzip_of_a_text_opens() {
    let home = tempfile::tempdir().unwrap();
    let packed = on_disk(home.path());
    let text = packed.text(1);
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(deflated::gzip(&text).unwrap()).read_to_end(&mut plain).unwrap();
    assert!(plain == noise(1, 3 * MEMORY));
}

/// Bytes for some of a few texts, from much to nothing.
fn additions() -> impl Strategy<Value = Vec<(usize, Vec<u8>)>> {
    let bytes = prop_oneof![
        4 => (any::<u16>(), 0..2_000_usize).prop_map(|(seed, len)| prose(seed.into(), len)),
        2 => (any::<u16>(), 0..20_000_usize).prop_map(|(seed, len)| noise(seed.into(), len)),
        1 => (any::<u16>(), 0..200_000_usize).prop_map(|(seed, len)| prose(seed.into(), len)),
    ];
    prop::collection::vec((0..12_usize, bytes), 0..40)
}

/// The deflate streams of all texts, added in parts of at most `part` bytes.
fn streams(
    additions: &[(usize, Vec<u8>)],
    memory: usize,
    threads: usize,
    part: usize,
) -> Vec<Vec<u8>> {
    let home = tempfile::tempdir().unwrap();
    let mut slab = slab(12, memory, threads, home.path());
    for (text, bytes) in additions {
        let parts: Vec<&[u8]> = bytes.chunks(part).collect();
        slab.add(*text, &parts).unwrap();
        assert!(slab.arena.bytes() <= memory);
    }
    let texts = slab.finish().unwrap();
    let mut expected = vec![Vec::<u8>::new(); 12];
    for (text, bytes) in additions {
        expected[*text].extend_from_slice(bytes);
    }
    for (n, text) in expected.iter().enumerate() {
        assert!(unpacked(&texts.text(n)) == *text, "text {n}");
    }
    (0..12).map(|n| packed(&texts.text(n)).unwrap()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn the_bytes_depend_on_the_content_and_the_memory_alone(
        additions in additions(),
        memory in MEMORY..(600 * 1024),
        threads in 1..4_usize,
        part in 1..5_000_usize,
    ) {
        let alone = streams(&additions, memory, 0, usize::MAX);
        prop_assert!(alone == streams(&additions, memory, threads, part));
    }
}
