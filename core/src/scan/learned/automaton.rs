//! States, edges and the run over a line. What becomes an edge is up to [`super::lesson`].

use super::places::NONE;
use crate::scan::simd::{equal, special};
use crate::scan::slots::{Capture, SlotId};
use crate::scan::walk::{Flow, Walked, Watch, byte_at, string_end};

/// Most edges, most bytes of their texts, most edges of one state, and most steps on one edge: a few times what the widest
/// real lines need.
const MOST_EDGES: usize = 4096;
const MOST_BYTES: usize = 256 << 10;
const MOST_ALTERNATIVES: u8 = 8;
/// Longest text of an edge; offsets in it are 16 bits wide.
pub(super) const LONGEST: usize = 4096;
/// Most watched objects, and most captures, that may be open at a time.
pub(super) const DEEPEST: u8 = 16;

/// The state at the start of a line.
pub(super) const START: u32 = 0;

/// What stands behind an edge's text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hole {
    /// The inside of a string, whose opening quote ends the text. The next text begins with the closing quote.
    String,
    /// A number.
    Number,
    /// Nothing: the text ends with the line's newline.
    End,
}

/// What the walker would do inside a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A value that is captured begins.
    Open { level: u8 },
    /// It ends.
    Close { level: u8, slot: SlotId },
    /// A watched object begins: none of its members has been seen.
    Clear { level: u8 },
    /// The `bit`-th watched member of a watched object.
    Name { level: u8, bit: u8 },
    /// The `child`-th watched member of the root object has ended.
    Root { child: u8 },
}

/// An action and where in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Op {
    pub(super) offset: u16,
    pub(super) action: Action,
}

/// Text, and what follows it. Laid out for the run: `then` is what is looked for behind the hole, without a look at the state.
#[derive(Clone, Copy, Debug)]
struct Edge {
    text: u32,
    len: u32,
    /// First edge of the state behind the hole.
    then: u32,
    /// The next edge of the same state, not longer than this one.
    or: u32,
    ops: u32,
    op_count: u16,
    hole: Hole,
    to: u32,
}

#[derive(Clone, Copy, Debug)]
struct State {
    first: u32,
    edges: u8,
}

/// What is known of the line at hand.
#[derive(Debug, Default)]
pub(super) struct Marks {
    starts: [u32; DEEPEST as usize],
    seen: [u128; DEEPEST as usize],
}

#[derive(Debug)]
pub(super) struct Automaton {
    edges: Vec<Edge>,
    states: Vec<State>,
    ops: Vec<Op>,
    /// Texts, each filled up to 16 bytes.
    texts: Vec<u8>,
}

impl Default for Automaton {
    fn default() -> Self {
        let start = State { first: NONE, edges: 0 };
        Automaton {
            edges: Vec::new(),
            states: vec![start],
            ops: Vec::new(),
            texts: Vec::new(),
        }
    }
}

impl Automaton {
    /// Runs over the line at `start`. `None`: this line is another than all that were learned, as far as they go.
    #[inline]
    pub(super) fn run<W: Watch>(
        &self,
        bytes: &[u8],
        start: usize,
        marks: &mut Marks,
        captures: &mut Vec<Capture>,
        watch: &mut W,
    ) -> Option<Walked> {
        captures.clear();
        marks.seen[0] = 0;
        let mut at = start;
        let mut next = self.states[START as usize].first;
        loop {
            let edge = self.matching(next, bytes, at)?;
            if edge.op_count > 0 {
                let from = edge.ops as usize;
                for op in &self.ops[from..from + usize::from(edge.op_count)] {
                    let place = at + usize::from(op.offset);
                    let flow = act(op.action, bytes, place, marks, captures, watch)?;
                    if flow != Flow::Continue {
                        return Some(Walked::Stopped(place, flow));
                    }
                }
            }
            at += edge.len as usize;
            match edge.hole {
                Hole::String => {
                    let end = special(bytes, at);
                    at = if byte_at(bytes, end) == b'"' {
                        end
                    } else {
                        // The closing quote belongs to the next text.
                        string_end(bytes, at, end).ok()? - 1
                    };
                }
                Hole::Number => at = number_end(bytes, at)?,
                Hole::End => return Some(Walked::Whole(at - 1)),
            }
            next = edge.then;
        }
    }

    #[inline(always)]
    fn matching(&self, first: u32, bytes: &[u8], at: usize) -> Option<&Edge> {
        let mut edge = self.edges.get(first as usize)?;
        while !equal(bytes, at, &self.texts, edge.text as usize, edge.len as usize) {
            edge = self.edges.get(edge.or as usize)?;
        }
        Some(edge)
    }

    /// A new state; `None`: there are too many.
    pub(super) fn state(&mut self) -> Option<u32> {
        // Every state but the first is the end of an edge, so this is no limit of its own.
        let state = self.states.len();
        (state <= MOST_EDGES).then(|| {
            self.states.push(State { first: NONE, edges: 0 });
            state as u32
        })
    }

    /// Adds an edge, if it is not there. `false`: there is no room.
    pub(super) fn add(&mut self, from: u32, text: &[u8], ops: &[Op], hole: Hole, to: u32) -> bool {
        let mut before = NONE;
        let mut behind = self.states[from as usize].first;
        while let Some(edge) = self.edges.get(behind as usize) {
            if edge.len as usize == text.len() && equal(text, 0, &self.texts, edge.text as usize, text.len()) {
                return true;
            }
            // The longest stand first: a shorter one may be the beginning of a longer one, and would hide it for ever.
            if edge.len as usize >= text.len() {
                before = behind;
            }
            behind = edge.or;
        }
        let no_room = self.states[from as usize].edges == MOST_ALTERNATIVES
            || self.edges.len() == MOST_EDGES
            || self.texts.len() + text.len() > MOST_BYTES
            || text.is_empty()
            || text.len() > LONGEST
            || ops.len() > LONGEST;
        if no_room {
            return false;
        }
        let new = self.edges.len() as u32;
        let or = match self.edges.get_mut(before as usize) {
            Some(edge) => std::mem::replace(&mut edge.or, new),
            None => self.put_first(from, new),
        };
        self.states[from as usize].edges += 1;
        self.edges.push(Edge {
            text: self.texts.len() as u32,
            len: text.len() as u32,
            then: self.states.get(to as usize).map_or(NONE, |state| state.first),
            or,
            ops: self.ops.len() as u32,
            op_count: ops.len() as u16,
            hole,
            to,
        });
        // An edge from a state to itself that stands first there is behind itself.
        if before == NONE && to == from {
            self.edges[new as usize].then = new;
        }
        self.texts.extend_from_slice(text);
        self.texts.resize(self.texts.len().next_multiple_of(16), 0);
        self.ops.extend_from_slice(ops);
        true
    }

    /// Makes an edge the first of its state; gives the one that was.
    fn put_first(&mut self, state: u32, edge: u32) -> u32 {
        for other in self.edges.iter_mut().filter(|other| other.to == state) {
            other.then = edge;
        }
        std::mem::replace(&mut self.states[state as usize].first, edge)
    }

    /// Forgets everything.
    pub(super) fn clear(&mut self) {
        *self = Automaton::default();
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        self.edges.len() * size_of::<Edge>()
            + self.states.len() * size_of::<State>()
            + self.ops.len() * size_of::<Op>()
            + self.texts.len()
    }

    /// Whether there is hardly room for an edge.
    pub(super) fn is_full(&self) -> bool {
        self.edges.len() == MOST_EDGES || self.texts.len() + LONGEST > MOST_BYTES
    }

    /// How many edges there are.
    pub(super) fn edges(&self) -> usize {
        self.edges.len()
    }
}

/// Does what the walker would do; `None`: it would tell a name that stands twice.
#[inline(always)]
fn act<W: Watch>(
    action: Action,
    bytes: &[u8],
    at: usize,
    marks: &mut Marks,
    captures: &mut Vec<Capture>,
    watch: &mut W,
) -> Option<Flow> {
    match action {
        Action::Open { level } => marks.starts[usize::from(level)] = at as u32,
        Action::Close { level, slot } => captures.push(Capture {
            slot,
            start: marks.starts[usize::from(level)],
            end: at as u32,
        }),
        Action::Clear { level } => marks.seen[usize::from(level)] = 0,
        Action::Name { level, bit } => {
            let seen = &mut marks.seen[usize::from(level)];
            let bit = 1u128 << (bit & 127);
            if *seen & bit != 0 {
                return None;
            }
            *seen |= bit;
        }
        Action::Root { child } => return Some(watch.root_closed(usize::from(child), bytes, at, captures)),
    }
    Some(Flow::Continue)
}

/// The end of the number at `at`, by the grammar of RFC 8259.
#[inline]
fn number_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + usize::from(byte_at(bytes, at) == b'-');
    at = if byte_at(bytes, at) == b'0' {
        at + 1
    } else {
        digits_end(bytes, at)?
    };
    if byte_at(bytes, at) == b'.' {
        at = digits_end(bytes, at + 1)?;
    }
    if matches!(byte_at(bytes, at), b'e' | b'E') {
        at += 1;
        at += usize::from(matches!(byte_at(bytes, at), b'+' | b'-'));
        at = digits_end(bytes, at)?;
    }
    Some(at)
}

#[inline]
fn digits_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while byte_at(bytes, at).is_ascii_digit() {
        at += 1;
    }
    (at > start).then_some(at)
}
