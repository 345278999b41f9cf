//! A journal that was left behind, read line by line.

use super::{Begun, Entry, Line, Listed, Page, VERSION};
use crate::client::json::{self, Node};
use crate::client::order::{Level, Method, Order, Spelling};
use crate::client::step::Failure;
use crate::sink::FileKind;

/// What it begins with, and the lines behind that. What follows the last newline is no line.
///
/// # Errors
/// With the code `bad-journal`: there is no whole line, the journal is of another version, or a line has been damaged.
pub(in crate::client) fn read(journal: &str) -> Result<(Begun, Vec<Line>), Failure> {
    let whole = &journal[..journal.rfind('\n').unwrap_or(0)];
    if whole.is_empty() {
        return Err(bad(
            "the journal holds no whole line: nothing was begun, start anew".to_owned()
        ));
    }
    let mut texts = whole.split('\n');
    let begun = first(texts.next().unwrap_or_default())?;
    let mut lines = Vec::new();
    let mut files = 0;
    for (at, text) in texts.enumerate() {
        let read = json::parse(text.as_bytes())
            .ok()
            .and_then(|document| line(document.root()));
        let Some(line) = read.filter(|line| fits(line, &mut files)) else {
            return Err(bad(format!("line {} of the journal is damaged", at + 2)));
        };
        lines.push(line);
    }
    Ok((begun, lines))
}

fn bad(message: String) -> Failure {
    Failure {
        code: "bad-journal",
        message,
        resumable: false,
    }
}

/// Whether a line speaks only of files that are known, so that nobody has to ask later.
fn fits(line: &Line, files: &mut usize) -> bool {
    match line {
        Line::Safe(file, _) | Line::Gone(file) => file < files,
        Line::Page(page) => page.entries.iter().all(|entry| match entry {
            Entry::Known(file) => *file < *files,
            Entry::New(_) => {
                *files += 1;
                true
            }
        }),
        _ => true,
    }
}

fn first(text: &str) -> Result<Begun, Failure> {
    let damaged = || bad("line 1 of the journal is damaged, or this is no journal".to_owned());
    let document = json::parse(text.as_bytes()).map_err(|_| damaged())?;
    let root = document.root();
    let version = root
        .get("fhirehose-journal")
        .and_then(Node::whole)
        .ok_or_else(damaged)?;
    if version != VERSION {
        return Err(bad(format!(
            "the journal is of version {version}; this program reads version {VERSION}"
        )));
    }
    if let Some(order) = root.get("order") {
        return Ok(Begun::Order(Box::new(self::order(order).ok_or_else(damaged)?)));
    }
    let attend = root.get("attend").ok_or_else(damaged)?;
    Ok(Begun::Attend {
        status_url: text_of(attend, "status").ok_or_else(damaged)?,
        base: text_of(attend, "base"),
    })
}

fn line(root: Node<'_>) -> Option<Line> {
    let first = root.members().next()?;
    let value = first.value;
    let line = match first.name.as_ref() {
        "kick-off" => Line::KickOff(value.boolean()?),
        "status" => Line::Status(value.text()?.into_owned()),
        "page" => Line::Page(page(root, value)?),
        "complete" => Line::Complete,
        "fetched" => Line::Fetched,
        "safe" => Line::Safe(number(value)?, text_of(root, "receipt")?),
        "gone" => Line::Gone(number(value)?),
        "warning" => Line::Warning(value.text()?.into_owned()),
        "cancel" => Line::Cancel,
        "deleted" => Line::Deleted,
        "done" => Line::Done,
        _ => return None,
    };
    Some(line)
}

fn page(root: Node<'_>, number: Node<'_>) -> Option<Page> {
    let entries = root.get("files")?.items().map(|item| match item.number() {
        Some(_) => self::number(item).map(Entry::Known),
        None => listed(item).map(Entry::New),
    });
    Some(Page {
        number: self::number(number)?,
        transaction_time: text_of(root, "time"),
        request: text_of(root, "request"),
        organized_by: text_of(root, "organized"),
        requires_access_token: root.get("token").and_then(Node::boolean),
        unusable: self::number(root.get("unusable")?)?,
        entries: entries.collect::<Option<_>>()?,
    })
}

fn listed(item: Node<'_>) -> Option<Listed> {
    let mut parts = item.items();
    let kind = match parts.next()?.text()?.as_ref() {
        "output" => FileKind::Output,
        "deleted" => FileKind::Deleted,
        "error" => FileKind::Error,
        _ => return None,
    };
    let type_name = parts.next()?.text().map(|text| text.into_owned());
    let url = parts.next()?.text()?.into_owned();
    let (count, size) = (parts.next()?.whole(), parts.next()?.whole());
    let continues_in = parts.next()?.text().map(|text| text.into_owned());
    Some(Listed {
        kind,
        type_name,
        url,
        count,
        size,
        continues_in,
    })
}

fn order(node: Node<'_>) -> Option<Order> {
    let level = match (text_of(node, "level")?.as_str(), text_of(node, "group")) {
        ("system", _) => Level::System,
        ("patient", _) => Level::Patient,
        ("group", Some(id)) => Level::Group(id),
        _ => return None,
    };
    let method = match text_of(node, "method")?.as_str() {
        "get" => Method::Get,
        "post" => Method::Post,
        _ => return None,
    };
    let spelling = match text_of(node, "spelling")?.as_str() {
        "commas" => Spelling::Commas,
        "repeated" => Spelling::Repeated,
        _ => return None,
    };
    let pair = |item: Node<'_>| {
        let mut texts = item.items().filter_map(Node::text);
        Some((texts.next()?.into_owned(), texts.next()?.into_owned()))
    };
    Some(Order {
        base: text_of(node, "base")?,
        level,
        method,
        spelling,
        types: texts(node, "types")?,
        since: text_of(node, "since"),
        until: text_of(node, "until"),
        type_filters: texts(node, "typeFilters")?,
        elements: texts(node, "elements")?,
        patients: texts(node, "patients")?,
        associated_data: texts(node, "associatedData")?,
        organize_by: text_of(node, "organizeBy"),
        output_format: text_of(node, "outputFormat"),
        partial: node.get("partial")?.boolean()?,
        lenient: node.get("lenient")?.boolean()?,
        further: node.get("further")?.items().map(pair).collect::<Option<_>>()?,
    })
}

fn number(node: Node<'_>) -> Option<usize> {
    node.whole().and_then(|number| usize::try_from(number).ok())
}

fn text_of(node: Node<'_>, name: &str) -> Option<String> {
    Some(node.get(name)?.text()?.into_owned())
}

fn texts(node: Node<'_>, name: &str) -> Option<Vec<String>> {
    let items = node.get(name)?.items();
    items.map(|item| Some(item.text()?.into_owned())).collect()
}
