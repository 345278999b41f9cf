//! Bodies of requests, with a bound in bytes and one in time.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http_body::Body as _;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};

use crate::outcome::Reply;

/// Why a body was not read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// It has more bytes than are taken.
    TooLarge,
    /// It did not end in time.
    TooSlow,
    /// The client ended the connection, or wrote what is no body.
    Broken,
}

impl BodyFault {
    /// The answer: 413, 408 or 400. The last is seldom read by anybody.
    #[must_use]
    pub fn reply(self, most: usize) -> Reply {
        match self {
            BodyFault::TooLarge => Reply::too_large(most as u64),
            BodyFault::TooSlow => {
                Reply::error(408, "timeout", "the body did not come in time").with_header("Connection", "close")
            }
            BodyFault::Broken => Reply::error(400, "incomplete", "the body did not come to its end"),
        }
    }
}

/// Reads a body of at most so many bytes, which has to end within so long.
///
/// Of one that is somewhat longer the rest is read and forgotten: most clients look for the answer only when they have sent
/// everything, and a connection that is closed before tells them nothing.
///
/// # Errors
///
/// What was wrong with it.
pub async fn read_body(body: Body, most: usize, within: Duration) -> Result<Bytes, BodyFault> {
    let mut body = body;
    if body.size_hint().lower() > most as u64 {
        forget(&mut body, most, within).await;
        return Err(BodyFault::TooLarge);
    }
    let read = tokio::time::timeout(within, Limited::new(&mut body, most).collect());
    let read = read.await;
    match read {
        Err(_) => Err(BodyFault::TooSlow),
        Ok(Ok(collected)) => Ok(collected.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            forget(&mut body, most, within).await;
            Err(BodyFault::TooLarge)
        }
        Ok(Err(_)) => Err(BodyFault::Broken),
    }
}

/// How many times as much as is taken is read to tell somebody that it was too much.
const PATIENCE: usize = 4;

/// Reads on without keeping anything, up to a bound in bytes and in time.
async fn forget(body: &mut Body, most: usize, within: Duration) {
    let mut left = most.saturating_mul(PATIENCE);
    let reading = async {
        while let Some(Ok(frame)) = body.frame().await {
            left = left.saturating_sub(frame.data_ref().map_or(0, Bytes::len));
            if left == 0 {
                break;
            }
        }
    };
    // Whoever is slow with what nobody wants is not waited for.
    let _ = tokio::time::timeout(within.min(Duration::from_secs(5)), reading).await;
}

#[cfg(test)]
mod tests {
    use futures_util::stream;

    use super::*;

    const WITHIN: Duration = Duration::from_secs(30);

    fn chunks(chunks: Vec<Result<&'static [u8], &'static str>>) -> Body {
        Body::from_stream(stream::iter(chunks))
    }

    #[tokio::test]
    async fn a_body_of_the_right_length_is_read() {
        assert_eq!(read_body(Body::empty(), 0, WITHIN).await, Ok(Bytes::new()));
        assert_eq!(
            read_body(Body::from("12345"), 5, WITHIN).await,
            Ok(Bytes::from("12345"))
        );
        let body = chunks(vec![Ok(b"123"), Ok(b"45")]);
        assert_eq!(read_body(body, 5, WITHIN).await, Ok(Bytes::from("12345")));
    }

    #[tokio::test]
    async fn one_byte_too_many_is_too_large() {
        assert_eq!(
            read_body(Body::from("123456"), 5, WITHIN).await,
            Err(BodyFault::TooLarge)
        );
        let body = chunks(vec![Ok(b"123"), Ok(b"456"), Err("not read that far")]);
        assert_eq!(read_body(body, 5, WITHIN).await, Err(BodyFault::TooLarge));
    }

    #[tokio::test]
    async fn a_body_that_breaks_is_broken() {
        let body = chunks(vec![Ok(b"123"), Err("gone")]);
        assert_eq!(read_body(body, 5, WITHIN).await, Err(BodyFault::Broken));
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_that_trickles_is_too_slow_however_steady() {
        let trickle = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b"1")), ()))
        });
        let read = read_body(Body::from_stream(trickle), 1 << 20, WITHIN).await;
        assert_eq!(read, Err(BodyFault::TooSlow));
    }

    #[test]
    fn faults_have_their_status() {
        let status = |fault: BodyFault| fault.reply(5).status;
        assert_eq!(status(BodyFault::TooLarge), 413);
        assert_eq!(status(BodyFault::TooSlow), 408);
        assert_eq!(status(BodyFault::Broken), 400);
    }
}
