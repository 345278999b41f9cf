//! The automaton against the walker: what it accepts, what it tells the watcher, what it captures.

use super::*;
use crate::scan::walk::line;

/// Writes down what it is told, and stops where it is told to.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    events: Vec<(usize, usize, Vec<Capture>)>,
    stop_at: Option<usize>,
}

impl Watch for Told {
    fn root_closed(&mut self, child: usize, _: &[u8], at: usize, captures: &[Capture]) -> Flow {
        self.events.push((child, at, captures.to_vec()));
        if self.stop_at == Some(self.events.len()) {
            Flow::Drop
        } else {
            Flow::Continue
        }
    }
}

fn trie(paths: &[&[&str]]) -> Trie {
    let mut trie = Trie::default();
    for path in paths {
        let node = trie.insert(0, path);
        trie.capture(node);
    }
    trie
}

/// Reads each line with both; whatever the automaton knows has to be what the walker says. Gives how many it knew.
fn compare(learned: &mut Learned, trie: &Trie, lines: &[&str], stop_at: Option<usize>) -> usize {
    let mut known = 0;
    for text in lines {
        let bytes = format!("{text}\n").into_bytes();
        let mut own = WalkScratch::default();
        let mut walked = WalkScratch::default();
        let told = || Told {
            stop_at,
            ..Told::default()
        };
        let (mut by_own, mut by_walk) = (told(), told());
        let expected = line(&bytes, 0, trie, &mut walked, &mut by_walk);
        match learned.line(&bytes, 0, &mut own, &mut by_own) {
            Some(got) => {
                known += 1;
                assert_eq!(Ok(got), expected, "{text}");
                assert_eq!(own.captures, walked.captures, "{text}");
                assert_eq!(by_own, by_walk, "{text}");
            }
            None => {
                if let Ok(walked) = expected {
                    let checked = match walked {
                        Walked::Whole(_) => Checked::Whole,
                        Walked::Stopped(..) => Checked::Part,
                    };
                    learned.learn(trie, &bytes, 0, true, checked);
                }
            }
        }
    }
    known
}

const WATCHED: [&[&str]; 5] = [&["id"], &["code"], &["code", "coding", "code"], &["n"], &["list", "x"]];

#[test]
fn a_line_is_known_by_its_second_time() {
    let trie = trie(&WATCHED);
    let lines = [
        r#"{"id":"1","code":{"coding":[{"system":"s","code":"c"},{"code":"d"}],"text":"t"},"n":-1.5e3,"list":[{"x":1},{"y":[]},7]}"#,
        r#"{ "id" : "1" , "code" : [ { "coding" : { "code" : [ "a" , "b" , ["c"] ] } } ] , "n" : null }  "#,
        r#"{"n":[1,2,3],"n2":{"id":"x","id":"x"},"list":[]}"#,
        r#"{"n":true,"id":"é\n\u00e9","list":{"x":{"y":"z"}}}"#,
        r"{}",
        "{\"id\":\"1\"}\r",
    ];
    for line in lines {
        let mut learned = Learned::default();
        assert_eq!(compare(&mut learned, &trie, &[line, line], None), 1, "{line}");
        for stop_at in 1..4 {
            assert_eq!(compare(&mut learned, &trie, &[line], Some(stop_at)), 1, "{line}");
        }
    }
    let mut learned = Learned::default();
    compare(&mut learned, &trie, &lines, None);
    assert_eq!(compare(&mut learned, &trie, &lines, None), lines.len());
}

#[test]
fn other_values_are_known_and_arrays_go_round() {
    let trie = trie(&WATCHED);
    let mut learned = Learned::default();
    let teachers = [r#"{"id":"1","list":[{"x":1},{"x":2}],"n":4}"#];
    compare(&mut learned, &trie, &teachers, None);
    let known = [
        r#"{"id":"","list":[{"x":-0},{"x":0.5E+7}],"n":0}"#,
        r#"{"id":"ü\"","list":[{"x":1},{"x":2},{"x":3},{"x":4}],"n":10}"#,
    ];
    assert_eq!(compare(&mut learned, &trie, &known, None), known.len());
    let unknown = [
        r#"{"id":"1","list":[{"x":01},{"x":2}],"n":4}"#,
        r#"{"id":"1","list":[{"x":1.},{"x":2}],"n":4}"#,
        r#"{"id":"\x","list":[{"x":1},{"x":2}],"n":4}"#,
        r#"{"id":"\u12g4","list":[{"x":1},{"x":2}],"n":4}"#,
        "{\"id\":\"\u{1}\",\"list\":[{\"x\":1},{\"x\":2}],\"n\":4}",
        r#"{"id":"1","list":[{"x":1},{"x":2}],"n":4"#,
        r#"{"id":"1","list":[{"x":1},{"x":2}],"n":4}}"#,
        r#"{"id":"1","list":[{"x":1,{"x":2}],"n":4}"#,
        "",
        "{",
    ];
    assert_eq!(compare(&mut learned, &trie, &unknown, None), 0);
}

/// Two orders are taught; a walk over both texts must not lead round in a circle.
#[test]
fn a_name_that_stands_twice_is_left_to_the_walker() {
    let trie = trie(&[&["a"], &["b"], &["o", "c"], &["o", "d"]]);
    let mut learned = Learned::default();
    let teachers = [
        r#"{"a":"1","b":"2","z":"3"}"#,
        r#"{"b":"1","a":"2","z":"3"}"#,
        r#"{"o":[{"c":"1","d":"2"},{"d":"1","c":"2"}]}"#,
        r#"{"y":"1","y":"2","x":"3"}"#,
    ];
    compare(&mut learned, &trie, &teachers, None);
    let twice = [
        r#"{"a":"1","b":"2","a":"3","z":"3"}"#,
        r#"{"b":"1","a":"2","b":"3","a":"2","z":"3"}"#,
        r#"{"o":[{"c":"1","d":"2","c":"3"}]}"#,
        r#"{"o":[{"d":"1","c":"2"},{"d":"1","c":"2","d":"3"}]}"#,
    ];
    assert_eq!(compare(&mut learned, &trie, &twice, None), 0);
    // Names that nobody watches may stand as often as they like.
    assert_eq!(
        compare(&mut learned, &trie, &[r#"{"y":"1","y":"2","y":"2","x":"3"}"#], None),
        1
    );
    // And each object has marks of its own.
    let twice = r#"{"o":[{"d":"1","c":"2"},{"d":"1","c":"2"}]}"#;
    assert_eq!(compare(&mut learned, &trie, &[twice, twice], None), 1);
}

#[test]
fn names_with_escapes_are_not_learned() {
    let trie = trie(&[&["a"]]);
    let mut learned = Learned::default();
    let line = r#"{"\u0061":"1"}"#;
    assert_eq!(compare(&mut learned, &trie, &[line, line, line], None), 0);
}

#[test]
fn what_is_wrong_behind_the_verdict_teaches_nothing() {
    let trie = trie(&[&["a"]]);
    let mut learned = Learned::default();
    let line = r#"{"a":"1","b":}"#;
    assert_eq!(compare(&mut learned, &trie, &[line, line], Some(1)), 0);
    assert_eq!(learned.edges(), 0);
}

/// Counts values of enough lines, after which most of them stand in the texts.
#[test]
fn constants_become_text_and_other_values_are_still_known() {
    let trie = trie(&WATCHED);
    let mut learned = Learned::default();
    let line = |number: usize| {
        let status = if number % 10 == 9 { "draft" } else { "final" };
        let code = if number % 20 == 7 { "\\u0061" } else { "a" };
        format!(
            "{{\"id\":\"{number}\",\"status\":\"{status}\",\"code\":{{\"coding\":[{{\"system\":\"s\",\"code\":\"{code}\"}}]}},\"n\":{number}}}\n"
        )
    };
    let mut scratch = WalkScratch::default();
    let mut unknown = 0;
    for number in 0..2000 {
        let bytes = line(number).into_bytes();
        let mut expected = WalkScratch::default();
        let (mut by_own, mut by_walk) = (Told::default(), Told::default());
        let walked = walk::line(&bytes, 0, &trie, &mut expected, &mut by_walk);
        let got = learned.line(&bytes, 0, &mut scratch, &mut by_own);
        if let Some(got) = got {
            assert_eq!(Ok(got), walked);
            assert_eq!(scratch.captures, expected.captures);
            assert_eq!(by_own, by_walk);
        }
        unknown += usize::from(got.is_none());
        learned.learn(&trie, &bytes, 0, got.is_none(), Checked::Whole);
    }
    // id, status and n have holes; in the texts stand the system, the code, and the common status.
    assert!(unknown < 12, "{unknown}");
    assert!((4..12).contains(&learned.edges()), "{}", learned.edges());
}

#[test]
fn memory_is_bounded_and_the_walker_takes_over() {
    let trie = trie(&WATCHED);
    let mut learned = Learned::default();
    let mut scratch = WalkScratch::default();
    let mut tried = 0;
    for number in 0..60_000u32 {
        // Every line has other names, and texts as long as they may be.
        let names: String = (0..40)
            .map(|name| format!(",\"{number}-{name}\":[[],{{}},null,\"\"]"))
            .collect();
        let bytes = format!("{{\"id\":\"{number}\"{names}}}\n").into_bytes();
        let known = learned.line(&bytes, 0, &mut scratch, &mut Told::default());
        assert_eq!(known, None);
        tried += 1;
        learned.learn(&trie, &bytes, 0, true, Checked::Whole);
        assert!(learned.size() < 1 << 20, "{} bytes after {tried} lines", learned.size());
    }
    assert!(learned.edges() <= 4096);
}

#[test]
fn a_deep_or_a_long_line_teaches_what_it_can_and_does_no_harm() {
    let trie = trie(&WATCHED);
    let deep = format!("{{\"x\":{}{}}}", "[".repeat(5000), "]".repeat(5000));
    let long = format!("{{\"x\":[{}0]}}", "null,".repeat(5000));
    let many = format!("{{\"x\":[{}0],\"id\":\"1\"}}", "1,".repeat(40_000));
    let mut learned = Learned::default();
    for line in [&*deep, &*long, &*many] {
        compare(&mut learned, &trie, &[line, line], None);
    }
    assert!(learned.size() < 1 << 18);
}

/// Lines that are dropped early and wrong behind that: the samples are soon spent, not looked for in every line.
#[test]
fn wrong_lines_use_up_the_samples() {
    let trie = trie(&[&["a"]]);
    let mut learned = Learned::default();
    let bytes = b"{\"a\":\"1\",\"b\":}\n";
    for _ in 0..SAMPLES * SAMPLE_EVERY {
        learned.learn(&trie, bytes, 0, true, Checked::Part);
    }
    assert_eq!(learned.samples, 0);
}
