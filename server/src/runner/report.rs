//! What is to be told of a complete job beside its files; the store keeps it as JSON.

use fhirehose_native::Exported;
use fhirehose_native::codec_out::Compression;
use serde::{Deserialize, Serialize};

use crate::kickoff::Kickoff;
use crate::profile::Guide;

/// The report of a complete job.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// `transactionTime`, an instant.
    pub transaction_time: String,
    /// `request`
    pub request: String,
    /// The shape of the manifest.
    pub guide: Guide,
    /// `outputOrganizedBy`
    pub organized_by: Option<String>,
    /// The coding of the files as they are stored: `gzip`, `zstd`; `None`: plain.
    pub coding: Option<String>,
    /// How bad what the error files tell is, file by file.
    pub outcomes: Vec<Severities>,
    /// Resources that were exported.
    pub resources: u64,
    /// Resources that were read.
    pub read: u64,
    /// Bytes of the inputs as stored.
    pub stored: u64,
    /// Lines that could not be read.
    pub bad_lines: u64,
    /// Deletions that are listed.
    pub deletions: u64,
    /// How long the engine ran.
    pub milliseconds: u64,
}

/// The outcomes of an error file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Severities {
    /// The file's name in the folder of errors.
    pub file: String,
    /// Outcomes about what is missing because it could not be read.
    pub error: u64,
    /// About what was not done as it was asked for.
    pub warning: u64,
    /// Words of advice.
    pub information: u64,
}

impl Report {
    /// The report of a job for which the engine had nothing to do.
    pub(super) fn new(kickoff: &Kickoff, transaction_time: String, compression: Compression) -> Report {
        let coding = match compression {
            Compression::None => None,
            Compression::Gzip { .. } => Some("gzip".to_owned()),
            Compression::Zstd { .. } => Some("zstd".to_owned()),
        };
        Report {
            transaction_time,
            request: kickoff.url.clone(),
            guide: kickoff.guide,
            organized_by: None,
            coding,
            outcomes: Vec::new(),
            resources: 0,
            read: 0,
            stored: 0,
            bad_lines: 0,
            deletions: 0,
            milliseconds: 0,
        }
    }

    /// The same of what the engine has done.
    pub(super) fn exported(self, exported: &Exported, organized_by: Option<String>, milliseconds: u64) -> Report {
        Report {
            organized_by,
            resources: exported.report.kept(),
            read: exported.report.read(),
            stored: exported.stored,
            bad_lines: exported.report.bad_lines(),
            deletions: exported.deletions.listed as u64,
            milliseconds,
            ..self
        }
    }

    /// Reads what the store has kept.
    ///
    /// # Errors
    /// Another version wrote it.
    pub fn read(text: &str) -> Result<Report, serde_json::Error> {
        serde_json::from_str(text)
    }
}
