//! What a client remembers, line by line, so that it can go on after any crash.
//!
//! A line is a JSON object. The first one holds the version and what is asked for; a file that holds no whole line is one in
//! which nothing has been begun. There are no tokens and no records in it, but the URLs of files, which may be signed: who may
//! read the journal may read the export that lies beside it anyway.

mod read;

use std::fmt::Write;

use super::order::{Level, Method, Order, Spelling};
use super::step::FileNo;
use crate::quote::{push_quoted, quoted};
use crate::sink::FileKind;

pub(super) use read::read;

/// Version of the lines.
const VERSION: u64 = 1;

/// The lines of a journal that were written to their ends. What a crash has left behind the last newline is no line: it has
/// to be cut off before anything is appended.
pub fn whole_lines(journal: &[u8]) -> &[u8] {
    let end = memchr::memrchr(b'\n', journal).map_or(0, |newline| newline + 1);
    &journal[..end]
}

/// What a client has begun with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Begun {
    /// An export to kick off.
    Order(Box<Order>),
    /// A job that exists already, and the base whose origin may have the token.
    Attend { status_url: String, base: Option<String> },
}

/// A line behind the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// A kick-off is being sent: `true`; the server refused it: `false`.
    KickOff(bool),
    /// The job's status URL.
    Status(String),
    /// A page of the manifest.
    Page(Page),
    /// The manifest is complete.
    Complete,
    /// All files are safe, and so are their lines: the job may be deleted.
    Fetched,
    /// A file is safe, and what the driver knows of it.
    Safe(FileNo, String),
    /// What its receipt promised is not there.
    Gone(FileNo),
    /// Something that people should know at the end.
    Warning(String),
    /// The user wants no more.
    Cancel,
    /// There is no job at the server any more.
    Deleted,
    /// All is done.
    Done,
}

/// What is remembered of a page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) number: usize,
    pub(super) transaction_time: Option<String>,
    pub(super) request: Option<String>,
    pub(super) organized_by: Option<String>,
    pub(super) requires_access_token: Option<bool>,
    pub(super) unusable: usize,
    /// In the order of the page.
    pub(super) entries: Vec<Entry>,
}

/// A file that a page lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Entry {
    /// One that was listed before.
    Known(FileNo),
    /// One that gets the next number.
    New(Listed),
}

/// A file, as a manifest lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) kind: FileKind,
    pub(super) type_name: Option<String>,
    /// Absolute, or as written where nothing can be made of it.
    pub(super) url: String,
    pub(super) count: Option<u64>,
    pub(super) size: Option<u64>,
    pub(super) continues_in: Option<String>,
}

/// The first line.
pub(super) fn first_line(begun: &Begun) -> String {
    let mut out = format!(r#"{{"fhirehose-journal":{VERSION},"#);
    match begun {
        Begun::Order(order) => {
            out.push_str(r#""order":"#);
            push_order(&mut out, order);
        }
        Begun::Attend { status_url, base } => {
            let _ = write!(
                out,
                r#""attend":{{"status":{},"base":{}}}"#,
                quoted(status_url),
                maybe(base.as_deref())
            );
        }
    }
    out.push('}');
    out
}

impl Line {
    /// As it is written, without the newline.
    pub(super) fn written(&self) -> String {
        match self {
            Line::KickOff(sent) => format!(r#"{{"kick-off":{sent}}}"#),
            Line::Status(url) => format!(r#"{{"status":{}}}"#, quoted(url)),
            Line::Page(page) => page.written(),
            Line::Complete => r#"{"complete":true}"#.to_owned(),
            Line::Fetched => r#"{"fetched":true}"#.to_owned(),
            Line::Safe(file, receipt) => format!(r#"{{"safe":{file},"receipt":{}}}"#, quoted(receipt)),
            Line::Gone(file) => format!(r#"{{"gone":{file}}}"#),
            Line::Warning(text) => format!(r#"{{"warning":{}}}"#, quoted(text)),
            Line::Cancel => r#"{"cancel":true}"#.to_owned(),
            Line::Deleted => r#"{"deleted":true}"#.to_owned(),
            Line::Done => r#"{"done":true}"#.to_owned(),
        }
    }

    /// Whether it has to be on the disk, and with it all lines before, before anything else is done. A receipt that gets lost
    /// costs one file, which is fetched again; once the job is deleted there is no again, and [`Line::Fetched`] comes first.
    pub(super) fn must_be_safe(&self) -> bool {
        !matches!(self, Line::Safe(..) | Line::Warning(_) | Line::KickOff(false))
    }
}

impl Page {
    fn written(&self) -> String {
        let mut out = format!(
            r#"{{"page":{},"time":{},"request":{},"organized":{},"token":{},"unusable":{},"files":["#,
            self.number,
            maybe(self.transaction_time.as_deref()),
            maybe(self.request.as_deref()),
            maybe(self.organized_by.as_deref()),
            self.requires_access_token
                .map_or("null".to_owned(), |needs| needs.to_string()),
            self.unusable,
        );
        for (at, entry) in self.entries.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            match entry {
                Entry::Known(file) => {
                    let _ = write!(out, "{file}");
                }
                Entry::New(listed) => listed.push(&mut out),
            }
        }
        out.push_str("]}");
        out
    }
}

impl Listed {
    fn push(&self, out: &mut String) {
        let kind = match self.kind {
            FileKind::Output => "output",
            FileKind::Deleted => "deleted",
            FileKind::Error => "error",
        };
        let number = |number: Option<u64>| number.map_or("null".to_owned(), |number| number.to_string());
        let _ = write!(
            out,
            r#"["{kind}",{},{},{},{},{}]"#,
            maybe(self.type_name.as_deref()),
            quoted(&self.url),
            number(self.count),
            number(self.size),
            maybe(self.continues_in.as_deref()),
        );
    }
}

fn push_order(out: &mut String, order: &Order) {
    let (level, group) = match &order.level {
        Level::System => ("system", None),
        Level::Patient => ("patient", None),
        Level::Group(id) => ("group", Some(id.as_str())),
    };
    let method = match order.method {
        Method::Get => "get",
        Method::Post => "post",
    };
    let spelling = match order.spelling {
        Spelling::Commas => "commas",
        Spelling::Repeated => "repeated",
    };
    let _ = write!(
        out,
        r#"{{"base":{},"level":"{level}","group":{},"method":"{method}","spelling":"{spelling}""#,
        quoted(&order.base),
        maybe(group)
    );
    for (name, items) in [
        ("types", &order.types),
        ("typeFilters", &order.type_filters),
        ("elements", &order.elements),
        ("patients", &order.patients),
        ("associatedData", &order.associated_data),
    ] {
        let _ = write!(out, r#","{name}":["#);
        for (at, item) in items.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_quoted(out, item);
        }
        out.push(']');
    }
    for (name, text) in [
        ("since", &order.since),
        ("until", &order.until),
        ("organizeBy", &order.organize_by),
        ("outputFormat", &order.output_format),
    ] {
        let _ = write!(out, r#","{name}":{}"#, maybe(text.as_deref()));
    }
    let further = order
        .further
        .iter()
        .map(|(name, text)| format!("[{},{}]", quoted(name), quoted(text)));
    let further: Vec<String> = further.collect();
    let _ = write!(
        out,
        r#","partial":{},"lenient":{},"further":[{}]}}"#,
        order.partial,
        order.lenient,
        further.join(",")
    );
}

fn maybe(text: Option<&str>) -> String {
    text.map_or("null".to_owned(), quoted)
}

#[cfg(test)]
mod tests;
