//! The members of an object that are looked for, found in whatever case they are written.

use std::ops::Range;

use super::finding::{Findings, Place, shown};
use crate::client::json::{Kind, Member, Node};

/// Members by the names that are looked for.
pub(super) struct Fields<'d> {
    /// The object.
    pub(super) span: Range<usize>,
    found: Vec<(&'static str, Member<'d>)>,
}

impl<'d> Fields<'d> {
    /// Finds members of these names. Tells names in another case. One that is there twice, in two cases, makes the object
    /// uncertain: then its second place is the error.
    pub(super) fn of(
        object: Node<'d>,
        names: &[&'static str],
        place: Place<'_>,
        findings: &mut Findings,
    ) -> Result<Self, Range<usize>> {
        let mut found: Vec<(&'static str, Member<'d>)> = Vec::new();
        for member in object.members() {
            let known = names.iter().find(|name| name.eq_ignore_ascii_case(&member.name));
            let Some(&name) = known else { continue };
            if found.iter().any(|(other, _)| *other == name) {
                return Err(member.name_span);
            }
            if member.name != name {
                let message = format!("{} should be written {name}", shown(&member.name));
                findings.error("wrong-case", member.name_span.clone(), place.at(name), message);
            }
            if member.value.is_null() {
                let message = format!("{name} is null: what is not said has to be left out");
                findings.error("null", member.value.span(), place.at(name), message);
            }
            found.push((name, member));
        }
        Ok(Fields {
            span: object.span(),
            found,
        })
    }

    /// The member, if it is there and not null.
    pub(super) fn get(&self, name: &str) -> Option<Node<'d>> {
        self.member(name)
            .map(|member| member.value)
            .filter(|value| !value.is_null())
    }

    /// The member, null or not.
    pub(super) fn member(&self, name: &str) -> Option<&Member<'d>> {
        self.found
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, member)| member)
    }

    /// Where to point if something is missing: the brace that opens the object.
    pub(super) fn opening(&self) -> Range<usize> {
        self.span.start..self.span.start + 1
    }

    /// A string; tells what is none.
    pub(super) fn text(&self, name: &'static str, place: Place<'_>, findings: &mut Findings) -> Option<String> {
        let value = self.get(name)?;
        let text = value.text().map(|text| text.into_owned());
        if text.is_none() {
            let message = format!("{name} is {}, expected a string", value.kind());
            findings.error("not-a-string", value.span(), place.at(name), message);
        }
        text
    }

    /// A number of things; takes a number in quotes, and tells it.
    pub(super) fn whole(&self, name: &'static str, place: Place<'_>, findings: &mut Findings) -> Option<u64> {
        let value = self.get(name)?;
        if let Some(number) = value.whole() {
            return Some(number);
        }
        let quoted = value.text().and_then(|text| text.trim().parse().ok());
        let (rule, message) = match value.kind() {
            Kind::Text if quoted.is_some() => (
                "number-as-string",
                format!("{name} is a number in quotes, expected a JSON number"),
            ),
            Kind::Number => (
                "not-a-whole-number",
                format!("{name} has to be a whole number that is not negative"),
            ),
            kind => (
                "not-a-whole-number",
                format!("{name} is {kind}, expected a whole number"),
            ),
        };
        findings.error(rule, value.span(), place.at(name), message);
        quoted
    }

    /// An array, or one object that stands for an array of one; tells what is none.
    pub(super) fn list(&self, name: &'static str, findings: &mut Findings) -> Listed<'d> {
        let Some(value) = self.get(name) else {
            return Listed::Missing;
        };
        match value.kind() {
            Kind::List => Listed::Items(value),
            Kind::Object => {
                let message = format!("{name} is one object, expected an array");
                findings.error("single-object", value.span(), Place::list(name), message);
                Listed::Single(value)
            }
            kind => {
                let message = format!("{name} is {kind}, expected an array");
                findings.error("not-an-array", value.span(), Place::list(name), message);
                Listed::Other
            }
        }
    }
}

/// What stands where an array should be.
#[derive(Clone, Copy)]
pub(super) enum Listed<'d> {
    /// Nothing, or null.
    Missing,
    /// An array.
    Items(Node<'d>),
    /// The only item without its array.
    Single(Node<'d>),
    /// Something that holds no items.
    Other,
}

impl<'d> Listed<'d> {
    /// The items with their index; that of one without an array has none.
    pub(super) fn items(self) -> impl Iterator<Item = (Option<usize>, Node<'d>)> {
        let (list, single) = match self {
            Listed::Items(list) => (Some(list), None),
            Listed::Single(item) => (None, Some(item)),
            Listed::Missing | Listed::Other => (None, None),
        };
        let items = list.into_iter().flat_map(Node::items).enumerate();
        let items = items.map(|(index, item)| (Some(index), item));
        items.chain(single.map(|item| (None, item)))
    }
}
