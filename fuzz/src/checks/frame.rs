//! The framer gives the lines of the plain splitter, whatever the chunks, and keeps to the limit.

use arbitrary::{Arbitrary, Unstructured};
use fhirehose_core::frame::Framer;

#[derive(Arbitrary)]
struct Input<'a> {
    max_line: u8,
    extend: bool,
    sizes: [u8; 4],
    bytes: &'a [u8],
}

pub fn check(data: &[u8]) {
    let Ok(input) = Input::arbitrary_take_rest(Unstructured::new(data)) else {
        return;
    };
    let max_line = usize::from(input.max_line);
    let fits = |line: &[u8]| (line.len() <= max_line).then(|| line.to_vec());
    let expected: Vec<_> = super::lines(input.bytes).into_iter().map(fits).collect();
    let mut got = Vec::new();
    let mut framer = Framer::new(max_line);
    let mut buffer = Vec::new();
    let take = |block: &[u8], got: &mut Vec<_>| {
        assert!(block.is_empty() || block.ends_with(b"\n"), "whole lines only");
        got.extend(
            block
                .split_inclusive(|&byte| byte == b'\n')
                .map(|line| fits(&line[..line.len() - 1])),
        );
    };
    for chunk in super::chunks(input.bytes, &input.sizes) {
        let extended = if input.extend { framer.extend(chunk) } else { None };
        let cut = extended.unwrap_or_else(|| {
            let fresh = framer.begin(&mut buffer);
            assert!(fresh <= max_line.max(2), "what is carried keeps to the limit");
            buffer.truncate(fresh);
            buffer.extend_from_slice(chunk);
            framer.cut(&buffer, fresh)
        });
        take(&buffer[cut.start..cut.end], &mut got);
        if cut.too_long {
            got.push(None);
        }
    }
    let len = framer.finish(&mut buffer);
    take(&buffer[..len], &mut got);
    assert_eq!(got, expected);
}
