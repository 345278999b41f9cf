//! A whole export: every line of a data set that a request, of a cohort or of everybody, holds.

use std::collections::BTreeSet;

use fhirehose_core::search::table::Registry;
use serde_json::Value;

use super::cohort::{belongs, is_compartment_type, patients_of};
use super::group::{Members, members};
use super::{Oracle, OracleRequest, associated, last_updated, provenance};

/// Type and id of a resource.
pub(crate) type Target = (String, String);

/// What an export asks for.
#[derive(Clone, Debug, Default)]
pub struct ExportRequest {
    /// Types, filters and times.
    pub resources: OracleRequest,
    /// Ids or references of patients; `None`: none are named.
    pub patients: Option<Vec<String>>,
    /// Id of a Group.
    pub group: Option<String>,
    /// Leave out what is another patient's too.
    pub exclusive: bool,
    /// `includeAssociatedData`.
    pub include_associated_data: Vec<String>,
}

/// A resource of a data set, and what is asked of it again and again.
#[derive(Clone, Debug)]
pub struct Record {
    /// Its type.
    pub type_name: String,
    /// Its id, if it has one.
    pub id: Option<String>,
    /// The line as it came, without the newline.
    pub line: Vec<u8>,
    pub(crate) updated: Option<i128>,
    pub(crate) patients: Option<BTreeSet<String>>,
    pub(crate) refers_to: BTreeSet<Target>,
}

impl Record {
    pub(crate) fn target(&self) -> Option<Target> {
        Some((self.type_name.clone(), self.id.clone()?))
    }

    pub(crate) fn value(&self) -> Value {
        serde_json::from_slice(&self.line).unwrap_or_default()
    }
}

/// All resources of a data set, in the order of the input.
#[derive(Clone, Debug)]
pub struct DataSet {
    registry: Registry,
    base: Option<String>,
    records: Vec<Record>,
}

impl DataSet {
    /// No resources yet, of a server with this base.
    #[must_use]
    pub fn new(registry: &Registry, base: Option<&str>) -> DataSet {
        DataSet {
            registry: registry.clone(),
            base: base.map(str::to_owned),
            records: Vec::new(),
        }
    }

    /// Takes one line.
    ///
    /// # Errors
    ///
    /// It is no JSON, or no resource.
    pub fn push(&mut self, line: &[u8]) -> Result<(), String> {
        let value: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
        let type_name = value["resourceType"].as_str().ok_or("no resourceType")?;
        let base = self.base.as_deref();
        self.records.push(Record {
            type_name: type_name.to_owned(),
            id: value["id"].as_str().map(str::to_owned),
            line: line.to_vec(),
            updated: last_updated(&value),
            patients: patients_of(&self.registry, &value, base),
            refers_to: associated::references(&value, base),
        });
        Ok(())
    }

    /// The resources, in the order of the input.
    #[must_use]
    pub fn records(&self) -> &[Record] {
        &self.records
    }
}

/// What an export holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Positions of the exported resources in [`DataSet::records`].
    pub kept: BTreeSet<usize>,
    /// Members of the group, and why others do not count.
    pub members: Option<Members>,
}

/// Which Provenance is asked for beside the kept resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Include {
    /// Nothing is said.
    Default,
    /// The newest of each kept resource.
    Latest,
    /// Every one of each kept resource.
    Relevant,
}

/// A request, understood, over a data set.
pub(crate) struct Judge<'a> {
    data: &'a DataSet,
    oracle: Oracle,
    asked: BTreeSet<String>,
    include: Include,
    cohort: Option<BTreeSet<String>>,
    group: Option<String>,
    exclusive: bool,
}

impl DataSet {
    /// Decides about every resource.
    ///
    /// # Errors
    ///
    /// What is wrong with the request, or that a group or patient is not there.
    pub fn export(&self, request: &ExportRequest) -> Result<Exported, String> {
        let include = include(&request.include_associated_data)?;
        let asked = asked(&request.resources.types);
        let mut resources = request.resources.clone();
        resources.fhir_base.clone_from(&self.base);
        if include != Include::Default && !asked.is_empty() {
            // Provenance is exported then, and filters on it apply.
            resources.types.push("Provenance".to_owned());
        }
        let oracle = Oracle::new(&self.registry, &resources).map_err(|problems| problems.join("; "))?;
        if let (Some(since), Some(until)) = (oracle.since, oracle.until)
            && until <= since
        {
            return Err("the window is empty".to_owned());
        }
        let (cohort, members) = self.cohort(request, oracle.transaction_time)?;
        if cohort.is_some() {
            self.check_types(&asked)?;
        } else if request.exclusive {
            return Err("exclusive needs a cohort".to_owned());
        }
        let nobody = cohort.as_ref().is_some_and(BTreeSet::is_empty);
        let judge = Judge {
            data: self,
            oracle,
            asked,
            include,
            cohort,
            group: request.group.clone(),
            exclusive: request.exclusive,
        };
        let kept = if nobody { BTreeSet::new() } else { judge.kept() };
        Ok(Exported { kept, members })
    }

    /// Some type of a list must be somebody's; Bundle and Binary are never exported for patients.
    fn check_types(&self, asked: &BTreeSet<String>) -> Result<(), String> {
        if asked.contains("Bundle") || asked.contains("Binary") {
            return Err("Bundle and Binary are not exported for patients".to_owned());
        }
        let some = asked.iter().any(|name| is_compartment_type(&self.registry, name));
        if asked.is_empty() || some {
            Ok(())
        } else {
            Err("no type of the list is in a patient's compartment".to_owned())
        }
    }

    /// The ids of the patients whose records are exported.
    fn cohort(&self, request: &ExportRequest, at: i128) -> Result<(Option<BTreeSet<String>>, Option<Members>), String> {
        let base = self.base.as_deref();
        let is_id = |text: &str| {
            let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
            (1..=64).contains(&text.len()) && text.bytes().all(legal)
        };
        let mut listed = None;
        if let Some(patients) = &request.patients {
            let mut ids = BTreeSet::new();
            for text in patients.iter().map(|text| text.trim()).filter(|text| !text.is_empty()) {
                let id = match super::reference::target(text, base) {
                    Some((type_name, id)) if type_name == "Patient" => id,
                    Some(_) => return Err(format!("{text} is no patient")),
                    None => text.to_owned(),
                };
                if !is_id(&id) {
                    return Err(format!("{text} is no id"));
                }
                ids.insert(id);
            }
            if ids.is_empty() {
                return Err("the list of patients is empty".to_owned());
            }
            listed = Some(ids);
        }
        let Some(group) = &request.group else {
            let known = |id: &String| {
                let is_it = |record: &Record| record.type_name == "Patient" && record.id.as_ref() == Some(id);
                self.records.iter().any(is_it)
            };
            if let Some(unknown) = listed.iter().flatten().find(|id| !known(id)) {
                return Err(format!("there is no patient {unknown}"));
            }
            return Ok((listed, None));
        };
        let groups = self.records.iter().filter(|record| record.type_name == "Group");
        let groups: Vec<Value> = groups.map(Record::value).collect();
        let found = members(group, &groups, base, at)?;
        let Some(listed) = listed else {
            return Ok((Some(found.patients.clone()), Some(found)));
        };
        if let Some(stranger) = listed.iter().find(|id| !found.patients.contains(*id)) {
            return Err(format!("{stranger} is no member of the group"));
        }
        Ok((Some(listed), Some(found)))
    }
}

impl Judge<'_> {
    fn kept(&self) -> BTreeSet<usize> {
        let records = self.records().iter().enumerate();
        let main: BTreeSet<usize> = records
            .filter(|(_, record)| self.is_main(record))
            .map(|(at, _)| at)
            .collect();
        let mut kept = provenance::provenance(self, &main);
        kept.extend(main);
        if self.has_cohort() {
            // What Provenance refers to comes along, too (SPEC 2.10: step 7 before 8).
            kept.extend(associated::associated(self, &kept));
        }
        kept
    }

    /// Whether a resource is exported by its own right.
    fn is_main(&self, record: &Record) -> bool {
        let by_provenance = record.type_name == "Provenance" && self.include != Include::Default;
        self.asks_for(&record.type_name)
            && !by_provenance
            && self.is_cohorts(record)
            && self.oracle.in_window(record.updated)
            && self.passes_filters(record)
    }

    fn is_cohorts(&self, record: &Record) -> bool {
        let Some(cohort) = &self.cohort else {
            return true;
        };
        if record.type_name == "Group" {
            return self.group.is_some() && record.id == self.group;
        }
        let own = record.id.as_deref().filter(|_| record.type_name == "Patient");
        let patients = record.patients.as_ref();
        patients.is_some_and(|patients| belongs(patients, own, cohort, self.exclusive))
    }

    pub(crate) fn records(&self) -> &[Record] {
        &self.data.records
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.data.registry
    }

    pub(crate) fn base(&self) -> Option<&str> {
        self.data.base.as_deref()
    }

    pub(crate) fn include(&self) -> Include {
        self.include
    }

    pub(crate) fn has_cohort(&self) -> bool {
        self.cohort.is_some()
    }

    pub(crate) fn is_exclusive(&self) -> bool {
        self.exclusive
    }

    pub(crate) fn is_listed(&self, patient: &str) -> bool {
        self.cohort.as_ref().is_some_and(|cohort| cohort.contains(patient))
    }

    pub(crate) fn is_compartment_type(&self, type_name: &str) -> bool {
        is_compartment_type(&self.data.registry, type_name)
    }

    pub(crate) fn asks_for(&self, type_name: &str) -> bool {
        self.asked.is_empty() || self.asked.contains(type_name)
    }

    pub(crate) fn in_snapshot(&self, record: &Record) -> bool {
        self.oracle.in_snapshot(record.updated)
    }

    pub(crate) fn passes_filters(&self, record: &Record) -> bool {
        let filters = &self.oracle.filters;
        let unfiltered = !filters.iter().any(|filter| filter.type_name == record.type_name);
        unfiltered || self.oracle.keeps_content(&record.type_name, &record.value())
    }
}

/// The least restrictive of the values.
fn include(values: &[String]) -> Result<Include, String> {
    let mut include = Include::Default;
    for value in values.iter().flat_map(|list| list.split(',')).map(str::trim) {
        include = match (value, include) {
            ("", include) => include,
            ("RelevantProvenanceResources", _) => Include::Relevant,
            ("LatestProvenanceResources", Include::Relevant) => Include::Relevant,
            ("LatestProvenanceResources", _) => Include::Latest,
            (other, _) => return Err(format!("'{other}' is no associated data")),
        };
    }
    Ok(include)
}

fn asked(types: &[String]) -> BTreeSet<String> {
    let names = types.iter().map(|name| name.trim()).filter(|name| !name.is_empty());
    names.map(str::to_owned).collect()
}
