//! What `--resume` needs: the command line of the pull, and the folder that it was given in. It holds no secrets, which
//! are in files only.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::args::PullArgs;

/// A command line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    version: u32,
    /// Relative paths are meant from here.
    folder: PathBuf,
    /// All arguments behind `pull`.
    arguments: Vec<String>,
    /// Files that decide what is asked for or kept, as they were.
    files: Vec<Fingerprint>,
}

/// A file and its SHA-256.
#[derive(Debug, Serialize, Deserialize)]
struct Fingerprint {
    path: PathBuf,
    sha256: String,
}

const VERSION: u32 = 1;

/// Of the files that were named. Patients that were asked for stand in the order itself.
fn fingerprints(args: &PullArgs) -> Result<Vec<Fingerprint>, String> {
    let asked = &args.request;
    let definitions = asked.value_sets.iter().chain(&asked.registry.search_parameters);
    let patients = asked.patients.iter().filter(|_| args.job.is_some());
    let all = definitions.chain(patients);
    all.map(|path| {
        Ok(Fingerprint {
            path: path.clone(),
            sha256: sum(path)?,
        })
    })
    .collect()
}

fn sum(path: &Path) -> Result<String, String> {
    fhirehose_pull::checksum(path).map_err(|error| error.to_string())
}

impl Saved {
    /// Of the process.
    pub(super) fn now(args: &PullArgs) -> Result<String, String> {
        let folder = std::env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
        let arguments = std::env::args_os().skip(2).map(|argument| argument.into_string());
        let arguments = arguments.collect::<Result<_, _>>();
        let arguments = arguments.map_err(|_| "an argument is not UTF-8, and cannot be remembered".to_owned())?;
        let saved = Saved {
            version: VERSION,
            folder,
            arguments,
            files: fingerprints(args)?,
        };
        serde_json::to_string(&saved).map_err(|error| error.to_string())
    }

    pub(super) fn read(text: &str) -> Result<Saved, String> {
        let saved: Saved = serde_json::from_str(text).map_err(|_| "what was remembered of the pull is damaged")?;
        if saved.version != VERSION {
            return Err("the pull was begun by another version of fhirehose".to_owned());
        }
        Ok(saved)
    }

    /// The arguments of the pull that was begun, and those of now behind them.
    pub(super) fn with(&self, now: &[String]) -> Vec<String> {
        let head = ["fhirehose", "pull"].map(str::to_owned).into_iter();
        // Behind `--` there are no flags any more.
        let flags = self.arguments.iter().position(|argument| argument == "--");
        let (before, behind) = self.arguments.split_at(flags.unwrap_or(self.arguments.len()));
        head.chain(before.iter().cloned())
            .chain(now.iter().cloned())
            .chain(behind.iter().cloned())
            .collect()
    }

    /// Whether the files that decide what is kept are what they were; half of an output by one list and half by another would be
    /// neither. Relative paths are meant from the folder.
    pub(super) fn same_files(&self) -> Result<(), String> {
        let is_other = |file: &&Fingerprint| sum(&file.path).ok().as_deref() != Some(file.sha256.as_str());
        match self.files.iter().find(is_other) {
            None => Ok(()),
            Some(file) => Err(format!("{} has changed since the pull was begun", file.path.display())),
        }
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}
