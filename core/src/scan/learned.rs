//! The learned literal automaton: lines of one type from one producer are constant text with holes, so learn the text.
//!
//! ```text
//!  START ──{"resourceType":"Observation","id":"──▶ (id) ──","meta":{"lastUpdated":"──▶ (meta.lastUpdated) ──▶ …
//!                                              hole: a string                    hole: a string
//!
//!  (category[].coding[].code) ─┬─"}]}],"code":{"coding":[{"system":"──▶ (code.coding[].system)     the longest text first,
//!                              └─"},{"system":"──▶ (category[].coding[].system)                   shorter ones behind it
//!                                                        │ no text is equal
//!                                                        ▼
//!                             the line is unknown: the walker reads it from its start, and may teach it
//! ```
//!
//! A *state* is the place of a value (the names and arrays that lead to it) and whether it is a string or a number. So a
//! state knows which containers are open and which names the trie watches there: a text that was valid behind
//! this state in one line is valid behind it in every line, and arrays of any length go round. An *edge* is the exact text
//! up to the next hole. It only ever comes from a line that the walker has accepted to its last byte, and carries *actions*:
//! where a captured value begins and ends, where a watched name stands, where a member of the root closes. The run does
//! them in the walker's order with the walker's arguments, so a [`Watch`] cannot tell one from the other.
//!
//! What is in a hole is checked as the walker checks it: a string is searched for its first special byte, and the rest of
//! it goes through the walker's own test of escapes and UTF-8 if that is not the closing quote; a number by its grammar.
//! Texts may be taught in one order here and in another there, so a name that stands twice is found by marks, as in the
//! walker. Names with escapes are never learned.
//!
//! The automaton has no verdict of its own. Whatever it does not know, valid or not, is *unknown*, and the walker reads the
//! line again from its start. What has been learned depends on the lines gone by; what comes of a line does not.
//!
//! Strings that nearly every line of a sample has at a place become part of the text; the hole stays as a second choice.
//! Everything is bounded: edges, their texts, places, lessons. Input that is different in every line is soon left to the
//! walker.

mod automaton;
mod lesson;
mod pace;
mod places;

use self::automaton::{Automaton, Marks};
use self::lesson::{Aim, Desk, Lesson};
use self::pace::Pace;
use self::places::Places;
use super::slots::Capture;
use super::trie::Trie;
use super::walk::{self, Flow, WalkScratch, Walked, Watch};

/// A string is constant if so many lines of a hundred have it.
const CONSTANT_PERCENT: u32 = 60;

/// A string has a usual length if so many lines of a hundred agree.
const USUAL_PERCENT: u32 = 90;

/// A text with constants in it grows no longer than this and one constant: texts that begin alike are compared in turn.
const LONGEST_WITH_CONSTANTS: usize = 256;

/// Lines whose values are counted, and one in how many is.
const SAMPLES: u32 = 48;
const SAMPLE_EVERY: u32 = 4;

/// What has been learned of the lines of one type under one trie.
#[derive(Debug)]
pub struct Learned {
    automaton: Automaton,
    marks: Marks,
    places: Places,
    pace: Pace,
    desk: Desk,
    /// Of the lessons.
    walk: WalkScratch,
    samples: u32,
    until_sample: u32,
    /// Nothing more fits in.
    full: bool,
}

impl Default for Learned {
    fn default() -> Self {
        Learned {
            automaton: Automaton::default(),
            marks: Marks::default(),
            places: Places::default(),
            pace: Pace::default(),
            desk: Desk::default(),
            walk: WalkScratch::default(),
            samples: SAMPLES,
            until_sample: SAMPLE_EVERY,
            full: false,
        }
    }
}

/// How far the walker came with a line that is to be learned from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Checked {
    /// To its end.
    Whole,
    /// Not to its end: the rest may be wrong.
    Part,
}

impl Learned {
    /// Reads the line that starts at `start`, as [`walk::line`] does. `None`: the line is unknown, or this is no time to
    /// try; nothing is known of it then, and the watcher has to begin anew.
    #[inline]
    pub fn line<W: Watch>(
        &mut self,
        bytes: &[u8],
        start: usize,
        scratch: &mut WalkScratch,
        watch: &mut W,
    ) -> Option<Walked> {
        if self.pace.rests() {
            return None;
        }
        let walked = self
            .automaton
            .run(bytes, start, &mut self.marks, &mut scratch.captures, watch);
        if self.pace.count() {
            self.look(bytes, start, walked);
        }
        walked
    }

    #[cold]
    fn look(&mut self, bytes: &[u8], start: usize, walked: Option<Walked>) {
        let end = match walked {
            Some(Walked::Whole(end) | Walked::Stopped(end, _)) => end,
            None => memchr::memchr(b'\n', &bytes[start..]).map_or(bytes.len(), |len| start + len),
        };
        self.pace.look(&bytes[start..end], walked.is_none());
    }

    /// Whether [`Learned::learn`] may have a use for the line that was read last.
    #[inline]
    pub fn learns(&self, by_walker: bool) -> bool {
        (by_walker || self.samples > 0) && !self.pace.is_resting()
    }

    /// Learns from the line that was read last: by the walker, which accepted it as far as it read, or by
    /// [`Learned::line`].
    #[inline(never)]
    pub fn learn(&mut self, trie: &Trie, bytes: &[u8], start: usize, by_walker: bool, checked: Checked) {
        let is_sample = self.samples > 0 && {
            self.until_sample -= 1;
            self.until_sample == 0
        };
        let is_lesson = by_walker && !self.full && self.pace.may_learn();
        if is_sample {
            // Spent whatever the line is: to look for a good one could mean to walk every line.
            self.until_sample = SAMPLE_EVERY;
            self.samples -= 1;
        }
        let is_wanted = is_sample || is_lesson;
        if is_wanted && (checked == Checked::Whole || self.is_valid(trie, bytes, start)) {
            if is_lesson && self.teach(trie, bytes, start, Aim::Edges).is_err() {
                // A line that cannot be learned is no reason to stop; too many edges are.
                self.full = self.automaton.is_full();
            }
            if is_sample {
                // What of the line was counted stays counted.
                let _ = self.teach(trie, bytes, start, Aim::Values);
            }
        }
        if is_sample && self.samples == 0 {
            self.places.settle();
            self.automaton.clear();
            self.pace = Pace::default();
            self.full = false;
        }
    }

    fn teach(&mut self, trie: &Trie, bytes: &[u8], start: usize, aim: Aim) -> Result<(), lesson::Refused> {
        Lesson::new(
            bytes,
            start,
            trie,
            &mut self.places,
            &mut self.automaton,
            &mut self.desk,
            aim,
        )
        .read()
    }

    /// Whether a line is right to its end; only then it teaches.
    fn is_valid(&mut self, trie: &Trie, bytes: &[u8], start: usize) -> bool {
        let walked = walk::line(bytes, start, trie, &mut self.walk, &mut ToTheEnd);
        matches!(walked, Ok(Walked::Whole(_)))
    }

    /// Bytes of memory, about.
    pub fn size(&self) -> usize {
        size_of::<Self>() + self.automaton.size() + self.places.size() + self.desk.size()
    }

    /// How many edges have been learned.
    pub fn edges(&self) -> usize {
        self.automaton.edges()
    }
}

struct ToTheEnd;

impl Watch for ToTheEnd {
    fn root_closed(&mut self, _: usize, _: &[u8], _: usize, _: &[Capture]) -> Flow {
        Flow::Continue
    }
}

#[cfg(test)]
mod tests;
