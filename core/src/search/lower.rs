//! From a user's expression to the JSON paths that the engine reads, for one resource type.
//!
//! Datatypes come from casts, from the standard's own parameters of the type, and from the members of the common
//! datatypes; where none of them knows, a path ends in [`UNKNOWN`].

mod datatype;
mod fields;
#[cfg(test)]
mod tests;

use crate::order::Map;
use std::ops::Range;

pub use fields::{Fields, from_fields};

use super::expr::{Chain, Expr, ExprError, Head, Step};
use super::table::{PathSpec, Registry, SearchType, Where, WhereTest};

/// Datatype of a path that neither the expression nor the tables tell.
pub const UNKNOWN: &str = "unknown";

/// Most paths of an expression, also on the way through it. Each cast of an element that the tables do not know doubles them.
const MOST_PATHS: usize = 512;

/// Most names of a path.
const MOST_NAMES: usize = 64;

/// Resolves an expression for one type (or for `Resource`, `DomainResource`) to paths.
///
/// Of a union only the branches of this type count, and those of `Resource` and `DomainResource`. A choice element
/// without a cast stands for all its variants, fitting the search type or not, as in the standard's own tables.
///
/// # Errors
///
/// Unknown types and elements, casts that no variant has, and whatever the paths cannot express. An expression
/// without a branch for this type is an error, too: it would match nothing.
pub fn lower(
    expr: &Expr,
    type_name: &str,
    search_type: SearchType,
    registry: &Registry,
) -> Result<Vec<PathSpec>, ExprError> {
    let lowering = Lowering {
        registry,
        type_name,
        search_type,
        leaves: leaves(registry, type_name),
        mixed: names_a_type(&expr.branches),
    };
    let mut paths = Vec::new();
    for state in lowering.union(&expr.branches)? {
        for path in lowering.finish(state)? {
            if !paths.contains(&path) {
                paths.push(path);
            }
        }
        not_too_many(&paths, &expr.span)?;
    }
    let marked = paths.iter().filter(|path| path.first).count();
    if marked > 0 && marked < paths.len() {
        return Err(ExprError::new(
            &expr.span,
            "first() over only some of the branches is not supported",
        ));
    }
    if paths.is_empty() {
        return Err(ExprError::new(
            &expr.span,
            format!("no branch of the expression is about {type_name}"),
        ));
    }
    Ok(paths)
}

fn not_too_many<T>(paths: &[T], span: &Range<usize>) -> Result<(), ExprError> {
    if paths.len() <= MOST_PATHS {
        return Ok(());
    }
    let message = format!("here the expression stands for more than {MOST_PATHS} paths");
    Err(ExprError::new(span, message))
}

fn is_base(registry: &Registry, name: &str) -> bool {
    registry.is_type(name) || matches!(name, "Resource" | "DomainResource")
}

/// Whether the branches leave anything for a type; an error in one of them counts as something.
fn has_branch(expr: &Expr, type_name: &str, search_type: SearchType, registry: &Registry) -> bool {
    let mixed = names_a_type(&expr.branches);
    let lowering = Lowering {
        registry,
        type_name,
        search_type,
        leaves: Map::default(),
        mixed,
    };
    lowering.union(&expr.branches).map_or(true, |states| !states.is_empty())
}

/// Paths with their datatypes, as the parameters in the registry tell them.
fn leaves(registry: &Registry, type_name: &str) -> Map<String, String> {
    let mut known = Map::default();
    for param in registry.params(type_name) {
        for path in &param.paths {
            // Here the datatype is that of the test, not of the element.
            if path.wheres.iter().any(|test| is_resource_type_test(&test.test)) {
                continue;
            }
            known.insert(path.names.join("."), path.leaf.clone());
            for part in param.components.iter().flat_map(|component| &component.paths) {
                let base: &[String] = if part.root { &[] } else { &path.names };
                let names: Vec<&str> = base.iter().chain(&part.names).map(String::as_str).collect();
                known.insert(names.join("."), part.leaf.clone());
            }
        }
    }
    known.retain(|_, leaf| leaf != UNKNOWN);
    known
}

fn is_resource_type_test(test: &WhereTest) -> bool {
    matches!(test, WhereTest::Member(member, _) if member.len() == 1 && member[0] == "resourceType")
}

/// Whether some branch starts with a type; then branches without one may belong to another type.
fn names_a_type(branches: &[Chain]) -> bool {
    branches.iter().any(|chain| match &chain.head {
        Head::Name(name) => name.starts_with(|c: char| c.is_ascii_uppercase()),
        Head::Group(inner) => names_a_type(inner),
    })
}

/// How far a path has come.
#[derive(Clone)]
struct State {
    path: PathSpec,
    leaf: Option<String>,
    choice: Choice,
    /// Where the last name stands in the expression.
    span: Range<usize>,
}

/// Whether the last name is a choice element that still lacks its variant.
#[derive(Clone, PartialEq, Eq)]
enum Choice {
    No,
    /// JSON keys of all variants.
    Root(Vec<String>),
    /// A choice below the root, where the tables do not list the variants.
    Nested,
    /// `Extension.value`: of any datatype.
    Extension,
}

struct Lowering<'a> {
    registry: &'a Registry,
    type_name: &'a str,
    search_type: SearchType,
    leaves: Map<String, String>,
    mixed: bool,
}

impl Lowering<'_> {
    fn union(&self, branches: &[Chain]) -> Result<Vec<State>, ExprError> {
        let mut states: Vec<State> = Vec::new();
        for chain in branches {
            let more = self.chain(chain)?;
            // The mark does not say whose first value is meant.
            let marked = |states: &[State]| states.iter().any(|state| state.path.first);
            if marked(&states) && marked(&more) {
                return Err(ExprError::new(
                    &chain.head_span,
                    "first() twice over several branches is not supported",
                ));
            }
            states.extend(more);
            not_too_many(&states, &chain.head_span)?;
        }
        Ok(states)
    }

    fn chain(&self, chain: &Chain) -> Result<Vec<State>, ExprError> {
        let mut states = match &chain.head {
            Head::Group(branches) => self.union(branches)?,
            Head::Name(name) => self.head(name, &chain.head_span)?.into_iter().collect(),
        };
        for (step, span) in &chain.steps {
            if *step == Step::First && states.len() > 1 {
                for state in &mut states {
                    state.path.first = true;
                }
                continue;
            }
            if matches!(step, Step::Index(_)) && states.len() > 1 {
                return Err(ExprError::new(span, "a position in a union is not supported"));
            }
            let mut after = Vec::new();
            for state in states {
                if state.path.first {
                    return Err(ExprError::new(
                        span,
                        "steps after first() over several branches are not supported",
                    ));
                }
                after.extend(self.step(state, step, span)?);
                not_too_many(&after, span)?;
            }
            states = after;
        }
        Ok(states)
    }

    /// Where a branch starts; nothing, if it belongs to another type.
    fn head(&self, name: &str, span: &Range<usize>) -> Result<Option<State>, ExprError> {
        let start = State {
            path: PathSpec {
                names: Vec::new(),
                leaf: String::new(),
                wheres: Vec::new(),
                ref_is: None,
                first: false,
                root: false,
            },
            leaf: Some(self.type_name.to_owned()),
            choice: Choice::No,
            span: span.clone(),
        };
        let above = name == "Resource" || (name == "DomainResource" && self.is_domain());
        if name == self.type_name || above {
            return Ok(Some(start));
        }
        if name.starts_with(|c: char| c.is_ascii_uppercase()) {
            if is_base(self.registry, name) {
                return Ok(None);
            }
            return Err(ExprError::new(
                span,
                format!("`{name}` is no resource type of this version"),
            ));
        }
        if self.mixed && self.element(name).is_none() {
            return Ok(None);
        }
        self.field(start, name, span).map(Some)
    }

    fn is_domain(&self) -> bool {
        self.type_name == "DomainResource" || self.registry.is_domain(self.type_name)
    }

    /// JSON keys of a root element.
    fn element(&self, name: &str) -> Option<Vec<String>> {
        let elements = self.registry.root_elements(self.type_name);
        if let Some(element) = elements.iter().find(|element| element.name == name) {
            return Some(element.keys.clone());
        }
        let common = elements.is_empty() && datatype::common(name, self.is_domain()).is_some();
        common.then(|| vec![name.to_owned()])
    }

    fn step(&self, mut state: State, step: &Step, span: &Range<usize>) -> Result<Vec<State>, ExprError> {
        let reason = match step {
            Step::Cast(target) => return self.cast(state, target, span),
            Step::RefIs(target) => return self.ref_is(state, target, span),
            _ if state.path.ref_is.is_some() => "steps after where(resolve() is …) are not supported",
            Step::Field(name) if state.choice == Choice::Extension => return self.member_of_value(&state, name, span),
            _ if state.choice != Choice::No => return Err(self.asks_for_cast(&state)),
            Step::Field(name) => return Ok(vec![self.field(state, name, span)?]),
            Step::Equal(member, text) => {
                let test = WhereTest::Member(member.clone(), text.clone());
                state.path.wheres.push(Where {
                    at: state.path.names.len(),
                    test,
                });
                return Ok(vec![state]);
            }
            Step::HasExtension(url) => {
                let test = WhereTest::Extension(url.clone());
                state.path.wheres.push(Where {
                    at: state.path.names.len(),
                    test,
                });
                return Ok(vec![state]);
            }
            // Positions count the items that are left after earlier tests; paths count all items.
            Step::Index(_) | Step::First if !state.path.wheres.is_empty() => {
                "a position after where() or another position is not supported"
            }
            Step::Index(index) => return Ok(vec![at_index(state, *index)]),
            Step::First => return Ok(vec![at_index(state, 0)]),
        };
        Err(ExprError::new(span, reason))
    }

    fn asks_for_cast(&self, state: &State) -> ExprError {
        let name = state.path.names.join(".");
        ExprError::new(
            &state.span,
            format!("`{name}` is of several datatypes; a cast must say which, as in `.ofType(Quantity)`"),
        )
    }

    fn field(&self, mut state: State, name: &str, span: &Range<usize>) -> Result<State, ExprError> {
        let at_root = state.path.names.is_empty();
        if state.path.names.len() == MOST_NAMES {
            return Err(ExprError::new(span, format!("a path of more than {MOST_NAMES} names")));
        }
        let parent = state.leaf.take();
        state.path.names.push(name.to_owned());
        state.span = span.clone();
        if at_root {
            let Some(mut keys) = self.element(name) else {
                let message = format!("{} has no element `{name}`", self.type_name);
                return Err(ExprError::new(span, message));
            };
            if keys.len() > 1 {
                state.choice = Choice::Root(std::mem::take(&mut keys));
                return Ok(state);
            }
            let known = self.known(&state.path.names);
            state.leaf = known.or_else(|| datatype::common(name, self.is_domain()).map(str::to_owned));
            return Ok(state);
        }
        let parent = parent.as_deref().unwrap_or(UNKNOWN);
        let known = self.known(&state.path.names);
        state.leaf = known.or_else(|| datatype::member(parent, name).map(str::to_owned));
        if parent == "Extension" && name == "value" {
            state.leaf = None;
            state.choice = Choice::Extension;
        } else if state.leaf.is_none() && self.has_variants(&state.path.names) {
            state.choice = Choice::Nested;
        }
        Ok(state)
    }

    /// `extension.value.code`: of each datatype that has such a member.
    fn member_of_value(&self, state: &State, name: &str, span: &Range<usize>) -> Result<Vec<State>, ExprError> {
        let mut states = Vec::new();
        for datatype in datatype::with_member(name) {
            for value in self.cast(state.clone(), datatype, span)? {
                states.push(self.field(value, name, span)?);
            }
        }
        if states.is_empty() {
            Err(self.asks_for_cast(state))
        } else {
            Ok(states)
        }
    }

    fn known(&self, names: &[String]) -> Option<String> {
        self.leaves.get(&names.join(".")).cloned()
    }

    /// Whether a parameter in the tables reads a variant of this element: `component.valueQuantity` of `component.value`.
    fn has_variants(&self, names: &[String]) -> bool {
        let stem = names.join(".");
        let longer = self.leaves.from(&stem).take_while(|(path, _)| path.starts_with(&stem));
        longer.into_iter().any(|(path, leaf)| {
            let ending = path[stem.len()..].split('.').next().unwrap_or("");
            !ending.is_empty()
                && (datatype::of_suffix(ending) == *leaf || path[stem.len()..].contains('.'))
                && ending.starts_with(|c: char| c.is_ascii_uppercase())
        })
    }

    fn cast(&self, mut state: State, target: &str, span: &Range<usize>) -> Result<Vec<State>, ExprError> {
        let refuse = |message: String| Err(ExprError::new(span, message));
        if state.path.ref_is.is_some() {
            return refuse("steps after where(resolve() is …) are not supported".to_owned());
        }
        let ending = datatype::suffix(target);
        let Some(last) = state.path.names.last().cloned() else {
            return refuse("a cast of the resource itself is not supported".to_owned());
        };
        let key = format!("{last}{ending}");
        match std::mem::replace(&mut state.choice, Choice::No) {
            Choice::Root(keys) => {
                if !keys.contains(&key) {
                    return refuse(format!("{}.{last} is never of the datatype {target}", self.type_name));
                }
                Ok(vec![with_key(state, key, &ending)])
            }
            Choice::Nested | Choice::Extension => Ok(vec![with_key(state, key, &ending)]),
            Choice::No => match state.leaf.as_deref() {
                None | Some("Resource") if self.registry.is_type(target) => {
                    let test = WhereTest::Member(vec!["resourceType".to_owned()], target.to_owned());
                    state.path.wheres.push(Where {
                        at: state.path.names.len(),
                        test,
                    });
                    state.leaf = Some(target.to_owned());
                    Ok(vec![state])
                }
                Some(leaf) if leaf == target => Ok(vec![state]),
                Some(leaf) => refuse(format!(
                    "`{}` is of the datatype {leaf}, not {target}",
                    state.path.names.join(".")
                )),
                None if state.path.names.len() == 1 => {
                    state.leaf = Some(datatype::of_suffix(&ending));
                    Ok(vec![state])
                }
                // The tables do not tell whether this is a choice element. In valid JSON only one of the two keys
                // can stand there, so both are read.
                None => {
                    let mut plain = state.clone();
                    plain.leaf = Some(datatype::of_suffix(&ending));
                    Ok(vec![plain, with_key(state, key, &ending)])
                }
            },
        }
    }

    fn ref_is(&self, state: State, target: &str, span: &Range<usize>) -> Result<Vec<State>, ExprError> {
        if self.search_type != SearchType::Reference {
            return Err(ExprError::new(
                span,
                "where(resolve() is …) is for reference parameters",
            ));
        }
        if !self.registry.is_type(target) {
            return Err(ExprError::new(
                span,
                format!("`{target}` is no resource type of this version"),
            ));
        }
        if state.path.ref_is.is_some() {
            return Err(ExprError::new(span, "a second where(resolve() is …) is not supported"));
        }
        // Of a choice only its Reference can resolve.
        let states = match state.choice {
            Choice::No => vec![state],
            Choice::Root(_) | Choice::Nested | Choice::Extension => self.cast(state, "Reference", span)?,
        };
        let narrowed = states.into_iter().map(|mut state| {
            state.path.ref_is = Some(target.to_owned());
            state.leaf.get_or_insert_with(|| "Reference".to_owned());
            state
        });
        Ok(narrowed.collect())
    }

    /// The path as the engine wants it; a bare choice gives one path for each variant.
    fn finish(&self, state: State) -> Result<Vec<PathSpec>, ExprError> {
        match &state.choice {
            Choice::Nested => Err(self.asks_for_cast(&state)),
            Choice::Extension if datatype::fitting(self.search_type).is_empty() => Err(self.asks_for_cast(&state)),
            Choice::No => {
                let leaf = state.leaf.unwrap_or_else(|| UNKNOWN.to_owned());
                Ok(vec![PathSpec { leaf, ..state.path }])
            }
            // One value stands in an extension, so reading the datatypes that fit the search is exact.
            Choice::Extension => {
                let fitting = datatype::fitting(self.search_type).iter();
                let paths = fitting.map(|datatype| {
                    let key = format!("value{}", datatype::suffix(datatype));
                    let typed = with_key(state.clone(), key, &datatype::suffix(datatype));
                    PathSpec {
                        leaf: typed.leaf.unwrap_or_default(),
                        ..typed.path
                    }
                });
                Ok(paths.collect())
            }
            Choice::Root(keys) => {
                let stem = state.path.names.last().map_or(0, String::len);
                let variants = keys.iter().map(|key| PathSpec {
                    names: vec![key.clone()],
                    leaf: datatype::of_suffix(key.get(stem..).unwrap_or("")),
                    ..state.path.clone()
                });
                Ok(variants.collect())
            }
        }
    }
}

fn at_index(mut state: State, index: usize) -> State {
    let at = state.path.names.len();
    state.path.wheres.push(Where {
        at,
        test: WhereTest::Index(index),
    });
    state
}

fn with_key(mut state: State, key: String, ending: &str) -> State {
    if let Some(last) = state.path.names.last_mut() {
        *last = key;
    }
    state.leaf = Some(datatype::of_suffix(ending));
    state
}
