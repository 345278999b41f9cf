//! Gates: one test each on the captured values of a line.

use std::sync::Arc;

use super::together::Together;
use crate::ids::IdSet;
use crate::links::Links;
use crate::newest::Newest;
use crate::scan::slots::SlotId;
use crate::search::kind::date::{DateMatcher, Nanos};
use crate::search::kind::number::NumberMatcher;
use crate::search::kind::quantity::QuantityMatcher;
use crate::search::kind::reference::{ReferenceLeaf, ReferenceMatcher};
use crate::search::kind::string::StringMatcher;
use crate::search::kind::token::{TokenLeaf, TokenMatcher};
use crate::search::kind::uri::UriMatcher;
use crate::search::leaf::Leaf;
use crate::search::table::{SearchType, WhereTest};

/// One condition that a line must meet.
#[derive(Clone, Debug)]
pub struct Gate {
    /// The condition as written, for `explain`.
    pub label: String,
    /// What is tested.
    pub test: Test,
    /// Which members of the root object, by their index in the trie, the gate reads. Decided when all are closed.
    pub roots: u128,
}

impl Gate {
    /// The patients of whom a line must mention one to pass; `None`: it need not.
    pub(super) fn patients(&self) -> Option<Arc<IdSet>> {
        match &self.test {
            // A path to the resource's own id needs no reference.
            Test::Member { paths, ids, .. } if paths.iter().all(|path| path.leaf != Leaf::Id) => Some(ids.clone()),
            _ => None,
        }
    }
}

/// Who waits for a member of the root.
#[derive(Clone, Debug)]
pub enum Waiting {
    /// A gate by itself.
    Alone {
        /// The gate's number.
        gate: usize,
        /// Of a test on values, those of its paths that start with the member; `None`: all of the test.
        below: Option<Box<[usize]>>,
    },
    /// Gates that read the same values.
    Together(Box<Together>),
}

/// The condition of a gate.
#[derive(Clone, Debug)]
pub enum Test {
    /// `meta.lastUpdated` inside the window; a line without it passes.
    Window {
        /// Where the value is.
        slot: SlotId,
        /// The window.
        window: Window,
    },
    /// The line is in the compartment of a patient of the cohort.
    Member {
        /// References to patients; a path of datatype id is the resource's own.
        paths: Vec<Path>,
        /// The patients.
        ids: Arc<IdSet>,
        /// References to other patients are not allowed.
        exclusive: bool,
    },
    /// The resource itself is one of a set.
    Linked {
        /// Its id.
        path: Path,
        /// The set.
        links: Arc<Links>,
        /// Number of its type.
        type_index: usize,
    },
    /// No reference leads to a patient who is not listed.
    NobodyElse {
        /// References that may lead to patients.
        paths: Vec<Path>,
        /// The patients.
        ids: Arc<IdSet>,
    },
    /// A Provenance of a resource that is exported, or of a listed patient.
    Provenance(Box<Targets>),
    /// A parameter has a value (`present`), or has none.
    Presence {
        /// Where values may be.
        paths: Vec<Path>,
        /// `:missing=false`
        present: bool,
    },
    /// Some value satisfies some matcher; `negated`: none does (`:not`, `:not-in`).
    Values {
        /// Where values may be.
        paths: Vec<Path>,
        /// Alternatives.
        matchers: Vec<Matcher>,
        /// Set negation.
        negated: bool,
        /// Of all values only the first counts.
        first_only: bool,
    },
    /// A boolean computed from the paths: true when an element exists and is not `false`.
    Exists {
        /// Where the element may be.
        paths: Vec<Path>,
        /// Passes when the boolean is true.
        when_true: bool,
        /// Passes when it is false.
        when_false: bool,
    },
    /// A composite: all parts of a tuple on the same base element.
    Composite {
        /// The base elements.
        bases: Vec<Base>,
        /// Alternatives; each has one matcher a part.
        tuples: Vec<Vec<Matcher>>,
    },
}

/// What a Provenance must be of. All paths start at the resource.
#[derive(Clone, Debug)]
pub struct Targets {
    /// References to the targets.
    pub target: Path,
    /// References to the patients in whose compartments it is.
    pub patient: Vec<Path>,
    /// The resources that are exported.
    pub kept: Arc<Links>,
    /// Patients whose Provenances are exported as such, if `meta.lastUpdated` is inside the window.
    pub patients: Option<(Arc<IdSet>, Window)>,
    /// Only the newest Provenance of each resource.
    pub newest: Option<Arc<Newest>>,
    /// `meta.lastUpdated`
    pub updated: Path,
    /// `recorded`
    pub recorded: Path,
    /// `id`
    pub id: Path,
}

/// Times that a resource may have been changed at: after `since`, not after `at_most`, before `until`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// Exclusive lower bound.
    pub since: Option<Nanos>,
    /// Exclusive upper bound.
    pub until: Option<Nanos>,
    /// Inclusive upper bound: the transaction time.
    pub at_most: Option<Nanos>,
}

impl Window {
    /// Whether it lets everything through.
    pub fn is_open(&self) -> bool {
        *self == Window::default()
    }

    /// Whether a change at this instant is inside.
    pub fn holds(&self, at: Nanos) -> bool {
        self.since.is_none_or(|since| at > since)
            && self.until.is_none_or(|until| at < until)
            && self.at_most.is_none_or(|most| at <= most)
    }
}

/// A place of values: a slot that the walk captures, and what is left of the path below it.
#[derive(Clone, Debug, PartialEq)]
pub struct Path {
    /// The slot; `None` for a path that starts at the base element of a composite.
    pub slot: Option<SlotId>,
    /// The whole path, dotted, for `explain`.
    pub dotted: String,
    /// Names to follow below the captured value.
    pub rest: Vec<String>,
    /// Tests on the way: after how many names of `rest`, and what.
    pub tests: Vec<(usize, WhereTest)>,
    /// Datatype at the end.
    pub leaf: Leaf,
    /// Search type that reads it.
    pub kind: SearchType,
    /// For tokens.
    pub token: TokenLeaf,
    /// For references.
    pub reference: ReferenceLeaf,
    /// A family name: found at each word start.
    pub family: bool,
}

/// The base of a composite.
#[derive(Clone, Debug)]
pub struct Base {
    /// Where base elements are; `None`: the resource itself.
    pub path: Option<Path>,
    /// For each part, the paths of its values.
    pub parts: Vec<Vec<Path>>,
}

/// One search value, ready to compare.
#[derive(Clone, Debug)]
pub enum Matcher {
    /// date
    Date(DateMatcher),
    /// number
    Number(NumberMatcher),
    /// quantity
    Quantity(QuantityMatcher),
    /// string
    String(StringMatcher),
    /// token
    Token(TokenMatcher),
    /// reference
    Reference(ReferenceMatcher),
    /// uri
    Uri(UriMatcher),
}

impl Test {
    /// Whether more values can only turn a no into a yes.
    pub fn only_grows(&self) -> bool {
        match self {
            Test::Values {
                negated, first_only, ..
            } => !negated && !first_only,
            Test::Presence { present, .. } => *present,
            Test::Composite { .. } => true,
            Test::Member { exclusive, .. } => !exclusive,
            Test::Linked { .. } => true,
            Test::Window { .. } | Test::Exists { .. } | Test::NobodyElse { .. } | Test::Provenance(_) => false,
        }
    }

    /// Every path that the test reads.
    pub fn paths(&self) -> Vec<&Path> {
        match self {
            Test::Window { .. } => Vec::new(),
            Test::Presence { paths, .. }
            | Test::Values { paths, .. }
            | Test::Exists { paths, .. }
            | Test::NobodyElse { paths, .. }
            | Test::Member { paths, .. } => paths.iter().collect(),
            Test::Linked { path, .. } => vec![path],
            Test::Provenance(targets) => [&targets.target, &targets.updated, &targets.recorded, &targets.id]
                .into_iter()
                .chain(&targets.patient)
                .collect(),
            Test::Composite { bases, .. } => bases
                .iter()
                .flat_map(|base| base.path.iter().chain(base.parts.iter().flatten()))
                .collect(),
        }
    }
}

impl Path {
    /// Whether what is captured is the value itself, with nothing to follow and nothing to test on the way.
    pub fn is_plain(&self) -> bool {
        self.rest.is_empty() && self.tests.is_empty() && self.reference.only.is_none()
    }

    /// The member of the resource that the path starts with.
    pub fn root(&self) -> String {
        self.dotted.split('.').next().unwrap_or_default().to_owned()
    }
}
