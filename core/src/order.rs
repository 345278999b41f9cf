//! Sorting, and maps kept as sorted lists, for what is small or seldom: one routine for items of every kind.
//!
//! The standard library compiles its sorts and trees anew for each type, some kilobytes each, which a module for browsers
//! has to carry. Here the comparisons are called by address; what is sorted per line or in millions is better off there.

use std::borrow::Borrow;
use std::cmp::Ordering;

/// Sorts; equal items stay in their order.
pub fn sort_by<T>(list: &mut [T], mut compare: impl FnMut(&T, &T) -> Ordering) {
    let mut places = places(list.len(), &mut |one, other| compare(&list[one], &list[other]));
    for at in 0..places.len() {
        // Where the item went that stood there at the beginning.
        let mut from = places[at];
        while from < at {
            from = places[from];
        }
        places[at] = from;
        list.swap(at, from);
    }
}

/// Sorts by what is made of each item.
pub fn sort_by_key<T, K: Ord>(list: &mut [T], key: impl Fn(&T) -> K) {
    sort_by(list, |one, other| key(one).cmp(&key(other)));
}

/// Sorts.
pub fn sort<T: Ord>(list: &mut [T]) {
    sort_by(list, T::cmp);
}

/// The places of the items in their order.
fn places(len: usize, compare: &mut dyn FnMut(usize, usize) -> Ordering) -> Vec<usize> {
    let mut places: Vec<usize> = (0..len).collect();
    let mut merged = Vec::with_capacity(len);
    // Runs of one are in order; two that stand beside each other become one of twice the length.
    let mut run = 1;
    while run < len {
        for pair in places.chunks(2 * run) {
            let (mut first, mut second) = pair.split_at(run.min(pair.len()));
            while let ([one, first_rest @ ..], [other, second_rest @ ..]) = (first, second) {
                if compare(*one, *other) == Ordering::Greater {
                    merged.push(*other);
                    second = second_rest;
                } else {
                    merged.push(*one);
                    first = first_rest;
                }
            }
            merged.extend_from_slice(first);
            merged.extend_from_slice(second);
        }
        std::mem::swap(&mut places, &mut merged);
        merged.clear();
        run *= 2;
    }
    places
}

/// A map as a list that is sorted by key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map<K, V> {
    entries: Vec<(K, V)>,
}

impl<K, V> Default for Map<K, V> {
    fn default() -> Self {
        Map { entries: Vec::new() }
    }
}

impl<K: Ord, V> Map<K, V> {
    /// With the first of the entries of each key.
    pub fn of_first(mut entries: Vec<(K, V)>) -> Self {
        sort_by(&mut entries, |one, other| one.0.cmp(&other.0));
        entries.dedup_by(|next, kept| next.0 == kept.0);
        Map { entries }
    }

    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.entries.binary_search_by(|(known, _)| known.borrow().cmp(key))
    }

    /// What belongs to a key.
    pub fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|at| &self.entries[at].1)
    }

    /// Whether there is such a key.
    pub fn contains_key<Q: Ord + ?Sized>(&self, key: &Q) -> bool
    where
        K: Borrow<Q>,
    {
        self.place(key).is_ok()
    }

    /// What belongs to a key, to change it.
    pub fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|at| &mut self.entries[at].1)
    }

    /// Takes a key out, if it is there; gives what belonged to it.
    pub fn remove<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.place(key).ok().map(|at| self.entries.remove(at).1)
    }

    /// The entries from this key on, in order.
    pub fn from<Q: Ord + ?Sized>(&self, key: &Q) -> impl Iterator<Item = (&K, &V)>
    where
        K: Borrow<Q>,
    {
        let (Ok(at) | Err(at)) = self.place(key);
        self.entries[at..].iter().map(|(key, value)| (key, value))
    }

    /// What belongs to a key, made if there is nothing yet.
    pub fn slot_with(&mut self, key: K, make: impl FnOnce(&K) -> V) -> &mut V {
        let at = self.place(&key).unwrap_or_else(|at| {
            let value = make(&key);
            self.entries.insert(at, (key, value));
            at
        });
        &mut self.entries[at].1
    }

    /// What belongs to a key; if there is nothing yet, the default.
    pub fn slot(&mut self, key: K) -> &mut V
    where
        V: Default,
    {
        self.slot_with(key, |_| V::default())
    }

    /// Puts something in for a key; gives what was there.
    pub fn insert(&mut self, key: K, value: V) -> Option<V> {
        match self.place(&key) {
            Ok(at) => Some(std::mem::replace(&mut self.entries[at].1, value)),
            Err(at) => {
                self.entries.insert(at, (key, value));
                None
            }
        }
    }
}

impl<K, V> Map<K, V> {
    /// How many keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The entries, in order.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (&K, &V)> + Clone {
        self.entries.iter().map(|(key, value)| (key, value))
    }

    /// What belongs to the keys, in their order.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.entries.iter().map(|(_, value)| value)
    }

    /// Keeps only some entries.
    pub fn retain(&mut self, mut is_kept: impl FnMut(&K, &V) -> bool) {
        self.entries.retain(|(key, value)| is_kept(key, value));
    }
}

impl<K, V> IntoIterator for Map<K, V> {
    type Item = (K, V);
    type IntoIter = std::vec::IntoIter<(K, V)>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Numbers without an order to them.
    fn numbers(count: u32) -> Vec<(u32, u32)> {
        (0..count).map(|number| (number * number % 97 % 31, number)).collect()
    }

    #[test]
    fn lists_are_sorted_as_by_the_standard_library() {
        for count in [0, 1, 2, 3, 20, 500] {
            let mut own = numbers(count);
            let mut expected = own.clone();
            sort_by_key(&mut own, |(key, _)| *key);
            expected.sort_by_key(|(key, _)| *key);
            assert_eq!(own, expected, "equal ones stay in order");
            own.reverse();
            sort(&mut own);
            expected.sort();
            assert_eq!(own, expected);
        }
    }

    #[test]
    fn a_map_is_as_a_tree() {
        let (mut own, mut expected) = (Map::default(), BTreeMap::new());
        for (key, number) in numbers(300) {
            match number % 3 {
                0 => drop(own.insert(key, number)),
                1 => *own.slot(key) += number,
                _ => drop(own.slot_with(key, |_| number)),
            }
            match number % 3 {
                0 => drop(expected.insert(key, number)),
                1 => *expected.entry(key).or_default() += number,
                _ => drop(expected.entry(key).or_insert(number)),
            }
        }
        assert!(own.iter().eq(&expected) && own.values().eq(expected.values()));
        assert_eq!((own.len(), own.is_empty()), (expected.len(), false));
        assert_eq!(own.get(&5), expected.get(&5));
        assert!(!own.contains_key(&1000));
        assert!(own.from(&7).eq(expected.range(7..)) && own.from(&1000).next().is_none());
        *own.get_mut(&8).expect("a key") += 1;
        *expected.get_mut(&8).expect("a key") += 1;
        own.remove(&10);
        expected.remove(&10);
        own.retain(|key, _| key % 2 == 0);
        expected.retain(|key, _| key % 2 == 0);
        assert!(own.into_iter().eq(expected));
        let first = Map::of_first(vec![(2, 'a'), (1, 'b'), (2, 'c'), (1, 'd')]);
        assert!(first.iter().eq([(&1, &'b'), (&2, &'a')]));
    }
}
