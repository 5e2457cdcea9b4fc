//! Query and Scan, through the query cache.

use std::sync::Arc;

use api::op::{Page, QueryInput, ReturnConsumedCapacity, ScanInput, Select};
use api::service::Source;
use api::{Answer, Context, DynamoDb, Error, Request, Response, Table, TableName, Version};
use host::metrics::Counter;

use super::{Asked, Cached, NO_LOG, TRIES_MAX, capacity, key, mismatched, out_of_time};
use crate::cache::query::{PageEntry, PageFound, PageKey};
use crate::cache::{Joined, Landed, Mode, SharedPage, View};

/// A request for a page that the cache may answer.
#[derive(Clone, Copy)]
pub(super) enum PageRequest<'a> {
    Query(&'a QueryInput),
    Scan(&'a ScanInput),
}

impl<'a> PageRequest<'a> {
    /// The request as one for a page; `None` for all others, and for those that have to be read strongly.
    pub(super) fn of(request: &'a Request) -> Option<PageRequest<'a>> {
        match request {
            Request::Query(input) if !input.consistent => Some(PageRequest::Query(input)),
            Request::Scan(input) if !input.consistent => Some(PageRequest::Scan(input)),
            _ => None,
        }
    }

    pub(super) fn table(self) -> &'a TableName {
        match self {
            PageRequest::Query(input) => &input.table,
            PageRequest::Scan(input) => &input.table,
        }
    }

    fn return_capacity(self) -> ReturnConsumedCapacity {
        match self {
            PageRequest::Query(input) => input.return_capacity,
            PageRequest::Scan(input) => input.return_capacity,
        }
    }

    /// The same request, asking for everything that is to be known of capacity.
    fn with_capacity(self) -> Request {
        let return_capacity = ReturnConsumedCapacity::Indexes;
        match self {
            PageRequest::Query(input) => QueryInput { return_capacity, ..QueryInput::clone(input) }.into(),
            PageRequest::Scan(input) => ScanInput { return_capacity, ..ScanInput::clone(input) }.into(),
        }
    }

    /// What the form of its page leans on. All of it is in the page's key too.
    fn asked(self, table: &'a Arc<Table>) -> Asked<'a> {
        let (index, select) = match self {
            PageRequest::Query(input) => (&input.index, &input.select),
            PageRequest::Scan(input) => (&input.index, &input.select),
        };
        let projection = match select {
            Select::Specific(projection) => Some(projection),
            Select::AllAttributes | Select::AllProjected | Select::Count => None,
        };
        Asked { table, of_index: index.is_some(), projection }
    }

    fn response(self, page: Page) -> Response {
        match self {
            PageRequest::Query(_) => Response::Query(page),
            PageRequest::Scan(_) => Response::Scan(page),
        }
    }
}

#[allow(clippy::large_enum_variant, reason = "a box would be an allocation in every hit")]
enum Looked {
    Answer(Answer),
    Miss(Miss),
    /// Not for the cache.
    Pass,
}

struct Miss {
    view: View,
    void: Option<Arc<PageEntry>>,
}

impl<D: DynamoDb> Cached<D> {
    /// Answers a request for a page; any other is passed on.
    pub(super) async fn page(&self, cx: Context, whole: Request) -> Result<Answer, Error> {
        let Some((request, table)) =
            PageRequest::of(&whole).and_then(|request| Some((request, cx.tables.named(request.table())?)))
        else {
            return self.inner.call(cx, whole).await;
        };
        let mut failed = None;
        for attempt in 0..TRIES_MAX {
            let miss = match key::with_scratch(|scratch| self.look_for_page(&cx, table, request, scratch)) {
                Looked::Answer(answer) => return Ok(answer),
                Looked::Pass => return self.inner.call(cx, whole).await,
                Looked::Miss(miss) => miss,
            };
            if attempt == 0 {
                self.counters_of(request).1.increment();
            }
            let mut buffer = Vec::new();
            let Some(page_key) = self.page_key(table, request, &mut buffer) else {
                return self.inner.call(cx, whole).await;
            };
            let (read, version) = match self.cache.join_page(&miss.view, &page_key, cx.min_version.as_ref()) {
                Joined::Lead(leader) => {
                    let read = self.read_page(&cx, request, &page_key, &miss).await;
                    match &read {
                        Ok((shared, _)) => leader.land(|| shared.clone()),
                        Err(error) => leader.fail(error, out_of_time(&cx)),
                    }
                    read?
                }
                Joined::Alone => self.read_page(&cx, request, &page_key, &miss).await?,
                Joined::Wait(waiting) => match waiting.landed(cx.deadline).await {
                    Landed::Read(shared) if self.cache.may_take(&miss.view, &waiting, &shared.version) => {
                        self.cache.statistics().query_coalesced.increment();
                        let version = shared.version;
                        (shared, Some(version))
                    }
                    Landed::Read(_) => self.read_page(&cx, request, &page_key, &miss).await?,
                    Landed::Failed(error) => return Err(error),
                    Landed::Again(error) => {
                        failed = error;
                        continue;
                    }
                },
            };
            let mut page = Arc::unwrap_or_clone(read.page);
            page.capacity = capacity::told(request.return_capacity(), page.capacity);
            return Ok(Answer { response: request.response(page), version, source: Source::Store });
        }
        match failed {
            Some(error) => Err(error),
            None => self.inner.call(cx, whole).await,
        }
    }

    /// The answer if it is a hit. Whatever else it is is found, and counted, by the call that follows.
    pub(super) fn page_now(&self, cx: &Context, request: PageRequest<'_>) -> Option<Answer> {
        let table = cx.tables.named(request.table())?;
        match key::with_scratch(|scratch| self.look_for_page(cx, table, request, scratch)) {
            Looked::Answer(answer) => Some(answer),
            Looked::Miss(_) | Looked::Pass => None,
        }
    }

    /// Hits and misses of the request's kind.
    fn counters_of(&self, request: PageRequest<'_>) -> (&Counter, &Counter) {
        let statistics = self.cache.statistics();
        match request {
            PageRequest::Query(_) => (&statistics.query_hits, &statistics.query_misses),
            PageRequest::Scan(_) => (&statistics.scan_hits, &statistics.scan_misses),
        }
    }

    pub(super) fn page_key<'a>(
        &self,
        table: &Table,
        request: PageRequest<'_>,
        buffer: &'a mut Vec<u8>,
    ) -> Option<PageKey<'a>> {
        match request {
            PageRequest::Query(input) => self.cache.query_key(table, input, buffer),
            PageRequest::Scan(input) => self.cache.scan_key(table, input, buffer),
        }
    }

    fn look_for_page(
        &self,
        cx: &Context,
        table: &Arc<Table>,
        request: PageRequest<'_>,
        scratch: &mut Vec<u8>,
    ) -> Looked {
        let Some(view) = self.cache.view() else {
            return Looked::Pass;
        };
        let Some(page_key) = self.page_key(table, request, scratch) else {
            return Looked::Pass;
        };
        let mut void = None;
        match self.cache.page(&view, &page_key) {
            PageFound::Hit(entry, version)
                if view.satisfies(&version, cx.min_version.as_ref())
                    && self.is_fresh_enough(cx, page_key.mode(), &entry) =>
            {
                self.counters_of(request).0.increment();
                let statistics = self.cache.statistics();
                if entry.is_empty() {
                    statistics.query_negative_hits.increment();
                }
                if page_key.mode() == Mode::Ttl {
                    statistics
                        .served_age
                        .record_nanos(self.cache.now_nanos().saturating_sub(entry.made_nanos()));
                }
                let response = self.response_of_page(cx, request.asked(table), request, &entry);
                return Looked::Answer(Answer { response, version: Some(version), source: Source::Cache });
            }
            PageFound::Hit(..) | PageFound::Miss => {}
            PageFound::Void(entry) => void = Some(entry),
        }
        Looked::Miss(Miss { view, void })
    }

    /// Whether a page is as young as the caller asks. A coherent one is of now, whenever it was read.
    fn is_fresh_enough(&self, cx: &Context, mode: Mode, entry: &PageEntry) -> bool {
        mode == Mode::Coherent
            || cx.max_staleness.is_none_or(|most| {
                let age = self.cache.now_nanos().saturating_sub(entry.made_nanos());
                u128::from(age) <= most.as_nanos()
            })
    }

    fn response_of_page(
        &self,
        cx: &Context,
        asked: Asked<'_>,
        request: PageRequest<'_>,
        entry: &Arc<PageEntry>,
    ) -> Response {
        let return_capacity = request.return_capacity();
        let plain = return_capacity == ReturnConsumedCapacity::None;
        if plain && let Some(ready) = entry.ready(cx.wire) {
            return Response::Ready(ready.clone());
        }
        let mut page = entry.page();
        let mode = self.cache.settings().hit_capacity;
        page.capacity = capacity::told(return_capacity, page.capacity)
            .map(|report| capacity::report_of_hit(mode, report));
        let response = request.response(page);
        if plain
            && self.encoders.has(cx.wire)
            && let Some(ready) = self.encoders.encode(cx.wire, asked, &response)
        {
            self.cache.keep_page_form(entry, &ready);
            return Response::Ready(ready);
        }
        response
    }

    /// Reads the page from the store, and keeps it if nothing overtook it.
    async fn read_page(
        &self,
        cx: &Context,
        request: PageRequest<'_>,
        page_key: &PageKey<'_>,
        miss: &Miss,
    ) -> Result<(SharedPage, Option<Version>), Error> {
        let permit = self.cache.page_permit(&miss.view, miss.void.clone());
        let answer = self.inner.call(cx.clone().plain(), request.with_capacity()).await?;
        let page = match (request, answer.response) {
            (PageRequest::Query(_), Response::Query(page)) => page,
            (PageRequest::Scan(_), Response::Scan(page)) => page,
            (_, other) => return Err(mismatched(&other)),
        };
        if let Some(version) = &answer.version {
            self.cache.fill_page(&permit, page_key, &page, version);
        }
        let version = answer.version.unwrap_or(NO_LOG);
        Ok((SharedPage { page: Arc::new(page), version }, answer.version))
    }
}
