//! One unary call: a message there, an answer, an error in its place, or a status back.

use api::Error;
use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use prost::Message;
use socket::body::Pieces;
use tonic::{Code, Status};

use super::error::{no_answer, not_sent};
use super::links::Links;
use crate::codec::ANSWER_BYTES;
use crate::frame::{self, PREFIX_BYTES};
use crate::proto::dynamodb as pb;
use crate::{error, metadata};

/// How often a call is put onto a fresh connection because the one it was put onto had ended before.
const TRIES: usize = 3;

/// Sends a call and reads its answer: what came beside the message, and the message. Errors: what the endpoint answered;
/// `ServiceUnavailableException` where the call certainly had no effect, `InternalServerError` where it may have.
pub(super) async fn exchange(
    links: &Links,
    uri: Uri,
    metadata: HeaderMap,
    message: Bytes,
) -> Result<(HeaderMap, Bytes), Error> {
    let response = send(links, uri, metadata, message).await?;
    let (head, body) = response.into_parts();
    if head.status != StatusCode::OK {
        return Err(no_answer("what answered does not speak gRPC"));
    }
    if let Some(status) = Status::from_header_map(&head.headers) {
        return Err(error::of_status(&status));
    }
    let (body, trailers) = collect(body).await?;
    let status = trailers.as_ref().and_then(Status::from_header_map);
    match status {
        Some(status) if status.code() == Code::Ok => {}
        Some(status) => return Err(error::of_status(&status)),
        None => return Err(no_answer("the answer was broken off")),
    }
    let message = frame::message(body).map_err(|status| no_answer(status.message()))?;
    if head.headers.contains_key(metadata::ERROR) {
        let failed = pb::Error::decode(message).map_err(|_| no_answer("it can't be read"))?;
        return Err(error::of_message(failed, Code::Internal));
    }
    Ok((head.headers, message))
}

async fn send(
    links: &Links,
    uri: Uri,
    metadata: HeaderMap,
    message: Bytes,
) -> Result<Response<Incoming>, Error> {
    let made = || {
        let mut request = Request::new(Full::new(message.clone()));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = metadata.clone();
        request
    };
    let mut request = made();
    let mut tries = 0;
    loop {
        tries += 1;
        let mut sender = links.sender().await?;
        let mut failed = match sender.try_send_request(request).await {
            Ok(response) => return Ok(response),
            Err(failed) => failed,
        };
        // hyper hands back a request that it did not begin to write. Of one that it wrote the other side may say that no
        // service has seen it.
        let unsent = failed.take_message();
        let untouched = unsent.is_some() || never_seen(failed.error());
        if !untouched {
            return Err(no_answer(&failed.error().to_string()));
        }
        links.left();
        if tries >= TRIES {
            return Err(not_sent(failed.error()));
        }
        request = unsent.unwrap_or_else(made);
    }
}

/// Whether the other side said that it did nothing about a call. Source: RFC 9113, sections 6.8 and 8.7: a refused stream was not
/// processed, nor was one that came after the last that an orderly farewell names, which is what h2 fails with its error.
fn never_seen(error: &hyper::Error) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<h2::Error>());
    source.is_some_and(|error| {
        let refused = error.reason() == Some(h2::Reason::REFUSED_STREAM);
        let said_farewell = error.is_go_away() && error.reason() == Some(h2::Reason::NO_ERROR);
        error.is_remote() && (refused || said_farewell)
    })
}

async fn collect(mut body: Incoming) -> Result<(Bytes, Option<HeaderMap>), Error> {
    let mut pieces = Pieces::default();
    let mut trailers = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|broken| no_answer(&broken.to_string()))?;
        let data = match frame.into_data() {
            Ok(data) => data,
            Err(frame) => {
                trailers = frame.into_trailers().ok();
                continue;
            }
        };
        if pieces.bytes() + data.len() > ANSWER_BYTES + PREFIX_BYTES {
            return Err(no_answer("it is larger than any of the service's"));
        }
        pieces.add(data);
    }
    Ok((pieces.join(), trailers))
}
