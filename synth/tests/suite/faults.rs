//! Broken lines are counted by kind, each is broken in the way its kind says, and no good line is lost.

use crate::reading::run;
use fhirehose_synth::{Faults, Lines, Options, with_faults};
use serde_json::Value;

fn faulty(patients: u64, seed: u64) -> (Lines, Faults) {
    let mut lines = Lines::default();
    let (totals, faults) = with_faults(&Options::new(patients, seed), 10, &mut lines).expect("memory takes every line");
    assert_eq!(totals, {
        let mut plain = Lines::default();
        fhirehose_synth::generate(&Options::new(patients, seed), &mut plain).expect("memory takes every line")
    });
    (lines, faults)
}

#[test]
fn every_kind_occurs_and_the_counts_are_right() {
    (0..20).for_each(check);
}

fn check(seed: u64) {
    let (lines, faults) = faulty(20, seed);
    let good = run(&Options::new(20, seed));
    let mut rest = good.0.iter().map(|(_, line)| line.as_slice()).peekable();
    let mut found = Faults::default();
    for (_, line) in &lines.0 {
        if rest.peek() == Some(&line.as_slice()) {
            rest.next();
            continue;
        }
        let body = line.strip_suffix(b"\n").expect("a newline");
        if let (Some(text), Some(next)) = (body.strip_suffix(b"\r"), rest.peek())
            && Some(text) == next.strip_suffix(b"\n")
        {
            rest.next();
            found.crlf += 1;
            continue;
        }
        *kind(body, &mut found) += 1;
    }
    assert_eq!(rest.next(), None, "good lines are all there, in order");
    assert_eq!(found, faults);
    let all = [
        faults.broken_json,
        faults.invalid_utf8,
        faults.trailing_garbage,
        faults.non_object,
        faults.no_resource_type,
        faults.unknown_type,
        faults.duplicate_member,
        faults.blank,
        faults.crlf,
    ];
    assert!(all.iter().all(|&count| count > 5), "{faults:?}");
    assert_eq!(faults.bad() + faults.blank + faults.crlf, all.iter().sum::<u64>());
}

/// Says by other means than the generator's what is wrong with a line.
fn kind<'a>(body: &[u8], found: &'a mut Faults) -> &'a mut u64 {
    if body.trim_ascii().is_empty() {
        return &mut found.blank;
    }
    if std::str::from_utf8(body).is_err() {
        return &mut found.invalid_utf8;
    }
    let mut stream = serde_json::Deserializer::from_slice(body).into_iter::<Value>();
    let Some(Ok(value)) = stream.next() else {
        return &mut found.broken_json;
    };
    if !body[stream.byte_offset()..].trim_ascii().is_empty() {
        return &mut found.trailing_garbage;
    }
    let Some(object) = value.as_object() else {
        return &mut found.non_object;
    };
    match object.get("resourceType").and_then(Value::as_str) {
        None => &mut found.no_resource_type,
        Some("Pateint" | "patient" | "Observations" | "") => &mut found.unknown_type,
        Some(_) => &mut found.duplicate_member,
    }
}

#[test]
fn faults_are_as_repeatable_as_the_lines() {
    assert_eq!(faulty(5, 4), faulty(5, 4));
}
