//! `fhirehose params`: the search parameters that filters can use, from the table that the compiler uses.

use fhirehose_core::problem::did_you_mean;
use fhirehose_core::quote::Tree;
use fhirehose_core::search::listing;
use fhirehose_core::search::table::Registry;

use crate::args::{ParamsArgs, ReportArg};
use crate::exit::Exit;
use crate::messages::Faults;
use crate::request;

/// Prints the parameters of a type, or the types.
pub(super) fn run(args: &ParamsArgs) -> Exit {
    let mut faults = Faults::default();
    let Some(registry) = request::registry(&args.registry, &mut faults) else {
        return faults.tell();
    };
    let Some(type_name) = &args.type_name else {
        return crate::print::print(types(&registry, args.report).as_bytes());
    };
    if !registry.is_type(type_name) {
        let mut text = format!("`{type_name}` is not a resource type of this FHIR version");
        if let Some(help) = did_you_mean(type_name, registry.types().iter().map(String::as_str)) {
            text.push_str(&format!("; {help}"));
        }
        faults.usage(text);
        return faults.tell();
    }
    let listed = listing::list(&registry, type_name);
    crate::print::print(
        match args.report {
            ReportArg::Text => listing::text(type_name, &listed),
            ReportArg::Json => listing::json(type_name, &listed),
        }
        .as_bytes(),
    )
}

/// Each type, how many parameters it has, and how many of them a filter can use.
fn types(registry: &Registry, report: ReportArg) -> String {
    let counts: Vec<(&str, usize, usize)> = registry
        .types()
        .iter()
        .map(|name| {
            let listed = listing::list(registry, name);
            let usable = listed.iter().filter(|param| param.refused.is_none()).count();
            (name.as_str(), listed.len(), usable)
        })
        .collect();
    match report {
        ReportArg::Json => {
            let number = |count: usize| Tree::Number(count as u64);
            let types = counts.iter().map(|&(name, all, usable)| {
                Tree::Object(vec![
                    ("type", Tree::text(name)),
                    ("params", number(all)),
                    ("supported", number(usable)),
                ])
            });
            Tree::Object(vec![("types", Tree::List(types.collect()))]).pretty()
        }
        ReportArg::Text => {
            let widest = counts.iter().map(|(name, ..)| name.len()).max().unwrap_or(0);
            let mut out = format!("{:widest$}  params  supported\n", "type");
            for (name, all, usable) in counts {
                out.push_str(&format!("{name:widest$}  {all:>6}  {usable:>9}\n"));
            }
            out
        }
    }
}
