//! One file of a server's manifest as it comes: counted, held against the request, and cut into the parts that it leaves.

use crate::bytes::Uint8Array;
use fhirehose_core::client::{FileState, Known, Lines, Select};
use fhirehose_core::frame::MAX_MAX_LINE;
use fhirehose_core::quote::Tree;
use fhirehose_core::report::{Report, TypeCount};
use fhirehose_core::sink::{FileKind, FileName, Sink};
use wasm_bindgen::prelude::wasm_bindgen;

use super::of_trouble;
use crate::fault;
use crate::plan::Plan;
use crate::report;
use crate::run::Run;
use crate::segments::{Open, Segments};
use crate::tables;

/// Input that is looked at together, as in a run.
const PIECE: u32 = 256 << 10;

/// A file that comes. What it gives out is a copy, and void until the whole file is complete.
#[wasm_bindgen]
#[derive(Debug)]
pub struct Download {
    lines: Lines,
    content: Content,
    piece: Vec<u8>,
}

/// Where what comes goes.
#[derive(Debug)]
enum Content {
    /// Through the engine.
    Engine(Box<Run>),
    /// As it is.
    Whole(Box<Whole>),
}

/// One part that takes everything, or, of the lists that the engine does not read, what belongs into them.
#[derive(Debug)]
struct Whole {
    segments: Segments,
    open: Option<Open>,
    name: FileName,
    select: Option<Select>,
    written: u64,
}

#[wasm_bindgen]
impl Download {
    /// Takes the next bytes, inflated, cut anywhere. Gives the number of segments that wait to be fetched; they are gone at the
    /// next call that gives a number.
    ///
    /// # Errors
    ///
    /// With the code `trouble`: this is not what the manifest says. With `bad-line`: the request says to stop at the first.
    pub fn push(&mut self, chunk: &Uint8Array) -> Result<usize, String> {
        if let Content::Whole(whole) = &mut self.content {
            whole.segments.clear();
        }
        if let Content::Engine(run) = &mut self.content {
            run.fetched();
        }
        let mut from = 0;
        while from < chunk.length() {
            let to = chunk.length().min(from.saturating_add(PIECE));
            self.piece.resize((to - from) as usize, 0);
            chunk.subarray(from, to).copy_to(&mut self.piece);
            self.lines.take(&self.piece).map_err(of_trouble)?;
            match &mut self.content {
                Content::Engine(run) => run.push_bytes(&self.piece)?,
                Content::Whole(whole) => whole.take(&self.piece)?,
            }
            from = to;
        }
        Ok(self.waiting())
    }

    /// All has come: the last segments.
    ///
    /// # Errors
    ///
    /// As for [`Download::push`].
    pub fn finish(&mut self) -> Result<usize, String> {
        self.lines.finish().map_err(of_trouble)?;
        match &mut self.content {
            Content::Engine(run) => run.finish(),
            Content::Whole(whole) => whole.finish(self.lines.is_open()),
        }
    }

    /// Number of the part that a segment belongs to.
    #[wasm_bindgen(js_name = segmentFile)]
    #[must_use]
    pub fn segment_file(&self, index: usize) -> usize {
        self.segments().get(index).map_or(usize::MAX, |segment| segment.file)
    }

    /// A copy of a segment's bytes.
    #[wasm_bindgen(js_name = segmentBytes)]
    #[must_use]
    pub fn segment_bytes(&self, index: usize) -> Uint8Array {
        let lines = self.segments().get(index).map(|segment| segment.lines.as_slice());
        Uint8Array::of(lines.unwrap_or_default())
    }

    /// Lines that have come.
    #[must_use]
    pub fn lines(&self) -> f64 {
        self.lines.count() as f64
    }

    /// Counts of the types so far, as JSON. What is taken as it comes is of the type that the manifest names.
    #[must_use]
    pub fn counts(&self) -> String {
        let whole = match &self.content {
            Content::Engine(run) => return run.counts(),
            Content::Whole(whole) => whole,
        };
        let count = TypeCount {
            type_name: whole.name.type_name.clone(),
            read: self.lines.count(),
            kept: self.lines.count(),
            bytes: whole.written,
        };
        let is_output = whole.name.kind == FileKind::Output && count.read > 0;
        report::counts(is_output.then_some(&count).into_iter()).pretty()
    }

    /// What is remembered of it when it is complete, as JSON.
    #[must_use]
    pub fn receipt(&self) -> String {
        let came = Came {
            lines: self.lines.count(),
            bytes: self.lines.bytes(),
        };
        match &self.content {
            Content::Engine(run) => run.ended().map_or(Tree::Null, |report| filtered(&came, report)),
            Content::Whole(whole) => whole.receipt(&came),
        }
        .pretty()
    }
}

impl Download {
    pub(super) fn begin(plan: Option<&Plan>, file: &Known<'_>, count: Option<u64>) -> Result<Download, String> {
        if file.state != FileState::Active {
            return Err(fault::plain("argument", "this file is not being fetched"));
        }
        let lines = Lines::new(file.kind, file.type_name, count, MAX_MAX_LINE);
        let content = match (plan, file.kind) {
            (Some(plan), FileKind::Output) => {
                let mut run = Run::new(plan);
                run.begin_input(&format!("file {} of the manifest", file.number + 1))?;
                Content::Engine(Box::new(run))
            }
            (plan, kind) => Content::Whole(Box::new(Whole {
                segments: Segments::default(),
                open: None,
                name: FileName {
                    kind,
                    type_name: type_of(kind, file.type_name),
                    sequence: 0,
                },
                select: plan.and_then(|_| Select::of(kind)),
                written: 0,
            })),
        };
        Ok(Download {
            lines,
            content,
            piece: Vec::new(),
        })
    }

    fn segments(&self) -> &Segments {
        match &self.content {
            Content::Engine(run) => run.waiting(),
            Content::Whole(whole) => &whole.segments,
        }
    }

    fn waiting(&self) -> usize {
        self.segments().count()
    }
}

impl Whole {
    fn take(&mut self, bytes: &[u8]) -> Result<(), String> {
        let Some(mut select) = self.select.take() else {
            return self.write(bytes);
        };
        let taken = select.take(bytes, |line| self.write(line));
        self.select = Some(select);
        taken
    }

    fn write(&mut self, bytes: &[u8]) -> Result<(), String> {
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self
                .segments
                .create(&self.name)
                .map_err(|error| fault::of_error(&error))?,
        };
        let written = self.segments.write(&mut open, bytes);
        self.open = Some(open);
        self.written += bytes.len() as u64;
        written.map_err(|error| fault::of_error(&error))
    }

    fn finish(&mut self, is_open: bool) -> Result<usize, String> {
        self.segments.clear();
        // A last line without a newline is given one; of a list, it is looked at as a line.
        if is_open {
            self.take(b"\n")?;
        }
        Ok(self.segments.count())
    }

    fn receipt(&self, came: &Came) -> Tree {
        let foreign = self.select.as_ref().map_or(0, Select::dropped);
        let kept = came.lines.saturating_sub(foreign);
        let part = Tree::Object(vec![
            ("kind", Tree::text(report::kind(self.name.kind))),
            ("type", Tree::text(self.name.type_name.as_str())),
            ("count", Tree::Number(kept)),
            ("bytes", Tree::Number(self.written)),
        ]);
        let parts = if self.written > 0 { vec![part] } else { Vec::new() };
        Tree::Object(vec![
            ("lines", Tree::Number(came.lines)),
            ("bytes", Tree::Number(came.bytes)),
            ("kept", Tree::Number(kept)),
            ("foreign", Tree::Number(foreign)),
            ("filtered", Tree::Boolean(false)),
            ("types", Tree::List(Vec::new())),
            ("bad", Tree::List(Vec::new())),
            ("places", Tree::List(Vec::new())),
            ("parts", Tree::List(parts)),
        ])
    }
}

struct Came {
    lines: u64,
    bytes: u64,
}

fn filtered(came: &Came, report: &Report) -> Tree {
    let types = report.types.iter().filter(|of_type| of_type.read > 0);
    let parts = report.files.iter().map(|file| {
        Tree::Object(vec![
            ("kind", Tree::text(report::kind(file.name.kind))),
            ("type", Tree::text(file.name.type_name.as_str())),
            ("count", Tree::Number(file.resources)),
            ("bytes", Tree::Number(file.bytes)),
        ])
    });
    Tree::Object(vec![
        ("lines", Tree::Number(came.lines)),
        ("bytes", Tree::Number(came.bytes)),
        ("kept", Tree::Number(report.kept())),
        ("foreign", Tree::Number(0)),
        ("filtered", Tree::Boolean(true)),
        ("types", report::counts(types)),
        ("bad", report::bad_kinds(report)),
        ("places", report::bad_places(report)),
        ("parts", Tree::List(parts.collect())),
    ])
}

/// The type that the manifest names, if there is such a type: nothing else becomes the name of a file.
fn type_of(kind: FileKind, named: Option<&str>) -> String {
    let default = match kind {
        FileKind::Output => "Resource",
        FileKind::Deleted => "Bundle",
        FileKind::Error => "OperationOutcome",
    };
    let known = named.filter(|name| tables::knows(name));
    known.unwrap_or(default).to_owned()
}
