//! The same seed gives the same bytes, whatever the number of patients and the order in which they are asked for.

use crate::reading::run;
use fhirehose_synth::{DirSink, Generator, Lines, Options, Profile, generate, patient_bundle};

/// FNV-1a, 64 bits: enough to notice a changed byte.
fn hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, &byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Pinned so that a change of the bytes is a decision: other crates' tests count on what a seed gives.
#[test]
fn the_bytes_of_a_seed_are_pinned() {
    let varied = Options::new(20, 42);
    let regular = Options {
        profile: Profile::Regular,
        ..varied.clone()
    };
    assert_eq!(
        format!("{:016x}", hash(&run(&varied).concatenated())),
        "deed6af99908fef5"
    );
    assert_eq!(
        format!("{:016x}", hash(&run(&regular).concatenated())),
        "e954f1616dfd6e1a"
    );
}

#[test]
fn another_seed_gives_other_patients() {
    let (one, two) = (run(&Options::new(2, 1)), run(&Options::new(2, 2)));
    assert!(one.of("Patient").zip(two.of("Patient")).all(|(a, b)| a != b));
}

/// Independence of the count also bounds the work: n patients cost the sum of n costs that do not depend on n.
#[test]
fn a_short_run_is_the_beginning_of_a_long_one() {
    let (short, long) = (run(&Options::new(10, 7)), run(&Options::new(300, 7)));
    assert_eq!(long.0[..short.0.len()], short.0[..]);
}

#[test]
fn neighbouring_ranges_make_up_the_whole() {
    let whole = run(&Options::new(150, 7));
    let mut parts = run(&Options::new(70, 7));
    parts.0.extend(
        run(&Options {
            first: 70,
            ..Options::new(80, 7)
        })
        .0,
    );
    assert_eq!(whole, parts);
}

#[test]
fn a_patient_alone_has_the_lines_it_has_in_a_run() {
    let options = Options::new(140, 9);
    let whole = run(&options);
    let mut again = Lines::default();
    let mut generator = Generator::new(&options);
    let mut at = 0;
    for index in 0..options.patients {
        let bundle = patient_bundle(&options, index);
        assert_eq!(whole.0[at..at + bundle.0.len()], bundle.0[..], "patient {index}");
        at += bundle.0.len();
    }
    assert_eq!(at, whole.0.len());
    // Backwards through one generator: nothing is left over from the patient before.
    for index in (0..3).rev() {
        again.0.clear();
        generator.patient(index, &mut again).expect("memory takes every line");
        assert_eq!(again, patient_bundle(&options, index));
    }
}

#[test]
fn lines_stay_short_and_grow_with_the_count_only() {
    let longest = |patients| {
        run(&Options::new(patients, 3))
            .0
            .iter()
            .map(|(_, line)| line.len())
            .max()
    };
    assert!(longest(600) < Some(200_000));
    let bytes = |patients| run(&Options::new(patients, 3)).concatenated().len() as f64;
    let growth = bytes(512) / bytes(128);
    assert!(
        (3.8..4.2).contains(&growth),
        "four times the patients made {growth} times the bytes"
    );
}

#[test]
fn a_directory_holds_one_file_a_type() {
    let options = Options::new(12, 5);
    let dir = tempfile::tempdir().expect("a place for temporary files");
    let mut sink = DirSink::create(dir.path().join("new")).expect("a directory");
    let totals = generate(&options, &mut sink).expect("writable");
    sink.finish().expect("writable");
    let lines = run(&options);
    for (name, count) in totals.iter() {
        let bytes = std::fs::read(dir.path().join("new").join(format!("{name}.ndjson"))).expect("a file");
        assert_eq!(bytes, lines.of(name).flatten().copied().collect::<Vec<_>>(), "{name}");
        assert_eq!(count, lines.of(name).count() as u64);
        assert!(count > 0, "{name}");
    }
    assert_eq!(
        std::fs::read_dir(dir.path().join("new")).expect("a directory").count(),
        totals.iter().count()
    );
}
