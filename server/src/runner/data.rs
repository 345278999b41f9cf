//! What jobs are run over: the data as it was at one moment.

use std::sync::Arc;

use fhirehose_core::cohort::{GroupError, Resolved};
use fhirehose_core::ids::IdSet;
use fhirehose_core::search::kind::date::Nanos;
use fhirehose_native::inputs::InputPlace;
use fhirehose_store::Time;

/// The data, which may change.
pub trait Data: Send + Sync {
    /// As it is now. What has come since it was last looked at is in it: it is from before the job's moment, and whoever asks
    /// for what is newer than that moment would never get it.
    ///
    /// # Errors
    /// It cannot be read as it is now; the text is for the log.
    fn snapshot(&self, now: Time) -> Result<Arc<dyn Snapshot>, String>;
}

/// The data at one moment. Called from the threads of jobs; may block.
pub trait Snapshot: Send + Sync {
    /// The files, in the order in which they are exported.
    fn inputs(&self) -> Vec<InputPlace>;

    /// The patients of a group, by the memberships that hold `at` that instant. `base`: of absolute references.
    ///
    /// # Errors
    /// There is no such group, or there are two.
    fn resolve(&self, group: &str, at: Nanos, base: Option<&str>) -> Result<Resolved, GroupError>;

    /// All patients.
    fn patients(&self) -> Arc<IdSet>;

    /// Those of the ids that are no patients, in their order.
    fn unknown_patients(&self, ids: &[String]) -> Vec<String>;

    /// What has changed since that moment, without paths; nothing if the files are still what they were.
    fn changed(&self) -> Option<String>;

    /// A text that is another for every other state of the data.
    fn fingerprint(&self) -> String;

    /// Bytes of the files as stored.
    fn bytes_stored(&self) -> u64;
}
