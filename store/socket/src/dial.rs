//! How a connection is made, passed in so that a simulation can make its own.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};

/// A connection, before TLS.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// A connection under way.
pub type Dialing<'a> = Pin<Box<dyn Future<Output = io::Result<Box<dyn Stream>>> + Send + 'a>>;

/// Makes connections.
pub trait Dial: Send + Sync + 'static {
    /// Connects to a name or an address. Errors: what the network says.
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> Dialing<'a>;
}

/// TCP, without delay of small writes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tcp;

impl Dial for Tcp {
    fn dial<'a>(&'a self, host: &'a str, port: u16) -> Dialing<'a> {
        Box::pin(async move {
            let stream = crate::lookup::connect(host, port).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }
}

/// TLS for connections to one name.
#[derive(Debug, Clone)]
pub struct Tls {
    /// Whom to trust.
    pub config: Arc<rustls::ClientConfig>,
    /// The name that the peer's certificate must have.
    pub name: ServerName<'static>,
}

/// Connects, and shakes hands where there is `tls`, within `limit`. Errors: what the network or TLS says, and `TimedOut`.
pub async fn connect(
    dial: &dyn Dial,
    host: &str,
    port: u16,
    tls: Option<&Tls>,
    limit: Duration,
) -> io::Result<Box<dyn Stream>> {
    let connecting = async {
        let stream = dial.dial(host, port).await?;
        let Some(Tls { config, name }) = tls else { return Ok(stream) };
        let connector = tokio_rustls::TlsConnector::from(Arc::clone(config));
        Ok(Box::new(connector.connect(name.clone(), stream).await?) as Box<dyn Stream>)
    };
    tokio::time::timeout(limit, connecting).await?
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Never;

    impl Dial for Never {
        fn dial<'a>(&'a self, _: &'a str, _: u16) -> Dialing<'a> {
            Box::pin(std::future::pending())
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_answer_is_given_up_in_time() {
        let limit = Duration::from_secs(3);
        let began = tokio::time::Instant::now();
        let Err(error) = connect(&Never, "nowhere", 1, None, limit).await else { panic!("nobody is there") };
        assert_eq!((error.kind(), began.elapsed()), (io::ErrorKind::TimedOut, limit));
    }
}
