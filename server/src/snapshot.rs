//! The catalogue as what jobs are run over.

use std::path::Path;
use std::sync::Arc;

use fhirehose_core::cohort::{GroupError, Resolved};
use fhirehose_core::ids::IdSet;
use fhirehose_core::search::kind::date::Nanos;
use fhirehose_native::inputs::InputPlace;
use fhirehose_store::Time;
use sha2::{Digest as _, Sha256};

use crate::catalogue::{Catalogue, CatalogueError, Keeper};
use crate::runner::{Data, Snapshot};

impl Data for Keeper {
    fn snapshot(&self, now: Time) -> Result<Arc<dyn Snapshot>, String> {
        let fresh = fresh(self, now).map_err(|error| error.to_string())?;
        Ok(fresh)
    }
}

/// The data as it is now: read anew if it is not what it was. Blocks.
///
/// # Errors
/// It cannot be read.
pub(crate) fn fresh(keeper: &Keeper, now: Time) -> Result<Arc<Catalogue>, CatalogueError> {
    let current = keeper.current();
    if current.changed().is_none() {
        return Ok(current);
    }
    keeper.reload(now)?;
    Ok(keeper.current())
}

impl Snapshot for Catalogue {
    fn inputs(&self) -> Vec<InputPlace> {
        Catalogue::inputs(self)
    }

    fn resolve(&self, group: &str, at: Nanos, base: Option<&str>) -> Result<Resolved, GroupError> {
        Catalogue::resolve(self, group, at, base)
    }

    fn patients(&self) -> Arc<IdSet> {
        Catalogue::patients(self)
    }

    fn unknown_patients(&self, ids: &[String]) -> Vec<String> {
        Catalogue::unknown_patients(self, ids)
    }

    /// What is new in the folder does not concern a job that began before.
    fn changed(&self) -> Option<String> {
        let path = self.altered()?;
        let name = Path::new(&path)
            .file_name()
            .map(|name| name.to_string_lossy().into_owned());
        Some(name.unwrap_or_else(|| "a file".to_owned()))
    }

    fn fingerprint(&self) -> String {
        let mut sum = Sha256::new();
        for file in self.files() {
            sum.update(file.path.as_os_str().as_encoded_bytes());
            sum.update(file.stamp.text().unwrap_or_default().as_bytes());
            sum.update(b"\n");
        }
        let sum = sum.finalize();
        sum.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn bytes_stored(&self) -> u64 {
        Catalogue::bytes_stored(self)
    }
}
