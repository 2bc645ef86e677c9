//! A sealed file reads like the file that it was.

use std::io::{Cursor, Seek, SeekFrom};

use proptest::prelude::*;

use super::*;

const CHUNK: usize = 64 * 1024;

#[derive(Clone, Debug)]
enum Step {
    Read(usize),
    Seek(SeekFrom),
}

fn step() -> impl Strategy<Value = Step> {
    let offset = -200_000_i64..200_000;
    prop_oneof![
        (0..150_000_usize).prop_map(Step::Read),
        (0..250_000_u64).prop_map(|to| Step::Seek(SeekFrom::Start(to))),
        offset.clone().prop_map(|by| Step::Seek(SeekFrom::Current(by))),
        offset.prop_map(|by| Step::Seek(SeekFrom::End(by))),
    ]
}

/// Lengths around the edges of the sealed pieces, where the format is delicate.
fn length() -> impl Strategy<Value = usize> {
    (0..3_usize, -2..3_isize).prop_map(|(chunks, off)| (chunks * CHUNK).saturating_add_signed(off))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_reads_and_seeks_give_what_a_plain_file_gives(
        length in length(),
        steps in prop::collection::vec(step(), 1..12),
    ) {
        let content: Vec<u8> = (0..length).map(|n| u8::try_from(n % 251).unwrap()).collect();
        let (_home, spool) = spool();
        receive(&spool, "b1", &content).unwrap();
        let mut sealed = spool.existing(&name("b1")).unwrap().unwrap();
        prop_assert_eq!(sealed.length(), length as u64);
        let mut plain = Cursor::new(content);
        for step in steps {
            match step {
                Step::Read(count) => {
                    let mut found = Vec::new();
                    let mut expected = Vec::new();
                    (&mut sealed).take(count as u64).read_to_end(&mut found).unwrap();
                    (&mut plain).take(count as u64).read_to_end(&mut expected).unwrap();
                    prop_assert!(found == expected);
                }
                Step::Seek(to) => prop_assert_eq!(sealed.seek(to).ok(), plain.seek(to).ok()),
            }
        }
    }
}
