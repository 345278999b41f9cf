//! Sizes in bytes as people write them: `64MiB`, `1GB`, `500k`.

const EXPECTED: &str =
    "expected a whole number, alone or with k, M, G, T (powers of 1000) or KiB, MiB, GiB, TiB (of 1024)";

/// Reads a size. Units may be written in any case, with or without `B`.
pub(crate) fn parse(text: &str) -> Result<u64, String> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let number: u64 = match number.parse() {
        Ok(number) => number,
        Err(_) if digits > 0 => return Err("the number is too large".to_owned()),
        Err(_) => return Err(EXPECTED.to_owned()),
    };
    let factor = factor(unit.trim_start()).ok_or_else(|| EXPECTED.to_owned())?;
    let size = number.checked_mul(factor).ok_or("the number is too large")?;
    if size == 0 {
        return Err("expected more than 0".to_owned());
    }
    Ok(size)
}

fn factor(unit: &str) -> Option<u64> {
    let unit = unit.to_ascii_lowercase();
    let unit = unit.strip_suffix('b').unwrap_or(&unit);
    let (letter, base): (&str, u64) = match unit.strip_suffix('i') {
        Some(letter) if !letter.is_empty() => (letter, 1024),
        _ => (unit, 1000),
    };
    let power = match letter {
        "" => 0,
        "k" => 1,
        "m" => 2,
        "g" => 3,
        "t" => 4,
        _ => return None,
    };
    Some(base.pow(power))
}

/// The size in the unit that fits: `96 MiB`; rounded up.
pub(crate) fn binary(size: u64) -> String {
    format!("{} MiB", size.div_ceil(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::{binary, parse};

    #[test]
    fn units_of_both_kinds() {
        let cases = [
            ("1", 1),
            ("17b", 17),
            ("500k", 500_000),
            ("500KB", 500_000),
            ("64MiB", 64 << 20),
            ("64 mib", 64 << 20),
            ("64Mi", 64 << 20),
            ("1GB", 1_000_000_000),
            ("2GiB", 2 << 30),
            ("3T", 3_000_000_000_000),
        ];
        for (text, size) in cases {
            assert_eq!(parse(text), Ok(size), "{text}");
        }
    }

    #[test]
    fn others_are_refused() {
        for text in [
            "",
            "k",
            "-1",
            "+1",
            "1.5G",
            "1i",
            "1ib",
            "1x",
            "1kk",
            "0",
            "0MiB",
            "99999999999999999999",
            "20000000T",
        ] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn shown_sizes_are_never_too_small() {
        assert_eq!(binary(96 << 20), "96 MiB");
        assert_eq!(binary((96 << 20) + 1), "97 MiB");
    }
}
