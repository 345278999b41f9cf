//! How a run ends when somebody else ends it: signals, closed pipes, full disks. On Unix, where the tests can do that.
#![cfg(unix)]

mod binary;

use std::fs;
use std::io::Write;
use std::process::{Child, Command, Stdio};

use binary::{Folder, LINES, Ran};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Far more than a pipe and the buffers behind it hold: when all of it is written, the child is at work.
fn many_lines() -> Vec<u8> {
    LINES.repeat((8 << 20) / LINES.len()).into_bytes()
}

/// Sends a signal to a child that is reading, while the pipe stays open.
fn interrupted(mut child: Child, signal: Signal) -> Ran {
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(&many_lines()).expect("the child reads");
    let id = Pid::from_raw(i32::try_from(child.id()).expect("an id"));
    kill(id, signal).expect("the signal is sent");
    if signal == Signal::SIGHUP {
        // It goes on, to the end of its input.
        drop(pipe);
        return Ran::of(child);
    }
    let ran = Ran::of(child);
    drop(pipe);
    ran
}

#[test]
fn an_interrupt_leaves_nothing() {
    for signal in [Signal::SIGINT, Signal::SIGTERM] {
        for compress in ["none", "gzip"] {
            let folder = Folder::new();
            let args = [
                "export",
                "-",
                "-o",
                "out",
                "--compress",
                compress,
                "--max-resources",
                "100",
            ];
            let child = folder.command(&args).stdin(Stdio::piped()).spawn().expect("starts");
            let ran = interrupted(child, signal).ends(130);
            assert_eq!((ran.err.as_str(), ran.out.as_str()), ("interrupted\n", ""), "{signal}");
            assert_eq!(folder.files("out"), [""; 0], "{signal}, {compress}");
        }
    }
}

#[test]
fn an_interrupt_of_an_export_to_standard_output() {
    let folder = Folder::new();
    let mut command = folder.command(&["export", "-", "-o", "-"]);
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .expect("starts");
    assert_eq!(interrupted(child, Signal::SIGINT).ends(130).err, "interrupted\n");
}

#[test]
fn an_interrupt_while_waiting_for_a_writer() {
    let folder = Folder::new();
    let made = Command::new("mkfifo")
        .arg(folder.path("pipe"))
        .status()
        .expect("starts");
    assert!(made.success());
    let mut child = folder
        .command(&["export", "pipe", "-o", "out"])
        .spawn()
        .expect("starts");
    let id = Pid::from_raw(i32::try_from(child.id()).expect("an id"));
    // The handler stands before the folder is made, and nobody ever writes into the pipe.
    while !folder.path("out/.fhirehose-partial").exists() {
        assert!(child.try_wait().expect("a state").is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    kill(id, Signal::SIGTERM).expect("the signal is sent");
    assert_eq!(Ran::of(child).ends(130).err, "interrupted\n");
    assert_eq!(folder.files("out"), [""; 0]);
}

#[test]
fn a_hangup_that_is_ignored_stays_ignored() {
    let folder = Folder::new();
    let mut command = Command::new("sh");
    command.args([
        "-c",
        "trap '' HUP; exec \"$0\" export - -o -",
        env!("CARGO_BIN_EXE_fhirehose"),
    ]);
    command
        .current_dir(folder.path(""))
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    assert_eq!(
        interrupted(command.spawn().expect("starts"), Signal::SIGHUP).code,
        Some(0)
    );
}

#[test]
fn an_interrupt_of_synth_leaves_nothing() {
    let folder = Folder::new();
    let args = ["synth", "--patients", "1000000000", "-o", "made/synth"];
    let mut child = folder.command(&args).spawn().expect("starts");
    let id = Pid::from_raw(i32::try_from(child.id()).expect("an id"));
    // The handler stands before the folder is made.
    while !folder.path("made/synth").exists() {
        assert!(child.try_wait().expect("a state").is_none(), "it ended by itself");
        std::thread::yield_now();
    }
    kill(id, Signal::SIGTERM).expect("the signal is sent");
    assert_eq!(Ran::of(child).ends(130).err, "interrupted\n");
    assert_eq!(folder.files("made"), [""; 0]);
}

#[test]
fn a_reader_that_has_gone_is_a_quiet_success() {
    let folder = Folder::new();
    folder.write("in.ndjson", many_lines());
    for compress in ["none", "gzip", "zstd"] {
        let args = ["export", "in.ndjson", "-o", "-", "--compress", compress];
        let mut child = folder.command(&args).spawn().expect("starts");
        drop(child.stdout.take());
        assert_eq!(Ran::of(child).ends(0).err, "", "{compress}");
    }
    for args in [
        &["params"][..],
        &["man"],
        &["completions", "bash"],
        &["--help"],
        &["explain", "--type", "Patient"],
    ] {
        let mut child = folder.command(args).spawn().expect("starts");
        drop(child.stdout.take());
        assert_eq!(Ran::of(child).ends(0).err, "", "{args:?}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_device_behind_standard_output() {
    let folder = Folder::new();
    folder.write("in.ndjson", LINES);
    for args in [&["export", "in.ndjson", "-o", "-"][..], &["params"]] {
        let full = fs::OpenOptions::new()
            .write(true)
            .open("/dev/full")
            .expect("the device");
        let child = folder.command(args).stdout(full).spawn().expect("starts");
        Ran::of(child).ends(3).tells(&["error: cannot write standard output"]);
    }
}

/// A limit on the size of files stands for a full disk: writing fails in the middle of a file.
#[test]
fn a_full_disk_leaves_no_half_file() {
    let folder = Folder::new();
    folder.write("in.ndjson", many_lines());
    for compress in [&[][..], &["--compress", "gzip", "--level", "0"]] {
        let mut command = Command::new("sh");
        let limited = "ulimit -f 16; exec \"$0\" \"$@\"";
        command
            .args([
                "-c",
                limited,
                env!("CARGO_BIN_EXE_fhirehose"),
                "export",
                "in.ndjson",
                "-o",
                "out",
            ])
            .args(compress);
        command
            .current_dir(folder.path(""))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let ran = Ran::of(command.spawn().expect("starts"))
            .ends(3)
            .tells(&["error: cannot write "]);
        assert!(
            ran.err.contains("Patient.000.ndjson") || ran.err.contains("Observation.000.ndjson"),
            "{ran:?}"
        );
        assert!(!folder.path("out").exists(), "{compress:?}");
    }
}
