//! JSON written by hand: strings, and small documents set out for reading.

use std::fmt::Write;

/// The text as a JSON string, quotes included.
pub fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    push_quoted(&mut out, text);
    out
}

/// Adds the text as a JSON string, quotes included.
pub fn push_quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        let letter = match byte {
            b'"' => '"',
            b'\\' => '\\',
            b'\n' => 'n',
            b'\r' => 'r',
            b'\t' => 't',
            0x08 => 'b',
            0x0c => 'f',
            0..=0x1f => 'u',
            _ => continue,
        };
        // Every byte that is escaped is ASCII, so the cuts stand between characters.
        out.push_str(&text[start..at]);
        start = at + 1;
        out.push('\\');
        out.push(letter);
        if letter == 'u' {
            // Writing to a string cannot fail.
            let _ = write!(out, "{byte:04x}");
        }
    }
    out.push_str(&text[start..]);
    out.push('"');
}

/// A JSON document, to be set out for reading. Members keep the order they are given in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tree {
    /// `null`
    Null,
    /// `true` or `false`
    Boolean(bool),
    /// A whole number.
    Number(u64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Tree>),
    /// An object.
    Object(Vec<(&'static str, Tree)>),
}

impl Tree {
    /// A string.
    pub fn text(text: impl Into<String>) -> Tree {
        Tree::Text(text.into())
    }

    /// An array of strings.
    pub fn texts<S: Into<String>>(texts: impl IntoIterator<Item = S>) -> Tree {
        Tree::List(texts.into_iter().map(Tree::text).collect())
    }

    /// The string, or `null`.
    pub fn maybe(text: Option<&str>) -> Tree {
        text.map_or(Tree::Null, Tree::text)
    }

    /// The document with two blanks a level and a newline at its end. Arrays of plain values that fit stand on one line.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.push(&mut out, 0);
        out.push('\n');
        out
    }

    fn push(&self, out: &mut String, depth: usize) {
        match self {
            Tree::Null => out.push_str("null"),
            Tree::Boolean(value) => out.push_str(if *value { "true" } else { "false" }),
            Tree::Number(value) => out.push_str(&value.to_string()),
            Tree::Text(text) => push_quoted(out, text),
            Tree::List(items) if items.is_empty() => out.push_str("[]"),
            Tree::Object(members) if members.is_empty() => out.push_str("{}"),
            Tree::List(items) => {
                if let Some(line) = one_line(items) {
                    out.push_str(&line);
                    return;
                }
                push_block(out, depth, ['[', ']'], items, Tree::push);
            }
            Tree::Object(members) => push_block(out, depth, ['{', '}'], members, |(name, value), out, depth| {
                push_quoted(out, name);
                out.push_str(": ");
                value.push(out, depth);
            }),
        }
    }
}

/// An array of plain values, if it is short.
fn one_line(items: &[Tree]) -> Option<String> {
    const WIDEST: usize = 80;
    let mut line = "[".to_owned();
    for (index, item) in items.iter().enumerate() {
        if matches!(item, Tree::List(_) | Tree::Object(_)) {
            return None;
        }
        line.push_str(if index > 0 { ", " } else { "" });
        item.push(&mut line, 0);
        if line.len() > WIDEST {
            return None;
        }
    }
    line.push(']');
    Some(line)
}

fn push_block<T>(
    out: &mut String,
    depth: usize,
    brackets: [char; 2],
    items: &[T],
    push: impl Fn(&T, &mut String, usize),
) {
    out.push(brackets[0]);
    for (index, item) in items.iter().enumerate() {
        out.push_str(if index > 0 { ",\n" } else { "\n" });
        out.push_str(&"  ".repeat(depth + 1));
        push(item, out, depth + 1);
    }
    out.push('\n');
    out.push_str(&"  ".repeat(depth));
    out.push(brackets[1]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_character_comes_back() {
        let all: String = (0..0x300)
            .filter_map(char::from_u32)
            .chain("\u{2028}\u{2029}\u{fffd}\u{feff}😀é".chars())
            .collect();
        for text in [all.as_str(), "", "plain", "\"", "\\", "é\u{1}\u{1}é", "\u{7f}"] {
            let back: String = serde_json::from_str(&quoted(text)).expect("a JSON string");
            assert_eq!(back, text);
        }
    }

    #[test]
    fn strings_are_written_as_serde_writes_them() {
        for character in (0..0x11_0000).filter_map(char::from_u32) {
            let text = format!("a{character}b");
            assert_eq!(Some(quoted(&text)), serde_json::to_string(&text).ok());
        }
    }

    #[test]
    fn documents_are_set_out_with_two_blanks() {
        let tree = Tree::Object(vec![
            ("a", Tree::texts(["x", "y\n"])),
            (
                "b",
                Tree::List(vec![Tree::Object(vec![("n", Tree::Number(7))]), Tree::Null]),
            ),
            ("c", Tree::Object(Vec::new())),
            ("d", Tree::List(Vec::new())),
            ("e", Tree::Boolean(true)),
            ("f", Tree::maybe(None)),
            ("g", Tree::texts(["long".repeat(15), "long".repeat(15)])),
        ]);
        let text = tree.pretty();
        let long = "long".repeat(15);
        let expected = format!(
            "{{\n  \"a\": [\"x\", \"y\\n\"],\n  \"b\": [\n    {{\n      \"n\": 7\n    }},\n    null\n  ],\n  \"c\": {{}},\n  \
             \"d\": [],\n  \"e\": true,\n  \"f\": null,\n  \"g\": [\n    \"{long}\",\n    \"{long}\"\n  ]\n}}\n"
        );
        assert_eq!(text, expected);
        assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
    }
}
