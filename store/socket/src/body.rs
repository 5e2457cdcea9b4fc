//! Bodies that a library reads in pieces: put together whole, within a bound, and charged to the front's account as they come.
//!
//! What is announced holds nothing and is only judged; what is answered to a body that is refused is the front's affair, and so is
//! how long one may take.

use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use http_body::Body;

use crate::Held;

/// Why a body was not read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refused {
    /// It is larger than it may be.
    TooLarge,
    /// The front holds as much as it may.
    NoRoom,
    /// The peer broke it off.
    Broken,
}

/// Reads a body of at most `most` bytes, which `held` holds from then on. Trailers are dropped.
pub async fn collect(
    mut body: impl Body<Data = Bytes> + Unpin,
    most: usize,
    held: &mut Held,
) -> Result<Bytes, Refused> {
    if body.size_hint().lower() > most as u64 {
        return Err(Refused::TooLarge);
    }
    let mut pieces = Pieces::default();
    while let Some(frame) = std::future::poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let Ok(data) = frame.map_err(|_| Refused::Broken)?.into_data() else { continue };
        let bytes = pieces.bytes() + data.len();
        if bytes > most {
            return Err(Refused::TooLarge);
        }
        if !held.grow(bytes) {
            return Err(Refused::NoRoom);
        }
        pieces.add(data);
    }
    Ok(pieces.join())
}

/// Pieces in a row. What comes in one piece is not copied.
#[derive(Debug, Default)]
pub struct Pieces {
    first: Bytes,
    gathered: BytesMut,
}

impl Pieces {
    /// How much they are together. Unit: bytes.
    pub fn bytes(&self) -> usize {
        self.first.len() + self.gathered.len()
    }

    /// Adds the next one.
    pub fn add(&mut self, piece: Bytes) {
        if self.bytes() == 0 {
            self.first = piece;
            return;
        }
        self.gathered.extend_from_slice(&std::mem::take(&mut self.first));
        self.gathered.extend_from_slice(&piece);
    }

    /// All of them.
    pub fn join(self) -> Bytes {
        if self.gathered.is_empty() { self.first } else { self.gathered.freeze() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;
    use std::task::{Context, Poll};

    use http_body::{Frame, SizeHint};

    use super::*;
    use crate::Account;

    /// A body of these pieces; `None` is where it breaks off.
    struct Sent {
        announced: u64,
        pieces: VecDeque<Option<Bytes>>,
    }

    impl Body for Sent {
        type Data = Bytes;
        type Error = &'static str;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, &'static str>>> {
            let piece = self.pieces.pop_front();
            Poll::Ready(piece.map(|piece| piece.map(Frame::data).ok_or("broken off")))
        }

        fn size_hint(&self) -> SizeHint {
            SizeHint::with_exact(self.announced)
        }
    }

    fn sent(announced: u64, pieces: &[Option<&'static str>]) -> Sent {
        let pieces = pieces.iter().map(|piece| piece.map(|text| Bytes::from_static(text.as_bytes())));
        Sent { announced, pieces: pieces.collect() }
    }

    #[tokio::test]
    async fn a_body_is_whole_or_refused_and_charged_as_it_comes() {
        let account = Account::new(1, 12);
        for (announced, pieces, most, wanted, charged) in [
            (0, &[][..], 10, Ok(""), 0),
            (5, &[Some("hello")], 5, Ok("hello"), 5),
            (0, &[Some(""), Some("he"), Some("l"), Some("lo")], 5, Ok("hello"), 5),
            (6, &[Some("hello")], 5, Err(Refused::TooLarge), 0),
            (0, &[Some("hel"), Some("lo!")], 5, Err(Refused::TooLarge), 3),
            (0, &[Some("hello"), None], 10, Err(Refused::Broken), 5),
            (0, &[Some("hello hello"), Some("hello")], 100, Err(Refused::NoRoom), 11),
        ] {
            let mut held = account.hold();
            let collected = collect(sent(announced, pieces), most, &mut held).await;
            assert_eq!(collected, wanted.map(|text: &str| Bytes::from_static(text.as_bytes())), "{pieces:?}");
            assert_eq!(account.held_bytes(), charged, "{pieces:?}");
            drop(held);
            assert_eq!(account.held_bytes(), 0);
        }
    }

    #[tokio::test]
    async fn what_comes_in_one_piece_is_not_copied() {
        let piece = Bytes::from(vec![7; 100]);
        let mut held = Account::new(1, 100).hold();
        let body = Sent { announced: 100, pieces: [Some(piece.clone())].into() };
        assert_eq!(collect(body, 100, &mut held).await.unwrap().as_ptr(), piece.as_ptr());
    }
}
