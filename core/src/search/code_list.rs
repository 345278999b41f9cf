//! The codes of one value set that the user supplied: pairs of system and code.

use std::collections::HashSet;

use crate::order::Map;

/// Pairs of system and code; a code without system has the empty one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeList {
    by_system: Map<String, HashSet<String>>,
}

impl CodeList {
    /// Whether a code is listed under that system.
    pub fn contains(&self, system: &str, code: &str) -> bool {
        self.by_system.get(system).is_some_and(|codes| codes.contains(code))
    }

    /// Adds a code of a system.
    pub fn insert(&mut self, system: String, code: String) {
        self.by_system.slot(system).insert(code);
    }

    /// Takes a code of a system out.
    pub fn remove(&mut self, system: &str, code: &str) {
        if let Some(codes) = self.by_system.get_mut(system) {
            codes.remove(code);
            if codes.is_empty() {
                self.by_system.remove(system);
            }
        }
    }

    /// System and code of each, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let systems = self.by_system.iter();
        systems.flat_map(|(system, codes)| codes.iter().map(|code| (system.as_str(), code.as_str())))
    }

    /// How many codes.
    pub fn len(&self) -> usize {
        self.by_system.values().map(HashSet::len).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.by_system.is_empty()
    }
}

impl Extend<(String, String)> for CodeList {
    fn extend<T: IntoIterator<Item = (String, String)>>(&mut self, pairs: T) {
        for (system, code) in pairs {
            self.insert(system, code);
        }
    }
}

impl FromIterator<(String, String)> for CodeList {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(pairs: T) -> Self {
        let mut list = CodeList::default();
        list.extend(pairs);
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_taken_out_is_as_if_it_had_never_been_there() {
        let pair = |system: &str, code: &str| (system.to_owned(), code.to_owned());
        let mut list = CodeList::from_iter([pair("s", "a"), pair("s", "b"), pair("", "a"), pair("s", "a")]);
        assert_eq!(list.len(), 3);
        assert!(list.contains("s", "a") && list.contains("", "a") && !list.contains("", "b"));
        list.remove("", "a");
        list.remove("t", "a");
        assert_eq!(list, CodeList::from_iter([pair("s", "a"), pair("s", "b")]));
        list.remove("s", "a");
        list.remove("s", "b");
        assert!(list.is_empty() && list == CodeList::default());
    }
}
