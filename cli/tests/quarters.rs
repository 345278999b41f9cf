//! Four groups that share out everybody, over real data: together they are exactly the group of all.

mod binary;
mod exported;

use binary::Folder;
use exported::{Lines, written};
use fhirehose_tests::data;

/// Types that belong to no patient: they may come with several quarters, and the Groups are different ones.
const SHARED: [&str; 6] = [
    "Group",
    "Location",
    "Medication",
    "Organization",
    "Practitioner",
    "PractitionerRole",
];

fn group(input: &str, id: &str) -> Lines {
    let folder = Folder::new();
    folder.run(&["export", input, "-o", "out", "--group", id]).ends(0);
    written(&folder, "out").unwrap_or_else(|problem| panic!("{id}: {problem}"))
}

#[test]
fn quarters_together_are_everybody_each_record_once() {
    let Some(folder) = data::folder() else { return };
    let input = folder.to_string_lossy();
    let mut whole = group(&input, "all-patients");
    let mut parts = Lines::new();
    for id in ["quarter-1", "quarter-2", "quarter-3", "quarter-4"] {
        for (type_name, lines) in group(&input, id) {
            parts.entry(type_name).or_default().extend(lines);
        }
    }
    for type_name in SHARED {
        whole.remove(type_name);
        parts.remove(type_name);
    }
    parts.values_mut().for_each(|lines| lines.sort_unstable());
    let count: usize = whole.values().map(Vec::len).sum();
    assert!(count > 100_000, "{count} records are too few to say anything");
    assert!(whole.keys().eq(parts.keys()), "the types are the same");
    for (type_name, lines) in &whole {
        // Not with assert_eq!, which would print records.
        assert!(*lines == parts[type_name], "{type_name}");
    }
}
