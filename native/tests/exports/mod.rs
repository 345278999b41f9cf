//! What the tests of `merge` and `diff` share: exports in temporary folders, and tasks over them.
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::fs::{self, File};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use fhirehose_core::manifest::Generation;
use fhirehose_core::partition::Limits;
use fhirehose_core::request::OnBad;
use fhirehose_core::search::table::Registry;
use fhirehose_native::cancel::Cancel;
use fhirehose_native::codec_out::Compression;
use fhirehose_native::job::{FolderOutput, JobError, ManifestOptions, Progress};
use fhirehose_native::snapshot::argument::Argument;
use fhirehose_native::snapshot::task::{Outcome, Task};
use fhirehose_native::{diff, merge};

/// A folder of exports, removed at the end.
pub(crate) struct Exports(tempfile::TempDir);

impl Exports {
    pub(crate) fn new() -> Exports {
        Exports(tempfile::tempdir().expect("a folder"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, bytes).expect("writes");
    }

    /// Writes lines as the only file of an export without a manifest.
    pub(crate) fn lines(&self, name: &str, lines: &[&str]) {
        let text: String = lines.iter().map(|line| format!("{line}\n")).collect();
        self.write(&format!("{name}/lines.ndjson"), text);
    }

    pub(crate) fn task(&self, arguments: &[&str], out: &str) -> Task {
        let open = |name: &&str| Argument::open(self.path(name).as_os_str()).expect("opens");
        Task {
            arguments: arguments.iter().map(open).collect(),
            registry: Registry::r4(),
            output: FolderOutput {
                path: self.path(out),
                force: false,
                is_durable: true,
                manifest: ManifestOptions {
                    generation: Generation::V2V3,
                    transaction_time: "2024-05-01T00:00:00Z".into(),
                    request: "merge".into(),
                    base_url: None,
                },
                organize: None,
            },
            limits: Limits::default(),
            compression: Compression::None,
            threads: 2,
            chunk: 256 << 10,
            max_line: 1 << 20,
            memory: 1 << 20,
            on_bad: OnBad::Skip,
            by_bytes: false,
            fhir_base: None,
        }
    }

    /// The lines of all output files of an export, sorted.
    pub(crate) fn sorted(&self, name: &str) -> Vec<Vec<u8>> {
        let mut lines = lines_of(&self.path(name));
        lines.sort();
        lines
    }

    /// The same as text, in the order of the files.
    pub(crate) fn texts(&self, name: &str) -> Vec<String> {
        let lines = lines_of(&self.path(name));
        lines
            .into_iter()
            .map(|line| String::from_utf8(line).expect("UTF-8"))
            .collect()
    }

    /// A file of an export.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }
}

pub(crate) fn run_merge(task: &Task) -> Result<Outcome, JobError> {
    merge::run(task, &Progress::default(), &Cancel::default())
}

pub(crate) fn run_diff(task: &Task) -> Result<Outcome, JobError> {
    diff::run(task, &Progress::default(), &Cancel::default())
}

fn lines_of(folder: &Path) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.to_string_lossy().contains(".ndjson"))
        .collect();
    files.sort();
    let mut lines = Vec::new();
    for file in files {
        let bytes = plain(&file);
        lines.extend(
            bytes
                .split(|&byte| byte == b'\n')
                .filter(|line| !line.is_empty())
                .map(<[u8]>::to_vec),
        );
    }
    lines
}

/// The bytes of a file, decompressed.
pub(crate) fn plain(path: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut file = File::open(path).expect("opens");
    if path.extension().is_some_and(|ending| ending == "gz") {
        flate2::read::MultiGzDecoder::new(file)
            .read_to_end(&mut bytes)
            .expect("gzip");
    } else {
        file.read_to_end(&mut bytes).expect("reads");
    }
    bytes
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).expect("gzip");
    encoder.finish().expect("gzip")
}
