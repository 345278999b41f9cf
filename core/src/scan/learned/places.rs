//! The places of values in lines: paths of names and items, numbered.
//!
//! A place says all that the grammar and the trie know of a value's surroundings: which containers are open (a name
//! stands in an object, an item in an array) and, as the trie goes by names, what is watched.

/// Number of a place.
pub(super) type PlaceId = u32;

/// The root object.
pub(super) const ROOT: PlaceId = 0;

/// Number of a state that does not exist.
pub(super) const NONE: u32 = u32::MAX;

/// Most places, most bytes of a name, and most steps of a search in the table: an adversary chooses the names.
const MOST: usize = 4096;
const LONGEST_NAME: usize = 128;
const MOST_PROBES: usize = 64;

/// Longest value that may become a constant.
const LONGEST_CONSTANT: usize = 96;

/// All places that lines have shown.
#[derive(Debug)]
pub(super) struct Places {
    list: Vec<Place>,
    /// Open addressing: numbers of places, [`NONE`] where there is none; the length is a power of two.
    table: Vec<PlaceId>,
    names: Vec<u8>,
    /// Bytes of constants and tallies.
    values: usize,
}

/// One place.
#[derive(Debug)]
struct Place {
    parent: PlaceId,
    /// Where the name stands in `names`; an item of an array has none.
    name: Option<(u32, u32)>,
    /// The states of a string and of a number here.
    states: [u32; 2],
    tally: Option<Tally>,
    /// The text between the quotes that nearly every line has here.
    constant: Option<Box<[u8]>>,
    /// How many bytes nearly every value here has; 0 if they differ.
    usual: u8,
}

/// How often a place had which value: the vote for the majority of Boyer and Moore, and its count.
#[derive(Debug)]
struct Tally {
    candidate: Box<[u8]>,
    votes: u32,
    hits: u32,
    total: u32,
    /// Length of the first value, 0 if it is very long, and how many have it.
    length: u8,
    as_long: u32,
}

impl Default for Places {
    fn default() -> Self {
        let root = Place {
            parent: NONE,
            name: None,
            states: [NONE; 2],
            tally: None,
            constant: None,
            usual: 0,
        };
        Places {
            list: vec![root],
            table: vec![NONE; 256],
            names: Vec::new(),
            values: 0,
        }
    }
}

impl Places {
    /// The place of the member of that name, or of the items (`None`), in a container at `parent`. `None`: too many.
    pub(super) fn child(&mut self, parent: PlaceId, name: Option<&[u8]>) -> Option<PlaceId> {
        if name.is_some_and(|name| name.len() > LONGEST_NAME) {
            return None;
        }
        let slot = self.slot(parent, name)?;
        if self.table[slot] != NONE {
            return Some(self.table[slot]);
        }
        if self.list.len() == MOST {
            return None;
        }
        let place = self.list.len() as PlaceId;
        let name = name.map(|name| {
            self.names.extend_from_slice(name);
            ((self.names.len() - name.len()) as u32, name.len() as u32)
        });
        self.list.push(Place {
            parent,
            name,
            states: [NONE; 2],
            tally: None,
            constant: None,
            usual: 0,
        });
        self.table[slot] = place;
        if self.list.len() * 2 > self.table.len() {
            self.grow();
        }
        Some(place)
    }

    /// Where in the table a place stands, or would stand.
    fn slot(&self, parent: PlaceId, name: Option<&[u8]>) -> Option<usize> {
        let mask = self.table.len() - 1;
        let first = hash(parent, name) as usize;
        (first..first + MOST_PROBES)
            .map(|slot| slot & mask)
            .find(|&slot| match self.table[slot] {
                NONE => true,
                place => {
                    let place = &self.list[place as usize];
                    place.parent == parent && self.name(place) == name
                }
            })
    }

    fn name(&self, place: &Place) -> Option<&[u8]> {
        place
            .name
            .map(|(start, len)| &self.names[start as usize..start as usize + len as usize])
    }

    fn grow(&mut self) {
        self.table = vec![NONE; self.table.len() * 2];
        for place in 1..self.list.len() {
            let entry = &self.list[place];
            // One that finds no room is forgotten: it will be numbered anew, which costs states, never a verdict.
            if let Some(slot) = self.slot(entry.parent, self.name(entry)) {
                self.table[slot] = place as PlaceId;
            }
        }
    }

    /// The number of the state of a string (0) or number (1) at a place.
    pub(super) fn state(&mut self, place: PlaceId, kind: usize) -> &mut u32 {
        &mut self.list[place as usize].states[kind]
    }

    /// Whether the value is the one that nearly every line has there.
    pub(super) fn is_constant(&self, place: PlaceId, value: &[u8]) -> bool {
        self.list[place as usize].constant.as_deref() == Some(value)
    }

    /// How many bytes nearly every value there has; 0 if they differ.
    pub(super) fn usual_length(&self, place: PlaceId) -> u8 {
        self.list[place as usize].usual
    }

    /// Counts a value.
    pub(super) fn count(&mut self, place: PlaceId, value: &[u8]) {
        let entry = &mut self.list[place as usize];
        let short = value.len() <= LONGEST_CONSTANT;
        let tally = entry.tally.get_or_insert_with(|| Tally {
            candidate: Box::default(),
            votes: 0,
            hits: 0,
            total: 0,
            length: u8::try_from(value.len()).unwrap_or(0),
            as_long: 0,
        });
        tally.total += 1;
        tally.as_long += u32::from(usize::from(tally.length) == value.len());
        if short && *tally.candidate == *value {
            tally.votes += 1;
            tally.hits += 1;
        } else if tally.votes > 0 {
            tally.votes -= 1;
        } else if short {
            self.values = self.values + value.len() - tally.candidate.len();
            tally.candidate = value.into();
            (tally.votes, tally.hits) = (1, 1);
        }
    }

    /// Ends the counting: values that stood in most lines become constants, and lengths that most had are known. All states are
    /// forgotten.
    pub(super) fn settle(&mut self) {
        self.values = 0;
        for place in &mut self.list {
            place.states = [NONE; 2];
            let Some(tally) = place.tally.take().filter(|tally| tally.total >= 8) else {
                continue;
            };
            if tally.as_long * 100 >= tally.total * super::USUAL_PERCENT {
                place.usual = tally.length;
            }
            if tally.hits * 100 >= tally.total * super::CONSTANT_PERCENT {
                self.values += tally.candidate.len();
                place.constant = Some(tally.candidate);
            }
        }
    }

    /// Bytes of memory.
    pub(super) fn size(&self) -> usize {
        self.list.len() * size_of::<Place>() + self.table.len() * size_of::<PlaceId>() + self.names.len() + self.values
    }
}

/// FNV-1a. An adversary may make names collide; the search is short however that turns out.
fn hash(parent: PlaceId, name: Option<&[u8]>) -> u32 {
    const PRIME: u32 = 0x0100_0193;
    let start = parent.wrapping_mul(0x9e37_79b9) ^ u32::from(name.is_some());
    let bytes = name.unwrap_or_default().iter();
    let mixed = bytes.fold(start, |hash, &byte| (hash ^ u32::from(byte)).wrapping_mul(PRIME));
    mixed ^ mixed >> 15
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_number_and_others_have_others() {
        let mut places = Places::default();
        let code = places.child(ROOT, Some(b"code")).unwrap();
        let item = places.child(code, None).unwrap();
        let empty = places.child(code, Some(b"")).unwrap();
        let mut all: Vec<PlaceId> = vec![ROOT, code, item, empty];
        for number in 0..2000 {
            all.push(places.child(item, Some(format!("m{number}").as_bytes())).unwrap());
        }
        assert_eq!(places.child(ROOT, Some(b"code")), Some(code));
        assert_eq!(places.child(code, None), Some(item));
        assert_eq!(places.child(code, Some(b"")), Some(empty));
        assert_eq!(places.child(item, Some(b"m7")), Some(all[11]));
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), 2004);
    }

    #[test]
    fn there_are_not_too_many() {
        let mut places = Places::default();
        assert_eq!(places.child(ROOT, Some(&[b'x'; LONGEST_NAME + 1])), None);
        let given = (0..10_000).filter_map(|number: u32| places.child(ROOT, Some(&number.to_le_bytes())));
        assert!(given.count() < MOST);
        assert!(places.size() < 1 << 20);
    }

    #[test]
    fn what_most_lines_say_is_constant() {
        let mut places = Places::default();
        let [system, id] = [&b"system"[..], b"id"].map(|name| places.child(ROOT, Some(name)).unwrap());
        for number in 0..20u8 {
            places.count(system, b"http://loinc.org");
            places.count(id, &[number]);
        }
        places.settle();
        assert!(places.is_constant(system, b"http://loinc.org"));
        assert!(!places.is_constant(system, b"http://snomed.info"));
        assert!(!places.is_constant(id, b""));
        assert_eq!((places.usual_length(system), places.usual_length(id)), (16, 1));
    }
}
