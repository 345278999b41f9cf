//! JSON as serde reads it, and what is refused.

use super::*;
use serde_json::Value;

fn value(node: Node<'_>) -> Value {
    match node.kind() {
        Kind::Null => Value::Null,
        Kind::Boolean => Value::Bool(node.boolean().expect("a boolean")),
        Kind::Number => serde_json::from_str(node.number().expect("a number")).expect("a number"),
        Kind::Text => Value::String(node.text().expect("a string").into_owned()),
        Kind::List => Value::Array(node.items().map(value).collect()),
        Kind::Object => {
            let pairs = node
                .members()
                .map(|member| (member.name.into_owned(), value(member.value)));
            Value::Object(pairs.collect())
        }
    }
}

#[test]
fn says_what_serde_says() {
    let texts = [
        r#" {"a" : [1, -0, 2.5e+3, 0.1, "x", [], {}, [[]], {"b":{}}], "c":null, "d":true,"e":false } "#,
        r#""\"\\\/\b\f\n\r\té\u00e9\ud83d\ude00😀\u0000""#,
        "7",
        "[]",
        "{}",
        "\t[ ]\r\n",
        r#"{"":{"":""}}"#,
    ];
    for text in texts {
        let document = parse(text.as_bytes()).expect(text);
        assert_eq!(
            value(document.root()),
            serde_json::from_str::<Value>(text).expect(text),
            "{text}"
        );
        assert!(document.repeated_names().is_empty());
    }
}

/// Every text that is one edit away from a right one: refused by both or by none.
#[test]
fn refuses_what_serde_refuses() {
    let good = r#"{"a":[1,-2.5e3,"x\n\u00e9"],"b":{"c":null,"d":true},"e":[]}"#;
    let letters = b"{}[]\",:\\ u0e.-+tn1\x01\x7f\xc3\n";
    for at in 0..good.len() {
        for edit in 0..=2 * letters.len() {
            let mut text = good.as_bytes().to_vec();
            match edit {
                0 => drop(text.remove(at)),
                _ if edit <= letters.len() => text[at] = letters[edit - 1],
                _ => text.insert(at, letters[edit - 1 - letters.len()]),
            }
            // serde takes a number that is too large for it as a fault, and keeps no half of a pair either.
            let ours = parse(&text);
            let theirs = serde_json::from_slice::<Value>(&text);
            assert_eq!(
                ours.is_ok(),
                theirs.is_ok(),
                "{:?} {ours:?}",
                String::from_utf8_lossy(&text)
            );
            assert!(parse(&text[..at]).is_err());
            if let (Ok(document), Ok(theirs)) = (ours, theirs)
                && document.repeated_names().is_empty()
            {
                assert_eq!(value(document.root()), theirs);
            }
        }
    }
}

#[test]
fn faults_have_a_kind_and_a_place() {
    let cases: &[(&[u8], FaultKind, usize)] = &[
        (b"", FaultKind::Empty, 0),
        (b" \n", FaultKind::Empty, 2),
        (b"{\"a\":", FaultKind::Cut, 5),
        (b"\"a", FaultKind::Cut, 2),
        (b"tru", FaultKind::Cut, 0),
        (b"-", FaultKind::Cut, 1),
        (b"{a}", FaultKind::Syntax, 1),
        (b"{\"a\":1,}", FaultKind::Syntax, 7),
        (b"[1 2]", FaultKind::Syntax, 3),
        (b"[1}", FaultKind::Syntax, 2),
        (b"nul!", FaultKind::Syntax, 0),
        (b"01", FaultKind::Number, 1),
        (b"[1.]", FaultKind::Number, 3),
        (b"[1e+]", FaultKind::Number, 4),
        (b"\"\\x\"", FaultKind::Escape, 1),
        (b"\"\\ud800\"", FaultKind::Escape, 1),
        (b"\"\\ud800\\u0041\"", FaultKind::Escape, 1),
        (b"\"\\udc00\"", FaultKind::Escape, 1),
        (b"\"a\tb\"", FaultKind::Control, 2),
        (b"\"\xff\"", FaultKind::Utf8, 1),
        (b"{} {}", FaultKind::Trailing, 3),
        (b"\xef\xbb\xbf{}", FaultKind::Mark, 0),
    ];
    for &(text, kind, at) in cases {
        assert_eq!(
            parse(text).err(),
            Some(Fault { at, kind }),
            "{:?}",
            String::from_utf8_lossy(text)
        );
    }
    let marked = parse_marked(b"\xef\xbb\xbf{}").map(|document| document.root().span());
    assert_eq!(marked, Ok(3..5));
    assert!(parse_marked(b"{}").is_ok());
    assert_eq!(
        parse_marked(b"\xef\xbb\xbf").err().map(|fault| fault.kind),
        Some(FaultKind::Empty)
    );
}

#[test]
fn depth_is_bounded_and_the_stack_is_not_used() {
    let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
    assert!(parse(nested(DEEPEST).as_bytes()).is_ok());
    let refused = parse(nested(DEEPEST + 1).as_bytes()).err();
    assert_eq!(refused.map(|fault| fault.kind), Some(FaultKind::Deep));
    let endless = "{\"a\":".repeat(1_000_000);
    assert_eq!(
        parse(endless.as_bytes()).err().map(|fault| fault.kind),
        Some(FaultKind::Deep)
    );
}

#[test]
fn there_may_be_a_bound_of_values_and_names() {
    let text = br#"{"a":[1,2],"b":{}}"#;
    // An object, two names, an array, two numbers, an object.
    assert!(parse_within(text, 7).is_ok());
    assert_eq!(
        parse_within(text, 6).err().map(|fault| fault.kind),
        Some(FaultKind::Many)
    );
    assert!(parse_marked(text).is_ok());
}

#[test]
fn repeated_names_are_found_however_they_are_written() {
    let spans = |text: &str| parse(text.as_bytes()).expect("JSON").repeated_names().to_vec();
    assert_eq!(spans(r#"{"a":1,"b":{"a":2},"a":3}"#), vec![(19..22)]);
    assert_eq!(spans(r#"{"a":1,"\u0061":2}"#), vec![(7..15)]);
    assert_eq!(spans(r#"[{"a":{"x":1,"x":2,"x":3}}]"#), [13..16, 19..22]);
    let many: Vec<String> = (0..200_000).map(|number| format!("\"{number}\":0")).collect();
    let text = format!("{{{},\"7\":1}}", many.join(","));
    assert_eq!(spans(&text).len(), 1);
}

#[test]
fn spans_positions_and_whole_numbers() {
    let text = b"{\n  \"count\": 12,\n  \"b\": [ \"x\" ]\n}";
    let document = parse(text).expect("JSON");
    let root = document.root();
    let count = root.get("count").expect("count");
    assert_eq!((count.raw(), count.whole()), ("12", Some(12)));
    let place = position(text, count.span().start);
    assert_eq!((place.line, place.column), (2, 12));
    let item = root.get("b").and_then(|list| list.items().next()).expect("an item");
    assert_eq!(&text[item.span()], b"\"x\"");
    assert_eq!(format!("{item:?}"), format!("Node(Text at {:?})", item.span()));
    assert_eq!(
        root.members().map(|member| member.name_span).collect::<Vec<_>>(),
        [4..11, 19..22]
    );
    for not_whole in ["-1", "1.0", "1e2", "18446744073709551616", "\"1\"", "null"] {
        let document = parse(not_whole.as_bytes()).expect("JSON");
        assert_eq!(document.root().whole(), None, "{not_whole}");
    }
}
