//! `organizeOutputBy`: for each type the places where its patients are named, which are those of a cohort's gate.

use std::sync::Arc;

use memchr::memmem::Finder;

use super::compartment;
use super::elements::{self, Elements};
use super::gate::{Gate, Path, Test};
use super::of_type::{bind_roots, root_names};
use super::paths::Places;
use crate::problem::{Problem, Problems};
use crate::request::{Cohort, Request};
use crate::scan::slots::SlotId;
use crate::scan::trie::Trie;
use crate::search::table::Registry;

/// The one type that output can be organized by.
const BY: &str = "Patient";

/// Where a type's resources name the patients in whose compartments they are.
#[derive(Clone, Debug)]
pub struct Compartment {
    pub(crate) trie: Trie,
    /// References to patients; a path of datatype id is the resource's own.
    pub(crate) paths: Vec<Path>,
    /// The members of the root object, by their index in the trie, that the paths begin with.
    pub(crate) roots: u128,
    /// For each child of the trie's root a search for its name in quotes.
    pub(crate) root_names: Vec<Finder<'static>>,
    pub(crate) contained: Option<SlotId>,
    /// What `_elements` keeps of the type; `None`: everything.
    pub elements: Option<Elements>,
}

/// What is wrong with the type that output is to be organized by.
pub(super) fn check(request: &Request) -> Option<Problem> {
    let by = request.organize_by.as_ref().filter(|by| *by != BY)?;
    let message = format!("output can be organized by {BY} and by no other type");
    Some(Problem::whole("organize-by", by, message))
}

/// For each type of the registry, in its order; `None`: the type is in no patient's compartment.
pub(crate) fn compartments(request: &Request, registry: &Registry) -> Result<Vec<Option<Compartment>>, Problems> {
    let mut problems: Vec<Problem> = check(request).into_iter().collect();
    let elements = elements::read(request, registry, &mut problems);
    if !problems.is_empty() {
        return Err(Problems(problems));
    }
    let base = request.fhir_base.as_deref().map(|base| base.trim_end_matches('/'));
    let of_type = |type_name: &String| {
        let elements = elements.iter().find(|entry| entry.type_name == *type_name).cloned();
        Some(Compartment {
            elements,
            ..of_type(type_name, base, registry)?
        })
    };
    Ok(registry.types().iter().map(of_type).collect())
}

fn of_type(type_name: &str, base: Option<&str>, registry: &Registry) -> Option<Compartment> {
    // The gate of a cohort, whoever is in it.
    let anybody = Cohort {
        patients: Arc::default(),
        exclusive: false,
        group: None,
    };
    let mut places = Places {
        trie: Trie::default(),
        type_name,
        registry,
        base,
        contained: None,
    };
    let mut gates = [compartment::gate(&anybody, registry, &mut places)?];
    bind_roots(&mut gates, &places.trie);
    let [Gate { test, roots, .. }] = gates;
    let Test::Member { paths, .. } = test else { return None };
    Some(Compartment {
        root_names: root_names(&places.trie),
        trie: places.trie,
        paths,
        roots,
        contained: places.contained,
        elements: None,
    })
}
