//! What is known of the lines of one patient that stand together: whose they are and how many.

use fhirehose_core::error::Error;

/// What a source holds of one patient.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Head {
    /// The patient's id.
    pub(super) id: Vec<u8>,
    /// The patient's own record; more than one line if the input has it more than once.
    pub(super) own: Part,
    /// What belongs to the patient.
    pub(super) others: Part,
}

/// Lines that stand together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) lines: u64,
    pub(super) bytes: u64,
}

impl Head {
    /// There is no group left.
    pub(super) fn is_end(&self) -> bool {
        self.own.lines + self.others.lines == 0
    }

    pub(super) fn lines(&self) -> u64 {
        self.own.lines + self.others.lines
    }

    pub(super) fn bytes(&self) -> u64 {
        self.own.bytes + self.others.bytes
    }

    pub(super) fn add(&mut self, other: &Head) {
        for (part, more) in [(&mut self.own, other.own), (&mut self.others, other.others)] {
            part.lines += more.lines;
            part.bytes += more.bytes;
        }
    }
}

/// Where merged groups go.
pub(super) trait Target {
    /// The next lines are of this patient; the numbers are those of all of them.
    fn begin(&mut self, head: &Head) -> Result<(), Error>;

    /// Some of them, whole.
    fn lines(&mut self, lines: &[u8]) -> Result<(), Error>;
}
