//! The test vectors in the README, which other languages go by. They were computed with the Python next to
//! them.
#![expect(clippy::unwrap_used, reason = "tests")]

use gdpr_jobs::{DistinctId, Pepper};

#[test]
fn the_tags_in_the_readme_are_those_of_this_crate() {
    let readme = include_str!("../README.md");
    let (_, table) = readme.split_once("| pepper | project | distinct_id | tag |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    let mut count = 0;
    for row in rows {
        let cells: Vec<_> =
            row.trim_matches('|').split('|').map(|c| c.trim().trim_matches('`')).collect();
        let [pepper, project, distinct_id, tag] = cells[..] else { panic!("{row}") };
        let pepper = Pepper::new(pepper.to_owned().into()).unwrap();
        let made = pepper.tag(&project.parse().unwrap(), &DistinctId::new(distinct_id));
        assert_eq!(made.as_str(), tag, "{row}");
        count += 1;
    }
    assert!(count >= 5, "{count} vectors");
}
