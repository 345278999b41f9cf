//! Lists of export requests for cohorts, in the words of the command line, and the data they are asked of.

use crate::data;
use crate::oracle::OracleRequest;
use crate::oracle::export::{DataSet, ExportRequest};
use fhirehose_core::search::table::Registry;
use serde::Deserialize;
use std::io;
use std::path::Path;

/// Instant that no data reaches: no bound.
const NEVER: &str = "9999-12-31T23:59:59Z";

/// The lists: one over sample data from outside, one over synthetic data with [`EXTRA`].
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CohortLists {
    /// Over the folder that the environment names.
    pub base: CohortList,
    /// Over [`synthetic`].
    pub synth: CohortList,
}

/// A list of requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CohortList {
    /// Snapshot of requests that name none.
    pub transaction_time: String,
    /// The requests.
    pub request: Vec<CohortRequest>,
}

/// One request: the options of `export`.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CohortRequest {
    /// `--patient`, once for each.
    #[serde(default)]
    pub patient: Vec<String>,
    /// Lines of the file of `--patients`.
    pub patients: Option<Vec<String>>,
    /// `--group`.
    pub group: Option<String>,
    /// `--exclusive`.
    #[serde(default)]
    pub exclusive: bool,
    /// `--type`.
    #[serde(default, rename = "type")]
    pub types: Vec<String>,
    /// `--type-filter`.
    #[serde(default)]
    pub type_filter: Vec<String>,
    /// `--since`.
    pub since: Option<String>,
    /// `--until`.
    pub until: Option<String>,
    /// `--transaction-time`; `""`: not given.
    pub transaction_time: Option<String>,
    /// `--fhir-base`.
    pub fhir_base: Option<String>,
    /// `--include-associated-data`.
    #[serde(default)]
    pub include_associated_data: Vec<String>,
    /// The request is refused: part of what is told.
    pub refused: Option<String>,
}

/// Lines that synthetic data has not: shared and foreign devices, tasks, chains of places, versions of provenance.
pub const EXTRA: &str = include_str!("../requests/cohort-extra.ndjson");

impl CohortLists {
    /// The lists that come with the project.
    ///
    /// # Errors
    ///
    /// What is wrong with them.
    pub fn load() -> Result<CohortLists, String> {
        toml::from_str(include_str!("../requests/cohort.toml")).map_err(|error| error.to_string())
    }
}

impl CohortRequest {
    /// Reads one request: `group = "g"`, one option a line.
    ///
    /// # Errors
    ///
    /// What is wrong with the text.
    pub fn parse(text: &str) -> Result<CohortRequest, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// Its own snapshot or that of the list, if there is one.
    #[must_use]
    pub fn snapshot(&self, list: &CohortList) -> Option<String> {
        let text = self.transaction_time.as_ref().unwrap_or(&list.transaction_time);
        (!text.is_empty()).then(|| text.clone())
    }

    /// The arguments of the binary after input and output; `patients` is the name of the file that holds the list.
    #[must_use]
    pub fn arguments(&self, list: &CohortList, patients: &str) -> Vec<String> {
        let mut arguments = Vec::new();
        let mut give = |name: &str, values: &mut dyn Iterator<Item = &String>| {
            for value in values {
                arguments.extend([format!("--{name}"), value.clone()]);
            }
        };
        give("patient", &mut self.patient.iter());
        give(
            "patients",
            &mut self
                .patients
                .iter()
                .map(|_| patients.to_owned())
                .collect::<Vec<_>>()
                .iter(),
        );
        give("group", &mut self.group.iter());
        give("type", &mut self.types.iter());
        give("type-filter", &mut self.type_filter.iter());
        give("since", &mut self.since.iter());
        give("until", &mut self.until.iter());
        give("transaction-time", &mut self.snapshot(list).iter());
        give("fhir-base", &mut self.fhir_base.iter());
        give("include-associated-data", &mut self.include_associated_data.iter());
        if self.exclusive {
            arguments.push("--exclusive".to_owned());
        }
        arguments
    }

    /// The request as the oracle takes it.
    #[must_use]
    pub fn for_oracle(&self, list: &CohortList) -> ExportRequest {
        let split = |values: &[String]| -> Vec<String> {
            let parts = values.iter().flat_map(|value| value.split(','));
            parts.map(str::to_owned).collect()
        };
        let named = (!self.patient.is_empty()).then(|| split(&self.patient));
        let patients = match (named, self.patients.clone()) {
            (Some(named), Some(listed)) => Some([named, listed].concat()),
            (named, listed) => named.or(listed),
        };
        ExportRequest {
            resources: OracleRequest {
                types: split(&self.types),
                type_filters: self.type_filter.clone(),
                since: self.since.clone(),
                until: self.until.clone(),
                transaction_time: self.snapshot(list).unwrap_or(NEVER.to_owned()),
                fhir_base: self.fhir_base.clone(),
                ..OracleRequest::default()
            },
            patients,
            group: self.group.clone(),
            exclusive: self.exclusive,
            include_associated_data: self.include_associated_data.clone(),
        }
    }
}

/// Varied synthetic patients, one text for each type, and [`EXTRA`].
///
/// # Errors
///
/// None in practice: memory takes every line.
pub fn synthetic() -> io::Result<Vec<(String, Vec<u8>)>> {
    let by_type = crate::differential::synthetic(72, 5)?;
    let files = by_type
        .into_iter()
        .map(|(name, lines)| (format!("{name}.ndjson"), lines));
    Ok(files
        .chain([("extra.ndjson".to_owned(), EXTRA.as_bytes().to_vec())])
        .collect())
}

/// Texts as the oracle reads them.
///
/// # Errors
///
/// A line is no resource.
pub fn data_set(registry: &Registry, base: Option<&str>, files: &[(String, Vec<u8>)]) -> Result<DataSet, String> {
    let mut set = DataSet::new(registry, base);
    for (name, bytes) in files {
        let lines = bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
        for (at, line) in lines.enumerate() {
            set.push(line).map_err(|error| format!("{name} {}: {error}", at + 1))?;
        }
    }
    Ok(set)
}

/// A folder of sample data as the oracle reads it, compressed or not.
///
/// # Errors
///
/// A file cannot be read or a line is no resource.
pub fn data_set_of(registry: &Registry, base: Option<&str>, folder: &Path) -> Result<DataSet, String> {
    let mut set = DataSet::new(registry, base);
    for path in data::files(folder).map_err(|error| error.to_string())? {
        let told = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let bytes = data::bytes(&path).map_err(|error| told(&error))?;
        for line in bytes.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()) {
            set.push(line).map_err(|error| told(&error))?;
        }
    }
    Ok(set)
}
