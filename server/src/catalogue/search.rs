//! `GET /Group`, listing and searching, and `GET /Group/{id}`.

use std::fmt::Write;

use fhirehose_core::quote::push_quoted;

use super::Catalogue;
use super::groups::GroupFacts;
use crate::outcome::{Reply, Severity};

/// Groups on a page if the client does not say, and at most.
const USUAL: usize = 50;
const MOST: usize = 1000;

/// A page is full when it has as many bytes: Groups can have many members.
const MOST_BYTES: usize = 16 << 20;

/// What may be asked for, for who asks for something else.
const KNOWN: &str = "_id, name (also :exact, :contains), type, actual, identifier, _count, _page, _format";

/// A criterion: any of its values.
enum Criterion {
    Id(Vec<String>),
    /// Folded, but for [`Match::Exact`].
    Name(Vec<String>, Match),
    Kind(Vec<String>),
    Actual(Vec<bool>),
    Identifier(Vec<Token>),
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Match {
    Start,
    Exact,
    Contains,
}

/// `system|value`; `None`: whatever it is. The empty system is none at all.
struct Token {
    system: Option<String>,
    value: Option<String>,
}

struct Query<'q> {
    /// All of them.
    criteria: Vec<Criterion>,
    count: usize,
    /// The last id of the page before.
    behind: Option<&'q str>,
    /// What else has to stand in a link.
    pairs: Vec<&'q (String, String)>,
}

/// The Groups that match, as a searchset Bundle. `query` are the decoded pairs of the URL, `base` is the server's own
/// URL, and `may_read` whether the client may have Groups at all.
///
/// # Errors
/// The client may not, or asks for what there is not.
pub fn search_groups(
    catalogue: &Catalogue,
    query: &[(String, String)],
    base: &str,
    may_read: bool,
) -> Result<String, Reply> {
    check_reach(may_read)?;
    let query = Query::read(query)?;
    let base = base.trim_end_matches('/');
    let matching = catalogue.groups().filter(|facts| query.accepts(facts));
    let total = matching.count();
    let mut entries = String::new();
    let mut shown: Option<&str> = None;
    let mut has_more = false;
    let mut left = query.count;
    let candidates = catalogue.groups.behind(query.behind);
    for (facts, line) in candidates.filter(|(facts, _)| query.count > 0 && query.accepts(facts)) {
        if left == 0 || (entries.len() + line.len() > MOST_BYTES && shown.is_some()) {
            has_more = true;
            break;
        }
        // A line that has been walked is UTF-8.
        let Ok(resource) = std::str::from_utf8(line) else {
            continue;
        };
        entries.push_str(if shown.is_some() { "," } else { "" });
        entries.push_str(r#"{"fullUrl":"#);
        push_quoted(&mut entries, &format!("{base}/Group/{}", encoded(&facts.id)));
        let _ = write!(entries, r#","resource":{resource},"search":{{"mode":"match"}}}}"#);
        shown = Some(&facts.id);
        left -= 1;
    }
    let mut out = format!(r#"{{"resourceType":"Bundle","type":"searchset","total":{total},"link":["#);
    query.push_link(&mut out, "self", base, query.behind);
    if has_more {
        out.push(',');
        query.push_link(&mut out, "next", base, shown);
    }
    out.push(']');
    if !entries.is_empty() {
        let _ = write!(out, r#","entry":[{entries}]"#);
    }
    out.push('}');
    Ok(out)
}

/// One Group as it stands in the data.
///
/// # Errors
/// The client may not read it, or there is none.
pub fn read_group<'c>(catalogue: &'c Catalogue, id: &str, may_read: bool) -> Result<&'c [u8], Reply> {
    check_reach(may_read)?;
    catalogue.group(id).ok_or_else(|| Reply::not_found("Group"))
}

fn check_reach(may_read: bool) -> Result<(), Reply> {
    if may_read {
        Ok(())
    } else {
        Err(Reply::forbidden(
            "the client may not read Groups: it needs a scope for them",
        ))
    }
}

impl<'q> Query<'q> {
    fn read(all: &'q [(String, String)]) -> Result<Query<'q>, Reply> {
        let mut query = Query {
            criteria: Vec::new(),
            count: USUAL,
            behind: None,
            pairs: Vec::new(),
        };
        for pair in all {
            let (name, value) = pair;
            let value = value.as_str();
            match name.as_str() {
                "_page" => {
                    query.behind = Some(value);
                    continue;
                }
                "_format" => check_format(value)?,
                "_count" => {
                    let count: Result<usize, _> = value.parse();
                    let count = count.map_err(|_| refused(name, "a number of Groups is expected"))?;
                    query.count = count.min(MOST);
                }
                _ => query.criteria.push(Criterion::read(name, value)?),
            }
            query.pairs.push(pair);
        }
        Ok(query)
    }

    fn accepts(&self, facts: &GroupFacts) -> bool {
        self.criteria.iter().all(|criterion| criterion.accepts(facts))
    }

    fn push_link(&self, out: &mut String, relation: &str, base: &str, behind: Option<&str>) {
        let pairs = self.pairs.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let page = behind.map(|id| ("_page", id));
        let mut url = format!("{base}/Group");
        for (index, (name, value)) in pairs.chain(page).enumerate() {
            let sign = if index == 0 { '?' } else { '&' };
            let _ = write!(url, "{sign}{}={}", encoded(name), encoded(value));
        }
        let _ = write!(out, r#"{{"relation":"{relation}","url":"#);
        push_quoted(out, &url);
        out.push('}');
    }
}

impl Criterion {
    fn read(name: &str, value: &str) -> Result<Criterion, Reply> {
        let how = match name {
            "_id" => return Ok(Criterion::Id(values(name, value)?)),
            "type" => {
                let codes = values(name, value)?.into_iter().map(code);
                return Ok(Criterion::Kind(codes.collect()));
            }
            "actual" => {
                let read = |text: String| match code(text).as_str() {
                    "true" => Ok(true),
                    "false" => Ok(false),
                    _ => Err(refused(name, "true or false is expected")),
                };
                let wanted: Result<Vec<bool>, Reply> = values(name, value)?.into_iter().map(read).collect();
                return Ok(Criterion::Actual(wanted?));
            }
            "identifier" => {
                let tokens = values(name, value)?.into_iter().map(Token::read);
                return Ok(Criterion::Identifier(tokens.collect()));
            }
            "name" => Match::Start,
            "name:exact" => Match::Exact,
            "name:contains" => Match::Contains,
            _ => {
                let text = format!("Groups cannot be searched by this parameter; there are {KNOWN}");
                return Err(refused(name, &text));
            }
        };
        let fold = |text: String| if how == Match::Exact { text } else { text.to_lowercase() };
        let texts = values(name, value)?.into_iter().map(fold);
        Ok(Criterion::Name(texts.collect(), how))
    }

    fn accepts(&self, facts: &GroupFacts) -> bool {
        match self {
            Criterion::Id(ids) => ids.contains(&facts.id),
            Criterion::Name(texts, how) => facts.name.as_ref().is_some_and(|name| {
                let folded = name.to_lowercase();
                texts.iter().any(|text| match how {
                    Match::Start => folded.starts_with(text.as_str()),
                    Match::Exact => name == text,
                    Match::Contains => folded.contains(text.as_str()),
                })
            }),
            Criterion::Kind(codes) => facts.kind.as_ref().is_some_and(|kind| codes.contains(kind)),
            Criterion::Actual(wanted) => facts.actual.is_some_and(|actual| wanted.contains(&actual)),
            Criterion::Identifier(tokens) => {
                let mut identifiers = facts.identifiers.iter();
                identifiers.any(|own| tokens.iter().any(|token| token.accepts(own)))
            }
        }
    }
}

impl Token {
    fn read(text: String) -> Token {
        match text.split_once('|') {
            None => Token {
                system: None,
                value: Some(text),
            },
            Some((system, value)) => Token {
                system: Some(system.to_owned()),
                value: (!value.is_empty()).then(|| value.to_owned()),
            },
        }
    }

    fn accepts(&self, (system, value): &(Option<String>, Option<String>)) -> bool {
        let has_system = match self.system.as_deref() {
            None => true,
            Some("") => system.is_none(),
            wanted => system.as_deref() == wanted,
        };
        has_system && self.value.as_ref().is_none_or(|wanted| value.as_ref() == Some(wanted))
    }
}

/// The code of a token whose system goes without saying.
fn code(text: String) -> String {
    match text.split_once('|') {
        Some((_, code)) => code.to_owned(),
        None => text,
    }
}

/// The values of a list; a comma in one is written `\,`.
fn values(name: &str, text: &str) -> Result<Vec<String>, Reply> {
    let mut found = vec![String::new()];
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, found.last_mut()) {
            (',', _) => found.push(String::new()),
            ('\\', Some(last)) => last.extend(letters.next()),
            (other, Some(last)) => last.push(other),
            (_, None) => {}
        }
    }
    found.retain(|value| !value.is_empty());
    if found.is_empty() {
        return Err(refused(name, "a value is expected"));
    }
    Ok(found)
}

fn check_format(value: &str) -> Result<(), Reply> {
    // A plus that was not encoded has become a blank.
    let value = value.replace(' ', "+");
    match value.split(';').next().unwrap_or_default() {
        "json" | "application/json" | "application/fhir+json" => Ok(()),
        _ => {
            let mut reply = refused("_format", "only JSON is given: application/fhir+json");
            reply.status = 406;
            Err(reply)
        }
    }
}

fn refused(name: &str, text: &str) -> Reply {
    let name: String = name.chars().take(60).collect();
    let mut reply = Reply::error(400, "invalid", format!("{name}: {text}"));
    for issue in &mut reply.issues {
        issue.severity = Severity::Error;
        issue.location = Some(format!("http.{name}"));
    }
    reply
}

/// For a place in a URL: what is not plain is percent-encoded.
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

#[cfg(test)]
mod tests;
