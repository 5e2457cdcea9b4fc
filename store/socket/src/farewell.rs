//! Ends of connections.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// What is still read of a refused request, so that the peer gets to see the answer before the connection goes.
const LINGER_BYTES: usize = 32 << 20;
/// How long a farewell may take.
const LIMIT: Duration = Duration::from_secs(2);

/// Says that nothing more comes. The answers are out; a peer that is gone already or never takes the farewell changes
/// nothing.
pub async fn close(io: &mut (impl AsyncWrite + Unpin)) {
    let _ = tokio::time::timeout(LIMIT, io.shutdown()).await;
}

/// The same to a peer that may still be sending: reads on for a bounded while. Closing with unread bytes would reset the
/// connection and take the last answer with it.
pub async fn linger(io: &mut (impl AsyncRead + AsyncWrite + Unpin)) {
    let drain = async {
        io.shutdown().await?;
        // On the heap: as part of the future every connection would carry it from its first moment.
        let mut scratch = vec![0; 4096];
        let mut left = LINGER_BYTES;
        while left > 0 {
            match io.read(&mut scratch).await? {
                0 => break,
                bytes => left = left.saturating_sub(bytes),
            }
        }
        std::io::Result::Ok(())
    };
    // Whether the peer waited for it makes no difference any more.
    let _ = tokio::time::timeout(LIMIT, drain).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_never_goes_is_left_after_a_while() {
        let (_near, mut far) = tokio::io::duplex(8);
        let began = tokio::time::Instant::now();
        linger(&mut far).await;
        assert_eq!(began.elapsed(), LIMIT);
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_goes_on_sending_is_read_to_its_end() {
        let (mut near, mut far) = tokio::io::duplex(1024);
        let sent = tokio::spawn(async move {
            let mut sent = 0;
            for _ in 0..1000 {
                near.write_all(&[7; 1000]).await.unwrap();
                sent += 1000;
            }
            sent
        });
        linger(&mut far).await;
        assert_eq!(sent.await.unwrap(), 1_000_000);
    }
}
