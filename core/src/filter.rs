//! Gates run on the captured values of a line.

mod memo;
mod value;

use memchr::memmem::Finder;

use crate::ids::IdSet;
use crate::newest::Age;
use crate::plan::gate::{Base, Gate, Matcher, Path, Targets, Test, Waiting, Window};
use crate::plan::together::Together;
use crate::plan::{Plan, TypePlan};
use crate::scan::json::{Json, Kind};
use crate::scan::slots::{Capture, SlotId};
use crate::scan::walk::{Flow, Watch};
use crate::search::kind::date;
use crate::search::kind::reference;
use crate::search::leaf::Leaf;
use crate::search::table::{Registry, WhereTest};

pub(crate) use memo::Memo;
use value::{accepts, accepts_any, is_present, refers_to, shows, verdicts, with_patient};

/// The state of one line's gates; reused from line to line.
#[derive(Debug, Default)]
pub struct GateStates(Vec<State>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Open,
    /// What has been read does not say it: the gate has to see the whole line.
    Waiting,
    /// No by all that has been read; a member that the gate waits for may still turn it into a yes.
    Doubtful,
    Passed,
    Failed,
}

/// Watches a walk and decides as soon as a gate's members have all been read.
pub(crate) struct Decider<'p> {
    plan: &'p TypePlan,
    registry: &'p Registry,
    states: &'p mut GateStates,
    memo: Option<&'p mut Memo>,
    seen: u128,
    trusts: bool,
    /// Every line is read to its end, whatever its verdict.
    reads_all: bool,
    /// The line is read by the automaton, which is hardly slower than a search.
    reads_fast: bool,
}

/// A line's captures while it is judged.
#[derive(Clone, Copy)]
pub(crate) struct Line<'a> {
    pub(crate) bytes: &'a [u8],
    pub(crate) captures: &'a [Capture],
    /// Slot of the contained resources.
    pub(crate) contained: Option<SlotId>,
    pub(crate) registry: &'a Registry,
    /// The whole line has been read, so what is not there is missing.
    pub(crate) complete: bool,
}

/// A verdict may have to wait for the contained resources.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MustWait;

impl<'p> Decider<'p> {
    /// `memo`: what the gates remember of earlier lines.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub(crate) fn new(
        plan: &'p Plan,
        type_plan: &'p TypePlan,
        states: &'p mut GateStates,
        memo: Option<&'p mut Memo>,
    ) -> Self {
        states.0.clear();
        states.0.resize(type_plan.gates.len(), State::Open);
        Decider {
            plan: type_plan,
            registry: plan.registry(),
            states,
            memo,
            seen: 0,
            trusts: plan.trusts(),
            reads_all: false,
            reads_fast: true,
        }
    }

    /// Begins anew: the same line is read once more, by the walker.
    pub(crate) fn walk(&mut self) {
        self.reads_fast = false;
        self.states.0.fill(State::Open);
        self.seen = 0;
    }

    /// From now on lines are read to their end, because somebody else looks at them too.
    pub(crate) fn read_whole_lines(&mut self) {
        self.reads_all = true;
    }

    /// Whether the members that a gate still waits for are not in the rest of the line. Most often they are not: of the
    /// variants of a choice a line has one, and few references are given of those that may be. Then the line need not be
    /// walked to its end to know that the gate fails. A name that is found in a text or deeper down proves nothing, and
    /// the walk goes on.
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn rest_is_absent(&self, gate: usize, bytes: &[u8], at: usize) -> bool {
        let members = self.plan.gates[gate].roots & !self.seen;
        let are_several = members & members.wrapping_sub(1) != 0;
        !(self.reads_fast && are_several) && are_absent(&self.plan.root_names, members, bytes, at)
    }

    /// The verdict on a line that has been read to its end.
    #[cfg_attr(target_arch = "wasm32", inline)]
    pub(crate) fn keeps(&mut self, bytes: &[u8], captures: &[Capture]) -> bool {
        let line = Line {
            bytes,
            captures,
            contained: self.plan.contained,
            registry: self.registry,
            complete: true,
        };
        let mut passes = |gate: usize| {
            if matches!(self.states.0[gate], State::Open | State::Waiting) {
                let passed = line.passes(&self.plan.gates[gate].test) == Ok(true);
                self.states.0[gate] = if passed { State::Passed } else { State::Failed };
            }
            self.states.0[gate] == State::Passed
        };
        self.plan.always.iter().all(|&gate| passes(gate))
            && (self.plan.ways.is_empty() || self.plan.ways.iter().any(|way| way.iter().all(|&gate| passes(gate))))
    }

    /// Tests the gates that read a member when it has ended. `true`: that has decided one of them.
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn decide(&mut self, waiting: &Waiting, bytes: &[u8], at: usize, captures: &[Capture]) -> bool {
        let line = Line {
            bytes,
            captures,
            contained: self.plan.contained,
            registry: self.registry,
            complete: false,
        };
        match waiting {
            Waiting::Alone { gate, below } => self.decide_alone(*gate, below.as_deref(), &line, at),
            Waiting::Together(together) => self.decide_together(together, &line, at),
        }
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn is_open(&self, gate: usize) -> bool {
        !matches!(self.states.0[gate], State::Passed | State::Failed)
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn decide_alone(&mut self, gate: usize, below: Option<&[usize]>, line: &Line<'_>, at: usize) -> bool {
        if !self.is_open(gate) {
            return false;
        }
        let Gate { test, roots, .. } = &self.plan.gates[gate];
        let passes = match (below, test) {
            // What the other members hold has been tested when they ended. A value that is found stays found, so the gate may
            // pass before all places have been read.
            (Some(below), Test::Values { paths, matchers, .. }) => {
                line.any_value(below.iter().map(|&path| &paths[path]), matchers)
            }
            _ if roots & !self.seen == 0 || test.only_grows() => line.passes(test),
            _ => return false,
        };
        self.settle(gate, passes, line.bytes, at)
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn decide_together(&mut self, together: &Together, line: &Line<'_>, at: usize) -> bool {
        if !together.gates.iter().any(|&gate| self.is_open(gate)) {
            return false;
        }
        let found = line.verdicts(together, self.memo.as_deref_mut());
        let mut decided = false;
        for (index, &gate) in together.gates.iter().enumerate() {
            decided |= self.is_open(gate) && self.settle(gate, Ok(found >> index & 1 == 1), line.bytes, at);
        }
        decided
    }

    /// What a test makes of its gate. `true`: it is decided.
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn settle(&mut self, gate: usize, passes: Result<bool, MustWait>, bytes: &[u8], at: usize) -> bool {
        let is_complete = self.plan.gates[gate].roots & !self.seen == 0;
        let state = match passes {
            Ok(true) => State::Passed,
            Err(MustWait) => State::Waiting,
            Ok(false) if self.states.0[gate] == State::Waiting => State::Waiting,
            Ok(false) if is_complete || self.rest_is_absent(gate, bytes, at) => State::Failed,
            Ok(false) => State::Doubtful,
        };
        self.states.0[gate] = state;
        matches!(state, State::Passed | State::Failed)
    }

    /// Whether no filter can pass any more.
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn is_lost(&self) -> bool {
        let failed = |&gate: &usize| self.states.0[gate] == State::Failed;
        self.plan.always.iter().any(failed)
            || (!self.plan.ways.is_empty() && self.plan.ways.iter().all(|way| way.iter().any(failed)))
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn is_won(&self) -> bool {
        let passed = |&gate: &usize| self.states.0[gate] == State::Passed;
        self.plan.always.iter().all(passed)
            && (self.plan.ways.is_empty() || self.plan.ways.iter().any(|way| way.iter().all(passed)))
    }
}

/// Whether none of these members of the root object, by their index in the trie and among the names, is in the line from `at` on. `false`
/// may also mean that the walk costs less than to find out.
#[cfg_attr(target_arch = "wasm32", inline)]
pub(crate) fn are_absent(root_names: &[Finder<'_>], members: u128, bytes: &[u8], at: usize) -> bool {
    let rest = &bytes[at..];
    let rest = &rest[..memchr::memchr(b'\n', rest).unwrap_or(rest.len())];
    // Each search costs about as much as the walk over so many bytes.
    if rest.len() < 128 * (members.count_ones() as usize + 1) {
        return false;
    }
    let mut names = root_names
        .iter()
        .enumerate()
        .filter(|(child, _)| members >> (child & 127) & 1 == 1);
    // With an escape in it a name may be spelled otherwise.
    memchr::memmem::find(rest, b"\\u").is_none() && names.all(|(_, name)| name.find(rest).is_none())
}

impl Watch for Decider<'_> {
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn root_closed(&mut self, child: usize, bytes: &[u8], at: usize, captures: &[Capture]) -> Flow {
        self.seen |= 1 << (child & 127);
        let mut decided = false;
        for waiting in self.plan.by_root.get(child).map(Vec::as_slice).unwrap_or_default() {
            decided |= self.decide(waiting, bytes, at, captures);
        }
        if !decided || self.reads_all {
            Flow::Continue
        } else if self.is_lost() {
            Flow::Drop
        } else if self.trusts && self.is_won() {
            Flow::Enough
        } else {
            Flow::Continue
        }
    }
}

impl<'a> Line<'a> {
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn passes(&self, test: &Test) -> Result<bool, MustWait> {
        match test {
            Test::Window { slot, window } => {
                let stamp = self
                    .captured(*slot)
                    .find_map(|value| date::stored(Leaf::Instant, value));
                // Without a known time of change a resource is included: losing an update is worse than sending it twice.
                Ok(stamp.is_none_or(|stamp| window.holds(stamp.lo)))
            }
            Test::Member { paths, ids, exclusive } => self.is_member(paths, ids, *exclusive),
            Test::Linked {
                path,
                links,
                type_index,
            } => self.visit(path, &mut |_, value| {
                value
                    .text()
                    .is_some_and(|id| links.contains(*type_index, id.decode().as_bytes()))
            }),
            Test::NobodyElse { paths, ids } => {
                let other = self.any(paths, &mut |path, value| refers_to(path, value, ids) == Some(false))?;
                Ok(!other)
            }
            Test::Provenance(targets) => self.is_provenance(targets),
            Test::Presence { paths, present } => {
                let found = self.any(paths, &mut |path, value| is_present(path, value))?;
                Ok(found == *present)
            }
            Test::Values {
                paths,
                matchers,
                negated,
                first_only: false,
            } => Ok(self.any_value(paths, matchers)? != *negated),
            Test::Values {
                paths,
                matchers,
                negated,
                first_only: true,
            } => {
                let mut verdict = None;
                for path in paths {
                    self.visit(path, &mut |path, value| {
                        if verdict.is_none() && value.is_value() {
                            verdict = Some(accepts_any(matchers, path, value));
                        }
                        verdict.is_some()
                    })?;
                }
                Ok(verdict.unwrap_or(false) != *negated)
            }
            Test::Exists {
                paths,
                when_true,
                when_false,
            } => {
                let exists = self.any(paths, &mut |_, value| value.is_value() && value.raw() != b"false")?;
                Ok(if exists { *when_true } else { *when_false })
            }
            Test::Composite { bases, tuples } => {
                for base in bases {
                    if self.composite(base, tuples)? {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }

    fn is_member(&self, paths: &[Path], ids: &IdSet, exclusive: bool) -> Result<bool, MustWait> {
        let mut listed = false;
        let mut other = false;
        self.any(paths, &mut |path, value| {
            match refers_to(path, value, ids) {
                Some(true) => listed = true,
                // Whoever is linked to a listed patient, and is not listed, is somebody else too.
                Some(false) => other = true,
                None => {}
            }
            listed && !exclusive
        })?;
        Ok(listed && !(exclusive && other))
    }

    fn is_provenance(&self, of: &Targets) -> Result<bool, MustWait> {
        let first = |path: &Path| path.slot.and_then(|slot| self.captured(slot).next());
        let in_window = |window: &Window| {
            let stamp = first(&of.updated).and_then(|value| date::stored(Leaf::Instant, value));
            stamp.is_none_or(|stamp| window.holds(stamp.lo))
        };
        if let Some((ids, _)) = of.patients.as_ref().filter(|(_, window)| in_window(window))
            && self.any(&of.patient, &mut |path, value| {
                refers_to(path, value, ids) == Some(true)
            })?
        {
            return Ok(true);
        }
        let age = of.newest.as_ref().map(|newest| {
            let age = Age::new(first(&of.recorded), first(&of.updated), first(&of.id));
            (newest, age)
        });
        self.visit(&of.target, &mut |path, value| {
            let Some(text) = value.get("reference").and_then(Json::text) else {
                return false;
            };
            let text = text.decode();
            let Some((type_name, id)) = reference::target_of(&text, path.reference.base.as_deref()) else {
                return false;
            };
            let id = id.as_bytes();
            let type_index = self.registry.type_index(type_name);
            type_index.is_some_and(|type_index| match &age {
                Some((newest, age)) => newest.is(type_index, id, age),
                None => of.kept.contains(type_index, id),
            })
        })
    }

    /// Calls `found` with the id of every patient that a membership gate would look for in its set, and whether it is the
    /// resource's own.
    pub(crate) fn each_patient(&self, paths: &[Path], found: &mut dyn FnMut(&str, bool)) -> Result<(), MustWait> {
        self.any(paths, &mut |path, value| {
            with_patient(path, value, |id| found(id, path.leaf == Leaf::Id));
            false
        })?;
        Ok(())
    }

    fn composite(&self, base: &Base, tuples: &[Vec<Matcher>]) -> Result<bool, MustWait> {
        let Some(path) = &base.path else {
            return self.any_tuple(base, tuples, None);
        };
        let mut found = Ok(false);
        self.visit(path, &mut |_, element| {
            found = self.any_tuple(base, tuples, Some(element));
            found != Ok(false)
        })?;
        found
    }

    fn any_tuple(&self, base: &Base, tuples: &[Vec<Matcher>], element: Option<Json<'a>>) -> Result<bool, MustWait> {
        for tuple in tuples {
            let mut all = true;
            for (paths, matcher) in base.parts.iter().zip(tuple) {
                let mut test = |path: &Path, value: Json<'_>| accepts(matcher, path, value);
                let mut one = false;
                for path in paths {
                    one = one
                        || match (path.slot, element) {
                            (None, Some(element)) => self.follow(path, element, 0, &mut test)?,
                            _ => self.visit(path, &mut test)?,
                        };
                }
                all = all && one;
            }
            if all && !tuple.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether one of the values of these paths is one of those that are wanted.
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn any_value<'t>(&self, paths: impl IntoIterator<Item = &'t Path>, matchers: &[Matcher]) -> Result<bool, MustWait> {
        for path in paths {
            if self.visit(path, &mut |path, value| accepts_any(matchers, path, value))? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Which of the gates find one of the values that they want.
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn verdicts(&self, together: &Together, mut memo: Option<&mut Memo>) -> u64 {
        let all = u64::MAX >> (64 - together.gates.len());
        let mut found = 0;
        for capture in self
            .captures
            .iter()
            .filter(|capture| Some(capture.slot) == together.path.slot)
        {
            let value = &self.bytes[capture.start as usize..capture.end as usize];
            let find = || verdicts(together, Json::new(value));
            found |= match &mut memo {
                Some(memo) => memo.verdicts(together.number, value, find),
                None => find(),
            };
            if found == all {
                break;
            }
        }
        found
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn any(&self, paths: &[Path], test: &mut dyn FnMut(&Path, Json<'a>) -> bool) -> Result<bool, MustWait> {
        for path in paths {
            if self.visit(path, test)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    #[cfg_attr(target_arch = "wasm32", inline)]
    fn captured(&self, slot: u16) -> impl Iterator<Item = Json<'a>> {
        let bytes = self.bytes;
        let own = self.captures.iter().filter(move |capture| capture.slot == slot);
        own.map(move |capture| Json::new(&bytes[capture.start as usize..capture.end as usize]))
    }

    /// Calls `test` on each value of a path until it says true.
    #[cfg_attr(target_arch = "wasm32", inline)]
    fn visit(&self, path: &Path, test: &mut dyn FnMut(&Path, Json<'a>) -> bool) -> Result<bool, MustWait> {
        let Some(slot) = path.slot else { return Ok(false) };
        if path.is_plain() {
            return Ok(self.captured(slot).any(|value| test(path, value)));
        }
        let only = path.tests.iter().find_map(|(at, test)| match test {
            WhereTest::Index(index) if *at == 0 => Some(*index),
            _ => None,
        });
        for (index, value) in self.captured(slot).enumerate() {
            if only.is_none_or(|only| only == index) && self.follow(path, value, 0, test)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Follows the names below a captured value, testing on the way.
    fn follow(
        &self,
        path: &Path,
        value: Json<'a>,
        depth: usize,
        test: &mut dyn FnMut(&Path, Json<'a>) -> bool,
    ) -> Result<bool, MustWait> {
        let passes = path
            .tests
            .iter()
            .filter(|(at, _)| *at == depth)
            .all(|(_, test)| shows(value, test));
        if !passes {
            return Ok(false);
        }
        if let Some(name) = path.rest.get(depth) {
            for item in value.each_of(name) {
                if self.follow(path, item, depth + 1, test)? {
                    return Ok(true);
                }
            }
            return Ok(false);
        }
        if let Some(only) = &path.reference.only
            && !self.points_to(value, only)?
        {
            return Ok(false);
        }
        Ok(test(path, value))
    }

    /// Decides `resolve() is T` from the reference's text, its `type`, or the contained resource.
    fn points_to(&self, value: Json<'_>, wanted: &str) -> Result<bool, MustWait> {
        if value.kind() != Kind::Object {
            return Ok(false);
        }
        if let Some(text) = value.get("reference").and_then(Json::text) {
            let text = text.decode();
            if let Some(id) = text.strip_prefix('#') {
                return self.contained_is(id, wanted).ok_or(MustWait);
            }
            if let Some(type_name) = reference::type_in_text(&text, |name| self.registry.is_type(name)) {
                return Ok(type_name == wanted);
            }
        }
        Ok(value
            .get("type")
            .and_then(Json::text)
            .is_some_and(|text| text.is(wanted)))
    }

    /// Whether the contained resource is of a type; `None`: it may still come.
    fn contained_is(&self, id: &str, wanted: &str) -> Option<bool> {
        let slot = self.contained?;
        let mut resources = self.captured(slot);
        let says = |resource: Json<'_>, name: &str, text: &str| {
            resource
                .get(name)
                .and_then(Json::text)
                .is_some_and(|found| found.is(text))
        };
        match resources.find(|resource| says(*resource, "id", id)) {
            Some(resource) => Some(says(resource, "resourceType", wanted)),
            None => self.complete.then_some(false),
        }
    }
}
