//! Where the system gives no thread: what can be done on one is done, and the rest is an error with a reason.
//!
//! A stack larger than any address space is what no user may have, whatever the limits of the account are.
#![cfg(target_os = "linux")]

mod binary;
mod canned;

use binary::{Folder, LINES, Ran};
use canned::server;

/// Runs where no thread can be made.
fn alone(folder: &Folder, args: &[&str]) -> Ran {
    let mut command = folder.command(args);
    command.env("RUST_MIN_STACK", (1_u64 << 60).to_string());
    let ran = Ran::of(command.spawn().expect("starts"));
    assert!(!ran.err.contains("a fault in this program"), "{ran:?}");
    ran
}

#[test]
fn exports_need_no_second_thread() {
    let folder = Folder::new();
    // Large enough for what is written to be put on the disk on the way.
    folder.write("data/lines.ndjson", LINES.repeat((13 << 20) / LINES.len() + 1));
    for (out, words) in [("plain", &[][..]), ("gzip", &["--compress", "gzip"])] {
        let args = |to| [&["export", "data", "-o", to, "--threads", "4"], words].concat();
        alone(&folder, &args("alone")).ends(0);
        folder.run(&args(out)).ends(0);
        assert_eq!(folder.files("alone"), folder.files(out));
        for name in folder.files(out).iter().filter(|name| *name != "manifest.json") {
            let bytes = |of: &str| std::fs::read(folder.path(of).join(name)).expect("reads");
            assert!(bytes("alone") == bytes(out), "{out}: {name}");
        }
        alone(&folder, &["verify", "alone"]).ends(1);
        std::fs::remove_dir_all(folder.path("alone")).expect("removes");
    }
}

#[test]
fn a_pull_says_what_it_lacks_and_is_gone_on_with() {
    let folder = Folder::new();
    let server = server(LINES, |_, _| None);
    let base = format!("{}/fhir", server.origin);
    alone(
        &folder,
        &["pull", &base, "-o", "out", "--attempts", "2", "--longest-wait", "20ms"],
    )
    .ends(3)
    .tells(&["this machine has no thread for it (2 tries)", "goes on from here"]);
    assert_eq!(server.times("DELETE /job"), 0);
    folder.run(&["pull", "--resume", "out"]).ends(0);
    assert_eq!(folder.read("out/Patient.000.ndjson"), LINES);
}
