//! The binary as a user starts it: in a folder of its own, with arguments and perhaps bytes on standard input.
#![allow(dead_code, reason = "every test file uses a part of it")]

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Lines of three patients and an observation, in the order that exports keep.
pub(crate) const LINES: &str = concat!(
    r#"{"resourceType":"Patient","id":"a","gender":"female","birthDate":"1970-01-01"}"#,
    "\n",
    r#"{"resourceType":"Patient","id":"b","gender":"male","birthDate":"1980-02-02"}"#,
    "\n",
    r#"{"resourceType":"Observation","id":"o","status":"final","code":{"coding":[{"system":"s","code":"c"}]}}"#,
    "\n",
    r#"{"resourceType":"Patient","id":"c","gender":"female","birthDate":"1990-03-03"}"#,
    "\n",
);

/// A folder that is removed at the end.
pub(crate) struct Folder(tempfile::TempDir);

/// What a run of the binary left.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Folder {
    pub(crate) fn new() -> Folder {
        Folder(tempfile::tempdir().expect("a folder"))
    }

    /// A folder with `data/lines.ndjson`.
    pub(crate) fn with_lines() -> Folder {
        let folder = Folder::new();
        folder.write("data/lines.ndjson", LINES);
        folder
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("writes");
    }

    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Every file below a folder, hidden ones too, sorted.
    pub(crate) fn files(&self, name: &str) -> Vec<String> {
        let mut found = Vec::new();
        walk(&self.path(name), &self.path(name), &mut found);
        found.sort();
        found
    }

    /// A command in this folder; nothing of the caller's environment shows in what it prints.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_fhirehose"));
        command.args(args).current_dir(self.0.path());
        command.env_remove("COLUMNS").env("NO_COLOR", "1");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, args: &[&str]) -> Ran {
        Ran::of(self.command(args).spawn().expect("starts"))
    }

    pub(crate) fn run_with(&self, stdin: &[u8], args: &[&str]) -> Ran {
        let mut child = self.command(args).stdin(Stdio::piped()).spawn().expect("starts");
        let mut pipe = child.stdin.take().expect("a pipe");
        let bytes = stdin.to_vec();
        // A child that does not read to the end closes the pipe: not this thread's concern.
        let writer = std::thread::spawn(move || drop(pipe.write_all(&bytes)));
        let ran = Ran::of(child);
        writer.join().expect("wrote");
        ran
    }
}

impl Ran {
    pub(crate) fn of(child: Child) -> Ran {
        let output = child.wait_with_output().expect("ends");
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// Checks the exit code.
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Ran {
        assert_eq!(self.code, Some(code), "{self:?}");
        self
    }

    /// Checks that standard error holds these texts.
    #[track_caller]
    pub(crate) fn tells(self, texts: &[&str]) -> Ran {
        for text in texts {
            assert!(self.err.contains(text), "`{text}` is not in:\n{}", self.err);
        }
        self
    }
}

fn walk(root: &Path, folder: &Path, found: &mut Vec<String>) {
    let Ok(entries) = fs::read_dir(folder) else { return };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(root, &path, found);
        } else {
            found.push(path.strip_prefix(root).expect("inside").display().to_string());
        }
    }
}
