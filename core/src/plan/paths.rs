//! Paths of search parameters into the trie of a type: what is captured, what is watched for duplicates.

use super::gate::Path;
use crate::scan::slots::SlotId;
use crate::scan::trie::Trie;
use crate::search::kind::reference::ReferenceLeaf;
use crate::search::kind::token::TokenLeaf;
use crate::search::leaf::Leaf;
use crate::search::table::{PathSpec, Registry, SearchType, Where, WhereTest};

/// The trie of one type while its gates are compiled.
pub(super) struct Places<'a> {
    pub(super) trie: Trie,
    pub(super) type_name: &'a str,
    pub(super) registry: &'a Registry,
    pub(super) base: Option<&'a str>,
    /// Slot of the contained resources, where a reference may point to one.
    pub(super) contained: Option<SlotId>,
}

impl Places<'_> {
    /// Adds paths that start at the resource.
    pub(super) fn add_all(&mut self, specs: &[&PathSpec], kind: SearchType, targets: &[String]) -> Vec<Path> {
        specs.iter().map(|spec| self.add(spec, kind, targets)).collect()
    }

    /// Adds one path that starts at the resource. It is captured at its first test, or else at its end.
    pub(super) fn add(&mut self, spec: &PathSpec, kind: SearchType, targets: &[String]) -> Path {
        let depth = spec.wheres.iter().map(|test| test.at).min().unwrap_or(spec.names.len());
        let node = self.trie.insert(0, &spec.names[..depth]);
        let slot = self.trie.capture(node);
        self.watch(&spec.names, spec, kind);
        if spec.ref_is.is_some() {
            let contained = self.trie.insert(0, &["contained"]);
            self.contained = Some(self.trie.capture(contained));
            self.trie.insert(contained, &["id"]);
            self.trie.insert(contained, &["resourceType"]);
        }
        Path {
            slot: Some(slot),
            ..self.below(spec, depth, kind, targets)
        }
    }

    /// A path that starts at the base element of a composite.
    pub(super) fn relative(&self, spec: &PathSpec, kind: SearchType) -> Path {
        self.below(spec, 0, kind, &[])
    }

    /// Watches what the parts of a composite read below its base.
    pub(super) fn watch_below(&mut self, base: &PathSpec, parts: &[Vec<Path>]) {
        for path in parts.iter().flatten().filter(|path| path.slot.is_none()) {
            let names: Vec<String> = base.names.iter().chain(&path.rest).cloned().collect();
            self.watch_leaf(&names, path.leaf, path.kind);
        }
    }

    fn below(&self, spec: &PathSpec, depth: usize, kind: SearchType, targets: &[String]) -> Path {
        let dotted = spec.names.join(".");
        let is_id = spec.names.len() == 1 && spec.names[0] == "id";
        let implied = self.registry.implied_system(self.type_name, &dotted).cloned();
        Path {
            slot: None,
            rest: spec.names[depth..].to_vec(),
            tests: spec
                .wheres
                .iter()
                .map(|Where { at, test }| (at - depth, test.clone()))
                .collect(),
            leaf: Leaf::named(&spec.leaf),
            kind,
            token: TokenLeaf { implied, exact: is_id },
            reference: ReferenceLeaf {
                targets: targets.to_vec(),
                only: spec.ref_is.clone(),
                base: self.base.map(str::to_owned),
            },
            family: spec.names.last().is_some_and(|name| name == "family"),
            dotted,
        }
    }

    /// Names that a test or the datatype at the end reads: a line in which one stands twice at one level is bad.
    fn watch(&mut self, names: &[String], spec: &PathSpec, kind: SearchType) {
        self.watch_leaf(names, Leaf::named(&spec.leaf), kind);
        for Where { at, test } in &spec.wheres {
            let node = self.trie.insert(0, &names[..*at]);
            match test {
                WhereTest::Member(member, _) => {
                    self.trie.insert(node, member);
                }
                WhereTest::Extension(_) => {
                    self.trie.insert(node, &["extension", "url"]);
                }
                WhereTest::Index(_) => {}
            }
        }
    }

    fn watch_leaf(&mut self, names: &[String], leaf: Leaf, kind: SearchType) {
        let node = self.trie.insert(0, names);
        for member in leaf.members(kind) {
            self.trie.insert(node, member);
        }
    }
}
