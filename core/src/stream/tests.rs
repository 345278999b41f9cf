//! Tests of the stream: the same bytes as the push engine, whatever the codec and the size of the reads.

use std::cell::Cell;
use std::collections::BTreeMap;

use async_compression::futures::bufread::{BzEncoder, GzipEncoder, XzEncoder, ZstdEncoder};
use futures_util::io::AsyncReadExt as _;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use super::*;
use crate::request::Request;
use crate::search::table::Registry;
use crate::sink::MemorySink;

type Files = BTreeMap<String, Vec<u8>>;

/// Gives at most so many bytes in one read, and is not ready every second time.
struct Slow<'a> {
    rest: &'a [u8],
    most: usize,
    tired: bool,
}

fn slow(bytes: &[u8], most: usize) -> Slow<'_> {
    Slow {
        rest: bytes,
        most,
        tired: false,
    }
}

impl AsyncRead for Slow<'_> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, out: &mut [u8]) -> Poll<io::Result<usize>> {
        self.tired = !self.tired;
        if self.tired {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let count = self.most.min(out.len()).min(self.rest.len());
        let (now, later) = self.rest.split_at(count);
        out[..count].copy_from_slice(now);
        self.rest = later;
        Poll::Ready(Ok(count))
    }
}

fn block_on<F: Future>(future: F) -> F::Output {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime");
    runtime.block_on(future)
}

fn plan(filters: &[&str]) -> Plan {
    let request = Request {
        type_filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
        ..Request::default()
    };
    Plan::compile(&request, &Registry::r4()).expect("a plan")
}

fn lines() -> Vec<u8> {
    let mut text = String::from("\u{feff}");
    for number in 0..300 {
        let gender = if number % 3 == 0 { "female" } else { "male" };
        text += &format!("{{\"resourceType\":\"Patient\",\"id\":\"p{number}\",\"gender\":\"{gender}\"}}\r\n");
        text += &format!("{{\"resourceType\":\"Observation\",\"id\":\"o{number}\",\"status\":\"final\"}}\n\n");
        if number % 50 == 0 {
            text += "{\"resourceType\":\n";
        }
    }
    text += "{\"resourceType\":\"Patient\",\"gender\":\"female\",\"name\":[{\"text\":\"\u{e9}\u{1f600}\"}]}";
    text.into_bytes()
}

fn pushed(plan: Plan, limits: Limits, input: &[u8]) -> (Report, Files) {
    let mut export = Export::with_limits(plan, MemorySink::default(), limits);
    export.push(input).expect("no error");
    let (report, sink) = export.finish().expect("no error");
    (report, sink.files.into_iter().collect())
}

fn streamed<R: AsyncRead + Unpin>(mut filtered: Filtered<R>) -> Result<(Report, Files), StreamError> {
    block_on(async {
        let mut files = Files::new();
        while let Some(chunk) = filtered.try_next().await? {
            assert!(chunk.lines.ends_with(b"\n"), "whole lines only");
            files
                .entry(chunk.file.to_string())
                .or_default()
                .extend_from_slice(&chunk.lines);
        }
        Ok((filtered.report().expect("a report at the end").clone(), files))
    })
}

fn read_all(mut reader: impl AsyncRead + Unpin) -> Vec<u8> {
    let mut out = Vec::new();
    block_on(reader.read_to_end(&mut out)).expect("no error");
    out
}

fn packed(input: &[u8]) -> [(&'static str, Vec<u8>); 4] {
    [
        ("gzip", read_all(GzipEncoder::new(input))),
        ("zstd", read_all(ZstdEncoder::new(input))),
        ("bzip2", read_all(BzEncoder::new(input))),
        ("xz", read_all(XzEncoder::new(input))),
    ]
}

#[test]
fn same_bytes_and_report_as_the_push_engine_for_every_codec_and_read_size() {
    let (input, plan) = (lines(), plan(&["Patient?gender=female", "Observation?status=final"]));
    let limits = Limits {
        max_resources: Some(70),
        ..Limits::default()
    };
    let expected = pushed(plan.clone(), limits, &input);
    assert!(expected.1.len() > 4, "files roll over");
    let forms = packed(&input).into_iter().chain([("plain", input)]);
    for (name, form) in forms {
        for most in [1, 2, 3, 7, 1000, 1 << 20] {
            let got = streamed(Filtered::with_limits(plan.clone(), slow(&form, most), limits)).expect("no error");
            assert!(got == expected, "{name} by {most}");
        }
    }
}

#[test]
fn members_and_frames_that_follow_one_another_are_one_input() {
    let (input, plan) = (lines(), plan(&[]));
    let expected = pushed(plan.clone(), Limits::default(), &input);
    let (first, second) = input.split_at(input.len() / 2);
    for ((name, mut form), (_, rest)) in packed(first).into_iter().zip(packed(second)) {
        form.extend_from_slice(&rest);
        let got = streamed(Filtered::new(plan.clone(), slow(&form, 100))).expect("no error");
        assert!(got == expected, "{name}");
    }
}

#[test]
fn a_compressed_input_that_ends_early_is_an_error_wherever_it_is_cut() {
    let plan = plan(&[]);
    for (name, form) in packed(&lines()) {
        let step = (form.len() / 97).max(1);
        for cut in (6..form.len()).step_by(step).chain(form.len() - 12..form.len()) {
            let mut filtered = Filtered::new(plan.clone(), &form[..cut]);
            let error = block_on(async {
                while filtered.try_next().await?.is_some() {}
                Ok(())
            });
            assert!(
                matches!(error, Err(StreamError::Input(_))),
                "{name} cut at {cut}: {error:?}"
            );
            assert!(filtered.report().is_none(), "{name} cut at {cut}");
            assert!(block_on(filtered.next()).is_none(), "at its end after an error");
        }
    }
}

#[test]
fn an_empty_input_and_one_shorter_than_any_magic_are_plain() {
    let (report, files) = streamed(Filtered::new(plan(&[]), slow(b"", 9))).expect("no error");
    assert_eq!((report.inputs, report.lines, files.len()), (1, 0, 0));
    let (report, _) = streamed(Filtered::new(plan(&[]), slow(b"{}", 1))).expect("no error");
    assert_eq!((report.lines, report.kept()), (1, 0));
}

#[test]
fn a_line_of_many_reads_is_kept_whole() {
    let mut input = b"{\"resourceType\":\"Binary\",\"data\":\"".to_vec();
    input.resize(5 << 20, b'A');
    input.extend_from_slice(b"\"}");
    let (report, files) = streamed(Filtered::new(plan(&[]), input.as_slice())).expect("no error");
    assert_eq!(report.kept(), 1);
    input.push(b'\n');
    assert!(files["Binary.000.ndjson"] == input);
}

#[test]
fn nothing_is_read_ahead_of_the_consumer() {
    let input = lines().repeat(40);
    let read = Cell::new(0);
    let chunks = input.chunks(4096).map(|chunk| {
        read.set(read.get() + chunk.len());
        Ok::<_, io::Error>(chunk)
    });
    let mut filtered = Filtered::new(plan(&[]), ByteReader::new(stream::iter(chunks)));
    block_on(filtered.next()).expect("a chunk").expect("no error");
    assert!(read.get() <= 64 << 10, "one read for the first chunk");
}

#[test]
fn other_tasks_get_their_turn_while_everything_is_dropped() {
    let line = b"{\"resourceType\":\"Patient\",\"gender\":\"male\"}\n";
    let input = line.repeat((READ * READS_PER_TURN * 3) / line.len());
    let mut filtered = Filtered::new(plan(&["Patient?gender=female"]), input.as_slice());
    let mut context = Context::from_waker(std::task::Waker::noop());
    let mut turns = 1;
    while Pin::new(&mut filtered).poll_next(&mut context).is_pending() {
        turns += 1;
    }
    assert_eq!(turns, 3 + 1);
}

#[test]
fn a_stream_of_chunks_is_an_input_and_its_error_is_the_readers() {
    let (input, plan) = (lines(), plan(&[]));
    let expected = pushed(plan.clone(), Limits::default(), &input);
    let form = &packed(&input)[0].1;
    let chunks = || {
        form.chunks(11)
            .chain([&b""[..]])
            .map(|chunk| Ok::<_, io::Error>(chunk.to_vec()))
    };
    let got = streamed(Filtered::new(plan.clone(), ByteReader::new(stream::iter(chunks())))).expect("no error");
    assert!(got == expected);
    let failing = chunks().take(3).chain([Err(io::Error::other("connection lost"))]);
    let error = streamed(Filtered::new(plan, ByteReader::new(stream::iter(failing)))).expect_err("an error");
    assert_eq!(error.to_string(), "reading the input: connection lost");
}

#[test]
fn a_bad_line_stops_the_stream_if_asked_for() {
    let request = Request {
        on_bad: crate::request::OnBad::Stop,
        ..Request::default()
    };
    let plan = Plan::compile(&request, &Registry::r4()).expect("a plan");
    let input: &[u8] = b"{\"resourceType\":\"Patient\"}\n{\n";
    let error = streamed(Filtered::new(plan, input).named("a.ndjson")).expect_err("an error");
    assert!(matches!(error, StreamError::Export(_)), "{error}");
    assert!(error.to_string().starts_with("a.ndjson:2:2: "), "{error}");
}
