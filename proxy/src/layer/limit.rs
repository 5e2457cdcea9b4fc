//! Bounds how many requests wait at a time; what comes above is refused at once, not stored up (P10).
//!
//! | operation | what becomes of it |
//! |---|---|
//! | reads | tried first; only one that has to wait takes a place, so that a hit costs no shared counter |
//! | everything else | takes a place first, so that nothing is refused that was half begun |
//!
//! What is refused gets `ThrottlingException`, which every SDK retries with a growing pause. A read refused after its first
//! step leaves nothing behind. A place is given back however the request ends, also when its caller goes away.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;

use api::service::Peek;
use api::{Answer, Context, DynamoDb, Error, ErrorKind, OpClass, Request, Version};
use serde::{Deserialize, Serialize};
use tracing::Instrument;

/// Bounds on requests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LimitSettings {
    /// Most requests that wait at a time. A waiting request holds its body and answer, so this times the largest of both
    /// bounds their memory.
    pub max_in_flight: usize,
}

impl Default for LimitSettings {
    fn default() -> Self {
        LimitSettings { max_in_flight: 10_000 }
    }
}

/// The layer.
#[derive(Debug)]
pub struct Limited<D> {
    inner: D,
    max_in_flight: usize,
    in_flight: AtomicUsize,
}

impl<D: DynamoDb> Limited<D> {
    /// Bounds what reaches `inner`.
    pub fn new(inner: D, settings: &LimitSettings) -> Limited<D> {
        Limited { inner, max_in_flight: settings.max_in_flight, in_flight: AtomicUsize::new(0) }
    }

    fn take(&self) -> Result<Place<'_>, Error> {
        // Relaxed: a count, which orders nothing else.
        let before = self.in_flight.fetch_add(1, Ordering::Relaxed);
        let place = Place(&self.in_flight);
        if before < self.max_in_flight {
            return Ok(place);
        }
        drop(place);
        Err(Error::new(ErrorKind::ThrottlingException, "Rate of requests exceeds the allowed throughput."))
    }

    async fn bounded(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        if request.kind().class() != OpClass::Read {
            let _place = self.take()?;
            return self.inner.call(cx, request).await;
        }
        let mut call = pin!(self.inner.call(cx, request));
        if let Poll::Ready(answer) = std::future::poll_fn(|task| Poll::Ready(call.as_mut().poll(task))).await
        {
            return answer;
        }
        let _place = self.take()?;
        call.await
    }
}

struct Place<'a>(&'a AtomicUsize);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl<D: DynamoDb> DynamoDb for Limited<D> {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        match host::telemetry::enabled() {
            false => self.bounded(cx, request).await,
            true => self.bounded(cx, request).instrument(tracing::debug_span!("limited")).await,
        }
    }

    /// What is answered at once does not wait, and only a read may be tried without a place.
    fn call_now(&self, cx: &mut Context, request: &Request) -> Option<Answer> {
        if request.kind().class() != OpClass::Read || host::telemetry::enabled() {
            return None;
        }
        self.inner.call_now(cx, request)
    }

    fn peek(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
        if host::telemetry::enabled() {
            return None;
        }
        self.inner.peek(read, out)
    }
}

#[cfg(test)]
mod tests {
    use api::Response;
    use api::op::{GetItemInput, GetItemOutput, ListTablesInput, ListTablesOutput, ReturnConsumedCapacity};
    use api::{Item, TableName};
    use tokio::sync::Notify;

    use super::*;

    /// Reads of table `quick` are answered at once; everything else waits to be let go.
    #[derive(Default)]
    struct Slow {
        go: Notify,
    }

    impl DynamoDb for Slow {
        async fn call(&self, _: Context, request: Request) -> Result<Answer, Error> {
            let response = match request {
                Request::GetItem(input) => {
                    if input.table.as_str() != "quick" {
                        self.go.notified().await;
                    }
                    Response::GetItem(GetItemOutput::default())
                }
                _ => {
                    self.go.notified().await;
                    Response::ListTables(ListTablesOutput { names: vec![], last: None })
                }
            };
            Ok(Answer::from_store(response, None))
        }

        fn call_now(&self, _: &mut Context, _: &Request) -> Option<Answer> {
            Some(Answer::from_store(Response::GetItem(GetItemOutput::default()), None))
        }
    }

    #[tokio::test]
    async fn a_read_answered_at_once_takes_no_place_and_nothing_else_is_tried() {
        let limited = Limited::new(Slow::default(), &LimitSettings { max_in_flight: 0 });
        assert!(limited.call_now(&mut Context::default(), &get("quick")).is_some());
        let list = Request::from(ListTablesInput { start: None, limit: None });
        assert_eq!(limited.call_now(&mut Context::default(), &list), None);
    }

    fn get(table: &str) -> Request {
        GetItemInput {
            table: TableName::new(table).unwrap(),
            key: Item::new(),
            projection: None,
            consistent: false,
            return_capacity: ReturnConsumedCapacity::None,
        }
        .into()
    }

    #[tokio::test]
    async fn what_would_wait_is_refused_when_all_places_are_taken_and_what_would_not_is_answered() {
        let limited = Limited::new(Slow::default(), &LimitSettings { max_in_flight: 1 });
        let mut waiting = pin!(limited.call(Context::default(), get("slow")));
        assert!(std::future::poll_fn(|task| Poll::Ready(waiting.as_mut().poll(task).is_pending())).await);
        let refused = limited.call(Context::default(), get("slow")).await.unwrap_err();
        assert_eq!(refused.kind, ErrorKind::ThrottlingException);
        let list = ListTablesInput { start: None, limit: None };
        assert!(limited.call(Context::default(), list.into()).await.is_err());
        assert!(limited.call(Context::default(), get("quick")).await.is_ok());
        limited.inner.go.notify_one();
        assert!(waiting.await.is_ok());
        assert_eq!(limited.in_flight.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn a_caller_who_goes_away_gives_its_place_back() {
        let limited = Limited::new(Slow::default(), &LimitSettings { max_in_flight: 1 });
        {
            let mut waiting = pin!(limited.call(Context::default(), get("slow")));
            assert!(std::future::poll_fn(|task| Poll::Ready(waiting.as_mut().poll(task).is_pending())).await);
            assert_eq!(limited.in_flight.load(Ordering::Relaxed), 1);
        }
        assert_eq!(limited.in_flight.load(Ordering::Relaxed), 0);
    }
}
