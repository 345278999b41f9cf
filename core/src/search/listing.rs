//! What can be asked of a type: its search parameters as the compiler takes them, refused ones with their reason.

use super::leaf::Leaf;
use super::refusals;
use super::table::{Param, PathSpec, Registry, Rule, SearchType, WhereTest};
use crate::quote::Tree;

#[cfg(test)]
mod tests;

/// Stands among the modifiers of a reference for the name of each type that it may point to.
pub const TYPED: &str = "[Type]";

/// One search parameter of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// The name in a query.
    pub code: &'a str,
    /// Search type.
    pub kind: SearchType,
    /// The modifiers that it takes; [`TYPED`] for the names of types. Empty if it is refused.
    pub modifiers: Vec<&'static str>,
    /// Whether values take the prefixes `ge`, `lt`, …; of a composite: whether those of some part do.
    pub prefixes: bool,
    /// The paths that are read, each with the datatype at its end. Those of a composite's part start below its base.
    /// None if the parameter is refused.
    pub paths: Vec<String>,
    /// Types that a reference may point to; empty: any.
    pub targets: &'a [String],
    /// Why a filter cannot use it. `None`: it can.
    pub refused: Option<String>,
}

/// The parameters of a type, sorted by code; none for a type that the registry does not know.
pub fn list<'a>(registry: &'a Registry, type_name: &str) -> Vec<Listed<'a>> {
    registry.params(type_name).into_iter().map(listed).collect()
}

fn listed(param: &Param) -> Listed<'_> {
    let refused = refusals::param(param);
    let is_taken = refused.is_none();
    let has_prefixes = |kind| matches!(kind, SearchType::Number | SearchType::Date | SearchType::Quantity);
    Listed {
        code: &param.code,
        kind: param.kind,
        modifiers: if is_taken { modifiers(param) } else { Vec::new() },
        prefixes: has_prefixes(param.kind) || param.components.iter().any(|part| has_prefixes(part.kind)),
        paths: if is_taken { paths(param) } else { Vec::new() },
        targets: &param.targets,
        refused,
    }
}

/// The modifiers that the compiler takes on a parameter that it does not refuse.
fn modifiers(param: &Param) -> Vec<&'static str> {
    let has = |leaf: Leaf| {
        let mut leaves = param.paths.iter().map(|spec| Leaf::named(&spec.leaf));
        leaves.any(|found| found == leaf || found == Leaf::Unknown)
    };
    let mut taken: Vec<&'static str> = refusals::modifiers(param.kind)
        .iter()
        .copied()
        .filter(|modifier| match (param.kind, *modifier) {
            (SearchType::Token, "of-type") => has(Leaf::Identifier),
            (SearchType::Reference, "identifier") => has(Leaf::Reference),
            _ => true,
        })
        .collect();
    let is_mime = |spec: &PathSpec| matches!(spec.names.last().map(String::as_str), Some("contentType" | "mimeType"));
    if param.kind == SearchType::Token && !param.paths.is_empty() && param.paths.iter().all(is_mime) {
        taken.push("below");
    }
    if param.kind == SearchType::Reference {
        taken.push(TYPED);
    }
    taken
}

/// The paths that the compiler reads: those whose datatype fits the search type.
fn paths(param: &Param) -> Vec<String> {
    if param.kind == SearchType::Composite {
        return param.paths.iter().map(|base| composite(base, param)).collect();
    }
    let read = param
        .paths
        .iter()
        .filter(|spec| param.rule.is_some() || Leaf::named(&spec.leaf).fits(param.kind));
    read.map(|spec| match param.rule {
        Some(Rule::ExistsAndNotFalse) => format!("{} exists and is not false", dotted(spec)),
        None => format!("{} ({})", dotted(spec), spec.leaf),
    })
    .collect()
}

/// `component: code (CodeableConcept) $ valueQuantity (Quantity)`
fn composite(base: &PathSpec, param: &Param) -> String {
    let parts: Vec<String> = param
        .components
        .iter()
        .map(|part| {
            let read = part.paths.iter().filter(|spec| Leaf::named(&spec.leaf).fits(part.kind));
            let shown: Vec<String> = read
                .map(|spec| {
                    let from = if spec.root && !base.names.is_empty() {
                        "%resource."
                    } else {
                        ""
                    };
                    format!("{from}{} ({})", dotted(spec), spec.leaf)
                })
                .collect();
            shown.join(" or ")
        })
        .collect();
    let parts = parts.join(" $ ");
    if base.names.is_empty() {
        parts
    } else {
        format!("{}: {parts}", dotted(base))
    }
}

/// The path as FHIRPath would write it.
fn dotted(spec: &PathSpec) -> String {
    let mut out = String::new();
    for at in 0..=spec.names.len() {
        for test in spec.wheres.iter().filter(|test| test.at == at) {
            out.push_str(&match &test.test {
                WhereTest::Member(names, text) => format!(".where({} = '{text}')", names.join(".")),
                WhereTest::Index(index) => format!("[{index}]"),
                WhereTest::Extension(url) => format!(".where(extension('{url}').exists())"),
            });
        }
        if let Some(name) = spec.names.get(at) {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(name);
        }
    }
    if let Some(type_name) = &spec.ref_is {
        out.push_str(&format!(".where(resolve() is {type_name})"));
    }
    if spec.first {
        out.push_str(".first()");
    }
    out
}

/// The name of a search type as the standard writes it.
pub fn kind_name(kind: SearchType) -> &'static str {
    match kind {
        SearchType::Number => "number",
        SearchType::Date => "date",
        SearchType::String => "string",
        SearchType::Token => "token",
        SearchType::Reference => "reference",
        SearchType::Composite => "composite",
        SearchType::Quantity => "quantity",
        SearchType::Uri => "uri",
        SearchType::Special => "special",
    }
}

/// For people: one block a parameter.
pub fn text(type_name: &str, listed: &[Listed<'_>]) -> String {
    let refused = listed.iter().filter(|param| param.refused.is_some()).count();
    let mut out = format!("{type_name}: {} search parameters", listed.len());
    if refused > 0 {
        out.push_str(&format!(", {refused} of them not supported"));
    }
    out.push('\n');
    let widest = listed.iter().map(|param| param.code.len()).max().unwrap_or(0);
    for param in listed {
        out.push_str(&format!("\n{:widest$}  {:9}", param.code, kind_name(param.kind)));
        let indent = " ".repeat(widest + 2);
        if let Some(reason) = &param.refused {
            out.push_str(&format!("  not supported\n{indent}{reason}\n"));
            continue;
        }
        let taken: Vec<String> = param.modifiers.iter().map(|name| format!(":{name}")).collect();
        let prefixes = param.prefixes.then(|| "prefixes".to_owned());
        let asked: Vec<String> = prefixes.into_iter().chain(taken).collect();
        if !asked.is_empty() {
            out.push_str(&format!("  {}", asked.join(" ")));
        }
        // A search type without anything after it leaves no blanks at the end of the line.
        out.truncate(out.trim_end().len());
        out.push('\n');
        for path in &param.paths {
            out.push_str(&format!("{indent}{path}\n"));
        }
        if !param.targets.is_empty() {
            out.push_str(&format!("{indent}to {}\n", param.targets.join(", ")));
        }
    }
    out
}

/// For programs: `type`, and `params`, each with `code`, `type`, `modifiers`, `prefixes`, `paths`, `targets` (empty: any)
/// and `refused` (the reason, or null).
pub fn json(type_name: &str, listed: &[Listed<'_>]) -> String {
    let params = listed.iter().map(|param| {
        Tree::Object(vec![
            ("code", Tree::text(param.code)),
            ("type", Tree::text(kind_name(param.kind))),
            ("modifiers", Tree::texts(param.modifiers.iter().copied())),
            ("prefixes", Tree::Boolean(param.prefixes)),
            ("paths", Tree::texts(param.paths.iter().map(String::as_str))),
            ("targets", Tree::texts(param.targets.iter().map(String::as_str))),
            ("refused", Tree::maybe(param.refused.as_deref())),
        ])
    });
    Tree::Object(vec![
        ("type", Tree::text(type_name)),
        ("params", Tree::List(params.collect())),
    ])
    .pretty()
}
