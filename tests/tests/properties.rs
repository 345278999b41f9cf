//! The promises of the engine, each a test with its name.

use fhirehose_core::frame::Framer;
use fhirehose_core::partition::Limits;
use fhirehose_core::plan::Plan;
use fhirehose_core::report::Report;
use fhirehose_core::request::Request;
use fhirehose_core::search::table::Registry;
use fhirehose_core::sieve::{self, Batch, Scratch};
use fhirehose_tests::differential::synthetic;
use fhirehose_tests::door::{Answer, push};
use fhirehose_tests::random::Random;
use std::collections::BTreeSet;

const CHUNKS: [usize; 12] = [1, 2, 3, 7, 16, 61, 257, 1000, 4096, 65_537, 1 << 20, 8 << 20];

/// Requests that differ in everything that a plan can hold.
fn requests() -> Vec<Request> {
    let with = |filters: &[&str]| Request {
        type_filters: filters.iter().map(|&filter| filter.to_owned()).collect(),
        transaction_time: Some("2025-01-01T00:00:00Z".to_owned()),
        ..Request::default()
    };
    vec![
        Request::default(),
        with(&["Patient?gender=female", "Observation?value-quantity=gt70"]),
        with(&[
            "Observation?category:not=laboratory&date=ge2021",
            "Condition?code:text=diab",
        ]),
        Request {
            types: vec!["Observation,Encounter".to_owned(), "Patient".to_owned()],
            since: Some("2021-06-01T00:00:00Z".to_owned()),
            ..with(&["Encounter?date=ge2022"])
        },
        Request {
            elements: vec!["Patient.name,Observation.code,period".to_owned()],
            ..with(&["Observation?status=final"])
        },
        Request {
            trust: true,
            ..with(&["Provenance?patient:missing=false", "Patient?name:contains=er"])
        },
    ]
}

fn plan(request: &Request) -> Plan {
    Plan::compile(request, &Registry::r4()).expect("a valid request")
}

/// Lines of all types, mixed as a server would hardly send them, with bad and blank lines between.
fn mixed(patients: u64, seed: u64, with_bad: bool) -> Vec<u8> {
    let bad: [&[u8]; 8] = [
        b"\n",
        b"{\"resourceType\":\"Patient\"\n",
        b"  \r\n",
        b"{\"resourceType\":\"Nothing\",\"id\":\"1\"}\n",
        b"[1,2]\n",
        b"{\"resourceType\":\"Patient\",\"id\":\"\xff\"}\n",
        b"{\"resourceType\":\"Patient\",\"id\":\"crlf\",\"gender\":\"female\"}\r\n",
        b"{\"id\":\"no type\"} {}\n",
    ];
    let mut lines = Vec::new();
    let by_type = synthetic(patients, seed).expect("memory takes every line");
    for bytes in by_type.values() {
        lines.extend(bytes.split_inclusive(|&byte| byte == b'\n'));
    }
    let mut random = Random::new(seed);
    for at in (1..lines.len()).rev() {
        lines.swap(at, random.below(at as u64 + 1) as usize);
    }
    let mut mixed = Vec::new();
    for line in lines {
        if with_bad && random.one_in(10) {
            mixed.extend_from_slice(random.pick(&bad).expect("there are some"));
        }
        mixed.extend_from_slice(line);
    }
    mixed
}

fn run(plan: &Plan, bytes: &[u8], chunk: usize) -> Answer {
    run_with(plan, Limits::default(), bytes, chunk)
}

fn run_with(plan: &Plan, limits: Limits, bytes: &[u8], chunk: usize) -> Answer {
    push(plan, limits, &[("input".to_owned(), bytes.to_vec())], chunk).expect("memory takes every line")
}

/// All lines of an output, as a set.
fn lines_of(answer: &Answer) -> BTreeSet<Vec<u8>> {
    let output = answer.files.iter().filter(|(name, _)| !name.starts_with("error/"));
    output
        .flat_map(|(_, bytes)| bytes.split(|&byte| byte == b'\n').map(<[u8]>::to_vec))
        .filter(|line| !line.is_empty())
        .collect()
}

#[test]
fn same_output_and_report_for_any_chunking() {
    let input = mixed(3, 1, true);
    let limits = Limits {
        max_resources: Some(17),
        max_bytes: Some(20_000),
    };
    for request in requests() {
        let plan = plan(&request);
        let whole = run_with(&plan, limits, &input, input.len());
        assert!(whole.report.kept() > 0 && whole.report.bad_lines() > 0);
        for chunk in CHUNKS {
            assert_eq!(
                run_with(&plan, limits, &input, chunk),
                whole,
                "chunks of {chunk} for {request:?}"
            );
        }
        let mut random = Random::new(3);
        let mut export = fhirehose_core::export::Export::with_limits(
            plan.clone(),
            fhirehose_core::sink::MemorySink::default(),
            limits,
        );
        let mut rest = &input[..];
        while !rest.is_empty() {
            let (chunk, behind) = rest.split_at(rest.len().min(random.below(3000) as usize));
            export.push(chunk).expect("memory takes every line");
            rest = behind;
        }
        let (report, sink) = export.finish().expect("memory takes every line");
        assert_eq!(report, whole.report);
        assert_eq!(
            sink.files.into_iter().collect::<std::collections::BTreeMap<_, _>>(),
            whole.files
        );
    }
}

#[test]
fn same_report_for_any_chunking_with_lines_over_the_limit() {
    let input = mixed(2, 8, true);
    let request = Request {
        max_line: 1200,
        ..Request::default()
    };
    let plan = plan(&request);
    let run = |chunk: usize| run(&plan, &input, chunk);
    let whole = run(input.len());
    assert!(whole.report.bad_lines() > 20 && whole.report.kept() > 20);
    for chunk in CHUNKS {
        let answer = run(chunk);
        assert_eq!(answer.files, whole.files, "chunks of {chunk}");
        assert_eq!(answer.report, whole.report, "chunks of {chunk}");
    }
}

#[test]
fn kept_lines_are_input_lines_in_order_byte_for_byte() {
    let input = mixed(4, 2, false);
    for request in requests().into_iter().filter(|request| request.elements.is_empty()) {
        let answer = run(&plan(&request), &input, 4096);
        let mut kept = 0;
        for (name, bytes) in &answer.files {
            let mut left = input.split_inclusive(|&byte| byte == b'\n');
            for line in bytes.split_inclusive(|&byte| byte == b'\n') {
                assert!(
                    left.any(|candidate| candidate == line),
                    "{name}: a line that is not in order"
                );
                kept += 1;
            }
        }
        assert_eq!(kept, answer.report.kept());
    }
}

#[test]
fn a_filter_only_removes() {
    let input = mixed(4, 3, true);
    let everything = lines_of(&run(&plan(&Request::default()), &input, 4096));
    for request in requests().into_iter().filter(|request| request.elements.is_empty()) {
        let some = lines_of(&run(&plan(&request), &input, 4096));
        assert!(some.is_subset(&everything) && !some.is_empty());
    }
}

const GATES: [&str; 10] = [
    "status=final",
    "date=ge2021",
    "value-quantity=lt100",
    "code:text=b",
    "category:not=survey",
    "component-code-value-quantity=8480-6$gt100",
    "performer:missing=false",
    "_lastUpdated=lt2024",
    "subject:missing=true",
    "combo-code=8480-6,8302-2",
];

fn kept_by(filters: &[String], input: &[u8]) -> BTreeSet<Vec<u8>> {
    let request = Request {
        types: vec!["Observation".to_owned()],
        type_filters: filters.to_vec(),
        transaction_time: Some("2025-01-01T00:00:00Z".to_owned()),
        ..Request::default()
    };
    lines_of(&run(&plan(&request), input, 1 << 20))
}

#[test]
fn two_filters_of_a_type_keep_the_union() {
    let input = mixed(8, 4, false);
    for (at, first) in GATES.iter().enumerate() {
        let second = GATES[(at + 3) % GATES.len()];
        let both = [
            format!("Observation?{first}"),
            format!("Observation?{second}&date=lt2024"),
        ];
        let separate: BTreeSet<_> = &kept_by(&both[..1], &input) | &kept_by(&both[1..], &input);
        assert_eq!(kept_by(&both, &input), separate, "{both:?}");
        let list = vec![both.join(",")];
        assert_eq!(kept_by(&list, &input), separate, "{list:?}");
        let twice = [both[0].clone(), both[0].clone()];
        assert_eq!(kept_by(&twice, &input), kept_by(&both[..1], &input));
    }
}

#[test]
fn adding_a_gate_never_adds_a_line() {
    let input = mixed(8, 5, false);
    let mut told_apart = 0;
    for first in GATES {
        let alone = kept_by(&[format!("Observation?{first}")], &input);
        for second in GATES {
            let both = kept_by(&[format!("Observation?{first}&{second}")], &input);
            let other = kept_by(&[format!("Observation?{second}")], &input);
            assert_eq!(both, &alone & &other, "{first} and {second}");
            told_apart += usize::from(both.len() < alone.len());
        }
    }
    assert!(told_apart > 50, "{told_apart}");
}

#[test]
fn counts_add_up() {
    let input = mixed(5, 6, true);
    let limits = Limits {
        max_resources: Some(10),
        max_bytes: None,
    };
    let all = run(&plan(&Request::default()), &input, 4096).report;
    for request in requests() {
        let answer = run_with(&plan(&request), limits, &input, 4096);
        let Report {
            lines,
            bytes_read,
            types,
            files,
            ..
        } = &answer.report;
        assert_eq!(*lines, input.split(|&byte| byte == b'\n').count() as u64 - 1);
        assert_eq!(*bytes_read, input.len() as u64);
        let blank = input
            .split_inclusive(|&byte| byte == b'\n')
            .filter(|line| line.trim_ascii().is_empty())
            .count();
        assert!(answer.report.read() + answer.report.bad_lines() + blank as u64 <= *lines + 1);
        if request.types.is_empty() && !request.trust {
            // A dropped line may not have been read to its bad end, so a filter can only count more lines as read.
            assert!(answer.report.read() >= all.read());
            assert_eq!(answer.report.read() + answer.report.bad_lines() + blank as u64, *lines);
        }
        assert!(types.iter().all(|count| count.kept <= count.read && count.read > 0));
        assert_eq!(files.len(), answer.files.len());
        for file in files {
            let stored = &answer.files[&file.path];
            let in_file = stored.iter().filter(|&&byte| byte == b'\n').count() as u64;
            assert_eq!(file.resources, in_file, "{}", file.path);
            assert_eq!((file.bytes, file.size), (stored.len() as u64, stored.len() as u64));
            assert!(in_file > 0 && in_file <= 10 && stored.ends_with(b"\n"));
        }
        for count in types {
            let own = files.iter().filter(|file| file.name.type_name == count.type_name);
            let (resources, bytes) = own.fold((0, 0), |sum, file| (sum.0 + file.resources, sum.1 + file.bytes));
            assert_eq!((resources, bytes), (count.kept, count.bytes), "{}", count.type_name);
        }
        let bad = files
            .iter()
            .filter(|file| file.path.starts_with("error/"))
            .map(|file| file.resources)
            .sum::<u64>();
        assert_eq!(bad, answer.report.bad_lines());
    }
}

#[test]
fn a_line_of_fifty_megabytes_is_kept_whole() {
    let data = "QUJD".repeat(50 << 18);
    let long = format!(r#"{{"resourceType":"Binary","id":"1","data":"{data}"}}"#);
    let input = format!(
        "{{\"resourceType\":\"Patient\",\"id\":\"1\"}}\n{long}\n{{\"resourceType\":\"Patient\",\"id\":\"2\"}}\n"
    );
    let answer = run(&plan(&Request::default()), input.as_bytes(), 1 << 20);
    assert_eq!(answer.report.kept(), 3);
    assert!(answer.files["Binary.000.ndjson"] == format!("{long}\n").into_bytes());
}

#[test]
fn random_bytes_never_panic() {
    let mut random = Random::new(7);
    let valid = mixed(1, 9, true);
    let plans: Vec<Plan> = requests().iter().map(plan).collect();
    for _ in 0..300 {
        let mut bytes = if random.one_in(2) {
            (0..random.below(400)).map(|_| random.next() as u8).collect()
        } else {
            let from = random.below(valid.len() as u64) as usize;
            valid[from..(from + 3000).min(valid.len())].to_vec()
        };
        for _ in 0..random.below(12) {
            if bytes.is_empty() {
                break;
            }
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(4) {
                0 => bytes[at] = random.next() as u8,
                1 => bytes[at] = b"{}[]\",:\\\n\r\0"[random.below(11) as usize],
                2 => {
                    bytes.remove(at);
                }
                _ => bytes.insert(at, b"{}[]\",:\\nu\r"[random.below(11) as usize]),
            }
        }
        let chunk = 1 + random.below(500) as usize;
        for plan in &plans {
            let answer = run(plan, &bytes, chunk);
            assert!(answer.report.kept() <= answer.report.lines);
        }
    }
}

#[test]
fn trust_keeps_the_same_lines_of_valid_input() {
    let input = mixed(6, 10, false);
    for request in requests() {
        let strict = run(
            &plan(&Request {
                trust: false,
                ..request.clone()
            }),
            &input,
            4096,
        );
        let trusting = run(&plan(&Request { trust: true, ..request }), &input, 4096);
        assert_eq!(strict.files, trusting.files);
        assert_eq!(strict.report, trusting.report);
    }
}

/// Blocks of whole lines, cut at random chunk sizes.
fn blocks(input: &[u8], random: &mut Random) -> Vec<Vec<u8>> {
    let mut framer = Framer::new(1 << 20);
    let mut buffer = Vec::new();
    let mut blocks = Vec::new();
    let mut rest = input;
    while !rest.is_empty() {
        let (chunk, behind) = rest.split_at(rest.len().min(1 + random.below(20_000) as usize));
        let fresh = framer.begin(&mut buffer);
        buffer.truncate(fresh);
        buffer.extend_from_slice(chunk);
        let cut = framer.cut(&buffer, fresh);
        blocks.push(buffer[cut.start..cut.end].to_vec());
        rest = behind;
    }
    blocks.retain(|block| !block.is_empty());
    blocks
}

#[test]
fn a_warm_sieve_judges_as_a_cold_one_in_any_order_of_blocks() {
    let mut random = Random::new(12);
    let blocks = blocks(&mixed(6, 11, true), &mut random);
    assert!(blocks.len() > 20);
    for request in requests() {
        let plan = plan(&request);
        let cold: Vec<Batch> = blocks
            .iter()
            .map(|block| {
                let mut batch = Batch::default();
                sieve::run(&plan, block, &mut Scratch::default(), &mut batch);
                batch
            })
            .collect();
        let mut scratch = Scratch::default();
        let mut batch = Batch::default();
        for _ in 0..blocks.len() * 3 {
            let at = random.below(blocks.len() as u64) as usize;
            sieve::run(&plan, &blocks[at], &mut scratch, &mut batch);
            assert_eq!(batch, cold[at], "block {at}");
        }
    }
}
