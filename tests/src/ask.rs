//! Asking an implementation of the contract in DynamoDB's own JSON.
//!
//! Invariant: what is asked goes through the same decoder and the same checks as a request from a socket, and what comes
//! back through the same encoder, whoever answers; so a case sees what a client sees.

use std::sync::Arc;

use api::{Context, DynamoDb, Error, OpKind, Shared, Source};
use bytes::Bytes;
use http_front::codec;
use http_front::server::{ConnectionState, HttpServer};
use serde_json::Value;

/// Who answers. Cloning shares it.
#[derive(Clone)]
pub struct Ask {
    name: &'static str,
    way: Way,
}

#[derive(Clone)]
enum Way {
    /// Through the trait.
    Trait(Shared),
    /// Through the HTTP front's own function, as bytes, without a socket.
    Front(Arc<(HttpServer<Shared>, ConnectionState)>),
}

/// An error as a client sees it.
#[derive(Debug, Clone, PartialEq)]
pub struct Refusal {
    /// The error's name, without its namespace.
    pub kind: String,
    /// Its message.
    pub message: String,
    /// The whole body.
    pub body: Value,
}

impl Ask {
    /// Asks through the trait.
    pub fn through_trait(name: &'static str, db: Shared) -> Ask {
        Ask { name, way: Way::Trait(db) }
    }

    /// Asks through the HTTP front, without a socket.
    pub fn through_front(name: &'static str, server: HttpServer<Shared>) -> Ask {
        let connection = server.connection();
        Ask { name, way: Way::Front(Arc::new((server, connection))) }
    }

    /// What the subject is called.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Asks, and tells what came back and, where the subject says so, from where.
    pub async fn ask(&self, op: &str, body: Value) -> (Result<Value, Refusal>, Source) {
        let body = Bytes::from(body.to_string());
        match &self.way {
            Way::Trait(db) => match call(db, op, &body).await {
                Ok((bytes, source)) => (Ok(parse(&bytes)), source),
                Err(error) => (Err(refusal(&error)), Source::Store),
            },
            Way::Front(front) => {
                let request = http::Request::builder()
                    .method("POST")
                    .uri("/")
                    .header("content-type", "application/x-amz-json-1.0")
                    .header("x-amz-target", format!("DynamoDB_20120810.{op}"))
                    .body(body)
                    .expect("a literal request is well formed");
                let answer = front.0.handle(request, &front.1).await;
                let source = match answer.headers().get("x-forebay-cache").map(|value| value.as_bytes()) {
                    Some(b"hit") => Source::Cache,
                    Some(b"mixed") => Source::Mixed,
                    _ => Source::Store,
                };
                let status = answer.status();
                let bytes = http_body_util::BodyExt::collect(answer.into_body())
                    .await
                    .expect("a body in memory cannot fail")
                    .to_bytes();
                let value = parse(&bytes);
                if status.is_success() { (Ok(value), source) } else { (Err(read_refusal(value)), source) }
            }
        }
    }

    /// Asks for something that must succeed.
    #[track_caller]
    pub fn ok(&self, op: &str, body: Value) -> impl Future<Output = Value> + Send {
        let place = std::panic::Location::caller();
        let (db, op) = (self.clone(), op.to_owned());
        async move {
            let shown = shorten(&body);
            match db.ask(&op, body).await.0 {
                Ok(value) => value,
                Err(refusal) => {
                    panic!("{place}: {op} {shown} was refused: {}: {}", refusal.kind, refusal.message)
                }
            }
        }
    }

    /// Asks for something that must be refused.
    #[track_caller]
    pub fn refused(&self, op: &str, body: Value) -> impl Future<Output = Refusal> + Send {
        let place = std::panic::Location::caller();
        let (db, op) = (self.clone(), op.to_owned());
        async move {
            let shown = shorten(&body);
            match db.ask(&op, body).await.0 {
                Ok(value) => panic!("{place}: {op} {shown} was done: {}", shorten(&value)),
                Err(refusal) => refusal,
            }
        }
    }

    /// Asks for something that must be refused with exactly this message.
    #[track_caller]
    pub fn refuses(
        &self,
        op: &str,
        body: Value,
        kind: &'static str,
        message: impl Into<String>,
    ) -> impl Future<Output = ()> + Send {
        let place = std::panic::Location::caller();
        let message = message.into();
        let shown = shorten(&body);
        let refused = self.refused(op, body);
        async move {
            let refusal = refused.await;
            assert!(
                refusal.kind == kind && refusal.message == message,
                "{place}: {shown}\n  expected {kind}: {message}\n  got      {}: {}",
                refusal.kind,
                refusal.message
            );
        }
    }

    /// Asks for something that must be refused as invalid, with exactly this message.
    #[track_caller]
    pub fn invalid(
        &self,
        op: &str,
        body: Value,
        message: impl Into<String>,
    ) -> impl Future<Output = ()> + Send {
        self.refuses(op, body, "ValidationException", message)
    }
}

async fn call(db: &Shared, op: &str, body: &Bytes) -> Result<(Bytes, Source), Error> {
    let op = OpKind::from_name(op).expect("cases name operations of the contract");
    let request = codec::decode_request(op, body)?;
    let answer = db.call(Context::default(), request).await?;
    Ok((codec::encode_response(&answer.response)?, answer.source))
}

fn parse(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes).expect("answers are JSON")
}

fn refusal(error: &Error) -> Refusal {
    let mut body = Vec::new();
    http_front::error::write_body(error, &mut body);
    read_refusal(parse(&body))
}

fn read_refusal(body: Value) -> Refusal {
    let text = |name: &str| body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    let kind = text("__type");
    let kind = kind.rsplit('#').next().unwrap_or_default().to_owned();
    let message = if body.get("message").is_some() { text("message") } else { text("Message") };
    Refusal { kind, message, body }
}

fn shorten(value: &Value) -> String {
    const SHOWN_CHARS: usize = 400;
    let text = value.to_string();
    match text.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
