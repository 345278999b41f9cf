//! Definitions of the user's own, from bytes: search parameters, and value sets as lists of codes.
//!
//! A file holds resources as NDJSON, as one resource, as a JSON array or as a Bundle.

use std::collections::HashMap;
use std::sync::Arc;

use super::code_list::CodeList;
use super::lower::{Fields, from_fields};
use super::refusals;
use super::table::{Param, Registry};
use crate::order::Map;
use crate::problem::{Problem, Problems};
use crate::scan::json::Json;

mod container;
#[cfg(test)]
mod tests;
mod value_set;

use container::Place;

const SEARCH_PARAMETERS: &str = "search-parameters";
const VALUE_SETS: &str = "value-sets";

/// The registry with the parameters of some SearchParameter resources added; an equal code of a type is overridden.
///
/// # Errors
///
/// Every definition that cannot be used is told, with its line and entry; then nothing is added.
pub fn search_parameters(bytes: &[u8], registry: &Registry) -> Result<Registry, Problems> {
    let mut problems = Vec::new();
    let mut known = Map::default();
    let mut added = registry.clone();
    container::each(
        bytes,
        SEARCH_PARAMETERS,
        "SearchParameter",
        &mut problems,
        &mut |resource, place| {
            let params = params(resource, place, registry)?;
            if let Some((base, param)) = params
                .iter()
                .find(|(base, param)| known.insert((base.clone(), param.code.clone()), ()).is_some())
            {
                let message = format!("{base} has two parameters `{}`", param.code);
                return Err(place.problem(SEARCH_PARAMETERS, message));
            }
            for (base, param) in params {
                added = added.clone().with_params(&base, vec![param]);
            }
            Ok(())
        },
    );
    finish(added, problems)
}

/// The codes of some ValueSet resources, by `url` and by `url|version`.
///
/// The codes are those of the expansion, else those that `compose` lists one by one.
///
/// # Errors
///
/// Every value set that cannot be listed is told, with its line and entry.
pub fn value_sets(bytes: &[u8]) -> Result<HashMap<String, Arc<CodeList>>, Problems> {
    let mut problems = Vec::new();
    let mut lists: HashMap<String, Arc<CodeList>> = HashMap::new();
    container::each(bytes, VALUE_SETS, "ValueSet", &mut problems, &mut |resource, place| {
        let problem = |message: String| place.problem(VALUE_SETS, message);
        let url = text(resource, "url").ok_or_else(|| problem("the value set has no url".to_owned()))?;
        let codes = value_set::codes(resource).map_err(|message| problem(format!("`{url}` {message}")))?;
        let codes = Arc::new(codes);
        if let Some(version) = text(resource, "version") {
            lists.insert(format!("{url}|{version}"), codes.clone());
        }
        // Of two versions none could be meant by the bare url.
        match lists.insert(url.clone(), codes) {
            Some(_) => Err(problem(format!("`{url}` is supplied twice"))),
            None => Ok(()),
        }
    });
    finish(lists, problems)
}

fn finish<T>(value: T, problems: Vec<Problem>) -> Result<T, Problems> {
    if problems.is_empty() {
        Ok(value)
    } else {
        Err(Problems(problems))
    }
}

fn params(resource: Json<'_>, place: Place, registry: &Registry) -> Result<Vec<(String, Param)>, Problem> {
    let problem = |message: &str| place.problem(SEARCH_PARAMETERS, message);
    let required = |name: &str| text(resource, name).ok_or_else(|| problem(&format!("the parameter has no {name}")));
    let code = required("code")?;
    let kind = required("type")?;
    let expression = required("expression")?;
    if let Some(reason) = refusals::name(&code) {
        return Err(problem(&format!("`{code}`: {reason}")));
    }
    let (bases, targets) = (texts(resource, "base"), texts(resource, "target"));
    let fields = Fields {
        code: &code,
        kind: &kind,
        bases: &bases.iter().map(String::as_str).collect::<Vec<_>>(),
        expression: &expression,
        targets: &targets.iter().map(String::as_str).collect::<Vec<_>>(),
    };
    let params = from_fields(&fields, registry).map_err(|error| Problem {
        text: expression.as_str().into(),
        span: error.span,
        ..problem(&format!("`{code}`: {}", error.message))
    })?;
    let specs = params.iter().flat_map(|(_, param)| &param.paths);
    if specs.flat_map(|spec| &spec.wheres).any(|test| test.at == 0) {
        // The walk captures members of the resource, never the resource.
        let message = format!("`{code}`: a test on the resource itself is not supported");
        return Err(place.problem(SEARCH_PARAMETERS, message));
    }
    // A parameter that no filter could use is told here, where its definition is at hand.
    let refused = params
        .iter()
        .filter(|(_, param)| param.unresolved.is_none())
        .find_map(|(_, param)| refusals::param(param));
    match refused {
        Some(reason) => Err(problem(&reason)),
        None => Ok(params),
    }
}

/// The text of a member; an empty one counts as none.
fn text(json: Json<'_>, name: &str) -> Option<String> {
    let text = json.get(name)?.text()?.decode().into_owned();
    (!text.is_empty()).then_some(text)
}

/// The texts of a member that is a list.
fn texts(json: Json<'_>, name: &str) -> Vec<String> {
    let items = json.each_of(name).filter_map(Json::text);
    items.map(|text| text.decode().into_owned()).collect()
}
