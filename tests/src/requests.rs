//! Lists of requests, as data: what the oracle and the engine are asked about.

use crate::data;
use crate::oracle::{Oracle, OracleRequest};
use fhirehose_core::request;
use fhirehose_core::search::table::Registry;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

/// A file of requests.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RequestList {
    /// Snapshot instant of requests that name none.
    pub transaction_time: String,
    /// Members `system|code` of the value sets that requests may name, by URL.
    #[serde(default)]
    pub value_sets: BTreeMap<String, Vec<String>>,
    /// The requests, in the order of the file.
    pub request: Vec<Request>,
}

/// One request of a list.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Request {
    /// `_typeFilter`, one filter each.
    #[serde(default)]
    pub filters: Vec<String>,
    /// `_type`.
    #[serde(default)]
    pub types: Vec<String>,
    /// `_since`.
    pub since: Option<String>,
    /// `_until`.
    pub until: Option<String>,
    /// Own snapshot instant.
    pub transaction_time: Option<String>,
    /// Base URL of the server whose data this is.
    pub fhir_base: Option<String>,
}

impl RequestList {
    /// Reads a list.
    ///
    /// # Errors
    ///
    /// What is wrong with the text, and where.
    pub fn parse(text: &str) -> Result<RequestList, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    /// One request of the list as the oracle takes it.
    #[must_use]
    pub fn for_oracle(&self, request: &Request) -> OracleRequest {
        let own = request.transaction_time.as_ref();
        OracleRequest {
            types: request.types.clone(),
            type_filters: request.filters.clone(),
            since: request.since.clone(),
            until: request.until.clone(),
            transaction_time: own.unwrap_or(&self.transaction_time).clone(),
            fhir_base: request.fhir_base.clone(),
            value_sets: self.code_lists(),
        }
    }

    /// One request of the list as the engine takes it.
    #[must_use]
    pub fn for_engine(&self, request: &Request) -> request::Request {
        let own = request.transaction_time.as_ref();
        let lists = self.code_lists().into_iter();
        let shared = |members: BTreeSet<_>| Arc::new(members.into_iter().collect());
        request::Request {
            types: request.types.clone(),
            type_filters: request.filters.clone(),
            since: request.since.clone(),
            until: request.until.clone(),
            transaction_time: Some(own.unwrap_or(&self.transaction_time).clone()),
            fhir_base: request.fhir_base.clone(),
            value_sets: lists.map(|(url, members)| (url, shared(members))).collect(),
            ..request::Request::default()
        }
    }

    /// The value sets with system and code apart.
    #[must_use]
    pub fn code_lists(&self) -> BTreeMap<String, BTreeSet<(String, String)>> {
        let pair = |member: &String| {
            let (system, code) = member.rsplit_once('|').unwrap_or(("", member));
            (system.to_owned(), code.to_owned())
        };
        self.value_sets
            .iter()
            .map(|(url, members)| (url.clone(), members.iter().map(pair).collect()))
            .collect()
    }
}

impl Request {
    /// The request in one line, for reports.
    #[must_use]
    pub fn label(&self) -> String {
        let mut parts = self.filters.clone();
        if !self.types.is_empty() {
            parts.push(format!("_type={}", self.types.join(",")));
        }
        let named = [
            ("_since", &self.since),
            ("_until", &self.until),
            ("at", &self.transaction_time),
        ];
        parts.extend(
            named
                .iter()
                .filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?))),
        );
        parts.join("  ")
    }
}

impl RequestList {
    /// The requests that come with the project.
    ///
    /// # Errors
    ///
    /// What is wrong with the list.
    pub fn base() -> Result<RequestList, String> {
        RequestList::parse(include_str!("../requests/base.toml"))
    }

    /// The requests over synthetic data.
    ///
    /// # Errors
    ///
    /// What is wrong with the list.
    pub fn synth() -> Result<RequestList, String> {
        RequestList::parse(include_str!("../requests/synth.toml"))
    }
}

/// What the oracle made of one request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counted {
    /// Lines that stay.
    pub kept: u64,
    /// Lines of the types that the request names; all lines if it names none.
    pub seen: u64,
}

impl Counted {
    /// Whether the request tells lines apart: some stay, some go.
    #[must_use]
    pub fn is_telling(&self) -> bool {
        self.kept > 0 && self.kept < self.seen
    }

    /// Asks the oracle about every request and every resource of a folder.
    ///
    /// # Errors
    ///
    /// A request that the oracle refuses, or data that cannot be read.
    pub fn over(registry: &Registry, list: &RequestList, folder: &Path) -> Result<Vec<Counted>, String> {
        let mut judged = Vec::new();
        for request in &list.request {
            let oracle = Oracle::new(registry, &list.for_oracle(request))
                .map_err(|problems| format!("{}: {}", request.label(), problems.join("; ")))?;
            let named = oracle.named_types();
            judged.push((oracle, named, Counted::default()));
        }
        for file in data::files(folder).map_err(|error| error.to_string())? {
            data::each_resource(&file, |resource| {
                let type_name = resource["resourceType"].as_str().unwrap_or_default();
                for (oracle, named, count) in &mut judged {
                    if named.is_empty() || named.contains(type_name) {
                        count.seen += 1;
                        count.kept += u64::from(oracle.keeps(resource));
                    }
                }
            })
            .map_err(|error| error.to_string())?;
        }
        Ok(judged.into_iter().map(|(_, _, count)| count).collect())
    }
}
