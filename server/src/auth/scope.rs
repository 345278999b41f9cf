//! Scopes: what a client asks for, what it is registered for, and the reach of both together.
//!
//! Read are `system/Type.read` and `.*` (first version), `system/Type.rs` and whatever else holds `r` and `s` (second),
//! `*` in place of the type, and searches behind the second (`system/Observation.rs?category=laboratory`). Everything is
//! granted for reading only. A granted text says exactly what was granted: its reach is read from it again with each call.

use std::collections::BTreeMap;
use std::fmt;

use fhirehose_core::plan::Plan;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;

use crate::access::{Reach, Rows};

/// Most bytes of a list of scopes, asked for or granted: the granted ones travel in the header of every request.
pub const MOST_BYTES: usize = 8 * 1024;

/// Most scopes of a list, asked for or granted.
pub const MOST_SCOPES: usize = 300;

/// Why a list of scopes is refused. Says which scope, without its search.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScopeFault(String);

impl fmt::Display for ScopeFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ScopeFault {}

impl ScopeFault {
    fn of(scope: &str, what: &str) -> Self {
        ScopeFault(format!("{} {what}", shown(scope)))
    }
}

/// A scope as far as it may be told: without its search, which may name a patient, and without what an OAuth error cannot
/// hold.
fn shown(scope: &str) -> String {
    let name = scope.split('?').next().unwrap_or_default();
    let fits = |letter: &char| letter.is_ascii_graphic() && !matches!(letter, '"' | '\\');
    name.chars().filter(fits).take(60).collect()
}

/// The two ways to write what may be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spelling {
    /// `.read`
    First,
    /// `.rs`
    Second,
}

/// One scope, which reads.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Scope {
    spelling: Spelling,
    /// `None`: of all types.
    type_name: Option<String>,
    /// What stands behind the `?`. Only with a type, in the second spelling.
    search: Option<String>,
}

impl Scope {
    fn parse(text: &str, registry: &Registry) -> Result<Self, ScopeFault> {
        let fault = |what| Err(ScopeFault::of(text, what));
        let Some(rest) = text.strip_prefix("system/") else {
            return fault("is no scope of this server: all of them begin with system/");
        };
        let (rest, search) = match rest.split_once('?') {
            Some((rest, search)) => (rest, Some(search)),
            None => (rest, None),
        };
        let Some((type_name, may)) = rest.split_once('.') else {
            return fault("does not say what may be done: .read or .rs is missing");
        };
        if type_name != "*" && !registry.is_type(type_name) {
            return fault("names no resource type");
        }
        let spelling = match may {
            "read" | "*" => Spelling::First,
            "write" => return fault("does not read, and this server only reads"),
            may if !is_of_second(may) => return fault("does not say what may be done: .read or .rs is missing"),
            may if !(may.contains('r') && may.contains('s')) => {
                return fault("does not read: an export needs both r and s");
            }
            _ => Spelling::Second,
        };
        if let Some(search) = search {
            if spelling == Spelling::First || type_name == "*" {
                return fault("cannot have a search: that needs one type, and .rs");
            }
            if search.is_empty() || !search.bytes().all(is_of_search) {
                return fault("has a search that cannot be read; other characters are percent-encoded");
            }
        }
        Ok(Scope {
            spelling,
            type_name: (type_name != "*").then(|| type_name.to_owned()),
            search: search.map(str::to_owned),
        })
    }
}

/// Some letters of `cruds`, in that order.
fn is_of_second(may: &str) -> bool {
    let mut letters = "cruds".chars();
    !may.is_empty() && may.chars().all(|letter| letters.any(|known| known == letter))
}

/// What RFC 6749 lets a scope hold, without `?`: `a=b,Patient?c=d` would be two filters, and what is added behind it would
/// narrow the last one alone.
fn is_of_search(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'?')
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let may = match self.spelling {
            Spelling::First => "read",
            Spelling::Second => "rs",
        };
        write!(f, "system/{}.{may}", self.type_name.as_deref().unwrap_or("*"))?;
        match &self.search {
            Some(search) => write!(f, "?{search}"),
            None => Ok(()),
        }
    }
}

/// A list of scopes, each of which reads.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Vec<Scope>);

impl fmt::Display for Scopes {
    /// The scopes as they are granted: each for reading only, separated by blanks.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, scope) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            scope.fmt(f)?;
        }
        Ok(())
    }
}

impl Scopes {
    /// Reads a list. Fails with the first scope that is none, that does not read, whose type is not known, or whose search
    /// does not compile; an empty list fails too.
    pub fn parse(text: &str, registry: &Registry) -> Result<Scopes, ScopeFault> {
        let scopes = Scopes::read(text, registry)?;
        scopes.compile(registry)?;
        Ok(scopes)
    }

    fn read(text: &str, registry: &Registry) -> Result<Scopes, ScopeFault> {
        if text.len() > MOST_BYTES {
            return Err(ScopeFault(format!(
                "the scopes are too long: at most {MOST_BYTES} bytes are taken"
            )));
        }
        let mut scopes = Scopes::default();
        for text in text.split(' ').filter(|text| !text.is_empty()) {
            scopes.add(Scope::parse(text, registry)?)?;
        }
        if scopes.0.is_empty() {
            return Err(ScopeFault(
                "a scope is needed, for example system/Patient.read".to_owned(),
            ));
        }
        Ok(scopes)
    }

    /// Adds a scope that is not there yet.
    fn add(&mut self, scope: Scope) -> Result<(), ScopeFault> {
        if !self.0.contains(&scope) {
            self.0.push(scope);
        }
        if self.0.len() > MOST_SCOPES {
            let text = format!("there are too many scopes: at most {MOST_SCOPES} are taken");
            return Err(ScopeFault(text));
        }
        Ok(())
    }

    /// Makes sure that every search is a filter of its type, with a condition.
    fn compile(&self, registry: &Registry) -> Result<(), ScopeFault> {
        for scope in &self.0 {
            if let (Some(type_name), Some(search)) = (&scope.type_name, &scope.search) {
                compile(type_name, search, registry).map_err(|()| {
                    ScopeFault::of(
                        &scope.to_string(),
                        "has a search that this server cannot apply to the type",
                    )
                })?;
            }
        }
        Ok(())
    }

    /// What they allow. An unrestricted scope of a type wins over those with a search.
    #[must_use]
    pub fn reach(&self, registry: &Registry) -> Reach {
        let mut types: BTreeMap<String, Rows> = BTreeMap::new();
        for scope in &self.0 {
            match (&scope.type_name, &scope.search) {
                (None, _) => types.extend(registry.types().iter().map(|name| (name.clone(), Rows::All))),
                (Some(name), None) => {
                    types.insert(name.clone(), Rows::All);
                }
                (Some(name), Some(search)) => {
                    let rows = types.entry(name.clone()).or_insert_with(|| Rows::Matching(Vec::new()));
                    if let Rows::Matching(searches) = rows
                        && !searches.contains(search)
                    {
                        searches.push(search.clone());
                    }
                }
            }
        }
        Reach::Types(types)
    }

    /// What of an asked scope these allow, in the spelling that was asked for. A search can be written in the second only.
    fn narrow(&self, asked: &Scope, reach: &Reach) -> Vec<Scope> {
        let of = |type_name: &str, search: Option<String>| Scope {
            spelling: match search {
                Some(_) => Spelling::Second,
                None => asked.spelling,
            },
            type_name: Some(type_name.to_owned()),
            search,
        };
        let Some(type_name) = &asked.type_name else {
            if self.0.iter().any(|scope| scope.type_name.is_none()) {
                return vec![asked.clone()];
            }
            let Reach::Types(types) = reach else {
                return Vec::new();
            };
            let of_rows = |(name, rows): (&String, &Rows)| match rows {
                Rows::All => vec![of(name, None)],
                Rows::Matching(searches) => searches.iter().map(|search| of(name, Some(search.clone()))).collect(),
            };
            return types.iter().flat_map(of_rows).collect();
        };
        match (reach.rows(type_name), &asked.search) {
            (None, _) => Vec::new(),
            (Some(Rows::All), _) => vec![asked.clone()],
            (Some(Rows::Matching(searches)), None) => searches
                .iter()
                .map(|search| of(type_name, Some(search.clone())))
                .collect(),
            (Some(Rows::Matching(searches)), Some(own)) if searches.contains(own) => vec![asked.clone()],
            (Some(Rows::Matching(searches)), Some(own)) => {
                let both = |search: &String| of(type_name, Some(format!("{own}&{search}")));
                searches.iter().map(both).collect()
            }
        }
    }
}

/// Whether a search is a filter of the type. What was wrong with it is not told: the texts are the engine's, and name values.
fn compile(type_name: &str, search: &str, registry: &Registry) -> Result<(), ()> {
    let request = Request {
        types: vec![type_name.to_owned()],
        type_filters: vec![format!("{type_name}?{search}")],
        // Whether a date compiles does not depend on which instant `ap` is measured from.
        now: Some("2000-01-01T00:00:00Z".to_owned()),
        ..Request::default()
    };
    let plan = Plan::compile(&request, registry).map_err(|_| ())?;
    let filters = registry.type_index(type_name).and_then(|index| plan.type_plan(index));
    match filters.map(|plan| plan.filters.as_slice()) {
        Some([filter]) if !filter.gates.is_empty() => Ok(()),
        _ => Err(()),
    }
}

/// What a token is given for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Granted {
    /// The scopes, as the client is told.
    pub text: String,
    /// What they allow.
    pub reach: Reach,
}

/// What of the asked scopes a client gets that is registered for others. Scopes that are right and not registered are left
/// out; if nothing is left, or a scope is none, it is refused.
pub fn grant(
    asked: Option<&str>,
    registered: &Scopes,
    registry: &Registry,
    oracle: bool,
) -> Result<Granted, ScopeFault> {
    let asked = Scopes::parse(asked.unwrap_or_default(), registry)?;
    if oracle {
        let is_of_oracle = |scope: &Scope| scope.type_name.is_some() && scope.spelling == Spelling::First;
        if let Some(other) = asked.0.iter().find(|scope| !is_of_oracle(scope)) {
            let text = "is not supported: scopes are written system/Type.read, one for each type";
            return Err(ScopeFault::of(&other.to_string(), text));
        }
    }
    let reach = registered.reach(registry);
    let mut granted = Scopes::default();
    for scope in &asked.0 {
        for narrowed in registered.narrow(scope, &reach) {
            granted.add(narrowed)?;
        }
    }
    if granted.0.is_empty() {
        let text = "the client is registered for none of these scopes".to_owned();
        return Err(ScopeFault(text));
    }
    let text = granted.to_string();
    if text.len() > MOST_BYTES {
        let text = format!("what would be granted is too long, over {MOST_BYTES} bytes: ask for fewer types");
        return Err(ScopeFault(text));
    }
    // Of two searches that are filters, one that joins them may still have too many conditions.
    granted.compile(registry)?;
    Ok(Granted {
        reach: granted.reach(registry),
        text,
    })
}

/// The reach of a text that [`grant`] gave. Its searches are not compiled again.
pub fn reach_of(granted: &str, registry: &Registry) -> Result<Reach, ScopeFault> {
    Ok(Scopes::read(granted, registry)?.reach(registry))
}

#[cfg(test)]
mod tests;
