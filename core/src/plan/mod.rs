//! The plan: a request and the search tables, compiled once into tries and gates. Immutable and shared.

pub mod compartment;
mod compile;
pub mod elements;
pub mod explain;
pub mod gate;
pub mod organized;
mod paths;
mod window;

use std::sync::Arc;

use compile::Compiler;
use elements::Elements;
use gate::{Gate, Test, Window};
use paths::Places;

use crate::problem::{Problem, Problems, did_you_mean};
use crate::request::{OnBad, Request};
use crate::scan::slots::SlotId;
use crate::scan::trie::{MAX_CHILDREN, Trie};
use crate::search::kind::date::Nanos;
use crate::search::query::{self, Query};
use crate::search::table::Registry;

/// A compiled request. Cheap to clone; shared by every thread.
#[derive(Clone, Debug)]
pub struct Plan {
    inner: Arc<Inner>,
    /// Types whose `_elements` are left to the sink, by their numbers in the registry.
    late_elements: Arc<[bool]>,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    /// One entry for each type of the registry; `None`: not exported.
    types: Vec<Option<TypePlan>>,
    is_organized: bool,
    trust: bool,
    max_line: usize,
    on_bad: OnBad,
}

/// What is done with the lines of one type.
#[derive(Clone, Debug)]
pub struct TypePlan {
    /// The type.
    pub type_name: String,
    /// What a walk looks at.
    pub trie: Trie,
    /// All conditions, the cheap ones first.
    pub gates: Vec<Gate>,
    /// Gates that every line must pass.
    pub always: Vec<usize>,
    /// The filters: a line passes if it passes all gates of one of them, or if there is none.
    pub filters: Vec<Filter>,
    /// For each child of the trie's root, the gates that read it.
    pub by_root: Vec<Vec<usize>>,
    /// For each child of the trie's root a search for its name in quotes.
    pub root_names: Vec<memchr::memmem::Finder<'static>>,
    /// Slot of the contained resources, if a gate may have to look into them.
    pub contained: Option<SlotId>,
    /// What `_elements` keeps; `None`: everything.
    pub elements: Option<Elements>,
}

/// One `_typeFilter`.
#[derive(Clone, Debug)]
pub struct Filter {
    /// As written.
    pub text: String,
    /// Its gates, all of which must pass.
    pub gates: Vec<usize>,
}

/// A filter parsed, with the text it came from.
struct Parsed {
    query: Query,
    text: Arc<str>,
}

impl Plan {
    /// Compiles a request. Every problem is told, each with its place in the user's text.
    pub fn compile(request: &Request, registry: &Registry) -> Result<Plan, Problems> {
        let mut problems = Vec::new();
        let wanted = wanted_types(request, registry, &mut problems);
        problems.extend(compartment::check(request, registry, wanted.as_deref()));
        let window = window::read(request, &mut problems);
        let now = window::now(request);
        let filters = parse_filters(request, registry, wanted.as_deref(), &mut problems);
        let elements = elements::read(request, registry, &mut problems);
        let mut types = Vec::with_capacity(registry.types().len());
        for type_name in registry.types() {
            let own: Vec<&Parsed> = filters
                .iter()
                .filter(|parsed| parsed.query.type_name == *type_name)
                .collect();
            let mut type_plan = type_plan(type_name, &own, window, now, request, registry, &mut problems);
            type_plan.elements = elements.iter().find(|entry| entry.type_name == *type_name).cloned();
            // Compiled also where it is not exported, so that every problem of its filters is told.
            let is_wanted = wanted.as_ref().is_none_or(|wanted| wanted.contains(type_name));
            let in_cohort = request.cohort.is_none() || type_plan.gates.iter().any(|gate| gate.is_membership());
            types.push((is_wanted && in_cohort).then_some(type_plan));
        }
        problems.extend(organized::check(request));
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let max_line = request.max_line;
        let inner = Inner {
            registry: registry.clone(),
            types,
            is_organized: request.organize_by.is_some(),
            trust: request.trust,
            max_line,
            on_bad: request.on_bad,
        };
        Ok(Plan {
            inner: Arc::new(inner),
            late_elements: Arc::default(),
        })
    }

    /// Leaves `_elements` of these types, by their numbers in the registry, to the sink: it needs the lines as they came.
    #[must_use]
    pub fn with_late_elements(self, types: Arc<[bool]>) -> Plan {
        Plan {
            late_elements: types,
            ..self
        }
    }

    /// Whether output is asked for that is organized by patients.
    pub fn is_organized(&self) -> bool {
        self.inner.is_organized
    }

    /// Whether lines of the type leave the sieve whole although `_elements` is about them.
    pub(crate) fn has_late_elements(&self, index: usize) -> bool {
        self.late_elements.get(index).copied().unwrap_or_default()
    }

    /// The registry that the plan was compiled with; types are numbered by it.
    pub fn registry(&self) -> &Registry {
        &self.inner.registry
    }

    /// What is done with the `index`-th type of the registry; `None`: it is not exported.
    #[inline]
    pub fn type_plan(&self, index: usize) -> Option<&TypePlan> {
        self.inner.types.get(index)?.as_ref()
    }

    /// The plans of all exported types, sorted by name.
    pub fn type_plans(&self) -> impl Iterator<Item = &TypePlan> {
        self.inner.types.iter().flatten()
    }

    /// Whether the rest of a decided line is left unchecked.
    pub fn trusts(&self) -> bool {
        self.inner.trust
    }

    /// Longest line in bytes.
    pub fn max_line(&self) -> usize {
        self.inner.max_line
    }

    /// What to do at a bad line.
    pub fn on_bad(&self) -> OnBad {
        self.inner.on_bad
    }
}

/// The `_type` list; `None`: all types.
fn wanted_types(request: &Request, registry: &Registry, problems: &mut Vec<Problem>) -> Option<Vec<String>> {
    if request.types.is_empty() {
        return None;
    }
    let mut wanted = Vec::new();
    for text in &request.types {
        let shared: Arc<str> = text.as_str().into();
        let mut start = 0;
        for item in text.split(',') {
            let name = item.trim();
            let at = start + (item.len() - item.trim_start().len());
            start += item.len() + 1;
            if name.is_empty() {
                continue;
            }
            if registry.is_type(name) {
                wanted.push(name.to_owned());
            } else {
                problems.push(Problem {
                    option: "type",
                    text: shared.clone(),
                    span: at..at + name.len(),
                    message: format!("`{name}` is not a resource type of this FHIR version"),
                    help: did_you_mean(name, registry.types().iter().map(String::as_str)),
                });
            }
        }
    }
    if wanted.is_empty() && problems.is_empty() {
        let text = request.types.join(",");
        problems.push(Problem::whole(
            "type",
            &text,
            "the list of types is empty; leave it out to export every type",
        ));
    }
    Some(wanted)
}

fn parse_filters(
    request: &Request,
    registry: &Registry,
    wanted: Option<&[String]>,
    problems: &mut Vec<Problem>,
) -> Vec<Parsed> {
    let mut parsed = Vec::new();
    for list in &request.type_filters {
        for range in query::split_filters(list, |name| registry.is_type(name)) {
            let text: Arc<str> = list[range].trim().into();
            match query::parse(&text) {
                Err(errors) => problems.extend(errors.into_iter().map(|error| Problem {
                    option: "type-filter",
                    text: text.clone(),
                    span: error.span,
                    message: error.message,
                    help: None,
                })),
                Ok(query) => {
                    problems.extend(check_type(&query, &text, registry, wanted));
                    parsed.push(Parsed { query, text });
                }
            }
        }
    }
    parsed
}

fn check_type(query: &Query, text: &Arc<str>, registry: &Registry, wanted: Option<&[String]>) -> Option<Problem> {
    let name = &query.type_name;
    let (message, help) = if !registry.is_type(name) {
        let help = did_you_mean(name, registry.types().iter().map(String::as_str));
        (format!("`{name}` is not a resource type of this FHIR version"), help)
    } else if wanted.is_some_and(|wanted| !wanted.contains(name)) {
        (
            format!("the filter is about {name}, which is not among the types asked for"),
            None,
        )
    } else {
        return None;
    };
    let span = query.type_span.clone();
    Some(Problem {
        option: "type-filter",
        text: text.clone(),
        span,
        message,
        help,
    })
}

fn type_plan(
    type_name: &str,
    filters: &[&Parsed],
    window: Window,
    now: Option<Nanos>,
    request: &Request,
    registry: &Registry,
    problems: &mut Vec<Problem>,
) -> TypePlan {
    let base = request.fhir_base.as_deref().map(|base| base.trim_end_matches('/'));
    let mut places = Places {
        trie: Trie::default(),
        type_name,
        registry,
        base,
        contained: None,
    };
    places.trie.insert(0, &["resourceType"]);
    let mut gates = Vec::new();
    let mut always = Vec::new();
    if !window.is_open() {
        let node = places.trie.insert(0, &["meta", "lastUpdated"]);
        let slot = places.trie.capture(node);
        always.push(0);
        gates.push(Gate {
            label: window::label(request),
            test: Test::Window { slot, window },
            roots: 0,
        });
    }
    if let Some(gate) = request
        .cohort
        .as_ref()
        .and_then(|cohort| compartment::gate(cohort, registry, &mut places))
    {
        always.push(gates.len());
        gates.push(gate);
    }
    let mut compiled = Vec::new();
    for Parsed { query, text } in filters {
        let compiler = Compiler {
            registry,
            request,
            now,
            type_name,
            text,
        };
        let first = gates.len();
        gates.extend(
            query
                .pairs
                .iter()
                .filter_map(|pair| compiler.gate(pair, &mut places, problems)),
        );
        compiled.push(Filter {
            text: text.to_string(),
            gates: (first..gates.len()).collect(),
        });
    }
    // One filter without conditions lets every line through.
    if compiled.iter().any(|filter| filter.gates.is_empty()) {
        compiled.retain(|filter| filter.gates.is_empty());
    }
    if places.trie.widest() > MAX_CHILDREN {
        let message = format!("the filters of {type_name} read more than {MAX_CHILDREN} members of one element");
        problems.push(Problem::whole("type-filter", "", message));
    }
    let by_root = bind_roots(&mut gates, &places.trie);
    let root_names = root_names(&places.trie);
    let Places { trie, contained, .. } = places;
    TypePlan {
        type_name: type_name.to_owned(),
        trie,
        gates,
        always,
        filters: compiled,
        by_root,
        root_names,
        contained,
        elements: None,
    }
}

/// For each child of the trie's root a search for its name in quotes.
fn root_names(trie: &Trie) -> Vec<memchr::memmem::Finder<'static>> {
    let quoted = |name: &[u8]| memchr::memmem::Finder::new(&[b"\"", name, b"\""].concat()).into_owned();
    trie.node(0).names().map(quoted).collect()
}

/// Tells each gate which members of the root it waits for, and each member which gates wait for it.
fn bind_roots(gates: &mut [Gate], trie: &Trie) -> Vec<Vec<usize>> {
    let mut by_root = vec![Vec::new(); trie.node(0).children()];
    for (index, gate) in gates.iter_mut().enumerate() {
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
            if gate.roots & (1 << (child & 127)) == 0 {
                gate.roots |= 1 << (child & 127);
                by_root[child].push(index);
            }
        }
    }
    by_root
}
