//! From the text of a filter to conditions, with every refusal.

use super::date::DateSearch;
use super::number::NumberSearch;
use super::quantity::QuantitySearch;
use super::query::{self, RawPair, items, split, unescape};
use super::reference::ReferenceSearch;
use super::string::{StringTest, fold_search};
use super::token::{self, TokenSearch, TokenTest};
use super::uri::{UriMode, UriSearch};
use super::values::fits;
use fhirehose_core::search::table::{Param, Registry, SearchType};
use std::collections::{BTreeMap, BTreeSet};

/// What the meaning of a filter depends on besides its text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setting<'a> {
    /// The tables.
    pub(crate) registry: &'a Registry,
    /// Base URL of the server whose data this is.
    pub(crate) fhir_base: Option<&'a str>,
    /// Members of the known value sets, by URL.
    pub(crate) value_sets: &'a BTreeMap<String, BTreeSet<(String, String)>>,
}

/// All conditions must hold.
#[derive(Debug)]
pub(crate) struct Filter {
    /// Type that it is for.
    pub(crate) type_name: String,
    /// One for each pair.
    pub(crate) conditions: Vec<Condition>,
}

/// One parameter with its test.
#[derive(Debug)]
pub(crate) struct Condition {
    /// Row of the table.
    pub(crate) param: Param,
    /// What it must show.
    pub(crate) test: Test,
}

/// What a parameter must show.
#[derive(Debug)]
pub(crate) enum Test {
    /// `:missing`.
    Missing(bool),
    /// Some value satisfies this.
    Some(ValueTest),
    /// No value satisfies this (`:not`, `:not-in`).
    None(ValueTest),
    /// On some base element all parts of one of these tuples are satisfied.
    Composite(Vec<Vec<ValueTest>>),
}

/// What one value must show. Of a list, one is enough.
#[derive(Debug)]
pub(crate) enum ValueTest {
    Date(Vec<DateSearch>),
    Number(Vec<NumberSearch>),
    Quantity(Vec<QuantitySearch>),
    String(StringTest),
    Token(TokenTest),
    Reference(Vec<ReferenceSearch>),
    /// `:identifier`, a token on the reference's identifier.
    ReferenceIdentifier(TokenTest),
    Uri(Vec<UriSearch>),
}

/// Parameters that shape or page a result, or that need more than the resource at hand.
const REFUSED: [&str; 24] = [
    "_sort",
    "_count",
    "_include",
    "_revinclude",
    "_summary",
    "_total",
    "_elements",
    "_contained",
    "_containedType",
    "_format",
    "_pretty",
    "_maxresults",
    "_score",
    "_graph",
    "_has",
    "_filter",
    "_text",
    "_content",
    "_list",
    "_in",
    "_query",
    "_type",
    "near",
    "phonetic",
];

/// Understands one filter.
pub(crate) fn filter(text: &str, setting: Setting<'_>) -> Result<Filter, Vec<String>> {
    let raw = query::parse_filter(text).map_err(|problem| vec![problem])?;
    if !setting.registry.is_type(&raw.type_name) {
        return Err(vec![format!("'{}' is not a resource type", raw.type_name)]);
    }
    let mut conditions = Vec::new();
    let mut problems = Vec::new();
    for pair in &raw.pairs {
        match condition(&raw.type_name, pair, setting) {
            Ok(understood) => conditions.push(understood),
            Err(problem) => problems.push(format!("{}?{}: {problem}", raw.type_name, pair.name)),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Filter {
        type_name: raw.type_name,
        conditions,
    })
}

fn condition(type_name: &str, pair: &RawPair, setting: Setting<'_>) -> Result<Condition, String> {
    if REFUSED.contains(&pair.name.as_str()) {
        return Err("this parameter cannot be used in a filter".to_owned());
    }
    if pair.name.contains('.') || pair.modifier.as_deref().is_some_and(|text| text.contains('.')) {
        return Err("chained parameters are not supported".to_owned());
    }
    let Some(param) = setting.registry.param(type_name, &pair.name) else {
        return Err("no such parameter".to_owned());
    };
    if param.paths.is_empty() || param.kind == SearchType::Special {
        return Err("this parameter is not supported".to_owned());
    }
    let test = test(param, pair, setting)?;
    Ok(Condition {
        param: param.clone(),
        test,
    })
}

fn test(param: &Param, pair: &RawPair, setting: Setting<'_>) -> Result<Test, String> {
    let modifier = pair.modifier.as_deref();
    let values = items(&pair.value)?;
    if modifier == Some("missing") && param.kind != SearchType::Composite {
        return match values.as_slice() {
            [only] if only == "true" => Ok(Test::Missing(true)),
            [only] if only == "false" => Ok(Test::Missing(false)),
            _ => Err("':missing' takes true or false".to_owned()),
        };
    }
    match param.kind {
        SearchType::Composite => composite(param, modifier, &values, setting),
        SearchType::Token => token_test(param, modifier, &values, setting),
        SearchType::Reference => reference_test(param, modifier, &values, setting),
        SearchType::String => string_test(modifier, &values),
        SearchType::Uri => uri_test(param, modifier, &values),
        SearchType::Date | SearchType::Number | SearchType::Quantity => match modifier {
            Some(other) => Err(unsupported(other)),
            None => Ok(Test::Some(plain(param.kind, &param.code, &values, setting)?)),
        },
        SearchType::Special => Err("this parameter is not supported".to_owned()),
    }
}

fn unsupported(modifier: &str) -> String {
    format!("the modifier ':{modifier}' is not supported here")
}

/// A test without a modifier.
fn plain(kind: SearchType, code: &str, values: &[String], setting: Setting<'_>) -> Result<ValueTest, String> {
    Ok(match kind {
        SearchType::Date => ValueTest::Date(each(values, |item| DateSearch::parse(&unescape(item)))?),
        SearchType::Number => ValueTest::Number(each(values, |item| NumberSearch::parse(&unescape(item)))?),
        SearchType::Quantity => ValueTest::Quantity(each(values, QuantitySearch::parse)?),
        SearchType::String => ValueTest::String(StringTest::Starts(each(values, |item| fold_search(&unescape(item)))?)),
        SearchType::Token => ValueTest::Token(TokenTest::Equals(each(values, TokenSearch::parse)?)),
        SearchType::Reference => ValueTest::Reference(each(values, |item| {
            Ok(ReferenceSearch::parse(&unescape(item), setting.fhir_base))
        })?),
        SearchType::Uri => ValueTest::Uri(each(values, |item| {
            UriSearch::new(unescape(item), UriMode::Exact, code == "_source")
        })?),
        SearchType::Composite | SearchType::Special => {
            return Err("this parameter is not supported".to_owned());
        }
    })
}

fn each<T>(values: &[String], read: impl Fn(&str) -> Result<T, String>) -> Result<Vec<T>, String> {
    values.iter().map(|value| read(value)).collect()
}

fn string_test(modifier: Option<&str>, values: &[String]) -> Result<Test, String> {
    let folded = || each(values, |item| fold_search(&unescape(item)));
    let understood = match modifier {
        None => StringTest::Starts(folded()?),
        Some("contains") => StringTest::Contains(folded()?),
        Some("exact") => StringTest::Exact(values.iter().map(|item| unescape(item)).collect()),
        Some(other) => return Err(unsupported(other)),
    };
    Ok(Test::Some(ValueTest::String(understood)))
}

fn uri_test(param: &Param, modifier: Option<&str>, values: &[String]) -> Result<Test, String> {
    let mode = match modifier {
        None => UriMode::Exact,
        Some("below") => UriMode::Below,
        Some("above") => UriMode::Above,
        Some(other) => return Err(unsupported(other)),
    };
    let is_source = param.code == "_source";
    let searches = each(values, |item| UriSearch::new(unescape(item), mode, is_source))?;
    Ok(Test::Some(ValueTest::Uri(searches)))
}

fn token_test(param: &Param, modifier: Option<&str>, values: &[String], setting: Setting<'_>) -> Result<Test, String> {
    let equals = || {
        let searches = each(values, TokenSearch::parse)?;
        if searches.iter().all(|search| can_match(param, search)) {
            Ok::<_, String>(ValueTest::Token(TokenTest::Equals(searches)))
        } else {
            Err("no value of this parameter can be so".to_owned())
        }
    };
    let members = || Ok::<_, String>(ValueTest::Token(TokenTest::In(members_of(values, setting)?)));
    match modifier {
        None => Ok(Test::Some(equals()?)),
        Some("not") => Ok(Test::None(equals()?)),
        Some("in") => Ok(Test::Some(members()?)),
        Some("not-in") => Ok(Test::None(members()?)),
        Some("text") => {
            let searches = each(values, |item| fold_search(&unescape(item)))?;
            Ok(Test::Some(ValueTest::Token(TokenTest::Text(searches))))
        }
        Some("of-type") if param.paths.iter().any(|path| path.leaf == "Identifier") => {
            let searches = each(values, token::parse_of_type)?;
            Ok(Test::Some(ValueTest::Token(TokenTest::OfType(searches))))
        }
        Some("below") if is_mime_type(param) => {
            let searches = values.iter().map(|item| unescape(item)).collect();
            Ok(Test::Some(ValueTest::Token(TokenTest::MimeBelow(searches))))
        }
        Some(other) => Err(unsupported(other)),
    }
}

/// Values without a system take no `|`, booleans only `true` and `false`.
fn can_match(param: &Param, search: &TokenSearch) -> bool {
    let leaves: Vec<&str> = param.paths.iter().map(|path| path.leaf.as_str()).collect();
    let leaves: Vec<&str> = if param.rule.is_some() {
        vec!["boolean"]
    } else {
        leaves
            .into_iter()
            .filter(|leaf| fits(SearchType::Token, leaf))
            .collect()
    };
    let with_system = ["Coding", "CodeableConcept", "CodeableReference", "Identifier", "code"];
    let booleans = leaves.iter().all(|leaf| *leaf == "boolean");
    let has_system = leaves.iter().any(|leaf| with_system.contains(leaf));
    (has_system || search.plain().is_some()) && (!booleans || matches!(search.plain(), Some("true" | "false")))
}

fn is_mime_type(param: &Param) -> bool {
    param.paths.iter().all(|path| {
        let last = path.names.last().map(String::as_str);
        matches!(last, Some("contentType" | "mimeType"))
    })
}

fn members_of(values: &[String], setting: Setting<'_>) -> Result<BTreeSet<(String, String)>, String> {
    let mut members = BTreeSet::new();
    for item in values {
        let url = unescape(item);
        match setting.value_sets.get(&url) {
            Some(listed) => members.extend(listed.iter().cloned()),
            None => return Err(format!("the codes of the value set '{url}' are not known")),
        }
    }
    Ok(members)
}

fn reference_test(
    param: &Param,
    modifier: Option<&str>,
    values: &[String],
    setting: Setting<'_>,
) -> Result<Test, String> {
    let understood = match modifier {
        None => plain(SearchType::Reference, "", values, setting)?,
        Some("identifier") => ValueTest::ReferenceIdentifier(TokenTest::Equals(each(values, TokenSearch::parse)?)),
        Some(type_name) if setting.registry.is_type(type_name) => {
            if !param.targets.is_empty() && !param.targets.iter().any(|target| target == type_name) {
                return Err(format!("the parameter never points to {type_name}"));
            }
            ValueTest::Reference(each(values, |item| ReferenceSearch::typed(type_name, &unescape(item)))?)
        }
        Some(other) => return Err(unsupported(other)),
    };
    Ok(Test::Some(understood))
}

fn composite(param: &Param, modifier: Option<&str>, values: &[String], setting: Setting<'_>) -> Result<Test, String> {
    if let Some(modifier) = modifier {
        return Err(unsupported(modifier));
    }
    let mut tuples = Vec::new();
    for item in values {
        let parts = split(item, '$');
        if parts.len() != param.components.len() || parts.iter().any(String::is_empty) {
            return Err(format!(
                "'{item}' has not {} parts joined by '$'",
                param.components.len()
            ));
        }
        let mut tuple = Vec::new();
        for (part, component) in parts.into_iter().zip(&param.components) {
            tuple.push(plain(component.kind, &component.code, &[part], setting)?);
        }
        tuples.push(tuple);
    }
    Ok(Test::Composite(tuples))
}
