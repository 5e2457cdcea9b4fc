//! The store in a node's own process: alone, or as one of a group that writes one log.
//!
//! In a group every node has all of it. Writes are the primary's, and so are strongly consistent reads; another node refuses
//! both, certainly without effect, and never answers them from an older state.
//!
//! Writes are judged by the schema, proposed to the log, and answered once they are durable and applied. Reads are
//! answered from the engine in place: first from what it has in memory, without leaving the caller's thread; only a read
//! that needs the disk hops to a bounded number of blocking ones. Eventually consistent reads take the state as it is;
//! strongly consistent ones make sure first that it holds every acknowledged write.
//!
//! What a failure leaves behind: a refused write changes nothing; one whose outcome is not known in time is reported as
//! such, never as a success, and may still take effect. After the disk has failed writes are refused and reads go on.

mod batch;
mod keeper;
mod surroundings;
#[cfg(test)]
mod tests;
mod waiting;

use std::sync::Arc;

use api::service::Catalog;
use api::{
    Answer, ChangeSink, Context, Detail, DynamoDb, Error, ErrorKind, OpClass, Request, Response, Table,
    TableName, Version,
};
use raft::{Leadership, Pace, Peers, RaftError, RaftNode, RaftSettings};
use tokio::sync::{Semaphore, watch};
use tracing::Instrument;

use crate::apply::{Applier, Outcome, Reply, too_stale};
use crate::attribute_lists::{self, AttributeLists, Demand, Names};
use crate::command::{Body, Command, Noted, PARAMETERS_LEVEL, SEMANTICS_LEVEL};
use crate::db::home::{CurrentDb, FixedHome, StateHome, VolatileHome};
use crate::db::memory::MemoryDb;
use crate::db::{DbLogDisk, ScanSource, SharedDb, WritePressure};
use crate::engine;
use crate::engine::view::View;
use crate::error::{EngineError, OpenError, internal, not_primary, unknown_outcome};
use crate::parameters::{self, Parameter, ParameterError, Parameters};
use crate::published::Published;
use crate::state::State;
use keeper::Keeper;
pub use surroundings::{Entropy, SeededEntropy, Surroundings, SystemEntropy};
use waiting::{MIN_VERSION_WAIT, within};

/// How often a request is made again because a table changed under it.
const STALE_ATTEMPTS: usize = 5;
/// How long a write is slowed where the engine's write buffers fall behind.
const PRESSURE_PAUSE: std::time::Duration = std::time::Duration::from_millis(2);

/// What can be set about the store.
#[derive(Clone)]
pub struct EmbeddedSettings {
    /// The log's settings.
    pub raft: RaftSettings,
    /// The way to the other members of the group. None: this store is all of it.
    pub network: Option<Peers>,
    /// Reads that may wait for the disk at one time; the next waits for a place until its deadline.
    pub disk_reads: usize,
}

impl Default for EmbeddedSettings {
    fn default() -> EmbeddedSettings {
        EmbeddedSettings { raft: RaftSettings::default(), network: None, disk_reads: 32 }
    }
}

/// The store of one node. Dropping it stops it in the background, some time later; [`Embedded::close`] waits for that. A
/// process that ends without either loses nothing acknowledged, and its next opening takes longer.
pub struct Embedded {
    core: Arc<Core>,
    keeper: Keeper,
}

/// What the service and its keeper share.
pub(crate) struct Core {
    raft: RaftNode<Reply>,
    /// The newest level this program knows.
    supported_level: u32,
    published: Arc<Published>,
    state: Arc<CurrentDb>,
    surroundings: Surroundings,
    disk_reads: Arc<Semaphore>,
    pressure: keeper::Pressure,
}

/// The state as it stands, with who applies to it, and where readers find it.
fn open_state(
    supported_level: u32,
    db: SharedDb,
    home: Arc<dyn StateHome>,
    sink: &Arc<dyn ChangeSink>,
) -> Result<(Applier, Arc<Published>, Arc<CurrentDb>), OpenError> {
    let published = Arc::new(Published::default());
    let current = Arc::new(CurrentDb::new(db));
    let state = State::open(Arc::clone(&current), Arc::clone(sink), Arc::clone(&published), supported_level)?;
    Ok((Applier::new(state, home), published, current))
}

impl Embedded {
    /// Opens a store over two instances of the engine: one for the log, with a write-ahead log of its own, one for the
    /// state, without. Blocks until everything committed is applied; no request is taken before. Of what is applied
    /// meanwhile `sink` is told as ever; then [`ChangeSink::gap`] says where the store stands, and from there on it is told
    /// of every change in order. Another state can't take the place of this one: see [`Embedded::open_in`].
    ///
    /// Errors: a store of another format or with a corrupt middle, which says what to do; a failed engine.
    pub fn open(
        settings: EmbeddedSettings,
        log_db: SharedDb,
        state_db: SharedDb,
        surroundings: Surroundings,
        sink: Arc<dyn ChangeSink>,
    ) -> Result<Embedded, OpenError> {
        Embedded::open_in(settings, log_db, state_db, Arc::new(FixedHome), surroundings, sink)
    }

    /// As [`Embedded::open`]. In `home`, where the state lies, there is room for one from a peer, which takes its place where
    /// the log can't bring this node up any more.
    pub fn open_in(
        settings: EmbeddedSettings,
        log_db: SharedDb,
        state_db: SharedDb,
        home: Arc<dyn StateHome>,
        surroundings: Surroundings,
        sink: Arc<dyn ChangeSink>,
    ) -> Result<Embedded, OpenError> {
        Embedded::open_at(SEMANTICS_LEVEL, settings, log_db, state_db, home, surroundings, sink)
    }

    /// As [`Embedded::open_in`], by a program that supports this level.
    pub(crate) fn open_at(
        supported_level: u32,
        settings: EmbeddedSettings,
        log_db: SharedDb,
        state_db: SharedDb,
        home: Arc<dyn StateHome>,
        surroundings: Surroundings,
        sink: Arc<dyn ChangeSink>,
    ) -> Result<Embedded, OpenError> {
        let (applier, published, current) = open_state(supported_level, state_db, home, &sink)?;
        let raft = RaftNode::open(
            RaftSettings { supports: supported_level, ..settings.raft },
            Arc::new(DbLogDisk::new(log_db)),
            applier,
            Arc::clone(&surroundings.clock),
            settings.network,
        )
        .map_err(|error| OpenError::Log(error.to_string()))?;
        let core = Core::new(raft, supported_level, published, current, surroundings, settings.disk_reads);
        let keeper = Keeper::start(&core, sink)?;
        Ok(Embedded { core, keeper })
    }

    /// As [`Embedded::open_in`], with no thread of its own: see [`RaftNode::open_as_tasks`]. Of the engines it wants that
    /// they never answer that the disk is needed.
    pub async fn open_as_tasks(
        settings: EmbeddedSettings,
        log_db: SharedDb,
        state_db: SharedDb,
        home: Arc<dyn StateHome>,
        surroundings: Surroundings,
        sink: Arc<dyn ChangeSink>,
        pace: Arc<dyn Pace>,
    ) -> Result<Embedded, OpenError> {
        let (applier, published, current) = open_state(SEMANTICS_LEVEL, state_db, home, &sink)?;
        let raft = RaftNode::open_as_tasks(
            RaftSettings { supports: SEMANTICS_LEVEL, ..settings.raft },
            Arc::new(DbLogDisk::new(log_db)),
            applier,
            Arc::clone(&surroundings.clock),
            settings.network,
            pace,
        )
        .await
        .map_err(|error| OpenError::Log(error.to_string()))?;
        let core = Core::new(raft, SEMANTICS_LEVEL, published, current, surroundings, settings.disk_reads);
        let keeper = Keeper::start_as_task(&core, sink).await?;
        Ok(Embedded { core, keeper })
    }

    /// A store that is gone with the process.
    pub fn in_memory(
        settings: EmbeddedSettings,
        surroundings: Surroundings,
        sink: Arc<dyn ChangeSink>,
    ) -> Result<Embedded, OpenError> {
        let log_db: SharedDb = Arc::new(MemoryDb::volatile());
        let state_db: SharedDb = Arc::new(MemoryDb::volatile());
        Embedded::open_in(settings, log_db, state_db, Arc::new(VolatileHome), surroundings, sink)
    }

    /// A store on disk: `log` and `state` below the directory, made where they are missing.
    #[cfg(feature = "rocksdb")]
    pub fn on_disk(
        settings: EmbeddedSettings,
        engine: &crate::db::rocks::RocksEngine,
        directory: &std::path::Path,
        surroundings: Surroundings,
        sink: Arc<dyn ChangeSink>,
    ) -> Result<Embedded, OpenError> {
        let log_db: SharedDb = Arc::new(engine.open_log(&directory.join("log"))?);
        let (state_db, home) = crate::db::rocks::home::RocksHome::open(engine, directory)?;
        Embedded::open_in(settings, log_db, state_db, Arc::new(home), surroundings, sink)
    }

    /// Where schemas are looked up by name; stays valid as long as anybody holds it.
    pub fn catalog(&self) -> Arc<dyn Catalog> {
        Arc::clone(&self.core.published) as Arc<dyn Catalog>
    }

    /// How far the state has been brought.
    pub fn version(&self) -> Version {
        self.core.published.version()
    }

    /// Waits until an index of the log has been applied. Without a bound of its own: put one round it.
    pub async fn reached(&self, index: u64) {
        self.core.published.reached(index).await;
    }

    /// Waits until the state holds every write that was acknowledged before the call. Errors: as of a strong read.
    pub async fn catch_up(&self, cx: &Context) -> Result<(), Error> {
        self.core.reach_read_index(cx).await
    }

    /// The log below: who leads, who belongs to the group, how old the state may be.
    pub fn log(&self) -> &RaftNode<Reply> {
        &self.core.raft
    }

    /// The level that entries are judged by: see [`crate::command::SEMANTICS_LEVEL`]. 0: the store has not begun.
    pub fn semantics_level(&self) -> u32 {
        self.core.published.semantics_level()
    }

    /// What was noted last for replicas to compare themselves by; of a store that stands alone, nothing.
    pub fn compared(&self) -> Option<Noted> {
        self.core.published.noted()
    }

    /// The parameters of the whole group, and every change to them. Of a store in a group, as this node has applied them.
    pub fn parameters(&self) -> watch::Receiver<Parameters> {
        self.core.published.parameters()
    }

    /// Sets a parameter of the whole group, or takes its value away; durable, and applied here, when it is answered. Errors: a
    /// value out of bounds; members that could not read it; those of any write.
    pub async fn set_parameter(
        &self,
        cx: &Context,
        parameter: Parameter,
        value: Option<u64>,
    ) -> Result<(), ParameterError> {
        parameters::check(parameter, value)?;
        // Who has applied a level leads by it, or by a higher one. Otherwise only the primary can tell what is missing.
        if self.semantics_level() < PARAMETERS_LEVEL {
            return Err(match &*self.core.raft.leadership().borrow() {
                Leadership::Leader { .. } => {
                    ParameterError::NotSupported { members: self.core.lacking(PARAMETERS_LEVEL) }
                }
                Leadership::Follower { leader, .. } => ParameterError::Store(not_primary(Some(leader.id))),
                Leadership::Unknown => ParameterError::Store(not_primary(None)),
            });
        }
        let proposed = self.core.propose(cx, Body::SetParameter { parameter, value }).await;
        let (reply, _) = proposed.map_err(ParameterError::Store)?;
        match reply.outcome {
            Outcome::Noted => Ok(()),
            Outcome::Refused(error) => Err(ParameterError::Store(error)),
            Outcome::Done(_) | Outcome::Given(_) | Outcome::Stale => Err(ParameterError::Store(internal())),
        }
    }

    /// Why the store takes no writes, if it does not; reads go on, unless its state is found not to be the primary's. It stays
    /// so until the store is opened again.
    pub fn ready(&self) -> Result<(), Error> {
        match self.core.raft.failure() {
            None => Ok(()),
            Some(error) => Err(from_raft(error)),
        }
    }

    /// The registry of attribute lists; stays valid as long as the store does.
    pub fn attribute_lists(&self) -> &AttributeLists {
        self.core.published.attribute_lists()
    }

    /// The id of a list of attribute names, given to it now if it had none; durable when it is answered. Errors: names
    /// that no item can have; `LimitExceededException` where there is no room for another; those of any write.
    pub async fn define_attribute_list(
        &self,
        cx: &Context,
        names: Names,
        demand: Demand,
    ) -> Result<u64, Error> {
        let lists = self.attribute_lists();
        if let Some(id) = lists.id(&names) {
            return Ok(id);
        }
        // Said again where the command is applied, but a registry that is full stays so: that needs no entry in the log.
        attribute_lists::check(&names)?;
        if lists.next_id(&names, demand, &[]).is_none() {
            return Err(attribute_lists::full(lists.len()));
        }
        self.core.draw(cx, Body::DefineAttributeList { names, demand }).await
    }

    /// [`PASSING_IDS`](crate::attribute_lists::PASSING_IDS) ids for attribute lists that need not last, which nobody had and
    /// nobody else gets: the first of them. Errors: those of any write.
    pub async fn take_passing_ids(&self, cx: &Context) -> Result<u64, Error> {
        self.core.draw(cx, Body::TakePassingIds).await
    }

    /// Bytes of the log and state on disk, roughly.
    pub fn approximate_bytes(&self) -> u64 {
        self.core.state.load().approximate_bytes(&crate::db::KeyRange::all()).unwrap_or(0)
    }

    /// Writes under way.
    pub fn waiting_writes(&self) -> usize {
        self.core.raft.waiting_proposals()
    }

    /// Stops cleanly: no more writes, the state flushed, both instances closed. Idempotent. The next opening then has
    /// nothing to bring up.
    pub async fn close(&self) -> Result<(), Error> {
        self.keeper.stop();
        let closed = self.core.raft.shutdown().await.map_err(from_raft);
        self.keeper.join();
        closed
    }
}

impl Catalog for Embedded {
    fn table(&self, name: &TableName) -> Option<Arc<Table>> {
        self.core.published.table(name)
    }

    fn lend(&self, name: &str, look: &mut dyn FnMut(&Arc<Table>)) {
        self.core.published.lend(name, look);
    }
}

impl DynamoDb for Embedded {
    async fn call(&self, cx: Context, request: Request) -> Result<Answer, Error> {
        // A span that nobody collects is a load and a branch; what memory above answers does not come here.
        let span = tracing::debug_span!("store");
        if span.is_disabled() {
            return Core::answer(&self.core, cx, request).await;
        }
        Core::answer(&self.core, cx, request).instrument(span).await
    }
}

impl Core {
    fn new(
        raft: RaftNode<Reply>,
        supported_level: u32,
        published: Arc<Published>,
        state: Arc<CurrentDb>,
        surroundings: Surroundings,
        disk_reads: usize,
    ) -> Arc<Core> {
        Arc::new(Core {
            raft,
            supported_level,
            published,
            state,
            surroundings,
            disk_reads: Arc::new(Semaphore::new(disk_reads.max(1))),
            pressure: keeper::Pressure::default(),
        })
    }

    /// What is rare or takes long is boxed: every request moves the future of all of them.
    async fn answer(core: &Arc<Core>, cx: Context, request: Request) -> Result<Answer, Error> {
        match request.kind().class() {
            OpClass::Read | OpClass::Describe => Core::read(core, cx, request).await,
            OpClass::Write => core.write(&cx, request).await,
            OpClass::Control => Box::pin(core.control(&cx, request)).await,
        }
    }

    async fn read(core: &Arc<Core>, cx: Context, request: Request) -> Result<Answer, Error> {
        let other_history = match &cx.min_version {
            Some(min) => core.reach(min).await?,
            None => false,
        };
        if other_history || engine::is_strong(&request) {
            Box::pin(core.reach_read_index(&cx)).await?;
        }
        match core.read_from(ScanSource::Resident, &request) {
            Err(error) if error.needs_disk() => Box::pin(Core::read_disk(core, &cx, request)).await,
            answer => answer.map_err(Error::from),
        }
    }

    /// One read from one view, with the version it is of.
    ///
    /// Between the engine's commit and its publication there is more to be seen than the published version says. A
    /// caller who was told the older version could next be answered from memory with an image from before what it has
    /// seen (P3). So where a commit was under way, the version comes from the snapshot that was read.
    fn read_from(&self, source: ScanSource, request: &Request) -> Result<Answer, EngineError> {
        if let Some(why) = self.published.parted() {
            tracing::debug!(why, "nothing is answered");
            return Err(not_primary(None).into());
        }
        self.published.of_one_state(|| self.read_once(source, request))
    }

    fn read_once(&self, source: ScanSource, request: &Request) -> Result<Answer, EngineError> {
        let tables = self.published.tables();
        let version = self.published.version();
        let db = self.state.load();
        if let Request::GetItem(_) = request {
            let response = engine::read(&View::of_one_record(&db, &tables, source), request)?;
            if self.published.is_still(&version) {
                return Ok(Answer::from_store(response, Some(version)));
            }
        }
        let view = View::new(&db, &tables, source);
        let version = if self.published.is_still(&version) { version } else { view.version()? };
        let response = engine::read(&view, request)?;
        Ok(Answer::from_store(response, Some(version)))
    }

    async fn read_disk(core: &Arc<Core>, cx: &Context, request: Request) -> Result<Answer, Error> {
        let place = within(cx.deadline, Arc::clone(&core.disk_reads).acquire_owned()).await;
        let place = match place {
            Some(place) => place.map_err(|_| internal())?,
            None => return Err(overloaded("Too many reads are waiting for the disk")),
        };
        let core = Arc::clone(core);
        let read = move || {
            let answer = core.read_from(ScanSource::All, &request);
            drop(place);
            answer
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => match runtime.spawn_blocking(read).await {
                Ok(answer) => answer.map_err(Error::from),
                Err(error) => {
                    tracing::error!(%error, "a read did not come to its end");
                    Err(internal())
                }
            },
            // Without a runtime there is nobody else that the wait could keep from working.
            Err(_) => read().map_err(Error::from),
        }
    }

    /// Waits until the state holds a version. Answers whether the version belongs to another history, so that only a
    /// strong read is certain to be no older.
    async fn reach(&self, min: &Version) -> Result<bool, Error> {
        match self.published.version().at_least(min) {
            Some(true) => Ok(false),
            None => Ok(true),
            Some(false) => {
                match tokio::time::timeout(MIN_VERSION_WAIT, self.published.reached(min.index)).await {
                    Ok(()) => Ok(false),
                    Err(_) => Err(Error::new(
                        ErrorKind::InternalServerError,
                        "This node has not caught up with the version asked for. Try again",
                    )),
                }
            }
        }
    }

    async fn reach_read_index(&self, cx: &Context) -> Result<(), Error> {
        if let Some(index) = self.raft.read_index_now()
            && index <= self.published.version().index
        {
            return Ok(());
        }
        let reach = async {
            let index = self.raft.read_index().await.map_err(from_raft_read)?;
            self.published.reached(index).await;
            Ok(())
        };
        within(cx.deadline, reach).await.unwrap_or_else(|| Err(internal()))
    }

    async fn write(&self, cx: &Context, request: Request) -> Result<Answer, Error> {
        match request {
            Request::BatchWriteItem(input) => Box::pin(self.write_batch(cx, input)).await,
            other => self.write_entry(cx, other).await,
        }
    }

    async fn write_entry(&self, cx: &Context, mut request: Request) -> Result<Answer, Error> {
        self.yield_to_pressure().await?;
        for _ in 0..STALE_ATTEMPTS {
            let basis = engine::admit(&self.published.tables(), &request)?;
            let (reply, body) = self.propose(cx, Body::Write { basis, request }).await?;
            match (reply.outcome, body) {
                (Outcome::Done(response), _) => return Ok(answer(response, reply.version)),
                (Outcome::Refused(error), _) => return Err(error),
                (Outcome::Stale, Body::Write { request: again, .. }) => request = again,
                (Outcome::Stale | Outcome::Given(_) | Outcome::Noted, _) => return Err(internal()),
            }
        }
        Err(too_stale())
    }

    async fn control(&self, cx: &Context, request: Request) -> Result<Answer, Error> {
        let (reply, _) = self.propose(cx, Body::Control { request }).await?;
        match reply.outcome {
            Outcome::Done(response) => Ok(answer(response, reply.version)),
            Outcome::Refused(error) => Err(error),
            Outcome::Stale | Outcome::Given(_) | Outcome::Noted => Err(internal()),
        }
    }

    /// Proposes a command that is answered with a number.
    async fn draw(&self, cx: &Context, body: Body) -> Result<u64, Error> {
        let (reply, _) = self.propose(cx, body).await?;
        match reply.outcome {
            Outcome::Given(number) => Ok(number),
            Outcome::Refused(error) => Err(error),
            Outcome::Done(_) | Outcome::Stale | Outcome::Noted => Err(internal()),
        }
    }

    /// Proposes a command and waits for its reply. Hands the body back, for a caller that has to make it again.
    async fn propose(&self, cx: &Context, body: Body) -> Result<(Reply, Body), Error> {
        let command = Command {
            clock_millis: self.surroundings.clock.now_millis(),
            entropy: self.surroundings.entropy.draw(),
            body,
        };
        // Boxed before it is handed on: its place would be kept once in each future from here up to the wait.
        let proposal = Box::pin(self.raft.propose(command.encode()));
        match within(cx.deadline, proposal).await {
            Some(Ok(applied)) => Ok((applied.reply, command.body)),
            Some(Err(error)) => Err(from_raft(error)),
            None => Err(unknown_outcome()),
        }
    }

    async fn yield_to_pressure(&self) -> Result<(), Error> {
        match self.pressure.get() {
            WritePressure::Easy => Ok(()),
            WritePressure::High => {
                tokio::time::sleep(PRESSURE_PAUSE).await;
                Ok(())
            }
            WritePressure::Stopped => Err(overloaded("The store is catching up with earlier writes")),
        }
    }
}

fn answer(response: Response, version: Version) -> Answer {
    Answer::from_store(response, Some(version))
}

fn overloaded(why: &'static str) -> Error {
    Error::new(ErrorKind::ThrottlingException, format!("{why}. Try again later"))
}

fn from_raft(error: RaftError) -> Error {
    let unknown = error.outcome() == raft::Outcome::Unknown;
    let answer = match error {
        RaftError::Overloaded => overloaded("Too many writes are under way"),
        RaftError::NotLeader { leader } => not_primary(leader.map(|leader| leader.id)),
        RaftError::LeadershipLost { .. } => unknown_outcome(),
        RaftError::DiskFailed(_) | RaftError::StateFailed(_) => Error::new(
            ErrorKind::InternalServerError,
            format!("The store takes no writes: {error}. Check the disk, then restart this node"),
        ),
        // What to do is said in these.
        RaftError::Corrupt(_) | RaftError::Unsupported(_) => {
            Error::new(ErrorKind::InternalServerError, format!("The store takes no writes: {error}"))
        }
        RaftError::Shutdown => {
            Error::new(ErrorKind::ServiceUnavailableException, "This node is stopping. Try again elsewhere")
        }
        RaftError::Settings(_)
        | RaftError::TooLarge { .. }
        | RaftError::Membership(_)
        | RaftError::Unfinished(_) => {
            tracing::error!(%error, "the log refuses what it should never have been asked");
            internal()
        }
    };
    if unknown { answer.with(Detail::OutcomeUnknown) } else { answer }
}

/// As [`from_raft`], for a strong read: nothing was written, so no outcome is unknown.
fn from_raft_read(error: RaftError) -> Error {
    match error {
        RaftError::LeadershipLost { leader } | RaftError::NotLeader { leader } => {
            not_primary(leader.map(|leader| leader.id))
        }
        other => Error { detail: None, ..from_raft(other) },
    }
}
