//! Every input that a fuzz target ever fell over, and every seed, through the same checks on any toolchain.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

#[allow(unreachable_pub, reason = "the same files are a public module of the fuzz crate")]
#[path = "../../fuzz/src/checks/mod.rs"]
mod checks;

fn fuzz_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// Files of a folder, sorted; none if there is no such folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable folder").path()).collect();
    files.sort();
    files
}

fn stems(folder: &Path) -> BTreeSet<String> {
    let stem = |path: &PathBuf| path.file_stem().expect("a name").to_string_lossy().into_owned();
    files(folder).iter().map(stem).collect()
}

#[test]
fn stored_inputs_pass_their_checks() {
    for (name, check) in checks::TARGETS {
        let seeds = files(&fuzz_folder().join("seeds").join(name));
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for path in seeds
            .iter()
            .chain(&files(&fuzz_folder().join("regressions").join(name)))
        {
            // Shown if the check panics.
            println!("{}", path.display());
            check(&fs::read(path).expect("a readable file"));
        }
    }
}

#[test]
fn every_target_has_a_check_and_no_folder_is_forgotten() {
    let known: BTreeSet<String> = checks::TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(stems(&fuzz_folder().join("fuzz_targets")), known);
    assert_eq!(stems(&fuzz_folder().join("seeds")), known);
    assert!(stems(&fuzz_folder().join("regressions")).is_subset(&known));
}

#[test]
fn cut_and_changed_seeds_pass_their_checks() {
    for (name, check) in checks::TARGETS {
        for path in files(&fuzz_folder().join("seeds").join(name)) {
            println!("{}", path.display());
            let seed = fs::read(path).expect("a readable file");
            let step = seed.len() / 50 + 1;
            for at in (0..seed.len()).step_by(step) {
                check(&seed[..at]);
                for byte in [b'"', b'\\', b'}', b'\n', 0xff, 0] {
                    let mut changed = seed.clone();
                    changed[at] = byte;
                    check(&changed);
                }
            }
        }
    }
}
