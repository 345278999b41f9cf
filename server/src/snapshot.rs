//! The catalogue as what jobs are run over.

use std::path::Path;
use std::sync::Arc;

use fhirehose_core::cohort::{GroupError, Resolved};
use fhirehose_core::ids::IdSet;
use fhirehose_core::search::kind::date::Nanos;
use fhirehose_native::inputs::InputPlace;

use crate::catalogue::{Catalogue, Keeper};
use crate::runner::{Data, Snapshot};

impl Data for Keeper {
    fn snapshot(&self) -> Arc<dyn Snapshot> {
        self.current()
    }
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

    fn bytes_stored(&self) -> u64 {
        Catalogue::bytes_stored(self)
    }
}
