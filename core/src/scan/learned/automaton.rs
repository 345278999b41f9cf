//! States, edges and the run over a line. What becomes an edge is up to [`super::lesson`].

use super::places::NONE;
use crate::scan::simd::guess::{as_guessed, hidden};
use crate::scan::simd::lanes::{CHUNK, Chunk, Chunks, Lanes, Task, Width};
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
    String {
        /// How many bytes nearly all of them have; 0 if they differ.
        usual: u8,
    },
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

/// What the run has to do behind a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behind {
    /// A string, and there is nothing to do in the text: what most edges are.
    OnlyString,
    String,
    Number,
    End,
}

impl Behind {
    fn new(hole: Hole, ops: &[Op]) -> Self {
        match hole {
            Hole::String { .. } if ops.is_empty() => Behind::OnlyString,
            Hole::String { .. } => Behind::String,
            Hole::Number => Behind::Number,
            Hole::End => Behind::End,
        }
    }
}

/// Text, and what follows it: one line of the cache, in which nearly every comparison is decided. `then` is what is looked
/// for behind the hole, without a look at the state.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
struct Edge {
    /// The first bytes of the text, and which of them count.
    head: Chunk,
    counts: u32,
    /// The chunk that ends with the text, where the text is longer than its head. Those between head and last one stand before
    /// it.
    last: u32,
    between: u8,
    behind: Behind,
    /// The usual length of the string behind the text.
    usual: u8,
    len: u16,
    op_count: u16,
    ops: u32,
    /// First edge of the state behind the hole.
    then: u32,
    /// The next edge of the same state, not longer than this one.
    or: u32,
    /// Of an edge from the start: the watched members of the root, one bit each, that it names. The line has no others yet, so
    /// these need no action.
    names: u32,
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
    seen: [[u64; 2]; DEEPEST as usize],
}

#[derive(Debug)]
pub(super) struct Automaton {
    edges: Vec<Edge>,
    /// The state behind each edge.
    ends: Vec<u32>,
    states: Vec<State>,
    ops: Vec<Op>,
    /// What stands behind the heads of the texts.
    chunks: Vec<Chunk>,
    width: Width,
}

impl Default for Automaton {
    fn default() -> Self {
        let start = State { first: NONE, edges: 0 };
        Automaton {
            edges: Vec::new(),
            ends: Vec::new(),
            states: vec![start],
            ops: Vec::new(),
            chunks: Vec::new(),
            width: Width::widest(),
        }
    }
}

/// One line to run over.
struct Run<'r, W> {
    automaton: &'r Automaton,
    start: usize,
    line: Line<'r, W>,
}

/// What is told of a line while it is run over.
struct Line<'r, W> {
    bytes: &'r [u8],
    marks: &'r mut Marks,
    captures: &'r mut Vec<Capture>,
    watch: &'r mut W,
    /// Where the watcher stopped it.
    stopped_at: usize,
}

/// What came of the actions of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Acted {
    GoOn,
    /// The walker would tell a name that stands twice.
    Unknown,
    /// The watcher wants no more.
    Stopped(Flow),
}

impl<W: Watch> Task for Run<'_, W> {
    type Output = Option<Walked>;

    #[inline(always)]
    fn run<L: Lanes>(self) -> Option<Walked> {
        let Run {
            automaton,
            start,
            mut line,
        } = self;
        let bytes = line.bytes;
        let edges = automaton.edges.as_slice();
        let chunks = Chunks::new(bytes);
        let mut at = start;
        // Where the string began whose end is looked for.
        let mut inside = NOWHERE;
        let mut next = automaton.states[START as usize].first;
        let names = automaton.matching::<L>(edges, next, chunks, at)?.names;
        line.marks.seen[0] = [u64::from(names), 0];
        loop {
            let Some(edge) = automaton.matching::<L>(edges, next, chunks, at) else {
                // Where it was not the closing quote that ended the search, the string goes on. The closing quote belongs to
                // the next text.
                at = rest_of_string(bytes, inside, at)?;
                inside = NOWHERE;
                continue;
            };
            let begin = at;
            at += usize::from(edge.len);
            next = edge.then;
            if edge.behind != Behind::OnlyString {
                if edge.op_count > 0 {
                    match automaton.act(edge, begin, &mut line) {
                        Acted::GoOn => {}
                        Acted::Unknown => return None,
                        Acted::Stopped(flow) => return Some(Walked::Stopped(line.stopped_at, flow)),
                    }
                }
                match edge.behind {
                    Behind::OnlyString | Behind::String => {}
                    Behind::Number => {
                        at = number_end(bytes, at)?;
                        inside = NOWHERE;
                        continue;
                    }
                    Behind::End => return Some(Walked::Whole(at - 1)),
                }
            }
            inside = at;
            at = as_guessed(special::<L>(chunks, at), at, usize::from(edge.usual));
        }
    }
}

/// No place in the bytes.
const NOWHERE: usize = usize::MAX;

/// Where a string ends that began at `start`, and is no longer plain at `at`: at its closing quote. `None`: there is no such
/// string, or something is wrong with it.
#[cold]
fn rest_of_string(bytes: &[u8], start: usize, at: usize) -> Option<usize> {
    if start == NOWHERE || byte_at(bytes, at) == b'"' {
        return None;
    }
    string_end(bytes, start, at).ok().map(|behind| behind - 1)
}

/// The first byte from `from` on that ends or complicates a string.
#[inline(always)]
fn special<L: Lanes>(chunks: Chunks<'_>, from: usize) -> usize {
    let mut at = from;
    loop {
        let found = match chunks.at(at) {
            Some(chunk) => L::special(chunk),
            None => L::special(&chunks.padded(at)),
        };
        if found != 0 {
            return at + found.trailing_zeros() as usize;
        }
        at += CHUNK;
    }
}

/// Whether a whole chunk of text stands at a place.
#[inline(always)]
fn is_here<L: Lanes>(chunks: Chunks<'_>, at: usize, texts: &[Chunk], text: usize) -> bool {
    let Some(text) = texts.get(text) else {
        return false;
    };
    let same = match chunks.at(at) {
        Some(here) => L::equal(here, text),
        None => L::equal(&chunks.padded(at), text),
    };
    same == u32::MAX
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
        self.width.run(Run {
            automaton: self,
            start,
            line: Line {
                bytes,
                marks,
                captures,
                watch,
                stopped_at: start,
            },
        })
    }

    /// The first of the edges of a state whose text stands here.
    #[inline(always)]
    fn matching<'a, L: Lanes>(
        &'a self,
        edges: &'a [Edge],
        first: u32,
        chunks: Chunks<'_>,
        at: usize,
    ) -> Option<&'a Edge> {
        let padded;
        let here = match chunks.at(at) {
            Some(chunk) => chunk,
            None => {
                padded = chunks.padded(at);
                &padded
            }
        };
        let mut edge = edges.get(first as usize)?;
        loop {
            if L::equal(here, &edge.head) & edge.counts == edge.counts
                && (usize::from(edge.len) <= CHUNK || self.goes_on::<L>(edge, chunks, at))
            {
                return Some(edge);
            }
            edge = edges.get(edge.or as usize)?;
        }
    }

    /// Whether what is behind the head of a text stands here too.
    #[inline(always)]
    fn goes_on<L: Lanes>(&self, edge: &Edge, chunks: Chunks<'_>, at: usize) -> bool {
        // Few texts are that long, so places in them are not to be computed for all.
        let at = hidden(at);
        let texts = self.chunks.as_slice();
        let last = edge.last as usize;
        if !is_here::<L>(chunks, at + usize::from(edge.len) - CHUNK, texts, last) {
            return false;
        }
        let between = usize::from(edge.between);
        for n in 0..between {
            if !is_here::<L>(chunks, at + CHUNK * (n + 1), texts, last - between + n) {
                return false;
            }
        }
        true
    }

    /// Does what the walker would do inside a text.
    #[inline(never)]
    fn act<W: Watch>(&self, edge: &Edge, at: usize, line: &mut Line<'_, W>) -> Acted {
        let from = edge.ops as usize;
        for op in &self.ops[from..from + usize::from(edge.op_count)] {
            let acted = line.act(op.action, at + usize::from(op.offset));
            if acted != Acted::GoOn {
                return acted;
            }
        }
        Acted::GoOn
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

    /// Whether this is the text of an edge.
    fn is_text_of(&self, edge: &Edge, text: &[u8]) -> bool {
        let (head, counts, rest) = parts(text);
        let rest_of_edge = match usize::from(edge.len) {
            ..=CHUNK => &[],
            _ => &self.chunks[edge.last as usize - usize::from(edge.between)..=edge.last as usize],
        };
        usize::from(edge.len) == text.len()
            && edge.counts == counts
            && edge.head == head
            && rest_of_edge.iter().copied().eq(rest)
    }

    /// Adds an edge, if it is not there. `false`: there is no room.
    pub(super) fn add(&mut self, from: u32, text: &[u8], ops: &[Op], hole: Hole, to: u32) -> bool {
        let mut before = NONE;
        let mut behind = self.states[from as usize].first;
        while let Some(edge) = self.edges.get(behind as usize) {
            if self.is_text_of(edge, text) {
                return true;
            }
            // The longest stand first: a shorter one may be the beginning of a longer one, and would hide it for ever.
            if usize::from(edge.len) >= text.len() {
                before = behind;
            }
            behind = edge.or;
        }
        let no_room = self.states[from as usize].edges == MOST_ALTERNATIVES
            || self.edges.len() == MOST_EDGES
            || self.chunks.len() * CHUNK + text.len() > MOST_BYTES
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
        let (head, counts, rest) = parts(text);
        self.chunks.extend(rest);
        let (names, ops) = if from == START { first_names(ops) } else { (0, ops) };
        self.edges.push(Edge {
            head,
            counts,
            last: (self.chunks.len() as u32).saturating_sub(1),
            between: text.len().div_ceil(CHUNK).saturating_sub(2) as u8,
            behind: Behind::new(hole, ops),
            usual: match hole {
                Hole::String { usual } => usual,
                Hole::Number | Hole::End => 0,
            },
            len: text.len() as u16,
            op_count: ops.len() as u16,
            ops: self.ops.len() as u32,
            then: self.states.get(to as usize).map_or(NONE, |state| state.first),
            or,
            names,
        });
        self.ends.push(to);
        // An edge from a state to itself that stands first there is behind itself.
        if before == NONE && to == from {
            self.edges[new as usize].then = new;
        }
        self.ops.extend_from_slice(ops);
        true
    }

    /// Makes an edge the first of its state; gives the one that was.
    fn put_first(&mut self, state: u32, edge: u32) -> u32 {
        for (other, _) in self.edges.iter_mut().zip(&self.ends).filter(|&(_, &end)| end == state) {
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
        self.edges.len() * (size_of::<Edge>() + size_of::<u32>())
            + self.states.len() * size_of::<State>()
            + self.ops.len() * size_of::<Op>()
            + self.chunks.len() * CHUNK
    }

    /// Whether there is hardly room for an edge.
    pub(super) fn is_full(&self) -> bool {
        self.edges.len() == MOST_EDGES || self.chunks.len() * CHUNK + LONGEST > MOST_BYTES
    }

    /// How many edges there are.
    pub(super) fn edges(&self) -> usize {
        self.edges.len()
    }
}

/// A text in chunks: the first bytes and which of them count, and those behind them. The last chunk ends with the text, so that
/// nothing has to be masked.
fn parts(text: &[u8]) -> (Chunk, u32, impl Iterator<Item = Chunk>) {
    let chunk = |at: usize| Chunks::new(text).padded(at);
    let counts = match text.len() {
        len @ ..CHUNK => (1 << len) - 1,
        _ => u32::MAX,
    };
    let starts = (CHUNK..text.len()).step_by(CHUNK);
    let rest = starts.map(move |start| chunk(start.min(text.len() - CHUNK)));
    (chunk(0), counts, rest)
}

/// The names with which the actions of a line's first text begin, as bits, and the actions behind them.
fn first_names(ops: &[Op]) -> (u32, &[Op]) {
    let mut names = 0;
    let mut behind = ops;
    while let [
        Op {
            action: Action::Name {
                level: 0,
                bit: bit @ ..32,
            },
            ..
        },
        rest @ ..,
    ] = behind
    {
        names |= 1 << bit;
        behind = rest;
    }
    (names, behind)
}

impl<W: Watch> Line<'_, W> {
    /// Does what the walker would do.
    #[inline(always)]
    fn act(&mut self, action: Action, at: usize) -> Acted {
        match action {
            Action::Open { level } => self.marks.starts[usize::from(level)] = at as u32,
            Action::Close { level, slot } => self.captures.push(Capture {
                slot,
                start: self.marks.starts[usize::from(level)],
                end: at as u32,
            }),
            Action::Clear { level } => self.marks.seen[usize::from(level)] = [0; 2],
            Action::Name { level, bit } => {
                let seen = &mut self.marks.seen[usize::from(level)][usize::from(bit >> 6 & 1)];
                let bit = 1 << (bit & 63);
                if *seen & bit != 0 {
                    return Acted::Unknown;
                }
                *seen |= bit;
            }
            Action::Root { child } => {
                let flow = self
                    .watch
                    .root_closed(usize::from(child), self.bytes, at, self.captures);
                if flow != Flow::Continue {
                    self.stopped_at = at;
                    return Acted::Stopped(flow);
                }
            }
        }
        Acted::GoOn
    }
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
