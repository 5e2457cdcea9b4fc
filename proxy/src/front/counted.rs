//! Counts what comes by a protocol, before anything else is known of it.

use api::service::Peek;
use api::{Answer, Context, DynamoDb, Error, Request, Version};
use host::metrics::{Counter, Registry, names};

/// The stack, as one front is given it. Passes everything on.
#[derive(Clone)]
pub struct Counted<D> {
    inner: D,
    requests: Counter,
}

impl<D> Counted<D> {
    /// Counts into `registry` under the name of a protocol what goes to `inner`.
    pub fn new(inner: D, protocol: &'static str, registry: &Registry) -> Counted<D> {
        Counted { inner, requests: registry.counter(names::PROTOCOL_REQUESTS, &[("protocol", protocol)]) }
    }
}

impl<D: DynamoDb> DynamoDb for Counted<D> {
    fn call(&self, cx: Context, request: Request) -> impl Future<Output = Result<Answer, Error>> + Send {
        self.requests.increment();
        self.inner.call(cx, request)
    }

    // Of these two, what was not answered comes again as a call, and is counted there.

    fn call_now(&self, cx: &mut Context, request: &Request) -> Option<Answer> {
        let answer = self.inner.call_now(cx, request)?;
        self.requests.increment();
        Some(answer)
    }

    fn peek(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
        let version = self.inner.peek(read, out)?;
        self.requests.increment();
        Some(version)
    }
}
