//! A bounded pool of HTTP/1.1 connections to one endpoint.

use std::sync::Arc;
use std::time::Duration;

use api::Error;
use bytes::{Bytes, BytesMut};
use http::response::Parts;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use socket::dial::{self, Dial, Tls};
use tokio::sync::Semaphore;

use super::error;

type Sender = SendRequest<Full<Bytes>>;

pub(super) struct Pool {
    dial: Arc<dyn Dial>,
    host: String,
    port: u16,
    tls: Option<Tls>,
    connect_timeout: Duration,
    /// One permit a request under way, so that there are never more connections than that.
    permits: Semaphore,
    // Held to push or pop only. The one used last is used next, so that those in excess fall idle and are closed.
    idle: Mutex<Vec<Sender>>,
}

impl Pool {
    pub(super) fn new(
        dial: Arc<dyn Dial>,
        host: String,
        port: u16,
        tls: Option<Tls>,
        max_connections: usize,
        connect_timeout: Duration,
    ) -> Pool {
        let permits = Semaphore::new(max_connections.min(Semaphore::MAX_PERMITS));
        Pool { dial, host, port, tls, connect_timeout, permits, idle: Mutex::default() }
    }

    /// Sends a request and reads its whole answer. Errors: `ServiceUnavailableException` where it was certainly not sent,
    /// `InternalServerError` where it may have been.
    pub(super) async fn exchange(
        &self,
        request: http::Request<Full<Bytes>>,
        answer_bytes: usize,
    ) -> Result<(Parts, Bytes), Error> {
        let _permit = self.permits.acquire().await.map_err(|closed| error::not_sent(&closed))?;
        let (mut sender, response) = self.send(request).await?;
        let (head, body) = response.into_parts();
        let body = collect(body, answer_bytes).await?;
        if sender.ready().await.is_ok() {
            self.idle.lock().push(sender);
        }
        Ok((head, body))
    }

    async fn send(
        &self,
        mut request: http::Request<Full<Bytes>>,
    ) -> Result<(Sender, http::Response<Incoming>), Error> {
        // An idle connection may have been closed by the peer meanwhile. hyper hands back a request that it did not begin
        // to write; each attempt uses up one idle connection, so this ends.
        loop {
            let idle = self.take_idle();
            let fresh = idle.is_none();
            let mut sender = match idle {
                Some(sender) => sender,
                None => self.connect().await?,
            };
            match sender.try_send_request(request).await {
                Ok(response) => return Ok((sender, response)),
                Err(mut failed) => match failed.take_message() {
                    Some(unsent) if !fresh => request = unsent,
                    Some(_) => return Err(error::not_sent(failed.error())),
                    None => return Err(error::no_answer(&failed.error().to_string())),
                },
            }
        }
    }

    fn take_idle(&self) -> Option<Sender> {
        let mut idle = self.idle.lock();
        idle.retain(|sender| !sender.is_closed());
        idle.pop()
    }

    async fn connect(&self) -> Result<Sender, Error> {
        let (tls, limit) = (self.tls.as_ref(), self.connect_timeout);
        let stream = dial::connect(&*self.dial, &self.host, self.port, tls, limit)
            .await
            .map_err(|error| error::not_sent(&error))?;
        // Says nothing yet, so it waits for nobody.
        let (sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| error::not_sent(&error))?;
        // Ends with the connection, which ends with its sender.
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(%error, "a connection to the upstream endpoint broke");
            }
        });
        Ok(sender)
    }
}

async fn collect(mut body: Incoming, most: usize) -> Result<Bytes, Error> {
    let mut first = Bytes::new();
    let mut gathered = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|broken| error::no_answer(&broken.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + gathered.len() + data.len() > most {
            return Err(error::no_answer("the answer is larger than any of the service's"));
        }
        if first.is_empty() && gathered.is_empty() {
            first = data;
        } else {
            gathered.extend_from_slice(&std::mem::take(&mut first));
            gathered.extend_from_slice(&data);
        }
    }
    Ok(if gathered.is_empty() { first } else { gathered.freeze() })
}
