//! Answers as HTTP/2 takes them: headers, at most one message, and the status in trailers.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Response};
use http_body::{Body, Frame};
use socket::Account;
use socket::unwritten::{Piece, Unwritten};
use tokio::sync::watch;
use tonic::Status;

/// The body of an answer.
pub(super) enum ReplyBody {
    /// A message, then trailers.
    Unary { message: Option<Piece>, trailers: Option<HeaderMap> },
    /// What a service of tonic's answers, until the connection is to end.
    Stream(Box<Streamed>),
}

/// A stream of messages of no importance: it ends when the connection is to.
pub(super) struct Streamed {
    body: tonic::body::Body,
    stopping: Pin<Box<dyn Future<Output = ()> + Send>>,
    stopped: bool,
    account: Arc<Account>,
    unwritten: Unwritten,
}

/// An answer that is all status: headers and nothing else.
pub(super) fn refused(status: &Status) -> Response<ReplyBody> {
    let mut response = Response::new(ReplyBody::Unary { message: None, trailers: None });
    response.headers_mut().insert(CONTENT_TYPE, content_type());
    write_status(status, response.headers_mut());
    response
}

/// An answer with a message, and what travels beside it.
pub(super) fn answered(message: Piece, metadata: HeaderMap) -> Response<ReplyBody> {
    let mut trailers = HeaderMap::with_capacity(1);
    trailers.insert("grpc-status", HeaderValue::from_static("0"));
    let mut response = Response::new(ReplyBody::Unary { message: Some(message), trailers: Some(trailers) });
    *response.headers_mut() = metadata;
    response.headers_mut().insert(CONTENT_TYPE, content_type());
    response
}

fn content_type() -> HeaderValue {
    HeaderValue::from_static("application/grpc")
}

fn write_status(status: &Status, headers: &mut HeaderMap) {
    // What fails to be written is told by its code alone.
    if let Err(unwritable) = status.add_header(headers) {
        headers.insert("grpc-status", HeaderValue::from(unwritable.code() as i32));
    }
}

/// The answer of a service of tonic's.
pub(super) fn streamed(
    response: Response<tonic::body::Body>,
    mut stopping: watch::Receiver<bool>,
    account: &Arc<Account>,
    unwritten: &Unwritten,
) -> Response<ReplyBody> {
    response.map(|body| {
        let stopping = Box::pin(async move {
            // The sender is gone with its connection, which ends the stream as well.
            let _ = stopping.wait_for(|stopping| *stopping).await;
        });
        ReplyBody::Stream(Box::new(Streamed {
            body,
            stopping,
            stopped: false,
            account: Arc::clone(account),
            unwritten: unwritten.clone(),
        }))
    })
}

impl Streamed {
    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame<Piece>>> {
        if self.stopped {
            return Poll::Ready(None);
        }
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                let frame = frame.map_data(|bytes: Bytes| {
                    // A few bytes of health or of the published description: nothing to charge.
                    self.unwritten.add(bytes, self.account.hold())
                });
                Poll::Ready(Some(frame))
            }
            Poll::Ready(Some(Err(status))) => Poll::Ready(Some(self.end(&status))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => self
                .stopping
                .as_mut()
                .poll(cx)
                .map(|()| Some(self.end(&Status::unavailable("the node is stopping")))),
        }
    }

    fn end(&mut self, status: &Status) -> Frame<Piece> {
        self.stopped = true;
        let mut trailers = HeaderMap::new();
        write_status(status, &mut trailers);
        Frame::trailers(trailers)
    }
}

impl Body for ReplyBody {
    type Data = Piece;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Piece>, Infallible>>> {
        match &mut *self {
            ReplyBody::Unary { message, trailers } => {
                let frame = message.take().map(Frame::data).or_else(|| trailers.take().map(Frame::trailers));
                Poll::Ready(frame.map(Ok))
            }
            ReplyBody::Stream(streamed) => streamed.poll_frame(cx).map(|frame| frame.map(Ok)),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ReplyBody::Unary { message, trailers } => message.is_none() && trailers.is_none(),
            ReplyBody::Stream(streamed) => streamed.stopped || streamed.body.is_end_stream(),
        }
    }
}
