//! Standard input and output that are not what they seem, and pipes by their descriptors.
#![cfg(unix)]

mod binary;

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::process::Stdio;

use binary::{Folder, LINES, Ran};

#[test]
fn output_that_cannot_be_written_is_an_error() {
    for compress in ["none", "gzip", "zstd"] {
        let folder = Folder::with_lines();
        let mut command = folder.command(&["export", "data", "-o", "-", "--compress", compress]);
        command.stdout(File::open("/dev/null").expect("opens for reading alone"));
        let ran = Ran::of(command.spawn().expect("starts")).ends(3);
        assert!(ran.err.contains("cannot write standard output"), "{}", ran.err);
    }
}

#[test]
fn input_that_cannot_be_read_is_an_error() {
    let folder = Folder::new();
    let mut command = folder.command(&["export", "-", "-o", "out"]);
    command.stdin(
        OpenOptions::new()
            .write(true)
            .open("/dev/null")
            .expect("opens for writing alone"),
    );
    let ran = Ran::of(command.spawn().expect("starts")).ends(3);
    assert!(ran.err.contains("standard input"), "{}", ran.err);
    assert_eq!(folder.files("out"), [""; 0]);
}

#[test]
fn a_pipe_by_its_descriptor_is_read() {
    let folder = Folder::new();
    let mut command = folder.command(&["export", "/dev/stdin", "-o", "-"]);
    let mut child = command.stdin(Stdio::piped()).spawn().expect("starts");
    let mut pipe = child.stdin.take().expect("a pipe");
    pipe.write_all(LINES.as_bytes()).expect("writes");
    drop(pipe);
    assert_eq!(Ran::of(child).ends(0).out, LINES);
}
