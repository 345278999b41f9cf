//! A merge or diff from its arguments to its manifest, but for the judgement of what stands.

use std::fs;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::ops::Range;
use std::sync::Arc;
use std::time::SystemTime;

use fhirehose_core::manifest::{Generation, manifest};
use fhirehose_core::plan::Plan;
use fhirehose_core::report::FileEntry;
use fhirehose_core::request::Request;
use fhirehose_core::router::Router;

use crate::cancel::Cancel;
use crate::cohort_error::CohortError;
use crate::compress::Queue;
use crate::folder::{FolderSink, OutputFile};
use crate::inputs::InputPlace;
use crate::job::{JobError, Progress};
use crate::output_error::OutputError;
use crate::pool;
use crate::snapshot::argument::{REPLACES, Role};
use crate::snapshot::entry::{Entry, Key};
use crate::snapshot::marks::Marks;
use crate::snapshot::pass::{self, Reading};
use crate::snapshot::rewrite::{Files, Rewriter};
use crate::snapshot::scan::{InputFile, Roll, Scanner, Shared};
use crate::snapshot::sorted::Runs;
use crate::snapshot::tally::{Place, Tally};
use crate::snapshot::task::{ArgumentCount, Outcome, Task};

/// Judges what the entries of each resource come to.
pub(crate) trait Judge {
    /// The next entry of the resource at hand.
    fn entry(&mut self, entry: &Entry<'_>);

    /// All entries of this resource have come.
    fn end(&mut self, key: Key<'_>) -> Result<(), JobError>;
}

/// What both passes work with.
struct Setting<'t> {
    task: &'t Task,
    progress: &'t Progress,
    cancel: &'t Cancel,
    queue: Arc<Queue>,
}

impl Setting<'_> {
    fn reading<'r>(&'r self, inputs: &'r [InputPlace], first_input: usize, first_line: u64) -> Reading<'r> {
        Reading {
            inputs,
            first_input,
            first_line,
            threads: self.task.threads,
            chunk: self.task.chunk,
            max_line: self.task.max_line,
            compression: self.task.compression,
            queue: &self.queue,
            progress: self.progress,
            cancel: self.cancel,
        }
    }
}

/// A run of `merge` or `diff`.
pub(crate) struct Session<'t> {
    setting: Setting<'t>,
    pub(crate) sink: FolderSink,
    router: Router<OutputFile>,
    plan: Plan,
    places: Vec<InputPlace>,
    files: Vec<InputFile>,
    /// Size and time of change of each input, as they were found.
    stamps: Vec<Option<(u64, Option<SystemTime>)>>,
    starts: Vec<(u64, String)>,
    arguments: Vec<ArgumentCount>,
    /// How many lines there are.
    pub(crate) lines: u64,
    pub(crate) runs_on_disk: u64,
}

impl<'t> Session<'t> {
    /// Locks the output folder.
    pub(crate) fn begin(task: &'t Task, progress: &'t Progress, cancel: &'t Cancel) -> Result<Self, JobError> {
        let request = Request {
            trust: true,
            max_line: task.max_line,
            on_bad: task.on_bad,
            ..Request::default()
        };
        if task.arguments.len() > usize::from(u16::MAX) {
            let text = "there are more arguments than can be told apart".to_owned();
            let name = task.output.path.display().to_string();
            return Err(JobError::Mismatch { name, text });
        }
        let plan = Plan::compile(&request, &task.registry).map_err(CohortError::Plan)?;
        // Deletions are told by the first pass; a Bundle that stands is a resource.
        let plan = plan.with_plain_bundles();
        let queue = Arc::new(Queue::default());
        let output = &task.output;
        let sink = FolderSink::create(
            &output.path,
            output.force,
            task.compression,
            task.threads,
            queue.clone(),
            cancel,
        )?;
        let mut files = Vec::new();
        let mut places = Vec::new();
        for (index, argument) in task.arguments.iter().enumerate() {
            places.extend(argument.places().cloned());
            files.extend(argument.inputs.iter().map(|input| InputFile {
                argument: index as u16,
                role: input.role,
                count: input.count,
            }));
        }
        let count = |argument: &crate::snapshot::argument::Argument| ArgumentCount {
            name: argument.name.clone(),
            transaction_time: argument.transaction_time.as_ref().map(|moment| moment.text.clone()),
            ..ArgumentCount::default()
        };
        Ok(Session {
            sink,
            router: Router::new(plan.clone(), task.limits),
            plan,
            stamps: places.iter().map(stamp).collect(),
            places,
            files,
            starts: Vec::new(),
            arguments: task.arguments.iter().map(count).collect(),
            lines: 0,
            runs_on_disk: 0,
            setting: Setting {
                task,
                progress,
                cancel,
                queue,
            },
        })
    }

    /// The first pass: reads every line of every argument.
    pub(crate) fn scan(&mut self) -> Result<Runs<Entry<'static>>, JobError> {
        let (task, cancel) = (self.setting.task, self.setting.cancel);
        let runs = Runs::new(self.sink.partial(), cancel);
        let budget = task.memory / task.threads.max(1);
        let random = || RandomState::new().build_hasher().finish();
        let shared = Shared {
            registry: &task.registry,
            files: &self.files,
            fhir_base: task.fhir_base.as_deref(),
            max_line: task.max_line,
            by_bytes: task.by_bytes,
            key: [random(), random()],
        };
        let reading = self.setting.reading(&self.places, 0, 0);
        let roll = Roll {
            router: &mut self.router,
            sink: &mut self.sink,
            files: &self.files,
            starts: Vec::new(),
            counts: Vec::new(),
            arguments: std::mem::take(&mut self.arguments),
            lines: 0,
        };
        let roll = pass::run(&reading, || Scanner::new(shared, runs.sorter(budget)), roll)?;
        let Roll {
            starts,
            counts,
            arguments,
            lines,
            ..
        } = roll;
        (self.starts, self.arguments, self.lines) = (starts, arguments, lines);
        self.check_counts(&counts)?;
        Ok(runs)
    }

    /// A manifest that counts otherwise stands over an incomplete set.
    fn check_counts(&self, counts: &[(u64, u64)]) -> Result<(), JobError> {
        for ((file, (told, deletions)), (_, name)) in self.files.iter().zip(counts).zip(&self.starts) {
            let Some(count) = file.count else { continue };
            // Some count deletions, some the Bundles that they stand in.
            if count != *told && !(file.role == Role::Deletions && count == *deletions) {
                let text = format!("the export is incomplete: its manifest counts {count}, the file has {told}");
                return Err(JobError::Mismatch {
                    name: name.clone(),
                    text,
                });
            }
        }
        Ok(())
    }

    /// The inputs of one argument, or of all.
    pub(crate) fn inputs_of(&self, argument: Option<u16>) -> Range<usize> {
        let Some(argument) = argument else {
            return 0..self.files.len();
        };
        let start = self.files.partition_point(|file| file.argument < argument);
        start..self.files.partition_point(|file| file.argument <= argument)
    }

    /// The second pass: writes the lines that are marked, all of which lie in these inputs.
    pub(crate) fn rewrite(&mut self, inputs: Range<usize>, marks: &Marks) -> Result<(), JobError> {
        let first_line = self.starts.get(inputs.start).map_or(self.lines, |(line, _)| *line);
        let Session {
            router,
            sink,
            plan,
            places,
            ..
        } = self;
        let reading = self.setting.reading(&places[inputs.clone()], inputs.start, first_line);
        let files = Files {
            router,
            sink,
            progress: self.setting.progress,
            strange: 0,
        };
        let files = pass::run(&reading, || Rewriter::new(plan, marks), files)?;
        let is_same = files.strange == 0 && files.router.kept() == marks.count();
        let changed = |index: &usize| stamp(&self.places[*index]) != self.stamps[*index];
        let changed = (0..self.places.len()).find(changed);
        if let Some(index) = changed.or((!is_same).then_some(inputs.start)) {
            let name = self.places[index].to_string();
            let text = "it was changed while it was read".to_owned();
            return Err(JobError::Mismatch { name, text });
        }
        Ok(())
    }

    /// Completes every file, `more` among them, and gives all their names; the manifest comes last.
    pub(crate) fn finish(mut self, tally: Tally, replaces: bool, more: Vec<FileEntry>) -> Result<Outcome, JobError> {
        let mut report = self.router.finish(&mut self.sink).map_err(pool::from_core)?;
        report.files.extend(more);
        report.files.sort_by(|one, other| one.name.cmp(&other.name));
        let Setting { task, queue, .. } = &self.setting;
        pool::work_off_queue(task.threads, task.compression, queue)?;
        self.sink.complete(&mut report)?;
        let mut text = manifest(&report, &task.output.facts());
        if replaces {
            text = marked(&text, task.output.manifest.generation);
        }
        self.sink.commit(&text)?;
        let starts = self.starts;
        let (numbers, findings) = (tally.numbers.clone(), tally.findings());
        let places = tally.into_places().into_iter().filter_map(|(line, finding)| {
            let input = starts.partition_point(|(start, _)| *start <= line).checked_sub(1)?;
            let (start, name) = starts.get(input)?;
            Some(Place {
                finding,
                input: name.clone(),
                line: line - start + 1,
            })
        });
        Ok(Outcome {
            report,
            arguments: self.arguments,
            numbers,
            findings,
            places: places.collect(),
            changes: Vec::new(),
            runs_on_disk: self.runs_on_disk,
        })
    }
}

/// Gives the entries to the judge, those of one resource after those of another. Gives how many runs were on disk.
pub(crate) fn judge(runs: Runs<Entry<'static>>, judge: &mut impl Judge) -> Result<u64, JobError> {
    let damaged = || OutputError::new("read", "a sorted run", &std::io::Error::other("it is damaged"));
    let mut at_hand: Vec<u8> = Vec::new();
    let on_disk = runs.drain(|bytes| {
        let key = bytes.get(..Entry::key_length(bytes)).ok_or_else(damaged)?;
        if key != at_hand.as_slice() {
            if let Some(ended) = Key::read(&at_hand) {
                judge.end(ended)?;
            }
            at_hand.clear();
            at_hand.extend_from_slice(key);
        }
        judge.entry(&Entry::read(bytes).ok_or_else(damaged)?);
        Ok(())
    })?;
    if let Some(ended) = Key::read(&at_hand) {
        judge.end(ended)?;
    }
    Ok(on_disk)
}

fn stamp(place: &InputPlace) -> Option<(u64, Option<SystemTime>)> {
    let InputPlace::File(path) = place else { return None };
    let data = fs::metadata(path).ok()?;
    Some((data.len(), data.modified().ok()))
}

/// The manifest with the mark of a delta that replaces.
fn marked(manifest: &str, generation: Generation) -> String {
    let extension = match generation {
        Generation::V2V3 => format!("{{ \"{REPLACES}\": true }}"),
        Generation::V4 => format!("[{{ \"url\": \"{REPLACES}\", \"valueBoolean\": true }}]"),
    };
    let body = manifest.trim_end().strip_suffix('}').unwrap_or(manifest).trim_end();
    format!("{body},\n  \"extension\": {extension}\n}}\n")
}
