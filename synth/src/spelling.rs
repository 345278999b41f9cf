//! Other spellings of a finished line: the same JSON value with blanks, escapes or another order of members.

use crate::rng::Rng;

/// How a share of the lines is spelled; everything else stays compact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Style {
    /// `", "` and `": "`, as many serializers write it.
    Spaced,
    /// Blanks and tabs of any number between tokens and around the line.
    Noisy,
    /// `\/` for every slash.
    Slashes,
    /// `\u` for everything outside ASCII, in surrogate pairs where needed.
    Ascii,
    /// `\u` for a letter here and there, in names too.
    Letters,
    /// Members of the resource turned around, so that `resourceType` is not the first.
    Rotated,
    /// Members of the resource from last to first.
    Reversed,
}

/// Rewrites about one line of eight in `line`; `scratch` is any buffer that may be overwritten.
pub(crate) fn respell(line: &mut Vec<u8>, scratch: &mut Vec<u8>, rng: &mut Rng) {
    let first = match rng.below(100) {
        0 | 1 => Style::Spaced,
        2 => Style::Noisy,
        3 | 4 => Style::Slashes,
        5..=7 => Style::Ascii,
        8 => Style::Letters,
        9 | 10 => Style::Rotated,
        11 => Style::Reversed,
        _ => return,
    };
    apply(line, scratch, rng, first);
    if rng.below(4) == 0 {
        let second = rng.pick(&[Style::Rotated, Style::Ascii, Style::Spaced]);
        if second != first {
            apply(line, scratch, rng, second);
        }
    }
}

fn apply(line: &mut Vec<u8>, scratch: &mut Vec<u8>, rng: &mut Rng, style: Style) {
    scratch.clear();
    match style {
        Style::Spaced | Style::Noisy => space(line, scratch, rng, style == Style::Noisy),
        Style::Slashes | Style::Ascii | Style::Letters => escape(line, scratch, rng, style),
        Style::Rotated | Style::Reversed => reorder(line, scratch, rng, style == Style::Reversed),
    }
    std::mem::swap(line, scratch);
}

fn blanks(out: &mut Vec<u8>, rng: &mut Rng) {
    for _ in 0..rng.below(4) {
        out.push(if rng.below(4) == 0 { b'\t' } else { b' ' });
    }
}

fn space(line: &[u8], out: &mut Vec<u8>, rng: &mut Rng, noisy: bool) {
    let (mut in_string, mut escaped) = (false, false);
    if noisy {
        blanks(out, rng);
    }
    for &byte in line {
        let structural = !in_string && matches!(byte, b'{' | b'}' | b'[' | b']' | b',' | b':');
        if structural && noisy {
            blanks(out, rng);
        }
        out.push(byte);
        if structural && noisy {
            blanks(out, rng);
        } else if structural && matches!(byte, b',' | b':') {
            out.push(b' ');
        }
        if byte == b'"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && byte == b'\\' && !escaped;
    }
}

fn unicode(out: &mut Vec<u8>, unit: u16, upper: bool) {
    let digits: &[u8; 16] = if upper {
        b"0123456789ABCDEF"
    } else {
        b"0123456789abcdef"
    };
    out.extend_from_slice(b"\\u");
    for shift in [12, 8, 4, 0] {
        out.push(digits[usize::from(unit >> shift & 15)]);
    }
}

fn escape(line: &[u8], out: &mut Vec<u8>, rng: &mut Rng, style: Style) {
    let upper = rng.below(2) == 0;
    // The line was made of text; were it not, it would be kept as it is.
    let Ok(text) = std::str::from_utf8(line) else {
        out.extend_from_slice(line);
        return;
    };
    let (mut in_string, mut escaped) = (false, false);
    let mut bytes = [0u8; 4];
    let mut units = [0u16; 2];
    for character in text.chars() {
        let hidden = in_string
            && !escaped
            && match style {
                Style::Ascii => !character.is_ascii(),
                // 'u' and the rest of an escape in the line are never touched: the escape's own letter is `escaped`,
                // and its digits are left alone because only lower-case letters after 'f' are chosen.
                Style::Letters => matches!(character, 'g'..='z') && rng.below(25) == 0,
                _ => false,
            };
        if hidden {
            for unit in character.encode_utf16(&mut units) {
                unicode(out, *unit, upper);
            }
        } else if in_string && !escaped && character == '/' && style == Style::Slashes {
            out.extend_from_slice(b"\\/");
        } else {
            out.extend_from_slice(character.encode_utf8(&mut bytes).as_bytes());
        }
        if character == '"' && !escaped {
            in_string = !in_string;
        }
        escaped = in_string && character == '\\' && !escaped;
    }
}

/// The ranges of the members of the object that `line` is.
fn members(line: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::with_capacity(32);
    let (mut in_string, mut escaped, mut depth) = (false, false, 0usize);
    let mut start = 0;
    for (at, &byte) in line.iter().enumerate() {
        if in_string {
            in_string = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth == 1 {
                    start = at + 1;
                }
            }
            b'}' | b']' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    found.push(start..at);
                }
            }
            b',' if depth == 1 => {
                found.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

fn reorder(line: &[u8], out: &mut Vec<u8>, rng: &mut Rng, reversed: bool) {
    let mut parts = members(line);
    if reversed {
        parts.reverse();
    } else if parts.len() > 1 {
        let by = 1 + rng.below(parts.len() as u64 - 1) as usize;
        parts.rotate_left(by);
    }
    out.push(b'{');
    for (position, part) in parts.into_iter().enumerate() {
        if position > 0 {
            out.push(b',');
        }
        out.extend_from_slice(&line[part]);
    }
    out.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    const LINE: &str = r#"{"resourceType":"Patient","a":[1,{"b":"x\\\"{,/😀é"}],"c":{"d":[]},"e":"\u00e9\\"}"#;

    #[test]
    fn every_style_keeps_the_value_and_changes_the_bytes() {
        let value: Value = serde_json::from_str(LINE).expect("JSON");
        for style in [
            Style::Spaced,
            Style::Noisy,
            Style::Slashes,
            Style::Ascii,
            Style::Letters,
            Style::Rotated,
            Style::Reversed,
        ] {
            let mut changed = false;
            for seed in 0..20 {
                let (mut line, mut scratch) = (LINE.as_bytes().to_vec(), Vec::new());
                apply(&mut line, &mut scratch, &mut Rng::new(seed), style);
                let mut again: Value = serde_json::from_slice(&line).expect("still JSON");
                let mut expected = value.clone();
                // The order of members is not part of the value.
                again.sort_all_objects();
                expected.sort_all_objects();
                assert_eq!(again, expected, "{style:?}");
                changed |= line != LINE.as_bytes();
            }
            assert!(changed, "{style:?}");
        }
    }

    #[test]
    fn a_rotated_line_does_not_begin_with_its_type() {
        let (mut line, mut scratch) = (LINE.as_bytes().to_vec(), Vec::new());
        apply(&mut line, &mut scratch, &mut Rng::new(1), Style::Rotated);
        assert!(!line.starts_with(br#"{"resourceType""#));
    }
}
