//! What is known by a text, where a server or a file may name any number of them: one tree for values of every kind.
//!
//! As with [`crate::order`], the standard library's tree is compiled once, and not anew for each type of values.

use std::collections::BTreeMap;

/// Values by name. Nothing can be taken out.
#[derive(Clone, Debug)]
pub struct Named<V> {
    /// The places of the values.
    places: BTreeMap<Box<str>, usize>,
    values: Vec<V>,
}

impl<V> Default for Named<V> {
    fn default() -> Self {
        Named {
            places: BTreeMap::new(),
            values: Vec::new(),
        }
    }
}

impl<V> Named<V> {
    /// The place of a name, and whether it is a new one: then its value has to be put there.
    fn place(&mut self, name: &str) -> (usize, bool) {
        match self.places.get(name) {
            Some(&place) => (place, false),
            None => {
                let place = self.values.len();
                self.places.insert(name.into(), place);
                (place, true)
            }
        }
    }

    /// What is known by a name.
    pub fn get(&self, name: &str) -> Option<&V> {
        self.places.get(name).map(|&place| &self.values[place])
    }

    /// What is known by a name, to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut V> {
        self.places.get(name).map(|&place| &mut self.values[place])
    }

    /// What is known by a name, made if there is nothing yet.
    pub fn slot_with(&mut self, name: &str, make: impl FnOnce() -> V) -> &mut V {
        let (place, is_new) = self.place(name);
        if is_new {
            self.values.push(make());
        }
        &mut self.values[place]
    }

    /// What is known by a name; if there is nothing yet, the default.
    pub fn slot(&mut self, name: &str) -> &mut V
    where
        V: Default,
    {
        self.slot_with(name, V::default)
    }

    /// How many names.
    pub fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is no name.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Everything, in the order of the names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &V)> {
        self.places.iter().map(|(name, &place)| (&**name, &self.values[place]))
    }
}

impl Named<()> {
    /// Adds a name. `false`: it was there.
    pub fn add(&mut self, name: &str) -> bool {
        let (_, is_new) = self.place(name);
        if is_new {
            self.values.push(());
        }
        is_new
    }
}

impl<V: PartialEq> PartialEq for Named<V> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

impl<V: Eq> Eq for Named<V> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_by_name_in_order() {
        let mut named: Named<u32> = Named::default();
        assert!(named.is_empty() && named.get("a").is_none());
        for name in ["b", "a", "b", ""] {
            *named.slot(name) += 1;
        }
        *named.slot_with("c", || 7) += 1;
        *named.get_mut("a").expect("known") += 4;
        assert!(named.get_mut("d").is_none());
        assert!(named.iter().eq([("", &1), ("a", &5), ("b", &2), ("c", &8)]));
        assert_eq!((named.len(), named.get("b")), (4, Some(&2)));
    }

    #[test]
    fn equal_is_what_holds_the_same_whatever_came_first() {
        let of = |names: &[(&str, u32)]| {
            let mut named = Named::default();
            for (name, value) in names {
                named.slot_with(name, || *value);
            }
            named
        };
        assert_eq!(of(&[("a", 1), ("b", 2)]), of(&[("b", 2), ("a", 1), ("a", 3)]));
        assert_ne!(of(&[("a", 1)]), of(&[("a", 2)]));
        assert_ne!(of(&[("a", 1)]), of(&[("a", 1), ("b", 2)]));
    }

    #[test]
    fn a_set_says_what_is_new() {
        let mut names = Named::default();
        assert!(names.add("a") && names.add("b") && !names.add("a"));
        assert_eq!(names.len(), 2);
    }
}
