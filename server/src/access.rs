//! What an asker may have: types, and of some of them only the resources that match a search.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Which resources of a type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Rows {
    /// All of them.
    All,
    /// Those that match at least one of these searches, each written like what follows the `?` of a filter. Never none.
    Matching(Vec<String>),
}

impl Rows {
    /// Whether whoever may have these may have those. Searches are compared as they are written.
    #[must_use]
    pub fn covers(&self, other: &Rows) -> bool {
        match (self, other) {
            (Rows::All, _) => true,
            (Rows::Matching(_), Rows::All) => false,
            (Rows::Matching(own), Rows::Matching(others)) => others.iter().all(|search| own.contains(search)),
        }
    }
}

/// Which types.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reach {
    /// Everything that the server offers.
    Everything,
    /// These, by name.
    Types(BTreeMap<String, Rows>),
}

impl Reach {
    /// What may be had of a type; `None`: nothing.
    #[must_use]
    pub fn rows(&self, type_name: &str) -> Option<&Rows> {
        match self {
            Reach::Everything => Some(&Rows::All),
            Reach::Types(types) => types.get(type_name),
        }
    }
}

impl Reach {
    /// Whether whoever has this reach may have what was exported of a type under that one.
    #[must_use]
    pub fn covers(&self, type_name: &str, other: &Reach) -> bool {
        let had = other.rows(type_name).unwrap_or(&Rows::All);
        self.rows(type_name).is_some_and(|own| own.covers(had))
    }
}

/// Somebody who may ask: who, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The client's id.
    pub client: String,
    /// Whose jobs are its: the client by this registration. One that is added later under the same id is another.
    pub owner: String,
    /// What it may have.
    pub reach: Reach,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_does_not_cover_more() {
        let matching = |searches: &[&str]| Rows::Matching(searches.iter().map(|&text| text.to_owned()).collect());
        assert!(Rows::All.covers(&Rows::All) && Rows::All.covers(&matching(&["a=b"])));
        assert!(matching(&["a=b", "c=d"]).covers(&matching(&["c=d"])));
        assert!(!matching(&["c=d"]).covers(&matching(&["a=b", "c=d"])));
        assert!(!matching(&["a=b"]).covers(&Rows::All));
    }

    #[test]
    fn a_reach_covers_what_it_has_itself() {
        let types = |names: &[&str]| Reach::Types(names.iter().map(|&name| (name.to_owned(), Rows::All)).collect());
        assert!(Reach::Everything.covers("Patient", &types(&["Patient"])));
        assert!(types(&["Patient"]).covers("Patient", &Reach::Everything));
        assert!(!types(&["Condition"]).covers("Patient", &types(&["Patient", "Condition"])));
    }
}
