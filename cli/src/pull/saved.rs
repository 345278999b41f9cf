//! What `--resume` needs: the command line of the pull, and the folder that it was given in. It holds no secrets, which
//! are in files only.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// A command line.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Saved {
    version: u32,
    /// Relative paths are meant from here.
    folder: PathBuf,
    /// All arguments behind `pull`.
    arguments: Vec<String>,
}

const VERSION: u32 = 1;

impl Saved {
    /// Of the process.
    pub(super) fn now() -> Result<String, String> {
        let folder = std::env::current_dir().map_err(|error| format!("no current folder: {error}"))?;
        let arguments = std::env::args_os().skip(2).map(|argument| argument.into_string());
        let arguments = arguments.collect::<Result<_, _>>();
        let arguments = arguments.map_err(|_| "an argument is not UTF-8, and cannot be remembered".to_owned())?;
        let saved = Saved {
            version: VERSION,
            folder,
            arguments,
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
        head.chain(self.arguments.iter().cloned())
            .chain(now.iter().cloned())
            .collect()
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }
}
