//! Why there is no catalogue of the data.

use std::fmt;
use std::path::PathBuf;

use fhirehose_native::inputs::InputsError;

/// Why the data could not be looked at. The text names files, and nothing that is in them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CatalogueError {
    /// The data is no folder.
    NoFolder(PathBuf),
    /// The folder is not there, is empty, cannot be read, or an export into it has not been completed.
    Inputs(Vec<InputsError>),
    /// A file could not be read to its end.
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        text: String,
    },
    /// All files were written to whenever they were looked at; this is the first.
    Changing(PathBuf),
    /// The state folder lies in the data folder, where its files would be taken for data.
    StateInData(PathBuf),
    /// The folder for what is known of the data could not be made.
    State {
        /// Which.
        path: PathBuf,
        /// Why.
        kind: std::io::ErrorKind,
    },
    /// The ids of the patients do not fit into a set (four gigabytes).
    TooManyPatients,
    /// The system does not tell about changes.
    Watch {
        /// The folder.
        path: PathBuf,
        /// Why.
        text: String,
    },
}

impl fmt::Display for CatalogueError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFolder(path) => write!(f, "{}: the data must be a folder", path.display()),
            Self::Inputs(errors) => {
                let texts: Vec<String> = errors.iter().map(ToString::to_string).collect();
                f.write_str(&texts.join("; "))
            }
            // The reasons of most begin with the file's name.
            Self::File { path, text } if text.starts_with(&path.display().to_string()) => f.write_str(text),
            Self::File { path, text } => write!(f, "{}: {text}", path.display()),
            Self::Changing(path) => write!(f, "{}: it is being written to; try again later", path.display()),
            Self::StateInData(path) => write!(
                f,
                "{}: the state folder lies in the data folder, and its files would be taken for data; \
                 put it elsewhere, or in a hidden folder",
                path.display()
            ),
            Self::State { path, kind } => write!(f, "{}: cannot write: {kind}", path.display()),
            Self::TooManyPatients => f.write_str("more patients than a set of ids can hold (four gigabytes of them)"),
            Self::Watch { path, text } => write!(f, "{}: changes cannot be seen: {text}", path.display()),
        }
    }
}

impl std::error::Error for CatalogueError {}
