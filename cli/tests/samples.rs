//! The samples in the repository are what `synth` writes today.

mod binary;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use binary::Folder;

fn contents(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = fs::read_dir(folder).expect("a folder");
    let content = |entry: std::io::Result<fs::DirEntry>| {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("UTF-8");
        (name, fs::read(entry.path()).expect("a file"))
    };
    entries.map(content).collect()
}

#[test]
fn samples_are_what_synth_writes() {
    let folder = Folder::new();
    folder
        .run(&["synth", "--patients", "8", "--seed", "2026", "--regular", "-o", "now"])
        .ends(0);
    let now = contents(&folder.path("now"));
    let committed = contents(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../samples"));
    let names = |files: &BTreeMap<String, Vec<u8>>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&committed), names(&now));
    for (name, bytes) in &now {
        // Not `assert_eq`: two whole files would be printed.
        assert!(
            committed[name] == *bytes,
            "{name}: `fhirehose synth --patients 8 --seed 2026 --regular` writes it anew"
        );
    }
}
