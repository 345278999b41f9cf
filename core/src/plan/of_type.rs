//! The plan of one type in one pass: its trie, its gates, its filters.

use super::associated::{self, Found, Part, Parts, ProvenanceRule, Stage};
use super::compile::Compiler;
use super::elements::Elements;
use super::gate::{Gate, Path, Test, Waiting, Window};
use super::paths::Places;
use super::together;
use super::{Filter, Gather, Parsed, Role, TypePlan, compartment, ways, window};
use crate::problem::Problem;
use crate::request::Request;
use crate::scan::trie::{MAX_CHILDREN, Trie};
use crate::search::kind::date::Nanos;
use crate::search::table::Registry;

/// A request while the types of one pass are compiled.
pub(super) struct Compilation<'a> {
    pub(super) request: &'a Request,
    pub(super) registry: &'a Registry,
    pub(super) stage: Stage,
    pub(super) found: &'a Found,
    pub(super) window: Window,
    pub(super) now: Option<Nanos>,
    pub(super) filters: Vec<Parsed>,
    pub(super) elements: Vec<Elements>,
    pub(super) rule: ProvenanceRule,
}

impl Compilation<'_> {
    pub(super) fn base(&self) -> Option<&str> {
        self.request.fhir_base.as_deref().map(|base| base.trim_end_matches('/'))
    }

    pub(super) fn gather(&self, parts: &Parts<'_>, stages: &[Stage]) -> Option<Gather> {
        let is_linked = |name: &String| matches!(parts.of(Stage::Associated, name), Part::Linked);
        let links: Vec<bool> = self.registry.types().iter().map(is_linked).collect();
        let any_link = links.contains(&true);
        let links = if any_link { links } else { Vec::new() };
        match self.stage {
            Stage::Main if !stages.is_empty() => Some(Gather {
                links,
                kept: stages.contains(&Stage::Provenance),
                targets: None,
            }),
            Stage::Rank => Some(Gather {
                targets: Some(self.found.kept.clone()),
                ..Gather::default()
            }),
            Stage::Provenance if any_link => Some(Gather {
                links,
                ..Gather::default()
            }),
            _ => None,
        }
    }

    pub(super) fn type_plan(&self, type_index: usize, part: &Part, problems: &mut Vec<Problem>) -> TypePlan {
        let type_name = self.registry.types()[type_index].as_str();
        let mut places = Places {
            trie: Trie::default(),
            type_name,
            registry: self.registry,
            base: self.base(),
            contained: None,
        };
        places.trie.insert(0, &["resourceType"]);
        let mut gates = self.own_gates(type_index, part, &mut places);
        let always = (0..gates.len()).collect();
        let mut filters = self.filters(type_name, &mut places, problems);
        let ways = ways::join(&filters, &mut gates);
        if places.trie.widest() > MAX_CHILDREN {
            let message = format!("the filters of {type_name} read more than {MAX_CHILDREN} members of one element");
            problems.push(Problem::whole("type-filter", "", message));
        }
        filters
            .iter_mut()
            .for_each(|filter| bind_roots(&mut filter.gates, &places.trie));
        bind_roots(&mut gates, &places.trie);
        let by_root = by_root(&gates, &places.trie);
        for child in (0..by_root.len()).filter(|&child| by_root[child].is_empty()) {
            places.trie.hush(child);
        }
        let root_names = root_names(&places.trie);
        let Places { trie, contained, .. } = places;
        TypePlan {
            type_name: type_name.to_owned(),
            role: match part {
                Part::Follow(members) => Role::Follow(members),
                Part::Provenance { rank: true } => Role::Rank,
                _ => Role::Export,
            },
            mentions: gates.iter().find_map(Gate::patients),
            trie,
            gates,
            always,
            filters,
            ways,
            by_root,
            root_names,
            contained,
            elements: self.elements.iter().find(|entry| entry.type_name == type_name).cloned(),
        }
    }

    /// The gates that every line of the type must pass in this pass.
    fn own_gates(&self, type_index: usize, part: &Part, places: &mut Places<'_>) -> Vec<Gate> {
        // What is exported because of something else may be of any time, but not of one after the snapshot.
        let snapshot = Window {
            at_most: self.window.at_most,
            ..Window::default()
        };
        let window = if matches!(part, Part::Own | Part::None) {
            self.window
        } else {
            snapshot
        };
        let mut gates: Vec<Gate> = self.window_gate(window, places).into_iter().collect();
        let cohort = self.request.cohort.as_ref();
        match part {
            Part::Own => gates.extend(cohort.and_then(|cohort| compartment::gate(cohort, self.registry, places))),
            Part::None => {}
            _ => {
                let mut associated = associated::Gates {
                    request: self.request,
                    found: self.found,
                    places,
                };
                match part {
                    Part::Provenance { rank } => gates.extend(associated.provenance(self.rule, *rank, self.window)),
                    Part::Linked => {
                        gates.push(associated.linked(type_index));
                        gates.extend(associated.guard());
                    }
                    Part::Received => gates.extend(associated.received()),
                    _ => gates.extend(associated.guard()),
                }
            }
        }
        gates
    }

    fn window_gate(&self, window: Window, places: &mut Places<'_>) -> Option<Gate> {
        if window.is_open() {
            return None;
        }
        let node = places.trie.insert(0, &["meta", "lastUpdated"]);
        let slot = places.trie.capture(node);
        Some(Gate {
            label: window::label(self.request, window),
            test: Test::Window { slot, window },
            roots: 0,
        })
    }

    fn filters(&self, type_name: &str, places: &mut Places<'_>, problems: &mut Vec<Problem>) -> Vec<Filter> {
        let mut compiled = Vec::new();
        for Parsed { query, text } in self
            .filters
            .iter()
            .filter(|parsed| parsed.query.type_name == *type_name)
        {
            let compiler = Compiler {
                registry: self.registry,
                request: self.request,
                now: self.now,
                type_name,
                text,
            };
            let pairs = query.pairs.iter();
            compiled.push(Filter {
                text: text.to_string(),
                gates: pairs.filter_map(|pair| compiler.gate(pair, places, problems)).collect(),
            });
        }
        // One filter without conditions lets every line through.
        if compiled.iter().any(|filter: &Filter| filter.gates.is_empty()) {
            compiled.retain(|filter| filter.gates.is_empty());
        }
        compiled
    }
}

/// For each child of the trie's root a search for its name in quotes.
pub(super) fn root_names(trie: &Trie) -> Vec<memchr::memmem::Finder<'static>> {
    let quoted = |name: &[u8]| memchr::memmem::Finder::new(&[b"\"", name, b"\""].concat()).into_owned();
    trie.node(0).names().map(quoted).collect()
}

/// Of a test on values the paths that start with a member of the root; `None`: all of the test has to be done when that
/// has ended.
fn below(test: &Test, child: usize, trie: &Trie) -> Option<Box<[usize]>> {
    let Test::Values { paths, .. } = test else {
        return None;
    };
    let is_below = |path: &Path| path.slot.is_some() && trie.root_child(&path.root()) == Some(child);
    let below = (0..paths.len()).filter(|&index| is_below(&paths[index]));
    test.only_grows().then(|| below.collect())
}

/// Tells each gate which members of the root it waits for.
pub(super) fn bind_roots(gates: &mut [Gate], trie: &Trie) {
    for gate in gates {
        let names = match &gate.test {
            Test::Window { .. } => vec!["meta".to_owned()],
            test => test
                .paths()
                .iter()
                .filter(|path| path.slot.is_some())
                .map(|path| path.root())
                .collect(),
        };
        for child in names.iter().filter_map(|name| trie.root_child(name)) {
            gate.roots |= 1 << (child & 127);
        }
    }
}

/// For each member of the root the gates that wait for it.
fn by_root(gates: &[Gate], trie: &Trie) -> Vec<Vec<Waiting>> {
    let mut number = 0;
    let waiting = |child: usize| {
        let mut waiting = Vec::new();
        let mut found = together::Found::default();
        for (index, gate) in gates.iter().enumerate() {
            if gate.roots >> (child & 127) & 1 == 0 {
                continue;
            }
            match (below(&gate.test, child, trie), &gate.test) {
                (Some(below), Test::Values { paths, .. }) if below.len() == 1 && paths[below[0]].is_plain() => {
                    found.add(index, gate, below[0]);
                }
                (below, _) => waiting.push(Waiting::Alone { gate: index, below }),
            }
        }
        for together in found.finish(number) {
            number = together.number + 1;
            waiting.push(Waiting::Together(Box::new(together)));
        }
        waiting
    };
    (0..trie.node(0).children()).map(waiting).collect()
}
