//! Counts and times every request, and gives it the span under which the layers below make theirs.
//!
//! | operation | what becomes of it |
//! |---|---|
//! | all | passed on; counted by operation and by how it ended, timed from here to the answer |
//!
//! Where nobody collects spans, none is made. A request whose caller goes away before the answer is counted as come, and
//! not as ended. Nothing is logged here: an error is logged where its cause is known.

use std::sync::Arc;

use api::error::Fault;
use api::service::{Peek, Source};
use api::{Answer, Context, DynamoDb, Error, ErrorKind, OpKind, Request, Version};
use host::clock::Clock;
use host::metrics::{CounterSet, HistogramSet, Registry, names};
use tracing::Instrument;

/// How a request ended, as the histogram's label says it.
const OUTCOMES: [&str; 6] = ["store", "cache", "mixed", "throttled", "error", "fault"];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Store,
    Cache,
    Mixed,
    Throttled,
    Error,
    Fault,
}

impl Outcome {
    fn of(result: &Result<Answer, Error>) -> Outcome {
        match result {
            Ok(answer) => Outcome::of_source(answer.source),
            Err(error) => match error.kind {
                ErrorKind::ThrottlingException
                | ErrorKind::RequestLimitExceeded
                | ErrorKind::ProvisionedThroughputExceededException => Outcome::Throttled,
                kind => match kind.fault() {
                    Fault::Client => Outcome::Error,
                    Fault::Server => Outcome::Fault,
                },
            },
        }
    }

    fn of_source(source: Source) -> Outcome {
        match source {
            Source::Store => Outcome::Store,
            Source::Cache => Outcome::Cache,
            Source::Mixed => Outcome::Mixed,
        }
    }

    fn name(self) -> &'static str {
        OUTCOMES[self as usize]
    }
}

/// The layer.
pub struct Traced<D> {
    inner: D,
    clock: Arc<dyn Clock>,
    total: CounterSet,
    errors: CounterSet,
    faults: CounterSet,
    failed: CounterSet,
    throttled: CounterSet,
    seconds: HistogramSet,
}

impl<D> std::fmt::Debug for Traced<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Traced").field("total", &self.total.total()).finish_non_exhaustive()
    }
}

impl<D: DynamoDb> Traced<D> {
    /// Counts into `registry` what goes to `inner`. `clock` is the fine one: latencies are microseconds.
    pub fn new(inner: D, clock: Arc<dyn Clock>, registry: &Registry) -> Traced<D> {
        let operations: Vec<_> = OpKind::ALL.iter().map(|kind| kind.name()).collect();
        let by_operation = |family| registry.counter_set(family, "operation", &operations);
        Traced {
            inner,
            clock,
            total: by_operation(names::TOTAL_REQUEST_COUNT),
            errors: by_operation(names::ERROR_REQUEST_COUNT),
            faults: by_operation(names::FAULT_REQUEST_COUNT),
            failed: by_operation(names::FAILED_REQUEST_COUNT),
            throttled: by_operation(names::THROTTLED_REQUEST_COUNT),
            seconds: registry.histogram_set(
                names::REQUEST_SECONDS,
                ("operation", &operations),
                ("outcome", &OUTCOMES),
            ),
        }
    }

    fn count(&self, kind: OpKind, outcome: Outcome, nanos: u64) {
        // The table of operations numbers its kinds in its own order, which the sets were made in.
        let at = kind as usize;
        match outcome {
            Outcome::Store | Outcome::Cache | Outcome::Mixed => {}
            Outcome::Throttled => {
                self.throttled.get(at).increment();
                self.failed.get(at).increment();
            }
            Outcome::Error => {
                self.errors.get(at).increment();
                self.failed.get(at).increment();
            }
            Outcome::Fault => {
                self.faults.get(at).increment();
                self.failed.get(at).increment();
            }
        }
        self.seconds.get(at, outcome as usize).record_nanos(nanos);
    }
}

impl<D: DynamoDb> DynamoDb for Traced<D> {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        let kind = request.kind();
        let began = self.clock.monotonic_nanos();
        self.total.get(kind as usize).increment();
        let result = if host::telemetry::enabled() {
            let span = tracing::debug_span!(
                "request",
                otel.name = kind.name(),
                request_id = %format_args!("{:032x}", cx.request_id),
                outcome = tracing::field::Empty,
            );
            let result = self.inner.call(cx, request).instrument(span.clone()).await;
            span.record("outcome", Outcome::of(&result).name());
            result
        } else {
            self.inner.call(cx, request).await
        };
        self.count(kind, Outcome::of(&result), self.clock.monotonic_nanos().saturating_sub(began));
        result
    }

    fn call_now(&self, cx: &mut Context, request: &Request) -> Option<Answer> {
        if host::telemetry::enabled() {
            return None;
        }
        let began = self.clock.monotonic_nanos();
        let answer = self.inner.call_now(cx, request)?;
        let kind = request.kind();
        self.total.get(kind as usize).increment();
        let nanos = self.clock.monotonic_nanos().saturating_sub(began);
        self.count(kind, Outcome::of_source(answer.source), nanos);
        Some(answer)
    }

    fn peek(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
        if host::telemetry::enabled() {
            return None;
        }
        let began = self.clock.monotonic_nanos();
        let version = self.inner.peek(read, out)?;
        let nanos = self.clock.monotonic_nanos().saturating_sub(began);
        self.total.get(OpKind::GetItem as usize).increment();
        self.seconds.get(OpKind::GetItem as usize, Outcome::Cache as usize).record_nanos(nanos);
        Some(version)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use api::Response;
    use api::op::{DescribeLimitsInput, ListTablesInput, ListTablesOutput};
    use host::clock::ManualClock;

    use super::*;

    struct Takes {
        clock: ManualClock,
    }

    impl DynamoDb for Takes {
        async fn call(&self, _: Context, request: Request) -> Result<Answer, Error> {
            self.clock.advance(Duration::from_millis(3));
            match request {
                Request::ListTables(_) => {
                    let output = ListTablesOutput { names: vec![], last: None };
                    Ok(Answer::from_store(Response::ListTables(output), None))
                }
                Request::DescribeLimits(_) => Err(Error::new(ErrorKind::ThrottlingException, "slower")),
                _ => Err(Error::validation("no")),
            }
        }

        fn peek(&self, read: &Peek<'_>, out: &mut Vec<u8>) -> Option<Version> {
            self.clock.advance(Duration::from_millis(2));
            (read.key == b"known").then(|| {
                out.push(1);
                Version::default()
            })
        }

        fn call_now(&self, _: &mut Context, request: &Request) -> Option<Answer> {
            self.clock.advance(Duration::from_millis(1));
            let output = ListTablesOutput { names: vec![], last: None };
            let source = Source::Cache;
            matches!(request, Request::ListTables(_)).then(|| Answer {
                response: Response::ListTables(output),
                version: None,
                source,
            })
        }
    }

    #[tokio::test]
    async fn what_is_answered_at_once_is_counted_as_ever_and_what_is_not_is_counted_once() {
        let clock = ManualClock::default();
        let registry = Registry::new();
        let traced = Traced::new(Takes { clock: clock.clone() }, Arc::new(clock), &registry);
        let list = Request::from(ListTablesInput { start: None, limit: None });
        traced.call_now(&mut Context::default(), &list).unwrap();
        let at = OpKind::ListTables as usize;
        let read = traced.seconds.get(at, Outcome::Cache as usize).read();
        assert_eq!((traced.total.get(at).value(), read.count, read.sum_nanos), (1, 1, 1_000_000));
        let mut out = Vec::new();
        let read = Peek {
            caller: &Arc::default(),
            table: &crate::cache::tests::table(1),
            key: b"known",
            min_version: None,
            wire: api::Wire::Dax,
        };
        assert_eq!(traced.peek(&Peek { key: b"other", ..read }, &mut out), None);
        let at = OpKind::GetItem as usize;
        assert_eq!((traced.total.get(at).value(), &out[..]), (0, &b""[..]));
        assert_eq!(traced.peek(&read, &mut out), Some(Version::default()));
        let read = traced.seconds.get(at, Outcome::Cache as usize).read();
        assert_eq!((traced.total.get(at).value(), read.count, read.sum_nanos), (1, 1, 2_000_000));
        let limits = Request::from(DescribeLimitsInput {});
        let at = OpKind::DescribeLimits as usize;
        assert_eq!(traced.call_now(&mut Context::default(), &limits), None);
        assert_eq!((traced.total.get(at).value(), traced.failed.get(at).value()), (0, 0));
        traced.call(Context::default(), limits).await.unwrap_err();
        assert_eq!((traced.total.get(at).value(), traced.failed.get(at).value()), (1, 1));
    }

    #[tokio::test]
    async fn requests_are_counted_and_timed_by_operation_and_outcome() {
        let clock = ManualClock::default();
        let registry = Registry::new();
        let traced = Traced::new(Takes { clock: clock.clone() }, Arc::new(clock), &registry);
        let list = || Request::from(ListTablesInput { start: None, limit: None });
        traced.call(Context::default(), list()).await.unwrap();
        traced.call(Context::default(), list()).await.unwrap();
        traced.call(Context::default(), DescribeLimitsInput {}.into()).await.unwrap_err();
        let at = OpKind::ListTables as usize;
        assert_eq!((traced.total.get(at).value(), traced.failed.get(at).value()), (2, 0));
        let limits = OpKind::DescribeLimits as usize;
        assert_eq!((traced.throttled.get(limits).value(), traced.errors.get(limits).value()), (1, 0));
        assert_eq!(traced.failed.get(limits).value(), 1);
        let read = traced.seconds.get(at, Outcome::Store as usize).read();
        assert_eq!((read.count, read.sum_nanos), (2, 6_000_000));
    }
}
