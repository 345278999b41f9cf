//! The raw prefilter of a plan: literals of which every line that passes holds one.
//!
//! For each type the gate is chosen whose literals are likely to be the rarest; of several filters each brings its own.
//! A filter whose lines need no certain bytes leaves its type without a prefilter, and types may be without one: their
//! lines go on to the walk as ever.
//!
//! Sound only beside a look for `\u` (see [`crate::search::needle`]).

mod packed;
mod search;

use super::TypePlan;
use super::gate::{Base, Gate, Matcher, Path, Test};
use search::Search;
pub(crate) use search::{Hits, Pairs};

use crate::order;
use crate::scan::simd::line_ends::LineEnds;
use crate::search::leaf::Leaf;
use crate::search::needle::{Needle, Needles, any_of};

/// Most literals of all types together: more of them are looked for no faster than lines are read.
const MOST: usize = 32;

/// Most ids of a cohort that are looked for by themselves.
const MOST_IDS: usize = 12;

/// What is looked for in raw bytes, and what becomes of lines without it.
#[derive(Debug)]
pub(crate) struct Literals {
    /// For each type of the registry, whether lines without a literal are dropped.
    drops: Vec<bool>,
    search: Search,
}

impl Literals {
    /// From the types that are exported; `None`: no type has literals, or all together have too many.
    pub(super) fn of(types: &[Option<TypePlan>]) -> Option<Literals> {
        let mut needles = Vec::new();
        let mut drops = Vec::with_capacity(types.len());
        let mut any = false;
        for type_plan in types {
            let Some(type_plan) = type_plan else {
                drops.push(true);
                continue;
            };
            let own = of_type(type_plan);
            drops.push(own.is_some());
            any |= own.is_some();
            needles.extend(own.unwrap_or_default());
        }
        let texts = fewest(needles);
        let is_worth_it = any && (1..=MOST).contains(&texts.len());
        is_worth_it.then(|| Literals {
            search: Search::new(texts),
            drops,
        })
    }

    /// What is looked for, the rarest first.
    pub(super) fn texts(&self) -> Vec<String> {
        let texts = self.search.texts().iter();
        texts.map(|text| String::from_utf8_lossy(text).into_owned()).collect()
    }

    /// Whether a line of the type that holds no literal is dropped.
    pub(crate) fn drops(&self, type_index: usize) -> bool {
        self.drops.get(type_index) == Some(&true)
    }

    /// Whether a block is searched faster than its lines are read.
    pub(crate) fn is_fast(&self) -> bool {
        self.search.is_fast()
    }

    /// The pairs of bytes by which the literals are found fastest in texts like this one.
    pub(crate) fn pairs(&self, text: &[u8]) -> Pairs {
        self.search.pairs(text)
    }

    /// Looks at a whole block.
    pub(crate) fn look<'l>(&'l self, pairs: &'l Pairs, block: &'l [u8], found: &mut LineEnds) -> Hits<'l> {
        self.search.look(pairs, block, found)
    }

    /// Whether a line holds a literal.
    pub(crate) fn are_in(&self, line: &[u8]) -> bool {
        self.search.is_in(line)
    }
}

/// Without those that hold another one: whoever finds them has found that, too.
fn fewest(mut needles: Vec<Needle>) -> Vec<Vec<u8>> {
    order::sort_by(&mut needles, |one, other| {
        other.worth.cmp(&one.worth).then_with(|| one.bytes.cmp(&other.bytes))
    });
    needles.dedup();
    let all: Vec<&[u8]> = needles.iter().map(|needle| needle.bytes.as_slice()).collect();
    let is_needed = |text: &&[u8]| {
        let holds = |other: &&[u8]| other.len() < text.len() && memchr::memmem::find(text, other).is_some();
        !all.iter().any(holds)
    };
    let mut texts: Vec<Vec<u8>> = Vec::new();
    for text in all.iter().copied().filter(is_needed) {
        if !texts.iter().any(|other| other == text) {
            texts.push(text.to_vec());
        }
    }
    texts
}

/// What the most telling of some gates needs.
fn best<'g>(gates: impl Iterator<Item = &'g Gate>) -> Needles {
    gates.filter_map(of_gate).max_by_key(|needles| worth(needles))
}

/// What a line of the type holds that passes: what a gate needs that all have to pass, or else what each filter needs.
fn of_type(type_plan: &TypePlan) -> Needles {
    let always = type_plan.always.iter().filter_map(|&gate| type_plan.gates.get(gate));
    let of_all = best(always);
    let of_filters = match type_plan.filters.as_slice() {
        [] => None,
        filters => any_of(filters.iter().map(|filter| best(filter.gates.iter()))),
    };
    // None of an empty list means that nothing passes, which is nobody's request.
    let candidates = [of_all, of_filters].into_iter().flatten();
    candidates
        .filter(|needles| (1..=MOST).contains(&needles.len()))
        .max_by_key(|needles| worth(needles))
}

/// The commonest of them counts, and each costs.
fn worth(needles: &[Needle]) -> u32 {
    let least = needles.iter().map(|needle| needle.worth).min().unwrap_or_default();
    (least * 4).saturating_sub(needles.len() as u32)
}

fn of_gate(gate: &Gate) -> Needles {
    let needles = match &gate.test {
        Test::Values {
            paths,
            matchers,
            negated: false,
            ..
        } => any_of(matchers.iter().map(|matcher| of_matcher(matcher, paths))),
        Test::Composite { bases, tuples } => any_of(tuples.iter().map(|tuple| of_tuple(bases, tuple))),
        Test::Member { paths, ids, .. } if ids.len() <= MOST_IDS => {
            any_of(ids.iter().map(|id| of_id(std::str::from_utf8(id).ok()?, paths)))
        }
        Test::Presence { paths, present: true }
        | Test::Exists {
            paths,
            when_true: true,
            when_false: false,
        } => any_of(paths.iter().map(of_name)),
        Test::Values { .. }
        | Test::Member { .. }
        | Test::Presence { .. }
        | Test::Exists { .. }
        | Test::Window { .. }
        | Test::Linked { .. }
        | Test::NobodyElse { .. }
        | Test::Provenance(_) => None,
    };
    needles.filter(|needles| !needles.is_empty())
}

/// A value at one of the paths matches.
fn of_matcher(matcher: &Matcher, paths: &[Path]) -> Needles {
    any_of(paths.iter().map(|path| match matcher {
        Matcher::Token(token) => token.needles(path.leaf, &path.token),
        Matcher::Reference(reference) => reference.needles(path.leaf),
        Matcher::Uri(uri) => uri.needles(path.leaf),
        Matcher::String(string) => string.needles(),
        // 1.0 is 1, and a time has many forms.
        Matcher::Date(_) | Matcher::Number(_) | Matcher::Quantity(_) => None,
    }))
}

/// All parts of a tuple match, each at one of its paths on any of the bases: what one part needs, all need.
fn of_tuple(bases: &[Base], tuple: &[Matcher]) -> Needles {
    let part =
        |(at, matcher): (usize, &Matcher)| any_of(bases.iter().map(|base| of_matcher(matcher, base.parts.get(at)?)));
    let parts = tuple.iter().enumerate().filter_map(part);
    parts.max_by_key(|needles| worth(needles))
}

/// A reference leads to the id, or it is the resource's own.
fn of_id(id: &str, paths: &[Path]) -> Needles {
    let needle = |path: &Path| match path.leaf {
        Leaf::Id => Needle::whole(id),
        _ => Needle::part(&format!("/{id}")),
    };
    any_of(paths.iter().map(|path| Some(vec![needle(path)?])))
}

/// There is something at the path: all of its names are there. Lines that have a member are seldom rare.
fn of_name(path: &Path) -> Needles {
    let names = path.dotted.split('.').filter_map(Needle::whole);
    let needle = names.max_by_key(|needle| needle.worth)?;
    Some(vec![needle.of_few()])
}
