//! One parameter of a filter into a gate: lookup, refusals, modifiers, values.

use std::ops::Range;
use std::sync::Arc;

use super::gate::{Base, Gate, Matcher, Path, Test};
use super::paths::Places;
use crate::problem::{Problem, did_you_mean};
use crate::request::Request;
use crate::search::kind::ValueError;
use crate::search::kind::date::{DateMatcher, Nanos};
use crate::search::kind::number::NumberMatcher;
use crate::search::kind::prefix::Prefix;
use crate::search::kind::quantity::QuantityMatcher;
use crate::search::kind::reference::ReferenceMatcher;
use crate::search::kind::string::{self, StringMatcher};
use crate::search::kind::token::TokenMatcher;
use crate::search::kind::uri::{self, UriMatcher};
use crate::search::leaf::Leaf;
use crate::search::query::{Item, Pair, split, unescape};
use crate::search::refusals;
use crate::search::table::{Component, Param, PathSpec, Registry, Rule, SearchType};

/// Compiles the pairs of one filter.
pub(super) struct Compiler<'a> {
    pub(super) registry: &'a Registry,
    pub(super) request: &'a Request,
    pub(super) now: Option<Nanos>,
    pub(super) type_name: &'a str,
    /// The filter's text, for problems.
    pub(super) text: &'a Arc<str>,
}

/// A mistake with its place in the filter's text.
struct Mistake {
    message: String,
    span: Range<usize>,
    help: Option<String>,
}

impl Mistake {
    fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        Mistake {
            message: message.into(),
            span,
            help: None,
        }
    }
}

/// What the modifier makes of the parameter.
enum Mode<'m> {
    Plain,
    Not,
    Text,
    OfType,
    In { negated: bool },
    Mime,
    Exact,
    Contains,
    Identifier,
    Typed(&'m str),
    Below,
    Above,
}

impl Compiler<'_> {
    /// Compiles one pair, adding what it reads to the type's trie. All its problems are told.
    pub(super) fn gate(&self, pair: &Pair, places: &mut Places, problems: &mut Vec<Problem>) -> Option<Gate> {
        match self.test(pair, places) {
            Ok(test) => {
                let label = self.text[pair.span.clone()].to_owned();
                Some(Gate { label, test, roots: 0 })
            }
            Err(mistakes) => {
                problems.extend(mistakes.into_iter().map(|mistake| Problem {
                    option: "type-filter",
                    text: self.text.clone(),
                    span: mistake.span,
                    message: mistake.message,
                    help: mistake.help,
                }));
                None
            }
        }
    }

    fn test(&self, pair: &Pair, places: &mut Places) -> Result<Test, Vec<Mistake>> {
        let param = self.lookup(pair).map_err(|mistake| vec![mistake])?;
        if pair.modifier.as_deref() == Some("missing") {
            return self.presence(pair, param, places).map_err(|mistake| vec![mistake]);
        }
        let mode = self.mode(pair, param).map_err(|mistake| vec![mistake])?;
        if param.kind == SearchType::Composite {
            return self.composite(pair, param, places);
        }
        let specs = fitting(&param.paths, param.kind, param.rule);
        let mut mistakes = Vec::new();
        let mut matchers = Vec::new();
        for item in &pair.items {
            match self.matcher(&item.text, param.kind, &specs, &mode, &param.code) {
                Ok(matcher) => matchers.push(matcher),
                Err(error) => mistakes.push(Mistake::new(error.message, item.place(error.span))),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let negated = matches!(mode, Mode::Not | Mode::In { negated: true });
        let paths = places.add_all(&specs, param.kind, &param.targets);
        if param.rule == Some(Rule::ExistsAndNotFalse) {
            let accepts = |value| negated != matchers.iter().any(|matcher| accepts_boolean(matcher, value));
            return Ok(Test::Exists {
                paths,
                when_true: accepts(true),
                when_false: accepts(false),
            });
        }
        let first_only = specs.iter().any(|spec| spec.first);
        Ok(Test::Values {
            paths,
            matchers,
            negated,
            first_only,
        })
    }

    /// Finds the parameter, or says why it cannot be used.
    fn lookup(&self, pair: &Pair) -> Result<&Param, Mistake> {
        let refuse = |reason: &str| Mistake::new(reason, pair.name_span.clone());
        if let Some(reason) = refusals::name(&pair.name) {
            return Err(refuse(reason));
        }
        let is_chain = |text: &str| text.contains('.');
        if is_chain(&pair.name) || pair.modifier.as_deref().is_some_and(is_chain) {
            return Err(refuse(refusals::CHAIN));
        }
        let Some(param) = self.registry.param(self.type_name, &pair.name) else {
            let known = self.registry.params(self.type_name);
            let message = format!("{} has no search parameter `{}`", self.type_name, pair.name);
            let help = did_you_mean(&pair.name, known.iter().map(|param| param.code.as_str()));
            return Err(Mistake {
                message,
                span: pair.name_span.clone(),
                help,
            });
        };
        match refusals::param(param) {
            Some(reason) => Err(refuse(&reason)),
            None => Ok(param),
        }
    }

    fn mode<'m>(&self, pair: &'m Pair, param: &Param) -> Result<Mode<'m>, Mistake> {
        let Some(modifier) = pair.modifier.as_deref() else {
            return Ok(Mode::Plain);
        };
        let leaves = || param.paths.iter().map(|spec| Leaf::named(&spec.leaf));
        let mode = match (param.kind, modifier) {
            (SearchType::String, "exact") => Mode::Exact,
            (SearchType::String, "contains") => Mode::Contains,
            (SearchType::Token, "not") => Mode::Not,
            (SearchType::Token, "text") => Mode::Text,
            (SearchType::Token, "of-type") if leaves().any(|leaf| matches!(leaf, Leaf::Identifier | Leaf::Unknown)) => {
                Mode::OfType
            }
            (SearchType::Token, "in") => Mode::In { negated: false },
            (SearchType::Token, "not-in") => Mode::In { negated: true },
            (SearchType::Token, "below") if is_mime(param) => Mode::Mime,
            (SearchType::Reference, "identifier")
                if leaves().any(|leaf| matches!(leaf, Leaf::Reference | Leaf::Unknown)) =>
            {
                Mode::Identifier
            }
            (SearchType::Reference, name) if self.registry.is_type(name) => {
                if !param.targets.is_empty() && !param.targets.iter().any(|target| target == name) {
                    let message = format!(
                        "`{}` never points to {name}; it may point to {}",
                        param.code,
                        param.targets.join(", ")
                    );
                    return Err(Mistake::new(message, pair.name_span.clone()));
                }
                Mode::Typed(name)
            }
            (SearchType::Uri, "below") => Mode::Below,
            (SearchType::Uri, "above") => Mode::Above,
            _ => return Err(refused_modifier(pair, param, modifier)),
        };
        Ok(mode)
    }

    fn presence(&self, pair: &Pair, param: &Param, places: &mut Places) -> Result<Test, Mistake> {
        if param.kind == SearchType::Composite {
            return Err(refused_modifier(pair, param, "missing"));
        }
        let missing = match pair.value.as_str() {
            "true" => true,
            "false" => false,
            _ => return Err(Mistake::new("`:missing` takes `true` or `false`", pair.span.clone())),
        };
        let specs = fitting(&param.paths, param.kind, param.rule);
        let mut paths = places.add_all(&specs, param.kind, &param.targets);
        if param.rule.is_some() {
            // The elements count, not the boolean that is computed from them, and a date is as good as a flag.
            paths.iter_mut().for_each(|path| path.leaf = Leaf::Unknown);
        }
        Ok(Test::Presence {
            paths,
            present: !missing,
        })
    }

    fn composite(&self, pair: &Pair, param: &Param, places: &mut Places) -> Result<Test, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let mut tuples = Vec::new();
        for item in &pair.items {
            match self.tuple(item, param) {
                Ok(tuple) => tuples.push(tuple),
                Err(error) => mistakes.push(Mistake::new(error.message, item.place(error.span))),
            }
        }
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let bases = param
            .paths
            .iter()
            .map(|spec| self.base(spec, &param.components, places))
            .collect();
        Ok(Test::Composite { bases, tuples })
    }

    fn tuple(&self, item: &Item, param: &Param) -> Result<Vec<Matcher>, ValueError> {
        let pieces = split(&item.text, '$');
        if pieces.len() != param.components.len() {
            let names: Vec<&str> = param.components.iter().map(|part| part.code.as_str()).collect();
            let message = format!("expected {} parts joined by `$`: {}", names.len(), names.join("$"));
            return Err(ValueError::whole(&item.text, message));
        }
        let parts = pieces.into_iter().zip(&param.components);
        parts
            .map(|(piece, part)| {
                let specs = fitting(&part.paths, part.kind, None);
                self.matcher(&item.text[piece.clone()], part.kind, &specs, &Mode::Plain, &part.code)
                    .map_err(|mut error| {
                        error.span = piece.start + error.span.start..piece.start + error.span.end;
                        error
                    })
            })
            .collect()
    }

    fn base(&self, spec: &PathSpec, components: &[Component], places: &mut Places) -> Base {
        let of_resource = spec.names.is_empty();
        let parts = components
            .iter()
            .map(|part| {
                let specs = fitting(&part.paths, part.kind, None);
                let add = |spec: &&PathSpec| {
                    if of_resource || spec.root {
                        places.add(spec, part.kind, &[])
                    } else {
                        places.relative(spec, part.kind)
                    }
                };
                specs.iter().map(add).collect()
            })
            .collect::<Vec<Vec<Path>>>();
        if of_resource {
            return Base { path: None, parts };
        }
        let path = places.add(spec, SearchType::Composite, &[]);
        places.watch_below(spec, &parts);
        Base {
            path: Some(path),
            parts,
        }
    }

    fn matcher(
        &self,
        value: &str,
        kind: SearchType,
        specs: &[&PathSpec],
        mode: &Mode<'_>,
        code: &str,
    ) -> Result<Matcher, ValueError> {
        let whole = || unescape(value, 0..value.len());
        let all = |test: fn(Leaf) -> bool| specs.iter().all(|spec| test(Leaf::named(&spec.leaf)));
        match kind {
            SearchType::Date => DateMatcher::parse(&whole()?, self.now).map(Matcher::Date),
            SearchType::Number => {
                let matcher = NumberMatcher::parse(&whole()?)?;
                if matches!(matcher.prefix(), Prefix::Sa | Prefix::Eb) && all(|leaf| leaf == Leaf::Integer) {
                    return Err(ValueError::whole(
                        value,
                        "`sa` and `eb` are not for integers; use `gt` and `lt`",
                    ));
                }
                Ok(Matcher::Number(matcher))
            }
            SearchType::Quantity => QuantityMatcher::parse(value).map(Matcher::Quantity),
            SearchType::String => {
                let how = match mode {
                    Mode::Exact => string::Mode::Exact,
                    Mode::Contains => string::Mode::Contains,
                    _ => string::Mode::Start,
                };
                StringMatcher::new(&whole()?, how).map(Matcher::String)
            }
            SearchType::Uri => {
                let how = match mode {
                    Mode::Below => uri::Mode::Below,
                    Mode::Above => uri::Mode::Above,
                    _ => uri::Mode::Exact,
                };
                UriMatcher::new(&whole()?, how, code == "_source").map(Matcher::Uri)
            }
            SearchType::Reference => self.reference(value, mode).map(Matcher::Reference),
            _ => self.token(value, mode, specs).map(Matcher::Token),
        }
    }

    fn reference(&self, value: &str, mode: &Mode<'_>) -> Result<ReferenceMatcher, ValueError> {
        match mode {
            Mode::Identifier => ReferenceMatcher::identifier(value),
            Mode::Typed(name) => ReferenceMatcher::typed(value, name),
            _ => {
                let base = self.request.fhir_base.as_deref().map(|base| base.trim_end_matches('/'));
                ReferenceMatcher::parse(value, base, |name| self.registry.is_type(name))
            }
        }
    }

    fn token(&self, value: &str, mode: &Mode<'_>, specs: &[&PathSpec]) -> Result<TokenMatcher, ValueError> {
        match mode {
            Mode::Text => return TokenMatcher::text(value),
            Mode::OfType => return TokenMatcher::of_type(value),
            Mode::Mime => return TokenMatcher::mime(value),
            Mode::In { .. } => {
                let url = unescape(value, 0..value.len())?;
                let list = self.request.value_sets.get(&url);
                let missing = || ValueError::whole(value, "this value set is not among the supplied code lists");
                return list.cloned().map(TokenMatcher::In).ok_or_else(missing);
            }
            _ => {}
        }
        let token = TokenMatcher::code(value)?;
        let leaves: Vec<Leaf> = specs.iter().map(|spec| Leaf::named(&spec.leaf)).collect();
        let without_system = |leaf: &Leaf| {
            matches!(
                leaf,
                Leaf::ContactPoint | Leaf::Uri | Leaf::Canonical | Leaf::Boolean | Leaf::Text | Leaf::Id | Leaf::Date
            )
        };
        if token.names_system() && leaves.iter().all(without_system) {
            return Err(ValueError::whole(
                value,
                "these values have no system; expected the code alone, without `|`",
            ));
        }
        let is_boolean = leaves.iter().all(|leaf| matches!(leaf, Leaf::Boolean | Leaf::Date));
        if is_boolean && !matches!(token.bare_code(), Some("true" | "false")) {
            return Err(ValueError::whole(value, "expected `true` or `false`"));
        }
        Ok(token)
    }
}

fn accepts_boolean(matcher: &Matcher, value: bool) -> bool {
    matches!(matcher, Matcher::Token(token) if token.matches_boolean(value))
}

/// The paths whose datatype the search type reads. A rule reads all of its paths.
fn fitting(specs: &[PathSpec], kind: SearchType, rule: Option<Rule>) -> Vec<&PathSpec> {
    specs
        .iter()
        .filter(|spec| rule.is_some() || Leaf::named(&spec.leaf).fits(kind))
        .collect()
}

fn is_mime(param: &Param) -> bool {
    let last = |spec: &PathSpec| matches!(spec.names.last().map(String::as_str), Some("contentType" | "mimeType"));
    !param.paths.is_empty() && param.paths.iter().all(last)
}

fn refused_modifier(pair: &Pair, param: &Param, modifier: &str) -> Mistake {
    let known = refusals::modifiers(param.kind);
    let message = match refusals::modifier(param.kind, modifier) {
        Some(reason) => format!("`:{modifier}` is not supported on `{}`: {reason}", param.code),
        None if modifier.contains(':') => "a parameter takes one modifier only".to_owned(),
        None => format!("`:{modifier}` is no modifier of `{}`", param.code),
    };
    let help = did_you_mean(modifier, known.iter().copied()).or_else(|| {
        let listed = known
            .iter()
            .map(|name| format!("`:{name}`"))
            .collect::<Vec<_>>()
            .join(", ");
        (!known.is_empty()).then(|| format!("supported here: {listed}"))
    });
    Mistake {
        message,
        span: pair.name_span.clone(),
        help,
    }
}
