//! Why a job failed, for its client: a status, a code and a text, without record contents and without paths of the server.

use std::io::ErrorKind;
use std::path::Path;

use fhirehose_core::profile::Answer;
use fhirehose_native::inflate::InputError;
use fhirehose_native::job::JobError;
use serde::{Deserialize, Serialize};

use crate::outcome::Reply;

/// Why a job failed. The store keeps it as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// HTTP status of the answer that tells it.
    pub status: u16,
    /// FHIR issue code.
    pub code: String,
    /// For people.
    pub diagnostics: String,
}

impl Failure {
    pub(super) fn new(status: u16, code: &str, diagnostics: impl Into<String>) -> Failure {
        Failure {
            status,
            code: code.to_owned(),
            diagnostics: diagnostics.into(),
        }
    }

    pub(super) fn answered(answer: Answer, diagnostics: impl Into<String>) -> Failure {
        Failure::new(answer.status, answer.code, diagnostics)
    }

    /// The data were not the same from the beginning to the end.
    pub(super) fn changed(what: &str) -> Failure {
        Failure::new(
            500,
            "conflict",
            format!("the data changed while the job ran ({what}); ask again"),
        )
    }

    /// The server is at fault, and has said more in its log.
    pub(super) fn internal(what: &str) -> Failure {
        Failure::new(500, "exception", format!("the server failed: {what}"))
    }

    /// What a job of the store failed for. The store itself tells a plain text.
    #[must_use]
    pub fn read(text: &str) -> Failure {
        serde_json::from_str(text).unwrap_or_else(|_| Failure::new(500, "exception", text))
    }

    /// The text for the store.
    #[must_use]
    pub fn text(&self) -> String {
        // A number and two texts can always be written.
        serde_json::to_string(self).unwrap_or_else(|_| self.diagnostics.clone())
    }

    /// The answer to whoever asks for the job.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let mut reply = Reply::error(self.status, "exception", self.diagnostics.as_str());
        for issue in &mut reply.issues {
            issue.code = self.code.clone().into();
        }
        reply
    }

    /// What the engine says, as far as it is for clients: inputs by their file names.
    pub(super) fn of_engine(error: &JobError) -> Failure {
        match error {
            JobError::Input(error) => {
                Failure::new(500, "incomplete", without_folders(&error.to_string(), error.name()))
            }
            JobError::Document { name, .. } | JobError::Mismatch { name, .. } => {
                Failure::new(500, "structure", without_folders(&error.to_string(), name))
            }
            JobError::Output(error) => of_output(error.kind()),
            JobError::Changed(name) => Failure::changed(file_name(name)),
            JobError::Cohort(error) => Failure::new(500, "exception", error.to_string()),
            JobError::TooManyIds => Failure::new(500, "too-costly", error.to_string()),
            JobError::LateDeletions => Failure::new(
                500,
                "conflict",
                "the data tells of deletions that were found after files had been given out; ask again without \
                 allowPartialManifests",
            ),
            // Neither do jobs of the server end at bad lines, nor write to standard output.
            _ => Failure::internal("the export ended early"),
        }
    }
}

impl Failure {
    /// A file of the attempt cannot be written or read.
    pub(super) fn of_file(error: &std::io::Error) -> Failure {
        of_output(error.kind())
    }
}

fn of_output(kind: ErrorKind) -> Failure {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => Failure::new(
            500,
            "no-store",
            "the server has no space left for the files of this job; ask for less, or later",
        ),
        kind => Failure::internal(&format!("a file of the job cannot be written: {kind}")),
    }
}

/// Whether an input is not what it was because of the data's having been replaced.
pub(super) fn is_about_inputs(error: &JobError) -> bool {
    matches!(
        error,
        JobError::Input(InputError { .. }) | JobError::Document { .. } | JobError::Mismatch { .. }
    )
}

fn file_name(name: &str) -> &str {
    let last = Path::new(name).file_name().and_then(|name| name.to_str());
    last.unwrap_or("an input")
}

fn without_folders(text: &str, name: &str) -> String {
    text.replace(name, file_name(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_come_back_from_the_store() {
        let failure = Failure::new(404, "not-found", "there is no \"such\" Group");
        assert_eq!(Failure::read(&failure.text()), failure);
        let reply = failure.reply();
        assert_eq!((reply.status, reply.issues[0].code.as_ref()), (404, "not-found"));
        let plain = Failure::read("the worker of this job fell silent");
        assert_eq!((plain.status, plain.code.as_str()), (500, "exception"));
        assert_eq!(plain.diagnostics, "the worker of this job fell silent");
    }

    #[test]
    fn clients_learn_the_file_and_not_the_folder() {
        let error = JobError::Changed("/srv/secret/Patient.ndjson".to_owned());
        let told = Failure::of_engine(&error);
        assert!(told.diagnostics.contains("Patient.ndjson") && told.diagnostics.contains("ask again"));
        assert!(!told.diagnostics.contains("secret"), "{}", told.diagnostics);
        let error = JobError::Mismatch {
            name: "/srv/secret/a.ndjson".to_owned(),
            text: "it has fewer lines".to_owned(),
        };
        assert_eq!(Failure::of_engine(&error).diagnostics, "a.ndjson: it has fewer lines");
    }

    #[test]
    fn a_full_disk_is_told_as_such() {
        let told = of_output(ErrorKind::StorageFull);
        assert_eq!((told.status, told.code.as_str()), (500, "no-store"));
        assert_eq!(of_output(ErrorKind::PermissionDenied).code, "exception");
    }
}
