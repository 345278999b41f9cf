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

/// Somebody who may ask: who, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// The client's id, which its jobs belong to.
    pub client: String,
    /// What it may have.
    pub reach: Reach,
}
