//! A block of whole lines into a batch: which lines are kept, under what type, and what is wrong where.
//!
//! Stateless: the same block gives the same batch on any thread and in any order.

use std::sync::Arc;

use crate::error::BadLine;
use crate::filter::{Decider, GateStates, Memo};
use crate::gather::Gathered;
use crate::plan::associated::Stage;
use crate::plan::elements::Elements;
use crate::plan::{Plan, TypePlan};
use crate::prefilter;
use crate::project;
use crate::roll::Roll;
use crate::scan::json::Json;
use crate::scan::simd::lanes::Width;
use crate::scan::simd::rest::rest_of_line;
use crate::scan::slots::Capture;
use crate::scan::trie::Trie;
use crate::scan::walk::{self, Fault, Flow, WalkScratch, Walked, Watch};
use crate::search::table::Registry;

mod heads;
mod known;
mod skim;

use heads::Heads;
use known::Known;
pub use known::Learning;
pub use skim::Prefilter;
use skim::Skim;

/// Memory of one thread, reused from block to block. Holds nothing that a verdict depends on.
#[derive(Debug)]
pub struct Scratch {
    walk: WalkScratch,
    states: GateStates,
    /// Captures `resourceType` and nothing else, for lines that do not begin with it.
    type_trie: Trie,
    /// Finds where two JSON texts meet.
    width: Width,
    /// How lines began, and their types.
    heads: Heads,
    /// What has been gathered for the passes behind this one.
    pub gathered: Gathered,
    /// Takes down Patients and Groups as they go by.
    roll: Option<Arc<Roll>>,
    /// What has been learned of the lines of each type.
    known: Known,
    /// What the gates of each type remember; empty if they do not.
    memos: Vec<Memo>,
    /// What is known of lines that a look at raw bytes passes over.
    skim: Skim,
}

impl Scratch {
    /// Memory for a pass that takes down who and what there is.
    pub fn with_roll(roll: Arc<Roll>) -> Self {
        Scratch {
            roll: Some(roll),
            ..Scratch::default()
        }
    }

    /// Switches the learned automaton on or off: with it or without, the same comes of every block. For tests and benches.
    #[must_use]
    pub fn with_learning(mut self, on: bool) -> Self {
        self.known = Known::new(on);
        self.memos.clear();
        self
    }

    /// How much the automata have learned. For tests and benches.
    pub fn learned(&self) -> Learning {
        self.known.learning()
    }

    fn duty<'p>(&self, plan: &'p Plan, type_index: usize) -> Duty<'p> {
        let name = plan.registry().types().get(type_index);
        let is_rolled = |roll: &Arc<Roll>| name.is_some_and(|name| roll.notes(name));
        Duty {
            type_index,
            plan: plan.type_plan(type_index),
            rolls: self.roll.as_ref().is_some_and(is_rolled),
            tells_deletions: plan.stage() == Stage::Main && plan.bundle() == Some(type_index),
            gathers: plan.gather().is_some() || plan.deleted().has(type_index),
        }
    }
}

/// What is to be done with lines of one type, known before they are read.
#[derive(Clone, Copy)]
struct Duty<'p> {
    type_index: usize,
    /// Of a type that is exported.
    plan: Option<&'p TypePlan>,
    /// They are taken down.
    rolls: bool,
    /// They are Bundles, which may tell of deletions.
    tells_deletions: bool,
    /// Those that have passed their gates are looked at once more.
    gathers: bool,
}

impl Duty<'_> {
    /// Whether lines are looked at whatever becomes of them, and so have to be right to their end.
    fn notes(&self) -> bool {
        self.tells_deletions || self.rolls
    }
}

impl Default for Scratch {
    fn default() -> Self {
        let mut type_trie = Trie::default();
        let node = type_trie.insert(0, &["resourceType"]);
        type_trie.capture(node);
        Scratch {
            walk: WalkScratch::default(),
            states: GateStates::default(),
            type_trie,
            width: Width::widest(),
            heads: Heads::default(),
            gathered: Gathered::default(),
            roll: None,
            known: Known::new(true),
            memos: Vec::new(),
            skim: Skim::new(Prefilter::default()),
        }
    }
}

/// What came of one block.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Kept lines in input order, neighbours of one type joined.
    pub runs: Vec<Run>,
    /// Lines that had to be written anew (`_elements`); runs with `made` point here.
    pub made: Vec<u8>,
    /// Bad lines in input order.
    pub bad: Vec<BadAt>,
    /// Lines of the block, blank and bad ones included.
    pub lines: u64,
    /// Bytes of the lines that are not over the limit, newlines included.
    pub bytes: u64,
    /// Resources read, by the type's number in the registry.
    pub read: Vec<u64>,
    /// Bytes of the whole block. The block itself may be gone by now, but for what was kept of it.
    pub length: u64,
}

/// Kept lines of one type that stand side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// First byte, in the block or in `made`.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
    /// Where in the block it began when that was read, wherever its bytes are by now.
    pub origin: u32,
    /// The type's number in the registry.
    pub type_index: u32,
    /// How many lines.
    pub lines: u32,
    /// The bytes are in [`Batch::made`].
    pub made: bool,
    /// The bytes end in a newline; if not, one has to be added (the line ended in `\r\n`).
    pub terminated: bool,
}

/// A bad line of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadAt {
    /// Line of the block, from 0.
    pub line: u64,
    /// Byte in the line, from 1; 0 if only the line is known.
    pub column: u64,
    /// What is wrong.
    pub kind: BadLine,
    /// The type's number in the registry, if it could be read.
    pub type_index: Option<u32>,
}

/// What came of one line; `end` is the index of its newline.
enum Line {
    Blank {
        end: usize,
    },
    Dropped {
        end: usize,
        type_index: usize,
    },
    Kept {
        end: usize,
        type_index: usize,
    },
    Bad {
        end: usize,
        at: usize,
        kind: BadLine,
        type_index: Option<usize>,
    },
}

/// Sieves a block of whole lines, each ending in `\n`, into `batch`, which is cleared first.
#[cfg_attr(target_arch = "wasm32", inline)]
pub fn run(plan: &Plan, block: &[u8], scratch: &mut Scratch, batch: &mut Batch) {
    batch.clear(plan.registry().types().len());
    batch.length = block.len() as u64;
    if scratch.known.begin(plan) {
        scratch.heads = Heads::default();
        let remember = if scratch.known.is_on() {
            plan.registry().types().len()
        } else {
            0
        };
        scratch.memos.clear();
        scratch.memos.resize_with(remember, Memo::default);
    }
    debug_assert!(block.is_empty() || block.ends_with(b"\n"));
    let mut duty = None;
    if skim::run(plan, block, scratch, &mut duty, batch) {
        return;
    }
    let mut start = 0;
    while start < block.len() {
        start = one(plan, block, start, scratch, &mut duty, batch);
    }
}

/// Sieves one line into `batch`, and returns where the next one starts. `duty`: that of the line before.
#[cfg_attr(target_arch = "wasm32", inline)]
fn one<'p>(
    plan: &'p Plan,
    block: &[u8],
    start: usize,
    scratch: &mut Scratch,
    duty: &mut Option<Duty<'p>>,
    batch: &mut Batch,
) -> usize {
    let mut line = sieve_line(plan, block, start, scratch, duty);
    let (Line::Blank { end } | Line::Dropped { end, .. } | Line::Kept { end, .. } | Line::Bad { end, .. }) = line;
    let too_long = end - start > plan.max_line();
    if too_long {
        batch.bad.push(BadAt {
            line: batch.lines,
            column: 0,
            kind: BadLine::TooLong,
            type_index: None,
        });
    } else {
        if matches!(line, Line::Bad { .. })
            && let Some(type_index) = skim::would_drop(plan, block, start..end, scratch)
        {
            line = Line::Dropped { end, type_index };
        }
        let line = match duty {
            Some(duty) => scratch.look_at(plan, duty, &block[start..end], line),
            None => line,
        };
        batch.take(plan, block, start, line, duty.as_ref().and_then(|duty| duty.plan));
    }
    batch.lines += 1;
    batch.bytes += if too_long { 0 } else { (end + 1 - start) as u64 };
    end + 1
}

impl Batch {
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn clear(&mut self, types: usize) {
        self.runs.clear();
        self.made.clear();
        self.bad.clear();
        self.lines = 0;
        self.bytes = 0;
        self.length = 0;
        self.read.clear();
        self.read.resize(types, 0);
    }

    /// `type_plan`: of the line's type, where it has one.
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn take(&mut self, plan: &Plan, block: &[u8], start: usize, line: Line, type_plan: Option<&TypePlan>) {
        match line {
            Line::Blank { .. } => {}
            Line::Bad {
                at, kind, type_index, ..
            } => {
                let column = (at.max(start) - start + 1) as u64;
                self.bad.push(BadAt {
                    line: self.lines,
                    column,
                    kind,
                    type_index: type_index.map(|index| index as u32),
                });
            }
            Line::Dropped { type_index, .. } => self.count(type_index),
            Line::Kept { end, type_index } => {
                self.count(type_index);
                let elements = type_plan.and_then(|type_plan| type_plan.elements.as_ref());
                self.keep(plan, block, start, end, type_index, elements);
            }
        }
    }

    /// Takes a line, of so many bytes with its newline, that nobody has to read.
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn pass_over(&mut self, type_index: usize, bytes: usize) {
        self.count(type_index);
        self.lines += 1;
        self.bytes += bytes as u64;
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn count(&mut self, type_index: usize) {
        if let Some(count) = self.read.get_mut(type_index) {
            *count += 1;
        }
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn keep(
        &mut self,
        plan: &Plan,
        block: &[u8],
        start: usize,
        newline: usize,
        type_index: usize,
        elements: Option<&Elements>,
    ) {
        let carriage_return = newline > start && block[newline - 1] == b'\r';
        let end = if carriage_return { newline - 1 } else { newline };
        let mut run = Run {
            start: start as u32,
            origin: start as u32,
            end: if carriage_return {
                end as u32
            } else {
                newline as u32 + 1
            },
            type_index: type_index as u32,
            lines: 1,
            made: false,
            terminated: !carriage_return,
        };
        if let Some(elements) = elements {
            let from = self.made.len();
            match project::project(elements, &block[start..end], &mut self.made) {
                Err(kind) => {
                    self.made.truncate(from);
                    self.bad.push(BadAt {
                        line: self.lines,
                        column: 0,
                        kind,
                        type_index: Some(type_index as u32),
                    });
                    return;
                }
                Ok(true) if !plan.has_late_elements(type_index) => {
                    self.made.push(b'\n');
                    run = Run {
                        start: from as u32,
                        end: self.made.len() as u32,
                        made: true,
                        terminated: true,
                        ..run
                    };
                }
                Ok(_) => self.made.truncate(from),
            }
        }
        match self.runs.last_mut() {
            Some(last) if last.joins(&run) => {
                last.end = run.end;
                last.lines += 1;
            }
            _ => self.runs.push(run),
        }
    }
}

impl Run {
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn joins(&self, next: &Run) -> bool {
        self.terminated
            && next.terminated
            && self.made == next.made
            && self.end == next.start
            && self.type_index == next.type_index
    }
}

/// `duty`: that of the line's type, when its type is known.
#[cfg_attr(target_arch = "wasm32", inline)]
fn sieve_line<'p>(
    plan: &'p Plan,
    block: &[u8],
    start: usize,
    scratch: &mut Scratch,
    duty: &mut Option<Duty<'p>>,
) -> Line {
    let type_index = match scratch.heads.type_of(plan.registry(), block, start) {
        Some(type_index) => type_index,
        None => match type_by_walk(plan.registry(), block, start, scratch) {
            Ok(type_index) => type_index,
            Err(line) => return line,
        },
    };
    let duty = match duty {
        Some(duty) if duty.type_index == type_index => duty,
        _ => duty.insert(scratch.duty(plan, type_index)),
    };
    let line = match duty.plan {
        None if duty.notes() => whole(block, start, scratch, |end| Line::Dropped { end, type_index }),
        None => left_early(block, start, start, scratch, |end| Line::Dropped { end, type_index }),
        Some(type_plan) => judge(plan, type_plan, type_index, duty.notes(), block, start, scratch),
    };
    match line {
        Line::Bad { end, at, kind, .. } => Line::Bad {
            end,
            at,
            kind,
            type_index: Some(type_index),
        },
        line => line,
    }
}

impl Scratch {
    /// Gathers from a line that has been judged, and takes it down. One that passed only for what it refers to is not
    /// kept.
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn look_at(&mut self, plan: &Plan, duty: &Duty<'_>, bytes: &[u8], line: Line) -> Line {
        if !duty.notes() && !duty.gathers {
            return line;
        }
        let (Line::Kept { end, type_index } | Line::Dropped { end, type_index }) = line else {
            return line;
        };
        if duty.rolls
            && let Some(roll) = &self.roll
        {
            roll.note(&plan.registry().types()[type_index], bytes);
        }
        if duty.tells_deletions {
            match self.gathered.bundle(plan, bytes) {
                Ok(false) => {}
                Ok(true) => return Line::Dropped { end, type_index },
                Err(kind) => {
                    return Line::Bad {
                        end,
                        at: 0,
                        kind,
                        type_index: Some(type_index),
                    };
                }
            }
        }
        match (&line, duty.plan) {
            (Line::Kept { .. }, Some(type_plan)) if !self.gathered.passed(plan, type_plan, type_index, bytes) => {
                Line::Dropped { end, type_index }
            }
            _ => line,
        }
    }
}

#[cfg_attr(target_arch = "wasm32", inline)]
fn judge(
    plan: &Plan,
    type_plan: &TypePlan,
    type_index: usize,
    is_noted: bool,
    block: &[u8],
    start: usize,
    scratch: &mut Scratch,
) -> Line {
    if let Some(patients) = &type_plan.mentions {
        let end = newline(block, start);
        if !prefilter::may_mention(&block[start..end], patients) {
            return left_early(block, start, start, scratch, |end| Line::Dropped { end, type_index });
        }
    }
    if plan.trusts() && type_plan.gates.is_empty() {
        return left_early(block, start, start, scratch, |end| Line::Kept { end, type_index });
    }
    let memo = scratch.memos.get_mut(type_index);
    let mut decider = Decider::new(plan, type_plan, &mut scratch.states, memo);
    if is_noted {
        decider.read_whole_lines();
    }
    let trie = &type_plan.trie;
    let walked = scratch
        .known
        .line(type_index, block, start, trie, &mut scratch.walk, &mut decider);
    match walked {
        Ok(Walked::Whole(end)) if decider.keeps(block, &scratch.walk.captures) => Line::Kept { end, type_index },
        Ok(Walked::Whole(end)) => Line::Dropped { end, type_index },
        Ok(Walked::Stopped(at, Flow::Enough)) => {
            left_early(block, start, at, scratch, |end| Line::Kept { end, type_index })
        }
        Ok(Walked::Stopped(at, _)) => left_early(block, start, at, scratch, |end| Line::Dropped { end, type_index }),
        Err(fault) => bad(block, fault),
    }
}

/// The verdict on a line whose rest, from `at`, nobody has to read; but not on two in one: files that were joined and did
/// not end in a newline have such lines, and so have files whose lines end in a lone CR; the second record must not go with
/// the first. Where two may meet, the line is walked to its end, which tells a text that only looks so.
#[cfg_attr(target_arch = "wasm32", inline)]
fn left_early(block: &[u8], start: usize, at: usize, scratch: &mut Scratch, verdict: impl Fn(usize) -> Line) -> Line {
    let rest = rest_of_line(scratch.width, block, at);
    match rest.may_join {
        false => verdict(rest.end),
        true => whole(block, start, scratch, verdict),
    }
}

/// The verdict on a line that has to be right to its end.
fn whole(block: &[u8], start: usize, scratch: &mut Scratch, verdict: impl Fn(usize) -> Line) -> Line {
    match walk::line(block, start, &scratch.type_trie, &mut scratch.walk, &mut ToTheEnd) {
        Err(fault) => bad(block, fault),
        Ok(Walked::Whole(end)) => verdict(end),
        Ok(Walked::Stopped(at, _)) => verdict(newline(block, at)),
    }
}

struct ToTheEnd;

impl Watch for ToTheEnd {
    fn root_closed(&mut self, _: usize, _: &[u8], _: usize, _: &[Capture]) -> Flow {
        Flow::Continue
    }
}

/// Stops as soon as the type has been read: whether the rest is right is seen in the walk for that type.
struct UntilType;

impl Watch for UntilType {
    fn root_closed(&mut self, _: usize, _: &[u8], _: usize, _: &[Capture]) -> Flow {
        Flow::Enough
    }
}

/// The type of a line that has it elsewhere, or what else the line is.
fn type_by_walk(registry: &Registry, block: &[u8], start: usize, scratch: &mut Scratch) -> Result<usize, Line> {
    let mut first = start;
    while matches!(block.get(first), Some(b' ' | b'\t' | b'\r')) {
        first += 1;
    }
    if block.get(first).is_none_or(|&byte| byte == b'\n') {
        return Err(Line::Blank { end: first });
    }
    let walked = walk::line(block, start, &scratch.type_trie, &mut scratch.walk, &mut UntilType);
    let end = match walked {
        Ok(Walked::Whole(end)) => end,
        Ok(Walked::Stopped(at, _)) => newline(block, at),
        Err(fault) => return Err(bad(block, fault)),
    };
    let missing = Line::Bad {
        end,
        at: start,
        kind: BadLine::NoResourceType,
        type_index: None,
    };
    let Some(capture) = scratch.walk.captures.first() else {
        return Err(missing);
    };
    let start_of_value = capture.start as usize;
    // An array stands for its items on the paths of a search, but is no type.
    let is_item = block[..start_of_value].trim_ascii_end().last() != Some(&b':');
    let Some(text) = Json::new(&block[start_of_value..capture.end as usize])
        .text()
        .filter(|_| !is_item)
    else {
        return Err(missing);
    };
    let unknown = Line::Bad {
        end,
        at: capture.start as usize,
        kind: BadLine::UnknownType,
        type_index: None,
    };
    registry.type_index(&text.decode()).ok_or(unknown)
}

#[cfg_attr(target_arch = "wasm32", inline)]
fn newline(block: &[u8], from: usize) -> usize {
    memchr::memchr(b'\n', &block[from..]).map_or(block.len(), |at| from + at)
}

fn bad(block: &[u8], fault: Fault) -> Line {
    Line::Bad {
        end: newline(block, fault.at),
        at: fault.at,
        kind: fault.kind,
        type_index: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;

    fn sieve(request: Request, block: &str) -> Batch {
        let plan = Plan::compile(&request, &Registry::r4()).expect("valid request");
        let mut batch = Batch::default();
        run(&plan, block.as_bytes(), &mut Scratch::default(), &mut batch);
        batch
    }

    fn kinds(batch: &Batch) -> Vec<BadLine> {
        batch.bad.iter().map(|bad| bad.kind).collect()
    }

    /// Files that were joined and did not end in a newline: the second record must not vanish with the first.
    #[test]
    fn two_texts_in_one_line_are_told_whatever_the_first_is() {
        for between in ["", " ", "\r", " \t\r "] {
            tell_two(between);
        }
        for text in ["}{", "} {", "}\r{"] {
            let in_a_text = format!(
                "{{\"resourceType\":\"Condition\",\"id\":\"{}\"}}\n",
                text.replace('\r', "\\r")
            );
            let batch = sieve(of_type("Patient"), &in_a_text);
            assert!(batch.bad.is_empty() && batch.runs.is_empty());
        }
    }

    fn of_type(name: &str) -> Request {
        Request {
            types: vec![name.into()],
            ..Request::default()
        }
    }

    fn tell_two(between: &str) {
        let two = &format!(
            "{{\"resourceType\":\"Condition\",\"id\":\"c\"}}{between}{{\"resourceType\":\"Patient\",\"id\":\"p\"}}\n"
        );
        for request in [of_type("Patient"), of_type("Condition"), Request::default()] {
            for trust in [false, true] {
                let request = Request {
                    trust,
                    ..request.clone()
                };
                assert_eq!(kinds(&sieve(request, two)), [BadLine::Trailing]);
            }
        }
        let filtered = Request {
            type_filters: vec!["Condition?_id=x".into()],
            ..Request::default()
        };
        assert_eq!(kinds(&sieve(filtered, two)), [BadLine::Trailing]);
    }

    #[test]
    fn the_type_is_a_text_and_nothing_else() {
        for value in [
            "[\"Patient\"]",
            "[\"Observation\",\"Patient\"]",
            "5",
            "null",
            "{}",
            "[]",
        ] {
            let line = format!("{{\"resourceType\": {value},\"id\":\"a\"}}\n");
            assert_eq!(
                kinds(&sieve(Request::default(), &line)),
                [BadLine::NoResourceType],
                "{value}"
            );
        }
    }
}
