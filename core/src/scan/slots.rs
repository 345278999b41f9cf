//! What a walk captures: ranges into the block, never copies.

/// Number of a captured path; see [`super::trie`].
pub type SlotId = u16;

/// One captured value: `bytes[start..end]` of the block, quotes and brackets included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Capture {
    /// Which path.
    pub slot: SlotId,
    /// First byte of the value.
    pub start: u32,
    /// One past its last byte.
    pub end: u32,
}
