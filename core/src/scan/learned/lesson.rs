//! One line that the walker has accepted, taken apart into texts and holes.
//!
//! It goes through the line as the walker does and writes down what the walker would do at which byte. The line is known
//! to be right, so what is met here against the grammar only ends the lesson.

use super::automaton::{Action, Automaton, DEEPEST, Hole, LONGEST, Op, START};
use super::places::{NONE, PlaceId, Places, ROOT};
use crate::scan::json::end_of_string;
use crate::scan::slots::SlotId;
use crate::scan::trie::{NodeId, Trie};
use crate::scan::walk::byte_at;

/// Deepest line that is learned, and most values of one: what is beyond is left to the walker.
const MOST_OPEN: usize = 64;
const MOST_VALUES: usize = 1 << 14;

const LONGEST_OFFSET: u16 = LONGEST as u16;

/// What a lesson is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aim {
    /// New edges.
    Edges,
    /// A count of values.
    Values,
}

/// Memory that lessons reuse.
#[derive(Debug, Default)]
pub(super) struct Desk {
    open: Vec<Container>,
    ops: Vec<Op>,
}

impl Desk {
    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        self.open.capacity() * size_of::<Container>() + self.ops.capacity() * size_of::<Op>()
    }
}

/// A container that is open.
#[derive(Debug)]
struct Container {
    close: u8,
    place: PlaceId,
    /// Of an object: where its names are looked up. Of an array: what each item is.
    node: Option<NodeId>,
    end: End,
}

/// What is to be done where a value ends.
#[derive(Clone, Copy, Debug, Default)]
struct End {
    slot: Option<SlotId>,
    /// It is the value of this watched member of the root.
    root: Option<u8>,
}

/// The line cannot be learned, at least not to its end.
#[derive(Debug)]
pub(super) struct Refused;

pub(super) struct Lesson<'l> {
    bytes: &'l [u8],
    trie: &'l Trie,
    places: &'l mut Places,
    automaton: &'l mut Automaton,
    desk: &'l mut Desk,
    aim: Aim,
    /// The place in the bytes.
    at: usize,
    /// Where the text at hand begins.
    text: usize,
    /// The state that it begins in.
    state: u32,
    /// Watched objects and captured values that are open.
    objects: u8,
    captures: u8,
}

impl<'l> Lesson<'l> {
    pub(super) fn new(
        bytes: &'l [u8],
        start: usize,
        trie: &'l Trie,
        places: &'l mut Places,
        automaton: &'l mut Automaton,
        desk: &'l mut Desk,
        aim: Aim,
    ) -> Self {
        Lesson {
            bytes,
            trie,
            places,
            automaton,
            desk,
            aim,
            at: start,
            text: start,
            state: START,
            objects: 0,
            captures: 0,
        }
    }

    /// Reads the line to its end.
    pub(super) fn read(&mut self) -> Result<(), Refused> {
        self.desk.open.clear();
        self.desk.ops.clear();
        self.blanks();
        if self.byte() != b'{' {
            return Err(Refused);
        }
        self.open(b'}', ROOT, Some(0), End::default())?;
        // The root is the watched object of level 0, whose marks are cleared for each line.
        self.objects = 1;
        let mut values = 0;
        while let Some(container) = self.desk.open.last() {
            let (close, place, node) = (container.close, container.place, container.node);
            self.blanks();
            match self.byte() {
                b',' => self.at += 1,
                byte if byte == close => self.close(),
                _ if values == MOST_VALUES => return Err(Refused),
                b'"' if close == b'}' => {
                    values += 1;
                    self.member(place, node)?;
                }
                _ if close == b'}' => return Err(Refused),
                _ => {
                    values += 1;
                    let item = self.places.child(place, None).ok_or(Refused)?;
                    self.item(item, node, End::default())?;
                }
            }
        }
        self.blanks();
        if self.byte() != b'\n' || self.at >= self.bytes.len() {
            return Err(Refused);
        }
        self.at += 1;
        self.emit(Hole::End, NONE)
    }

    fn byte(&self) -> u8 {
        byte_at(self.bytes, self.at)
    }

    fn blanks(&mut self) {
        while matches!(self.byte(), b' ' | b'\t' | b'\r') {
            self.at += 1;
        }
    }

    /// Opens the container at hand.
    fn open(&mut self, close: u8, place: PlaceId, node: Option<NodeId>, end: End) -> Result<(), Refused> {
        if self.desk.open.len() == MOST_OPEN {
            return Err(Refused);
        }
        self.desk.open.push(Container {
            close,
            place,
            node,
            end,
        });
        self.at += 1;
        Ok(())
    }

    fn close(&mut self) {
        self.at += 1;
        if let Some(container) = self.desk.open.pop() {
            if container.close == b'}' && container.node.is_some() {
                self.objects -= 1;
            }
            self.end(container.end);
        }
    }

    fn member(&mut self, place: PlaceId, node: Option<NodeId>) -> Result<(), Refused> {
        let start = self.at + 1;
        let (behind, escaped) = end_of_string(self.bytes, start);
        let name = self.bytes.get(start..behind - 1).ok_or(Refused)?;
        // A name that can be spelled in two ways is no text to learn by heart.
        if escaped || !name.is_ascii() {
            return Err(Refused);
        }
        self.at = behind;
        self.blanks();
        if self.byte() != b':' {
            return Err(Refused);
        }
        self.at += 1;
        self.blanks();
        let value = self.places.child(place, Some(name)).ok_or(Refused)?;
        let watched = node.and_then(|node| self.trie.node(node).find(self.bytes, start, behind - 1));
        let Some((index, child)) = watched else {
            return self.item(value, None, End::default());
        };
        let bit = (index & 127) as u8;
        let level = self.objects - 1;
        self.note(Action::Name { level, bit });
        let end = End {
            slot: None,
            root: (level == 0 && self.trie.tells(index)).then_some(bit),
        };
        if self.byte() == b'[' {
            // Each of its items is what is watched.
            self.open(b']', value, Some(child), end)
        } else {
            self.item(value, Some(child), end)
        }
    }

    /// Reads one value, or opens it; `node` says what it is to the trie.
    fn item(&mut self, place: PlaceId, node: Option<NodeId>, mut end: End) -> Result<(), Refused> {
        let node = node.map(|id| (id, self.trie.node(id)));
        if let Some(slot) = node.and_then(|(_, node)| node.slot) {
            if self.captures == DEEPEST {
                return Err(Refused);
            }
            self.note(Action::Open { level: self.captures });
            self.captures += 1;
            end.slot = Some(slot);
        }
        match self.byte() {
            b'{' => {
                let watched = node.filter(|(_, node)| node.has_children()).map(|(id, _)| id);
                if watched.is_some() {
                    if self.objects == DEEPEST {
                        return Err(Refused);
                    }
                    self.note(Action::Clear { level: self.objects });
                    self.objects += 1;
                }
                return self.open(b'}', place, watched, end);
            }
            // An array in an array is watched by nobody.
            b'[' => return self.open(b']', place, None, end),
            b'"' => self.string(place)?,
            b't' | b'n' => self.at += 4,
            b'f' => self.at += 5,
            _ => self.number(place)?,
        }
        self.end(end);
        Ok(())
    }

    fn string(&mut self, place: PlaceId) -> Result<(), Refused> {
        let start = self.at + 1;
        let (behind, _) = end_of_string(self.bytes, start);
        let value = self.bytes.get(start..behind - 1).ok_or(Refused)?;
        if self.aim == Aim::Values {
            self.places.count(place, value);
        } else if self.at - self.text > super::LONGEST_WITH_CONSTANTS || !self.places.is_constant(place, value) {
            self.at = start;
            let to = self.state_at(place, 0)?;
            let usual = self.places.usual_length(place);
            self.emit(Hole::String { usual }, to)?;
            self.text = behind - 1;
        }
        self.at = behind;
        Ok(())
    }

    fn number(&mut self, place: PlaceId) -> Result<(), Refused> {
        let rest = &self.bytes[self.at..];
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E');
        let len = rest.iter().take_while(|byte| is_part(byte)).count();
        if len == 0 {
            return Err(Refused);
        }
        if self.aim == Aim::Edges {
            let to = self.state_at(place, 1)?;
            self.emit(Hole::Number, to)?;
            self.text = self.at + len;
        }
        self.at += len;
        Ok(())
    }

    /// Does what is to be done where a value has ended, in the walker's order.
    fn end(&mut self, end: End) {
        if let Some(slot) = end.slot {
            self.captures -= 1;
            let level = self.captures;
            self.note(Action::Close { level, slot });
        }
        if let Some(child) = end.root {
            self.note(Action::Root { child });
        }
    }

    fn note(&mut self, action: Action) {
        // What lies behind the longest text belongs to a text that no edge takes.
        if let Ok(offset @ ..=LONGEST_OFFSET) = u16::try_from(self.at - self.text)
            && self.aim == Aim::Edges
        {
            self.desk.ops.push(Op { offset, action });
        }
    }

    fn state_at(&mut self, place: PlaceId, kind: usize) -> Result<u32, Refused> {
        let state = self.places.state(place, kind);
        if *state == NONE {
            *state = self.automaton.state().ok_or(Refused)?;
        }
        Ok(*state)
    }

    /// Makes an edge of the text that ends at hand.
    fn emit(&mut self, hole: Hole, to: u32) -> Result<(), Refused> {
        if self.aim == Aim::Values {
            return Ok(());
        }
        let text = &self.bytes[self.text..self.at];
        let fits = self.automaton.add(self.state, text, &self.desk.ops, hole, to);
        self.desk.ops.clear();
        self.state = to;
        if fits { Ok(()) } else { Err(Refused) }
    }
}
