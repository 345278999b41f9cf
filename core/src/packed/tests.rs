//! The packer, and what is committed held against the tables: `UPDATE_TABLES=1 cargo test -p fhirehose-core packed`.

use std::collections::HashMap;

use super::*;

/// How many earlier places of two bytes are looked at.
const LOOKED_AT: usize = 4000;
const LONGEST: usize = SHORTEST + 255;

#[derive(Clone, Copy)]
enum Step {
    Literal,
    /// Length and distance.
    New(usize, usize),
    /// Length, and which of the two last distances.
    Known(usize, usize),
}

impl Step {
    fn len(self) -> usize {
        match self {
            Step::Literal => 1,
            Step::New(len, _) | Step::Known(len, _) => len,
        }
    }
}

/// What the unpacker knows between two steps.
#[derive(Clone, Copy)]
struct Course {
    distances: [usize; 2],
    steps: usize,
}

const START: Course = Course {
    distances: [1; 2],
    steps: 0,
};

impl Course {
    fn after(self, step: Step) -> Course {
        let [first, second] = self.distances;
        let (distances, repeats) = match step {
            Step::Literal => (self.distances, 0),
            Step::New(_, distance) => ([distance, first], 1),
            Step::Known(_, 0) => (self.distances, 1),
            Step::Known(..) => ([second, first], 1),
        };
        Course {
            distances,
            steps: (self.steps << 1 | repeats) & 7,
        }
    }
}

/// Takes bits to their places: writes them, or says what they cost.
trait Coder {
    fn bit(&mut self, at: usize, bit: bool);

    fn tree(&mut self, at: usize, bits: u32, value: usize) {
        (0..bits).rev().fold(1, |node, shift| {
            let bit = value >> shift & 1;
            self.bit(at + node, bit == 1);
            node << 1 | bit
        });
    }

    fn length(&mut self, known: bool, len: usize) {
        self.tree(LENGTHS + (usize::from(known) << 8), 8, len - SHORTEST);
    }

    fn distance(&mut self, len: usize, distance: usize) {
        let magnitude = distance.ilog2() as usize;
        let half = if magnitude > 0 {
            distance >> (magnitude - 1) & 1
        } else {
            0
        };
        let slot = (magnitude + 1) << 1 | half;
        self.tree(SLOTS + ((len - SHORTEST).min(3) << 6), 6, slot);
        for bit in (0..magnitude.saturating_sub(1)).rev() {
            self.bit(RESTS + (slot << 5) + bit, distance >> bit & 1 == 1);
        }
    }

    fn step(&mut self, text: &[u8], at: usize, step: Step, steps: usize) {
        self.bit(REPEATS + steps, !matches!(step, Step::Literal));
        match step {
            Step::Literal => {
                let before = at.checked_sub(1).map_or(0, |at| text[at]);
                self.tree(LITERALS + (usize::from(before) << 8), 8, usize::from(text[at]));
            }
            Step::New(len, distance) => {
                self.bit(KNOWN + steps, false);
                self.length(false, len);
                self.distance(len, distance);
            }
            Step::Known(len, which) => {
                self.bit(KNOWN + steps, true);
                self.bit(SECOND + steps, which == 1);
                self.length(true, len);
            }
        }
    }
}

struct Writer {
    low: u64,
    range: u32,
    places: Vec<Place>,
    out: Vec<u8>,
    /// The last byte and those of all ones behind it, which a carry may still change.
    open: (Option<u8>, usize),
}

impl Writer {
    fn new() -> Self {
        Writer {
            low: 0,
            range: u32::MAX,
            places: vec![FRESH; PLACES],
            out: Vec::new(),
            open: (None, 0),
        }
    }

    fn shift(&mut self) {
        let carry = (self.low >> 32) as u8;
        if carry > 0 || self.low < 0xff00_0000 {
            let (last, ones) = self.open;
            self.out.extend(last.map(|last| last.wrapping_add(carry)));
            self.out.extend(std::iter::repeat_n(0xff_u8.wrapping_add(carry), ones));
            self.open = (Some((self.low >> 24) as u8), 0);
        } else {
            self.open.1 += 1;
        }
        self.low = (self.low & 0x00ff_ffff) << 8;
    }
}

impl Coder for Writer {
    fn bit(&mut self, at: usize, bit: bool) {
        let place = &mut self.places[at];
        let bound = (self.range >> 16) * chance(place);
        learn(place, bit);
        if bit {
            self.range = bound;
        } else {
            self.low += u64::from(bound);
            self.range -= bound;
        }
        while self.range < 1 << 24 {
            self.range <<= 8;
            self.shift();
        }
    }
}

struct Price<'p> {
    places: &'p [Place],
    bits: f32,
}

impl Coder for Price<'_> {
    fn bit(&mut self, at: usize, bit: bool) {
        let set = chance(&self.places[at]) as f32 / 65_536.0;
        self.bits -= if bit { set } else { 1.0 - set }.log2();
    }
}

fn price(places: &[Place], code: impl FnOnce(&mut Price<'_>)) -> f32 {
    let mut price = Price { places, bits: 0.0 };
    code(&mut price);
    price.bits
}

/// For each place the longer and longer repetitions that begin there, the nearest of each length.
fn repetitions(text: &[u8]) -> Vec<Vec<(usize, usize)>> {
    let mut earlier: HashMap<&[u8], Vec<usize>> = HashMap::new();
    let found = (0..text.len()).map(|at| {
        let mut found = Vec::new();
        let places = earlier.entry(&text[at..text.len().min(at + 2)]).or_default();
        let mut longest = SHORTEST - 1;
        for place in places.iter().rev().take(LOOKED_AT) {
            let len = same(text, at, at - place);
            if len > longest {
                longest = len;
                found.push((len, at - place));
            }
        }
        places.push(at);
        found
    });
    found.collect()
}

fn same(text: &[u8], at: usize, distance: usize) -> usize {
    let Some(from) = at.checked_sub(distance) else { return 0 };
    let pairs = text[from..].iter().zip(&text[at..]).take(LONGEST);
    pairs.take_while(|(one, other)| one == other).count()
}

/// The cheapest way to a place: its cost, its last step, what is known then.
type Way = (f32, Step, Course);

/// The cheapest steps, as far as can be told beforehand.
fn steps(text: &[u8], found: &[Vec<(usize, usize)>], places: &[Place]) -> Vec<Step> {
    let mut ways: Vec<Way> = vec![(f32::MAX, Step::Literal, START); text.len() + 1];
    ways[0].0 = 0.0;
    let lengths = [false, true].map(|known| {
        let lengths = SHORTEST..=LONGEST;
        lengths
            .map(|len| price(places, |price| price.length(known, len)))
            .collect::<Vec<_>>()
    });
    for at in 0..text.len() {
        let (cost, _, course) = ways[at];
        let mut offer = |step: Step, bits: f32| {
            let way = &mut ways[at + step.len()];
            if cost + bits < way.0 {
                *way = (cost + bits, step, course.after(step));
            }
        };
        let literal = price(places, |price| price.step(text, at, Step::Literal, course.steps));
        offer(Step::Literal, literal);
        for (which, distance) in course.distances.into_iter().enumerate() {
            let head = price(places, |price| {
                price.bit(REPEATS + course.steps, true);
                price.bit(KNOWN + course.steps, true);
                price.bit(SECOND + course.steps, which == 1);
            });
            for len in SHORTEST..=same(text, at, distance) {
                offer(Step::Known(len, which), head + lengths[1][len - SHORTEST]);
            }
        }
        let head = price(places, |price| {
            price.bit(REPEATS + course.steps, true);
            price.bit(KNOWN + course.steps, false);
        });
        let mut shortest = SHORTEST;
        for (longest, distance) in &found[at] {
            let far = [0, 1, 2, 3].map(|more| price(places, |price| price.distance(SHORTEST + more, *distance)));
            for len in shortest..=*longest {
                let more = len - SHORTEST;
                offer(Step::New(len, *distance), head + lengths[0][more] + far[more.min(3)]);
            }
            shortest = longest + 1;
        }
    }
    let mut steps = Vec::new();
    let mut at = text.len();
    while at > 0 {
        steps.push(ways[at].1);
        at -= ways[at].1.len();
    }
    steps.reverse();
    steps
}

fn pack(text: &[u8]) -> Vec<u8> {
    let found = repetitions(text);
    let mut places = vec![FRESH; PLACES];
    let tries = (0..5).map(|_| {
        let mut writer = Writer::new();
        let (mut at, mut course) = (0, START);
        for step in steps(text, &found, &places) {
            writer.step(text, at, step, course.steps);
            at += step.len();
            course = course.after(step);
        }
        (0..5).for_each(|_| writer.shift());
        places = writer.places;
        let len = writer.out.iter().rposition(|byte| *byte != 0).map_or(0, |at| at + 1);
        writer.out.truncate(len);
        writer.out
    });
    let coded = tries.min_by_key(Vec::len).unwrap_or_default();
    [&(text.len() as u32).to_le_bytes()[..], &coded].concat()
}

#[test]
fn what_is_committed_is_the_tables() {
    let generated = concat!(env!("CARGO_MANIFEST_DIR"), "/src/search/generated");
    for name in ["r4", "folding"] {
        let table = std::fs::read(format!("{generated}/{name}.table")).expect("the table can be read");
        let path = format!("{generated}/{name}.packed");
        if std::env::var_os("UPDATE_TABLES").is_some() {
            std::fs::write(&path, pack(&table)).expect("what is packed can be written");
        }
        let packed = std::fs::read(&path).expect("what is packed can be read");
        assert!(
            unpack(&packed) == table,
            "{name} is another one; UPDATE_TABLES=1 writes it"
        );
        assert!(packed.len() * 2 < table.len(), "{name}: {} bytes", packed.len());
    }
}

#[test]
fn what_is_packed_comes_out_again() {
    let long: Vec<u8> = (0..700_u32).map(|number| (number * number / 7 % 253) as u8).collect();
    let texts: [&[u8]; 7] = [
        b"",
        b"a",
        b"aaaaaaaaaaaa",
        b"abcabcabdabcabd",
        &[0xff; 3000],
        &long,
        &long.repeat(3),
    ];
    for text in texts {
        let packed = pack(text);
        assert_eq!(unpack(&packed), text);
        // Cut short it is another text of that length, and no panic.
        for end in 0..packed.len().min(64) {
            let wanted = if end < 4 { 0 } else { text.len() };
            assert_eq!(unpack(&packed[..end]).len(), wanted);
        }
    }
}
