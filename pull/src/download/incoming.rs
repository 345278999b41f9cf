//! What comes over the network, as a thread reads it: pieces from a channel of bounded length.

use std::io::{self, Read};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Pieces that wait for the thread; with pieces of at most some hundred kilobytes this bounds the memory of a download.
const WAITING: usize = 8;

/// A piece of a file on its way to the thread that reads it.
#[derive(Debug)]
pub(crate) enum Piece {
    /// The next bytes as they were sent.
    Data(Bytes),
    /// All bytes have come; and what their SHA-256 has to be, if the server said so.
    End(Option<[u8; 32]>),
}

/// Makes the two ends. `hashes`: the reader makes the checksum of what comes.
pub(crate) fn pipe(hashes: bool) -> (Sender<Piece>, Incoming) {
    let (sender, receiver) = channel(WAITING);
    let incoming = Incoming {
        receiver,
        piece: Bytes::new(),
        hasher: hashes.then(Sha256::new),
        wire: 0,
        end: End::Open,
    };
    (sender, incoming)
}

/// The reader's end.
pub(crate) struct Incoming {
    receiver: Receiver<Piece>,
    piece: Bytes,
    hasher: Option<Sha256>,
    wire: u64,
    end: End,
}

/// How the bytes ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// They have not.
    Open,
    /// All came; whether a checksum was there, which fits.
    Whole { verified: bool },
    /// All came, and whoever keeps the bytes has to see that this is their checksum.
    Unseen([u8; 32]),
    /// All came, and the checksum does not fit.
    Wrong,
    /// Nobody sends any more, and not all came.
    Given,
}

impl Incoming {
    /// Bytes that came.
    pub(crate) fn wire(&self) -> u64 {
        self.wire
    }

    /// How it ended.
    pub(crate) fn end(&self) -> End {
        self.end
    }

    fn finish(&mut self, expected: Option<[u8; 32]>) {
        let actual = self.hasher.take().map(|hasher| <[u8; 32]>::from(hasher.finalize()));
        self.end = match (expected, actual) {
            (Some(expected), Some(actual)) if expected != actual => End::Wrong,
            (Some(expected), None) => End::Unseen(expected),
            (expected, _) => End::Whole {
                verified: expected.is_some(),
            },
        };
    }
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            if self.end != End::Open {
                return Ok(0);
            }
            match self.receiver.blocking_recv() {
                Some(Piece::Data(piece)) => {
                    if let Some(hasher) = &mut self.hasher {
                        hasher.update(&piece);
                    }
                    self.wire += piece.len() as u64;
                    self.piece = piece;
                }
                Some(Piece::End(expected)) => self.finish(expected),
                None => {
                    self.end = End::Given;
                    // An end that is none: nothing may take it for the end of the file.
                    return Err(io::Error::other("the download was given up"));
                }
            }
        }
        let length = buffer.len().min(self.piece.len());
        buffer[..length].copy_from_slice(&self.piece.split_to(length));
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pieces: Vec<Piece>) -> (io::Result<Vec<u8>>, End) {
        let (sender, mut incoming) = pipe(true);
        for piece in pieces {
            sender.blocking_send(piece).expect("has room");
        }
        drop(sender);
        let mut all = Vec::new();
        let result = incoming.read_to_end(&mut all).map(|_| all);
        (result, incoming.end())
    }

    #[test]
    fn a_download_that_is_given_up_is_no_end_of_a_file() {
        let (result, end) = read(vec![Piece::Data(Bytes::from_static(b"ab"))]);
        assert!(result.is_err());
        assert_eq!(end, End::Given);
    }

    #[test]
    fn the_checksum_is_of_all_bytes() {
        let digest = <[u8; 32]>::from(Sha256::digest(b"abc"));
        let data = || {
            vec![
                Piece::Data(Bytes::from_static(b"a")),
                Piece::Data(Bytes::from_static(b"bc")),
            ]
        };
        let with = |end| read(data().into_iter().chain([Piece::End(end)]).collect());
        let (result, end) = with(Some(digest));
        assert_eq!(
            (result.expect("reads"), end),
            (b"abc".to_vec(), End::Whole { verified: true })
        );
        assert_eq!(with(Some([0; 32])).1, End::Wrong);
        assert_eq!(with(None).1, End::Whole { verified: false });
    }
}
