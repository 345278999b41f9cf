//! The line in the making: a value's bytes without the whitespace between its tokens, up to a limit; and a part of it
//! that is looked into.

/// Collects one value. Beyond its limit it keeps one byte more and drops the rest, so that a value too long comes out
/// as one line that is both over the limit and not JSON.
#[derive(Clone, Debug)]
pub(super) struct Line {
    bytes: Vec<u8>,
    limit: usize,
    on: bool,
    /// The last kept byte belongs to a number or word.
    after_token: bool,
    gap: bool,
}

impl Line {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            limit,
            on: false,
            after_token: false,
            gap: false,
        }
    }

    pub(super) fn start(&mut self) {
        self.bytes.clear();
        self.on = true;
        self.after_token = false;
        self.gap = false;
    }

    pub(super) fn stop(&mut self) {
        self.on = false;
        self.bytes.clear();
    }

    /// What has been kept since the start.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn is_on(&self) -> bool {
        self.on
    }

    /// Hands the line out with its line feed.
    pub(super) fn emit(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.bytes);
        out.push(b'\n');
        self.stop();
    }

    fn keep(&mut self, bytes: &[u8]) {
        let room = (self.limit.saturating_add(1)).saturating_sub(self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..bytes.len().min(room)]);
    }

    /// Whitespace between tokens.
    pub(super) fn blank(&mut self) {
        self.gap = true;
    }

    /// A bracket, comma, colon, or a string's opening quote.
    pub(super) fn mark(&mut self, byte: u8) {
        if self.on {
            self.after_token = false;
            self.keep(&[byte]);
        }
    }

    /// Bytes of a number or word.
    pub(super) fn token(&mut self, bytes: &[u8]) {
        self.join();
        self.run(bytes, true);
    }

    /// Called before a token that may follow a gap. A gap between two tokens stays, as one space: `1 2` must not
    /// become `12`.
    pub(super) fn join(&mut self) {
        if self.on && self.after_token && self.gap {
            self.keep(b" ");
        }
        self.gap = false;
    }

    /// Whole tokens and marks as they are, the caller having called [`Line::join`] before a first token.
    pub(super) fn run(&mut self, bytes: &[u8], ends_in_token: bool) {
        if self.on && !bytes.is_empty() {
            self.after_token = ends_in_token;
            self.gap = false;
            self.keep(bytes);
        }
    }

    /// Bytes within a string, its closing quote too. A raw line feed would break the line in two, so it becomes a tab:
    /// as wrong within a string as before.
    pub(super) fn text(&mut self, bytes: &[u8]) {
        if self.on {
            let from = self.bytes.len();
            self.keep(bytes);
            if memchr::memchr(b'\n', &self.bytes[from..]).is_some() {
                for byte in &mut self.bytes[from..] {
                    if *byte == b'\n' {
                        *byte = b'\t';
                    }
                }
            }
        }
    }
}

/// The line, and the value that is looked into; each takes what comes while it is on.
#[derive(Clone, Debug)]
pub(super) struct Lines {
    pub(super) whole: Line,
    pub(super) part: Line,
}

impl Lines {
    pub(super) fn blank(&mut self) {
        self.whole.blank();
        self.part.blank();
    }

    pub(super) fn mark(&mut self, byte: u8) {
        self.whole.mark(byte);
        self.part.mark(byte);
    }

    pub(super) fn token(&mut self, bytes: &[u8]) {
        self.whole.token(bytes);
        self.part.token(bytes);
    }

    pub(super) fn join(&mut self) {
        self.whole.join();
        self.part.join();
    }

    pub(super) fn run(&mut self, bytes: &[u8], ends_in_token: bool) {
        self.whole.run(bytes, ends_in_token);
        self.part.run(bytes, ends_in_token);
    }

    pub(super) fn text(&mut self, bytes: &[u8]) {
        self.whole.text(bytes);
        self.part.text(bytes);
    }
}
