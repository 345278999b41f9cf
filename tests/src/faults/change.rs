//! What can become of a body on its way to the client, piece by piece.

use std::io;

use super::wire::{Head, Left, Out, PIECE, Wire};
use super::{Fault, Shared};
use crate::random::Random;

/// A change of an answer's body, and of what its head says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Nothing,
    /// It ends after so many bytes.
    Cut(Place),
    /// The bits of this byte are turned where the mask has them.
    Flip(Place, u8),
    /// So many bytes are missing at the end, and nobody says so.
    Truncate(u64),
    /// The head announces so many bytes, and the connection ends after what there is.
    Announce(u64),
    /// The head names this coding, or none.
    Coding(Option<&'static str>),
}

/// A place in a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    At(u64),
    /// The length is not known: this much, of 2^32, of the first piece.
    InFirst(u64),
}

impl Place {
    fn draw(length: Option<u64>, random: &mut Random) -> Place {
        match length {
            Some(length) => Place::At(random.below(length)),
            None => Place::InFirst(random.below(1 << 32)),
        }
    }

    fn in_piece(self, before: u64, piece: usize) -> Option<usize> {
        let at = match self {
            Place::At(at) => at.checked_sub(before)?,
            Place::InFirst(part) if before == 0 => (part * piece as u64) >> 32,
            Place::InFirst(_) => return None,
        };
        usize::try_from(at).ok().filter(|&at| at < piece)
    }
}

impl Change {
    /// The change that a fault makes of this answer; nothing where it cannot be made, or could not be found out.
    pub(super) fn of(fault: Option<Fault>, head: &Head, random: &mut Random) -> Option<Change> {
        let length = head.length();
        if length == Some(0) || head.status() == 204 {
            return None;
        }
        let is_file = matches!(head.status(), 200 | 206);
        let is_gzip = head.has("content-encoding", "gzip");
        let can_be_found = is_gzip || head.get("repr-digest").is_some();
        match fault? {
            Fault::Cut => Some(Change::Cut(Place::draw(length, random))),
            _ if !is_file => None,
            Fault::Flip if can_be_found => {
                let place = Place::draw(length, random);
                Some(Change::Flip(place, 1 << random.below(8)))
            }
            Fault::Truncate => {
                let most = length.unwrap_or(8).min(200);
                let missing = if is_gzip { 8.min(most) } else { 1 + random.below(most) };
                Some(Change::Truncate(missing))
            }
            Fault::TooLong => Some(Change::Announce(length.unwrap_or(1 << 30) + 1 + random.below(1000))),
            Fault::TooShort => Some(Change::Announce(random.below(length.unwrap_or(1)))),
            Fault::LyingCoding => Some(Change::Coding(match (is_gzip, random.below(3)) {
                (true, 0) => None,
                (true, 1) | (false, 0) => Some("br"),
                (true, _) => Some("deflate"),
                (false, _) => Some("gzip"),
            })),
            _ => None,
        }
    }

    pub(super) fn detail(&self) -> String {
        format!("{self:?}")
    }

    /// Makes the head say what it has to.
    pub(super) fn head(&self, head: &mut Head) {
        match *self {
            Change::Nothing | Change::Cut(_) | Change::Flip(..) => {}
            Change::Truncate(missing) => {
                if let Some(length) = head.length() {
                    head.set("Content-Length", length.saturating_sub(missing).to_string());
                }
            }
            Change::Announce(length) => {
                head.remove("transfer-encoding");
                head.set("Content-Length", length.to_string());
            }
            Change::Coding(None) => head.remove("content-encoding"),
            Change::Coding(Some(coding)) => head.set("Content-Encoding", coding),
        }
    }
}

/// Passes a body on; tells whether the connection can be used on.
pub(super) fn body(shared: &Shared, from: &mut Wire, left: &mut Left, to: Out<'_>, change: Change) -> io::Result<bool> {
    // What may be the end, where the end is not to be sent.
    let mut held: Vec<u8> = Vec::new();
    let mut piece = vec![0; PIECE];
    let mut before = 0;
    loop {
        let got = from.read(left, &mut piece)?;
        if got == 0 {
            break;
        }
        let piece = &mut piece[..got];
        match change {
            Change::Cut(place) => {
                if let Some(at) = place.in_piece(before, got) {
                    to.piece(&piece[..at])?;
                    shared.count(at);
                    return Ok(false);
                }
                to.piece(piece)?;
            }
            Change::Flip(place, mask) => {
                if let Some(at) = place.in_piece(before, got) {
                    piece[at] ^= mask;
                }
                to.piece(piece)?;
            }
            Change::Truncate(missing) => {
                held.extend_from_slice(piece);
                let sure = held
                    .len()
                    .saturating_sub(usize::try_from(missing).unwrap_or(usize::MAX));
                to.piece(&held[..sure])?;
                held.drain(..sure);
            }
            Change::Nothing | Change::Announce(_) | Change::Coding(_) => to.piece(piece)?,
        }
        before += got as u64;
        shared.count(got);
    }
    if let Change::Announce(_) = change {
        return Ok(false);
    }
    to.end()?;
    Ok(true)
}
