//! Parameters from the fields of a user's SearchParameter resource.

use super::{has_branch, is_base, lower};
use crate::order;
use crate::search::expr::{ExprError, parse};
use crate::search::table::{Param, Registry, SearchType};

/// The fields of a SearchParameter resource that a parameter is made of, as they stand in its JSON.
#[derive(Clone, Copy, Debug)]
pub struct Fields<'a> {
    /// `code`: the name in a query.
    pub code: &'a str,
    /// `type`, for instance `token`.
    pub kind: &'a str,
    /// `base`: the types that have the parameter.
    pub bases: &'a [&'a str],
    /// `expression`.
    pub expression: &'a str,
    /// `target`: the types a reference may point to; empty: any.
    pub targets: &'a [&'a str],
}

/// Makes parameters of a SearchParameter's fields, one for each base, for [`Registry::with_params`].
///
/// Where some bases have no branch in the expression, their parameter is `unresolved`, as in the standard's tables.
///
/// # Errors
///
/// As [`parse`] and [`lower`]; and composite and special parameters, unknown types, a missing code or base.
pub fn from_fields(fields: &Fields<'_>, registry: &Registry) -> Result<Vec<(String, Param)>, ExprError> {
    let whole = 0..fields.expression.len();
    let refuse = |message: String| Err(ExprError::new(&whole, message));
    let kind = match SearchType::from_code(fields.kind) {
        None => return refuse(format!("unknown search type `{}`", fields.kind)),
        Some(SearchType::Composite) => return refuse("composite parameters of one's own are not supported".to_owned()),
        Some(SearchType::Special) => return refuse("special parameters of one's own are not supported".to_owned()),
        Some(kind) => kind,
    };
    let in_code = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if fields.code.is_empty() || !fields.code.chars().all(in_code) {
        return refuse("the code of a parameter is letters, digits, `-` and `_`".to_owned());
    }
    if fields.bases.is_empty() {
        return refuse("the parameter has no base".to_owned());
    }
    let expr = parse(fields.expression)?;
    let mut targets: Vec<String> = fields.targets.iter().map(|&target| target.to_owned()).collect();
    order::sort(&mut targets);
    targets.dedup();
    let mut params = Vec::new();
    let mut reached = false;
    for &base in fields.bases {
        if !is_base(registry, base) {
            return refuse(format!("`{base}` is no resource type of this version"));
        }
        // With a single base, its error says more than that nothing was reached.
        let has_branch = fields.bases.len() == 1 || has_branch(&expr, base, kind, registry);
        let paths = if has_branch {
            lower(&expr, base, kind, registry)?
        } else {
            Vec::new()
        };
        reached |= has_branch;
        let unresolved = (!has_branch).then(|| "the expression reaches no element of this type".to_owned());
        let param = Param {
            code: fields.code.to_owned(),
            kind,
            paths,
            rule: expr.rule().filter(|_| has_branch),
            unresolved,
            targets: targets.clone(),
            components: Vec::new(),
        };
        params.push((base.to_owned(), param));
    }
    if !reached {
        return refuse("no branch of the expression is about one of the bases".to_owned());
    }
    Ok(params)
}
