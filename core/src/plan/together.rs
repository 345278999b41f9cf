//! Gates that read the same values are told by one look at each.

use super::gate::{Gate, Matcher, Path, Test};
use crate::search::kind::token::TokenTable;

/// Most gates of one: as many as a verdict has bits.
const MOST: usize = 64;

/// Gates that want one of some values at the same place, where they are captured whole.
#[derive(Clone, Debug)]
pub struct Together {
    /// The place.
    pub path: Path,
    /// The gates; each has the bit of its index.
    pub gates: Vec<usize>,
    /// The tokens that can be looked up.
    pub tokens: TokenTable,
    /// All other values, with the bit of their gate.
    pub others: Vec<(u64, Matcher)>,
    /// Its number among those of the type.
    pub number: usize,
}

/// While they are found.
#[derive(Default)]
pub(super) struct Found<'g>(Vec<(&'g Path, Vec<Wanted<'g>>)>);

/// The number of a gate, and the values that it wants.
type Wanted<'g> = (usize, &'g [Matcher]);

impl<'g> Found<'g> {
    /// Adds a gate that reads one of its paths here.
    pub(super) fn add(&mut self, number: usize, gate: &'g Gate, path: usize) {
        let Test::Values { paths, matchers, .. } = &gate.test else {
            return;
        };
        let path = &paths[path];
        let mut known = self.0.iter_mut();
        match known.find(|(other, gates)| *other == path && gates.len() < MOST) {
            Some((_, gates)) => gates.push((number, matchers)),
            None => self.0.push((path, vec![(number, matchers)])),
        }
    }

    /// Those that were found, numbered from `first`.
    pub(super) fn finish(self, first: usize) -> impl Iterator<Item = Together> {
        let found = self.0.into_iter().enumerate();
        found.map(move |(index, (path, gates))| together(path, &gates, first + index))
    }
}

fn together(path: &Path, gates: &[Wanted<'_>], number: usize) -> Together {
    let mut tokens = Vec::new();
    let mut others = Vec::new();
    for (index, (_, matchers)) in gates.iter().enumerate() {
        let bit = 1 << index;
        for matcher in *matchers {
            match matcher {
                Matcher::Token(token) if TokenTable::takes(token) => tokens.push((token, bit)),
                other => others.push((bit, other.clone())),
            }
        }
    }
    Together {
        path: path.clone(),
        gates: gates.iter().map(|(gate, _)| *gate).collect(),
        tokens: TokenTable::new(tokens),
        others,
        number,
    }
}
