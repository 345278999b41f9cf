//! Strings decode and compare as `serde_json` reads them; bytes that are no JSON string do not panic.

use arbitrary::{Arbitrary, Unstructured};
use fhirehose_core::scan::text::Text;

#[derive(Arbitrary)]
struct Input<'a> {
    /// How many of the bytes are the text that is looked for.
    wanted: u8,
    bytes: &'a [u8],
}

pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let (wanted, raw) = input.bytes.split_at(input.bytes.len().min(input.wanted.into()));
    let wanted = String::from_utf8_lossy(wanted);
    let text = Text::new(raw);
    let decoded = text.decode();
    let quoted = [b"\"", raw, b"\""].concat();
    let Ok(expected) = serde_json::from_slice::<String>(&quoted) else {
        let _ = text.is(&wanted);
        return;
    };
    assert_eq!(decoded, expected.as_str());
    assert!(text.is(&expected), "it says what it decodes to");
    for other in [wanted.as_ref(), &String::from_utf8_lossy(raw), &format!("{expected}x")] {
        assert_eq!(text.is(other), expected == other);
    }
}
