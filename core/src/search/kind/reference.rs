//! References: by id, by type and id, by version, by URL; canonicals by URL and version.

use memchr::memmem;

use super::ValueError;
use super::token::{TokenLeaf, TokenMatcher};
use crate::scan::json::Json;
use crate::scan::spare::Spare;
use crate::search::leaf::Leaf;
use crate::search::needle::{Needle, Needles};
use crate::search::query::unescape;

/// A reference search value.
#[derive(Clone, Debug)]
pub enum ReferenceMatcher {
    /// No modifier, or `:Type`.
    Target(Target),
    /// `:identifier`: a token on the reference's own identifier.
    Identifier(TokenMatcher),
}

/// What a reference must point to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    form: Form,
    /// The text as written, for canonicals, URIs and everything that is only compared literally.
    text: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// Any allowed type with this id.
    Id(String),
    /// One resource, in one version or any.
    Resource {
        type_name: String,
        id: String,
        version: Option<String>,
    },
    /// An absolute URL without version, to be compared whole.
    Url,
    /// `#contained`, `urn:…`, or what else is only equal to itself.
    Literal,
}

/// What the parameter tells a reference.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReferenceLeaf {
    /// Types it may point to; empty: any.
    pub targets: Vec<String>,
    /// Keep references to this type only.
    pub only: Option<String>,
    /// The data's own FHIR base: absolute references under it are relative ones. Without closing slash.
    pub base: Option<String>,
}

/// A stored reference, split.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Parts<'a> {
    type_name: &'a str,
    id: &'a str,
    version: Option<&'a str>,
}

impl ReferenceMatcher {
    /// Reads a value without modifier, still escaped.
    pub fn parse(
        value: &str,
        base: Option<&str>,
        is_type: impl Fn(&str) -> bool,
    ) -> Result<ReferenceMatcher, ValueError> {
        let text = unescape(value, 0..value.len())?;
        let form = form(&text, base, is_type).map_err(|message| ValueError::whole(value, message))?;
        Ok(ReferenceMatcher::Target(Target { form, text }))
    }

    /// Reads the bare id of `:Type`.
    pub fn typed(value: &str, type_name: &str) -> Result<ReferenceMatcher, ValueError> {
        let text = unescape(value, 0..value.len())?;
        if text.contains(['/', '|', '#', '?', ':']) {
            let message = format!("`:{type_name}` takes an id only, without type");
            return Err(ValueError::whole(value, message));
        }
        let form = Form::Resource {
            type_name: type_name.to_owned(),
            id: text.clone(),
            version: None,
        };
        Ok(ReferenceMatcher::Target(Target { form, text }))
    }

    /// Reads the token of `:identifier`.
    pub fn identifier(value: &str) -> Result<ReferenceMatcher, ValueError> {
        TokenMatcher::code(value).map(ReferenceMatcher::Identifier)
    }

    /// Whether a stored value matches. `info.only` has been tested by the caller.
    pub fn matches(&self, leaf: Leaf, json: Json<'_>, info: &ReferenceLeaf) -> bool {
        let target = match self {
            ReferenceMatcher::Identifier(token) => {
                let identifier = json.get("identifier");
                return leaf == Leaf::Reference
                    && identifier.is_some_and(|found| token.matches(Leaf::Identifier, found, &TokenLeaf::default()));
            }
            ReferenceMatcher::Target(target) => target,
        };
        match leaf {
            Leaf::Reference => json
                .get("reference")
                .and_then(Json::text)
                .is_some_and(|text| target.accepts(&text.decode(), info)),
            Leaf::CodeableReference => json
                .get("reference")
                .is_some_and(|reference| self.matches(Leaf::Reference, reference, info)),
            Leaf::Resource => target.accepts_resource(json, info),
            Leaf::Text => json.text().is_some_and(|text| target.accepts(&text.decode(), info)),
            Leaf::Canonical => json.text().is_some_and(|text| target.accepts_canonical(&text.decode())),
            _ => json.text().is_some_and(|text| text.is(&target.text)),
        }
    }

    /// What raw bytes a value holds that matches.
    pub fn needles(&self, leaf: Leaf) -> Needles {
        let target = match self {
            ReferenceMatcher::Identifier(token) => return token.needles(Leaf::Identifier, &TokenLeaf::default()),
            ReferenceMatcher::Target(target) => target,
        };
        let needle = match leaf {
            Leaf::Reference | Leaf::CodeableReference | Leaf::Text => target.needle(),
            Leaf::Canonical => Needle::start(split_version(without_fragment(&target.text)).0),
            Leaf::Uri => Needle::whole(&target.text),
            // A resource has its id without a slash before it, and what is told from the JSON may be one.
            _ => None,
        };
        needle.map(|needle| vec![needle])
    }

    /// For `explain`.
    pub fn describe(&self) -> String {
        match self {
            ReferenceMatcher::Identifier(token) => format!("identifier: {}", token.describe()),
            ReferenceMatcher::Target(target) => match &target.form {
                Form::Id(id) => format!("points to id `{id}`"),
                Form::Resource {
                    type_name,
                    id,
                    version: None,
                } => format!("points to `{type_name}/{id}`"),
                Form::Resource {
                    type_name,
                    id,
                    version: Some(version),
                } => {
                    format!("points to version `{version}` of `{type_name}/{id}`")
                }
                Form::Url | Form::Literal => format!("is `{}`", target.text),
            },
        }
    }
}

fn form(text: &str, base: Option<&str>, is_type: impl Fn(&str) -> bool) -> Result<Form, String> {
    if text.starts_with('#') || text.starts_with("urn:") {
        return Ok(Form::Literal);
    }
    let relative = base.and_then(|base| text.strip_prefix(base)?.strip_prefix('/'));
    if relative.is_none() && memmem::find(text.as_bytes(), b"://").is_some() {
        return Ok(Form::Url);
    }
    let path = relative.unwrap_or(text);
    if path.contains(['?', '|']) {
        return Ok(Form::Literal);
    }
    let own = |parts: Parts<'_>| Form::Resource {
        type_name: parts.type_name.to_owned(),
        id: parts.id.to_owned(),
        version: parts.version.map(str::to_owned),
    };
    match split_relative(path) {
        Some(parts) if is_type(parts.type_name) => Ok(own(parts)),
        Some(parts) => Err(format!("`{}` is not a resource type", parts.type_name)),
        None if path.contains('/') => Err("expected id, Type/id, Type/id/_history/version or a URL".to_owned()),
        None => Ok(Form::Id(path.to_owned())),
    }
}

/// Splits `Type/id[/_history/version]`.
fn split_relative(path: &str) -> Option<Parts<'_>> {
    let mut segments = path.split('/');
    let type_name = segments.next()?;
    let id = segments.next()?;
    let version = match (segments.next(), segments.next(), segments.next()) {
        (None, ..) => None,
        (Some("_history"), Some(version), None) if !version.is_empty() => Some(version),
        _ => return None,
    };
    (!type_name.is_empty() && !id.is_empty() && !id.contains('?')).then_some(Parts { type_name, id, version })
}

impl Target {
    fn needle(&self) -> Option<Needle> {
        match &self.form {
            Form::Id(id) | Form::Resource { id, .. } => Needle::part(&format!("/{id}")),
            Form::Url => Needle::start(&self.text),
            Form::Literal => Needle::whole(&self.text),
        }
    }

    fn accepts(&self, stored: &str, info: &ReferenceLeaf) -> bool {
        let relative = info
            .base
            .as_deref()
            .and_then(|base| stored.strip_prefix(base)?.strip_prefix('/'))
            .unwrap_or(stored);
        match &self.form {
            Form::Literal => stored == self.text,
            Form::Url => stored == self.text || without_version(stored) == self.text,
            Form::Id(wanted) => split_relative(relative).is_some_and(|parts| {
                let allowed = info.targets.is_empty() || info.targets.iter().any(|target| target == parts.type_name);
                parts.id == wanted && allowed
            }),
            Form::Resource { type_name, id, version } => split_relative(relative).is_some_and(|parts| {
                let same_version = version.is_none() || version.as_deref() == parts.version;
                parts.type_name == type_name && parts.id == id && same_version
            }),
        }
    }

    /// A resource in the place of a reference (`Bundle.composition`).
    fn accepts_resource(&self, json: Json<'_>, info: &ReferenceLeaf) -> bool {
        let member = |name: &str| json.get(name).and_then(Json::text).map(|text| text.decode());
        let (Some(type_name), Some(id)) = (member("resourceType"), member("id")) else {
            return false;
        };
        let mut reference = Spare::take();
        for part in [&type_name, "/", &id] {
            reference.push_str(part);
        }
        self.accepts(&reference, info)
    }

    /// The part before the `|`; the version only if one was asked for; never the fragment, unless it is all there is.
    fn accepts_canonical(&self, stored: &str) -> bool {
        if stored == self.text {
            return true;
        }
        let (url, version) = split_version(without_fragment(stored));
        let (wanted_url, wanted_version) = split_version(without_fragment(&self.text));
        !wanted_url.is_empty() && url == wanted_url && (wanted_version.is_none() || wanted_version == version)
    }
}

fn split_version(canonical: &str) -> (&str, Option<&str>) {
    match canonical.split_once('|') {
        Some((url, version)) => (url, Some(version)),
        None => (canonical, None),
    }
}

fn without_fragment(canonical: &str) -> &str {
    canonical.split_once('#').map_or(canonical, |(before, _)| before)
}

fn without_version(url: &str) -> &str {
    memmem::find(url.as_bytes(), b"/_history/").map_or(url, |at| &url[..at])
}

/// The type and id that a reference points to, if it is relative, or absolute under the data's own base. The version
/// does not count.
pub fn target_of<'a>(reference: &'a str, base: Option<&str>) -> Option<(&'a str, &'a str)> {
    let own = base.and_then(|base| reference.strip_prefix(base)?.strip_prefix('/'));
    split_relative(own.unwrap_or(reference)).map(|parts| (parts.type_name, parts.id))
}

/// The type that a reference's text names: `Patient` of `Patient/1` and of `http://x/fhir/Patient/1/_history/2`.
pub fn type_in_text(reference: &str, is_type: impl Fn(&str) -> bool) -> Option<&str> {
    let path = without_version(reference);
    let (before, id) = path.rsplit_once('/')?;
    let type_name = before.rsplit('/').next()?;
    (!id.is_empty() && !path.contains('?') && is_type(type_name)).then_some(type_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_type(name: &str) -> bool {
        ["Patient", "Group", "Observation"].contains(&name)
    }

    fn matches(search: &str, stored: &str, base: Option<&str>) -> bool {
        let info = ReferenceLeaf {
            targets: vec!["Patient".into()],
            only: None,
            base: base.map(str::to_owned),
        };
        let json = format!("{{\"reference\":\"{stored}\"}}");
        let matcher = ReferenceMatcher::parse(search, base, is_type).expect(search);
        matcher.matches(Leaf::Reference, Json::new(json.as_bytes()), &info)
    }

    #[test]
    fn forms() {
        for (search, stored, expected) in [
            ("1", "Patient/1", true),
            ("1", "Group/1", false),
            ("1", "Patient/1/_history/2", true),
            ("Patient/1", "Patient/1", true),
            ("Patient/1", "Patient/1/_history/2", true),
            ("Patient/1/_history/2", "Patient/1/_history/2", true),
            ("Patient/1/_history/2", "Patient/1/_history/3", false),
            ("Patient/1/_history/2", "Patient/1", false),
            ("Patient/1", "Patient/12", false),
            ("Patient/1", "http://x/fhir/Patient/1", false),
            ("http://x/fhir/Patient/1", "http://x/fhir/Patient/1", true),
            ("http://x/fhir/Patient/1", "http://x/fhir/Patient/1/_history/4", true),
            ("http://x/fhir/Patient/1", "Patient/1", false),
            ("#p", "#p", true),
            ("p", "#p", false),
            ("urn:uuid:a", "urn:uuid:a", true),
            ("Patient?identifier=x\\|1", "Patient?identifier=x|1", true),
        ] {
            assert_eq!(matches(search, stored, None), expected, "{search} against {stored}");
        }
        for bad in ["Foo/1", "Patient/1/x", "a/b/c/d", r"a\b"] {
            assert!(ReferenceMatcher::parse(bad, None, is_type).is_err(), "{bad}");
        }
        assert!(ReferenceMatcher::typed("Patient/1", "Patient").is_err());
    }

    #[test]
    fn under_the_own_base_absolute_is_relative() {
        let base = Some("http://x/fhir");
        assert!(matches("Patient/1", "http://x/fhir/Patient/1", base));
        assert!(matches("http://x/fhir/Patient/1", "Patient/1", base));
        assert!(matches("1", "http://x/fhir/Patient/1/_history/3", base));
        assert!(!matches("Patient/1", "http://x/fhir2/Patient/1", base));
    }

    #[test]
    fn canonicals() {
        let matches = |search: &str, stored: &str| {
            let matcher = ReferenceMatcher::parse(search, None, is_type).expect(search);
            let json = format!("\"{stored}\"");
            matcher.matches(Leaf::Canonical, Json::new(json.as_bytes()), &ReferenceLeaf::default())
        };
        assert!(matches("http://x/q", "http://x/q|1.0"));
        assert!(matches("http://x/q|1.0", "http://x/q|1.0#f"));
        assert!(!matches("http://x/q|1.0", "http://x/q"));
        assert!(!matches("http://x/q|1.0", "http://x/q|2.0"));
    }

    #[test]
    fn the_type_is_read_from_the_text() {
        assert_eq!(type_in_text("Patient/1", is_type), Some("Patient"));
        assert_eq!(type_in_text("http://x/Patient/1/_history/2", is_type), Some("Patient"));
        assert_eq!(type_in_text("Foo/1", is_type), None);
        assert_eq!(type_in_text("#p", is_type), None);
        assert_eq!(type_in_text("urn:uuid:1", is_type), None);
    }
}
