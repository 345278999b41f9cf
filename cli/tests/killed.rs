//! Killed at any moment, or with a full disk, `merge` and `diff` leave no manifest over an incomplete set. On Unix.
#![cfg(unix)]

mod binary;

use std::fs;
use std::process::{Command, Stdio};

use binary::{Folder, Ran};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Enough that a run has many moments: two exports of some thousand resources in many files.
fn exports() -> Folder {
    let folder = Folder::new();
    for (name, from, to) in [("old", 0, 40_000), ("new", 900, 41_000)] {
        let line = |number: u32| {
            let kind = ["Patient", "Basic", "Device"][number as usize % 3];
            format!(
                "{{\"resourceType\":\"{kind}\",\"id\":\"r{number}\",\"text\":\"{}\"}}\n",
                name.repeat(number as usize % 20)
            )
        };
        folder.write(&format!("{name}/a.ndjson"), (from..to).map(line).collect::<String>());
    }
    folder
}

const RUNS: [&[&str]; 2] = [
    &[
        "merge",
        "old",
        "new",
        "-o",
        "out",
        "--max-resources",
        "500",
        "--compress",
        "gzip",
    ],
    &[
        "diff",
        "old",
        "new",
        "-o",
        "out",
        "--max-resources",
        "100",
        "--max-line",
        "100KiB",
        "--memory",
        "64MiB",
    ],
];

/// If there is a manifest, every file that it lists is there with its count. `true`: there is one.
fn is_whole(folder: &Folder) -> bool {
    let Ok(text) = fs::read_to_string(folder.path("out/manifest.json")) else {
        return false;
    };
    let manifest: Value = serde_json::from_str(&text).expect("a whole manifest");
    let lists = ["output", "deleted", "error"].map(|name| manifest[name].as_array().cloned().unwrap_or_default());
    for item in lists.concat() {
        let url = item["url"].as_str().expect("a url");
        let bytes = fs::read(folder.path("out").join(url)).expect("a listed file is there");
        let lines = if url.ends_with(".gz") {
            let mut text = String::new();
            let mut decoder = flate2::read::MultiGzDecoder::new(bytes.as_slice());
            std::io::Read::read_to_string(&mut decoder, &mut text).expect("whole gzip");
            text.lines().count()
        } else {
            bytes.iter().filter(|&&byte| byte == b'\n').count()
        };
        assert_eq!(item["count"], lines, "{url}");
    }
    true
}

/// Kills at moments that are spread over a run by what it has done, not by the clock: so many files and folders are seen
/// in its output first.
#[test]
fn a_kill_at_any_moment_leaves_no_manifest_over_an_incomplete_set() {
    let folder = exports();
    let mut killed = 0;
    for moment in 0..20 {
        let args = RUNS[moment % 2];
        let mut child = folder.command(args).spawn().expect("starts");
        let id = Pid::from_raw(i32::try_from(child.id()).expect("an id"));
        // Entries of the hidden folder, and of the output when files get their names.
        let seen = || {
            ["out/.fhirehose-partial", "out", "out/deleted"]
                .map(|name| entries(&folder, name))
                .iter()
                .sum::<usize>()
        };
        let wanted = moment * moment / 3;
        while seen() < wanted && child.try_wait().expect("a state").is_none() {
            std::thread::yield_now();
        }
        // It may have ended by itself.
        let _ = kill(id, Signal::SIGKILL);
        let ran = Ran::of(child);
        killed += u32::from(ran.code.is_none());
        let is_complete = is_whole(&folder);
        assert!(ran.code.is_none() || is_complete, "{ran:?}");
        // What a kill leaves behind does not hinder the next run.
        folder.run(&[args, &["--force"]].concat()).ends(0);
        assert!(is_whole(&folder));
        fs::remove_dir_all(folder.path("out")).expect("removes");
    }
    assert!(killed >= 5, "only {killed} of 20 were killed at work");
}

fn entries(folder: &Folder, name: &str) -> usize {
    fs::read_dir(folder.path(name)).map_or(0, Iterator::count)
}

#[test]
fn an_interrupt_leaves_nothing() {
    let folder = exports();
    for args in RUNS {
        let mut child = folder.command(args).spawn().expect("starts");
        let id = Pid::from_raw(i32::try_from(child.id()).expect("an id"));
        // The handler stands before the folder is made.
        while !folder.path("out/.fhirehose-partial").exists() {
            assert!(child.try_wait().expect("a state").is_none(), "it ended by itself");
            std::thread::yield_now();
        }
        kill(id, Signal::SIGTERM).expect("the signal is sent");
        let ran = Ran::of(child);
        // The run may have been complete already: then its result stands.
        match ran.code {
            Some(0) => assert!(is_whole(&folder)),
            _ => {
                assert_eq!(ran.ends(130).err, "interrupted\n");
                assert_eq!(folder.files("out"), [""; 0]);
            }
        }
        let _ = fs::remove_dir_all(folder.path("out"));
    }
}

/// A limit on the size of files stands for a full disk: the output does not fit, or what sorting needs does not.
#[test]
fn a_full_disk_leaves_nothing() {
    let folder = exports();
    let sorts_on_disk = ["--threads", "1", "--max-line", "100KiB", "--memory", "54MiB"];
    for (more, file) in [(&[][..], ".000.ndjson"), (&sorts_on_disk, "run.1")] {
        let mut command = Command::new("sh");
        let limited = "ulimit -f 400; exec \"$0\" \"$@\"";
        command.args([
            "-c",
            limited,
            env!("CARGO_BIN_EXE_fhirehose"),
            "merge",
            "old",
            "new",
            "-o",
            "out",
        ]);
        command.args(more);
        command
            .current_dir(folder.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let ran = Ran::of(command.spawn().expect("starts")).ends(3);
        ran.tells(&["error: cannot write ", file]);
        assert!(!folder.path("out").exists(), "{file}");
    }
}
