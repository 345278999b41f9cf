//! The learned automata of one thread, one for each type, in front of the walker.

use crate::filter::Decider;
use crate::plan::Plan;
use crate::scan::learned::{Checked, Learned};
use crate::scan::trie::Trie;
use crate::scan::walk::{self, Fault, WalkScratch, Walked};

/// Most bytes that the automata of all types take together, give or take the last lesson.
const MOST_BYTES: usize = 2 << 20;

/// How much has been learned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Learning {
    /// Bytes of memory, about.
    pub bytes: usize,
    /// Edges of all automata.
    pub edges: usize,
    /// Lines that were read without the walker.
    pub lines: u64,
}

#[derive(Debug)]
pub(super) struct Known {
    on: bool,
    /// What the automata were learned under. Holding it keeps its place in memory from being another plan's.
    plan: Option<Plan>,
    by_type: Vec<Option<Box<Learned>>>,
    bytes: usize,
    lines: u64,
}

impl Known {
    pub(super) fn new(on: bool) -> Self {
        Known {
            on,
            plan: None,
            by_type: Vec::new(),
            bytes: 0,
            lines: 0,
        }
    }

    /// Before a block: what was learned under another plan is forgotten. `true`: that is so.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub(super) fn begin(&mut self, plan: &Plan) -> bool {
        let is_new = !self.plan.as_ref().is_some_and(|known| known.is_same(plan));
        if is_new {
            *self = Known::new(self.on);
            self.plan = Some(plan.clone());
            if self.on {
                self.by_type.resize_with(plan.registry().types().len(), || None);
            }
        }
        is_new
    }

    /// Whether anything is learned at all.
    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Reads the line that starts at `start`, as [`walk::line`] does.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub(super) fn line(
        &mut self,
        type_index: usize,
        block: &[u8],
        start: usize,
        trie: &Trie,
        scratch: &mut WalkScratch,
        decider: &mut Decider<'_>,
    ) -> Result<Walked, Fault> {
        let Some(learned) = self.by_type.get_mut(type_index) else {
            decider.walk();
            return walk::line(block, start, trie, scratch, decider);
        };
        let learned = learned.get_or_insert_with(Box::default);
        let known = learned.line(block, start, scratch, decider);
        let is_known = known.is_some();
        self.lines += u64::from(is_known);
        let walked = match known {
            Some(walked) => walked,
            None => {
                decider.walk();
                walk::line(block, start, trie, scratch, decider)?
            }
        };
        let checked = match walked {
            Walked::Whole(_) => Checked::Whole,
            Walked::Stopped(..) => Checked::Part,
        };
        if learned.learns(!is_known) {
            let before = learned.size();
            if self.bytes < MOST_BYTES {
                learned.learn(trie, block, start, !is_known, checked);
            }
            self.bytes = (self.bytes + learned.size()).saturating_sub(before);
        }
        Ok(walked)
    }

    /// How much has been learned under the plan at hand.
    pub(super) fn learning(&self) -> Learning {
        let mut learning = Learning {
            lines: self.lines,
            ..Learning::default()
        };
        for learned in self.by_type.iter().flatten() {
            learning.bytes += learned.size();
            learning.edges += learned.edges();
        }
        learning
    }
}
