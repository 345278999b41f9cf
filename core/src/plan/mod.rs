//! The plan: a request and the search tables, compiled once into tries and gates. Immutable and shared.

pub mod associated;
pub mod compartment;
mod compile;
pub mod elements;
pub mod explain;
pub mod gate;
pub(crate) mod literals;
mod of_type;
pub mod organized;
mod paths;
pub mod together;
mod ways;
mod window;

use std::sync::Arc;

use associated::{Found, Part, Parts, ProvenanceRule, Stage};
use elements::Elements;
use gate::{Gate, Waiting, Window};
use literals::Literals;
use of_type::Compilation;

use crate::deleted::Deleted;
use crate::ids::IdSet;
use crate::links::Links;
use crate::problem::{Problem, Problems, did_you_mean};
use crate::request::{Cohort, OnBad, Request};
use crate::scan::slots::SlotId;
use crate::scan::trie::Trie;
use crate::search::kind::date::Nanos;
use crate::search::query::{self, Query};
use crate::search::table::Registry;

/// A compiled request. Cheap to clone; shared by every thread.
#[derive(Clone, Debug)]
pub struct Plan {
    inner: Arc<Inner>,
    /// Types whose `_elements` are left to the sink, by their numbers in the registry.
    late_elements: Arc<[bool]>,
    has_plain_bundles: bool,
    /// Nothing is looked for in raw bytes.
    reads_every_line: bool,
}

#[derive(Debug)]
struct Inner {
    registry: Registry,
    stage: Stage,
    /// One entry for each type of the registry; `None`: not exported.
    types: Vec<Option<TypePlan>>,
    literals: Option<Literals>,
    /// What passes behind this one may export, for `explain`.
    later: Vec<TypePlan>,
    /// For each type, whether this pass tells its bad lines.
    tells: Vec<bool>,
    gather: Option<Gather>,
    deleted: Arc<Deleted>,
    bundle: Option<usize>,
    rule: ProvenanceRule,
    /// For each type, whether some pass may export it.
    asked: Vec<bool>,
    cohort: Option<Cohort>,
    base: Option<String>,
    window: Window,
    stages: Vec<Stage>,
    is_organized: bool,
    trust: bool,
    max_line: usize,
    on_bad: OnBad,
}

/// What a pass gathers for those behind it.
#[derive(Clone, Debug, Default)]
pub struct Gather {
    /// For each type, whether references to it are gathered from kept lines; empty: no references are.
    pub links: Vec<bool>,
    /// Whether the ids of kept lines are.
    pub kept: bool,
    /// What the ranked Provenances may be of.
    pub targets: Option<Arc<Links>>,
}

/// What becomes of the lines of a type that pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// They are exported.
    Export,
    /// Only these members' references are gathered.
    Follow(&'static [&'static str]),
    /// They are ranked by age.
    Rank,
}

/// What is done with the lines of one type.
#[derive(Debug)]
pub struct TypePlan {
    /// The type.
    pub type_name: String,
    /// What becomes of lines that pass.
    pub role: Role,
    /// A line without a reference to one of these patients cannot pass.
    pub mentions: Option<Arc<IdSet>>,
    /// What a walk looks at.
    pub trie: Trie,
    /// All conditions, the cheap ones first.
    pub gates: Vec<Gate>,
    /// Gates that every line must pass.
    pub always: Vec<usize>,
    /// The filters, for `explain`.
    pub filters: Vec<Filter>,
    /// The filters by their gates, those that could be joined as one: a line passes if it passes all gates of one of them,
    /// or if there is none.
    pub ways: Vec<Vec<usize>>,
    /// For each child of the trie's root, the gates that read it.
    pub by_root: Vec<Vec<Waiting>>,
    /// For each child of the trie's root a search for its name in quotes.
    pub root_names: Vec<memchr::memmem::Finder<'static>>,
    /// Slot of the contained resources, if a gate may have to look into them.
    pub contained: Option<SlotId>,
    /// What `_elements` keeps; `None`: everything.
    pub elements: Option<Elements>,
}

/// One `_typeFilter`.
#[derive(Debug)]
pub struct Filter {
    /// As written.
    pub text: String,
    /// Its conditions as written.
    pub gates: Vec<Gate>,
}

/// A filter parsed, with the text it came from.
struct Parsed {
    query: Query,
    text: Arc<str>,
}

impl Plan {
    /// Compiles a request for its main pass. Every problem is told, each with its place in the user's text.
    pub fn compile(request: &Request, registry: &Registry) -> Result<Plan, Problems> {
        Plan::compile_stage(request, registry, Stage::Main, &Found::default())
    }

    /// Compiles a request for one of its passes.
    pub fn compile_stage(
        request: &Request,
        registry: &Registry,
        stage: Stage,
        found: &Found,
    ) -> Result<Plan, Problems> {
        let mut problems = Vec::new();
        let wanted = wanted_types(request, registry, &mut problems);
        problems.extend(associated::check(request, registry, wanted.as_deref(), stage));
        let rule = associated::rule(request, wanted.as_deref(), &mut problems);
        let parts = Parts {
            registry,
            cohort: request.cohort.as_ref(),
            wanted: wanted.as_deref(),
            rule,
        };
        let compilation = Compilation {
            request,
            registry,
            stage,
            found,
            window: window::read(request, &mut problems),
            now: window::now(request),
            filters: parse_filters(request, registry, parts.filtered().as_deref(), &mut problems),
            elements: elements::read(request, registry, &mut problems),
            rule,
        };
        let mut types = Vec::with_capacity(registry.types().len());
        let mut later = Vec::new();
        for (index, type_name) in registry.types().iter().enumerate() {
            let part = parts.of(stage, type_name);
            // Compiled also where it is not exported, so that every problem of its filters is told.
            let type_plan = compilation.type_plan(index, &part, &mut problems);
            if stage == Stage::Main && !matches!(part, Part::Own) && parts.asks(type_name) {
                // Compiled once more: nothing else needs plans of types that can be copied.
                later.push(compilation.type_plan(index, &part, &mut Vec::new()));
            }
            types.push((!matches!(part, Part::None)).then_some(type_plan));
        }
        problems.extend(organized::check(request));
        if !problems.is_empty() {
            return Err(Problems(problems));
        }
        let stages = if stage == Stage::Main {
            parts.stages()
        } else {
            Vec::new()
        };
        let inner = Inner {
            registry: registry.clone(),
            stage,
            literals: Literals::of(&types),
            types,
            later,
            tells: registry.types().iter().map(|name| parts.tells(stage, name)).collect(),
            gather: compilation.gather(&parts, &stages),
            deleted: found.deleted.clone(),
            bundle: registry.type_index("Bundle"),
            rule,
            asked: registry.types().iter().map(|name| parts.asks(name)).collect(),
            cohort: request.cohort.clone(),
            base: compilation.base().map(str::to_owned),
            window: compilation.window,
            stages,
            is_organized: request.organize_by.is_some(),
            trust: request.trust,
            max_line: request.max_line,
            on_bad: request.on_bad,
        };
        Ok(Plan {
            inner: Arc::new(inner),
            late_elements: Arc::default(),
            has_plain_bundles: false,
            reads_every_line: false,
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

    /// Takes a Bundle of deletions for a resource like any other: the caller has told one from the other.
    #[must_use]
    pub fn with_plain_bundles(self) -> Plan {
        Plan {
            has_plain_bundles: true,
            ..self
        }
    }

    /// Reads every line as far as its verdict needs, also where a look at raw bytes would drop it: bad lines are told that
    /// are passed over otherwise. For tests.
    #[must_use]
    pub fn without_prefilter(self) -> Plan {
        Plan {
            reads_every_line: true,
            ..self
        }
    }

    /// Whether both are one compilation, and so have the same tries.
    pub fn is_same(&self, other: &Plan) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }

    /// Whether output is asked for that is organized by patients.
    pub fn is_organized(&self) -> bool {
        self.inner.is_organized
    }

    /// Whether lines of the type leave the sieve whole although `_elements` is about them.
    pub(crate) fn has_late_elements(&self, index: usize) -> bool {
        self.late_elements.get(index).copied().unwrap_or_default()
    }

    /// The pass that it is for.
    pub fn stage(&self) -> Stage {
        self.inner.stage
    }

    /// The passes behind the main one that the request may need, in order.
    pub fn stages(&self) -> &[Stage] {
        &self.inner.stages
    }

    /// What the pass gathers for those behind it; `None`: nothing.
    pub fn gather(&self) -> Option<&Gather> {
        self.inner.gather.as_ref()
    }

    /// What the input says was deleted.
    pub fn deleted(&self) -> &Deleted {
        &self.inner.deleted
    }

    /// Whether the request asks for a deletion: of a type that it exports, inside the window if the time is known, and of
    /// the cohort where that can be told. Of other resources nobody knows any more whose they were; a deletion too many
    /// does no harm (SPEC 2.12).
    pub fn asks_for_deletion(&self, type_index: usize, id: &str, time: Option<Nanos>) -> bool {
        let in_cohort = self.inner.cohort.as_ref().is_none_or(|cohort| {
            let is = |name: &str| self.registry().type_index(name) == Some(type_index);
            match &cohort.group {
                _ if cohort.patients.is_empty() => false,
                _ if is("Patient") => cohort.patients.contains(id.as_bytes()),
                Some(group) if is("Group") => group == id,
                _ => true,
            }
        });
        let in_window = time.is_none_or(|time| self.inner.window.holds(time));
        in_cohort && in_window && self.inner.asked.get(type_index) == Some(&true)
    }

    /// Number of the type Bundle, whose lines may tell of deletions.
    #[inline]
    pub fn bundle(&self) -> Option<usize> {
        self.inner.bundle.filter(|_| !self.has_plain_bundles)
    }

    /// The data's own FHIR base, without closing slash.
    pub fn base(&self) -> Option<&str> {
        self.inner.base.as_deref()
    }

    /// Whether this pass tells the bad lines of a type; those whose type is not known are told by the pass that reads first.
    pub fn tells(&self, type_index: Option<usize>) -> bool {
        match type_index {
            Some(index) => self.inner.tells.get(index) == Some(&true),
            None => self.inner.stage.is_first(),
        }
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

    /// What is looked for in raw bytes; `None`: nothing.
    pub(crate) fn literals(&self) -> Option<&Literals> {
        self.inner.literals.as_ref().filter(|_| !self.reads_every_line)
    }

    /// What is looked for in raw bytes, the rarest first: a line without any of these may be dropped unwalked.
    pub fn literal_texts(&self) -> Vec<String> {
        self.literals().map(Literals::texts).unwrap_or_default()
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
