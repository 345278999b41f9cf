//! Tests of the strict walker, `serde_json` as the judge.

use super::*;

struct All;

impl Watch for All {
    fn root_closed(&mut self, _: usize, _: &[u8], _: usize, _: &[Capture]) -> Flow {
        Flow::Continue
    }
}

fn walk(trie: &Trie, text: &[u8]) -> Result<(Walked, Vec<Vec<u8>>), Fault> {
    let mut bytes = text.to_vec();
    bytes.push(b'\n');
    let mut scratch = WalkScratch::default();
    let walked = line(&bytes, 0, trie, &mut scratch, &mut All)?;
    let captured = |capture: &Capture| bytes[capture.start as usize..capture.end as usize].to_vec();
    Ok((walked, scratch.captures.iter().map(captured).collect()))
}

fn trie(paths: &[&[&str]]) -> Trie {
    let mut trie = Trie::default();
    for path in paths {
        let node = trie.insert(0, path);
        trie.capture(node);
    }
    trie
}

fn kind(text: &[u8]) -> Option<BadLine> {
    walk(&trie(&[&["a"], &["b", "c"]]), text).err().map(|fault| fault.kind)
}

#[test]
fn captures_values_through_arrays() {
    let trie = trie(&[&["a"], &["b", "c"]]);
    let text = br#"{"x":{"a":9},"a":"v","b":[{"c":1},{"d":[2]},{"c":[{"q":"}"},null]}],"z":[]}"#;
    let (walked, captured) = walk(&trie, text).unwrap();
    assert_eq!(walked, Walked::Whole(text.len()));
    let expected: [&[u8]; 4] = [br#""v""#, b"1", br#"{"q":"}"}"#, b"null"];
    assert_eq!(captured, expected);
}

#[test]
fn escaped_names_are_the_same_names() {
    let (_, captured) = walk(&trie(&[&["a"]]), br#"{"\u0061":1}"#).unwrap();
    assert_eq!(captured, [b"1"]);
    assert_eq!(kind(br#"{"\u0061":1,"a":2}"#), Some(BadLine::DuplicateName));
}

#[test]
fn duplicates_count_where_we_read() {
    assert_eq!(kind(br#"{"a":1,"a":1}"#), Some(BadLine::DuplicateName));
    assert_eq!(kind(br#"{"b":[{"c":1},{"c":1}]}"#), None);
    assert_eq!(kind(br#"{"b":[{"c":1,"c":2}]}"#), Some(BadLine::DuplicateName));
    assert_eq!(kind(br#"{"x":1,"x":1}"#), None);
}

#[test]
fn faults_have_kinds() {
    assert_eq!(kind(b"[1,2]"), Some(BadLine::NotAnObject));
    assert_eq!(kind(b"12"), Some(BadLine::NotAnObject));
    assert_eq!(kind(b"hello"), Some(BadLine::Syntax));
    assert_eq!(kind(b"{} {}"), Some(BadLine::Trailing));
    assert_eq!(kind(b"{\"x\":\"\xff\"}"), Some(BadLine::Utf8));
    assert_eq!(kind(b"{\"x\":\"\xc3\xa9\"}  "), None);
    assert_eq!(kind(b"{\"x\":\"\xed\xa0\x80\"}"), Some(BadLine::Utf8));
}

#[test]
fn depth_comes_from_the_input_and_does_not_overflow() {
    for depth in [1, 63, 64, 65, 127, 128, 129, 5_000] {
        let mut text = b"{\"x\":".to_vec();
        for level in 0..depth {
            text.extend_from_slice(if level % 3 == 0 { b"{\"k\":" } else { b"[" });
        }
        text.push(b'1');
        for level in (0..depth).rev() {
            text.push(if level % 3 == 0 { b'}' } else { b']' });
        }
        text.push(b'}');
        assert_eq!(kind(&text), None, "depth {depth}");
        text[5] = b'[';
        assert_eq!(kind(&text), Some(BadLine::Syntax), "depth {depth}");
    }
}

/// Every single-byte change of a line that holds all of the grammar gets the verdict of `serde_json`.
#[test]
fn agrees_with_serde_json_on_mutated_lines() {
    let seed = br#" {"a":[ -0.5e+10 ,true,null,{"":"\u00e9\n\"\\" , "k":[]}],"b":{"c":"x","d":{}},"e":[[0],1.5,false,"z\/"] } "#;
    let watched = trie(&[&["a"], &["b", "c"]]);
    let agree = |text: &[u8]| {
        let ours = match walk(&watched, text) {
            Err(fault) => fault.kind == BadLine::DuplicateName,
            Ok(_) => true,
        };
        let theirs = serde_json::from_slice::<serde_json::Value>(text).is_ok_and(|value| value.is_object());
        assert_eq!(ours, theirs, "{}", String::from_utf8_lossy(text));
    };
    for at in 0..seed.len() {
        let replacements = b"\"\\{}[]:,0aeu-+.1 \t\x00\x1f\x7f\x80\xc3\xe9t";
        for &byte in replacements {
            let mut text = seed.to_vec();
            text[at] = byte;
            agree(&text);
            text = seed.to_vec();
            text.insert(at, byte);
            agree(&text);
        }
        let mut text = seed.to_vec();
        text.remove(at);
        agree(&text);
        agree(&seed[..at]);
    }
}
