//! The real engine: RocksDB, behind the seam.
//!
//! Two kinds of instance, made by one [`RocksEngine`] so that they share threads, block cache,
//! write buffers and the limit on background writes:
//!
//! - the **log**: small writes made durable by its write-ahead log, one sync for many entries;
//! - the **state**: no write-ahead log of its own, because the raft log already is one; what it has
//!   flushed is atomic and synced, and the rest is brought up from the log at open. The applied
//!   version lies in the same batch as its effects, so the two cannot part.
//!
//! Invariant: after the first failed write an instance refuses all others (see the seam's doc),
//! whatever the engine itself would allow, because it may recover from "disk full" by itself and so
//! accept a write behind a lost one.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use rocksdb::checkpoint::Checkpoint;
use rocksdb::{
    BlockBasedOptions, BottommostLevelCompaction, Cache, CompactOptions, DB, DBCompressionType,
    DBRawIteratorWithThreadMode, DBRecoveryMode, Env, ErrorKind, LogLevel, LruCacheOptions, Options,
    ReadOptions, ReadTier, SnapshotWithThreadMode, WriteBatch, WriteBufferManager, WriteOptions,
};

pub mod home;
mod wal;

use super::{
    Batch, BatchOp, Cursor, Db, DbError, Durability, KeyRange, Record, Resident, Scan, ScanOrder, ScanSource,
    Snapshot, WritePressure,
};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;

/// Buckets of the sorted-run triggers: how many unsorted files may pile up before writes slow.
const LEVEL_ZERO_COMPACT_FILES: i32 = 4;
const LEVEL_ZERO_SLOW_FILES: i32 = 20;
const LEVEL_ZERO_STOP_FILES: i32 = 36;
/// Write buffers per instance: one filling, the others on their way to disk.
const WRITE_BUFFERS: i32 = 4;
/// Full buffers waiting for the disk from which on the pressure counts as high.
const WAITING_BUFFERS_HIGH: u64 = 2;
/// Bits of filter per key: about one needless read in a hundred.
const FILTER_BITS_PER_KEY: f64 = 10.0;
const INFO_LOG_FILES: usize = 2;
const OPEN_THREADS: i32 = 2;
/// Background writes are synced in steps of this size, so that no single sync takes long.
const SYNC_STEP_BYTES: u64 = MIB as u64;
/// Period in which the rate limiter hands out its share. Unit: microseconds.
const RATE_REFILL_MICROS: i64 = 100_000;
/// Share of the rate limiter that low-priority work gets at least once in so many turns.
const RATE_FAIRNESS: i32 = 10;

/// How much memory, how many threads and how much background writing the engine may use.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RocksSettings {
    /// Decompressed blocks, indexes and filters kept in memory, both instances together. Unit:
    /// bytes. Filled only as reads need it.
    pub block_cache_bytes: usize,
    /// Size at which a write buffer of the state goes to disk; it also bounds what must be brought
    /// up from the log after a crash. Unit: bytes.
    pub state_write_buffer_bytes: usize,
    /// Size at which a write buffer of the log goes to disk. Unit: bytes.
    pub log_write_buffer_bytes: usize,
    /// Sum of all write buffers beyond which the largest is flushed early. Unit: bytes.
    pub write_buffers_bytes: usize,
    /// Threads for compaction; flushes have one more.
    pub background_threads: u16,
    /// Limit on what flushes and compactions write. Unit: bytes per second; 0: none.
    pub background_bytes_per_second: u64,
    /// Files kept open per instance; -1: all.
    pub max_open_files: i32,
}

impl Default for RocksSettings {
    fn default() -> Self {
        Self {
            block_cache_bytes: 128 * MIB,
            state_write_buffer_bytes: 32 * MIB,
            log_write_buffer_bytes: 16 * MIB,
            write_buffers_bytes: 128 * MIB,
            background_threads: 2,
            background_bytes_per_second: 256 * MIB as u64,
            max_open_files: 512,
        }
    }
}

/// What all instances of one process share. Cheap to clone.
#[derive(Clone)]
pub struct RocksEngine {
    settings: RocksSettings,
    cache: Cache,
    buffers: WriteBufferManager,
    /// Cloning options shares the rate limiter inside, which has no handle of its own.
    base: Options,
}

impl RocksEngine {
    /// Takes the shared parts. Errors: [`DbError::Misused`] for settings the engine refuses.
    pub fn new(settings: RocksSettings) -> Result<Self, DbError> {
        let mut env = Env::new().map_err(|error| from_rocks(error, Doing::Opening))?;
        env.set_background_threads(i32::from(settings.background_threads.max(1)));
        env.set_high_priority_background_threads(1);
        let mut cache = LruCacheOptions::default();
        cache.set_capacity(settings.block_cache_bytes);
        let cache = Cache::new_lru_cache_opts(&cache);
        let buffers = WriteBufferManager::new_write_buffer_manager(settings.write_buffers_bytes, false);
        let base = base_options(&settings, &env, &buffers);
        Ok(Self { settings, cache, buffers, base })
    }

    /// Opens, or creates, a log instance. Blocks while the write-ahead log is read back. A torn end of it, which was never
    /// called done, is cut off. Errors: [`DbError::Corrupt`] for any other damage, with what to do.
    pub fn open_log(&self, directory: &Path) -> Result<Rocks, DbError> {
        let mut options = self.base.clone();
        options.set_write_buffer_size(self.settings.log_write_buffer_bytes);
        options.set_max_total_wal_size(2 * self.settings.log_write_buffer_bytes as u64);
        // What a crash can leave is mended first, by what we know of our syncs; all else is refused.
        options.set_wal_recovery_mode(DBRecoveryMode::AbsoluteConsistency);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_block_based_table_factory(&self.table_options(TableUse::Log));
        Rocks::open(self, &options, directory, WriteAheadLog::On)
    }

    /// Opens an instance that is there, of the log or of the state, to look at it: nothing in its directory is changed, and a torn
    /// end is passed over. Errors: [`DbError::Locked`] where a process has it open.
    pub fn look_into(&self, directory: &Path) -> Result<Rocks, DbError> {
        let mut options = self.base.clone();
        options.create_if_missing(false);
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        let owned = own(directory)?;
        let db = DB::open_for_read_only(&options, directory, false)
            .map_err(|error| from_rocks(error, Doing::Opening))?;
        let looked_into = Rocks::over(self, db, directory, owned, WriteAheadLog::Off);
        let _ = looked_into.refused.set("it was opened to be looked at".into());
        Ok(looked_into)
    }

    /// Opens, or creates, a state instance.
    pub fn open_state(&self, directory: &Path) -> Result<Rocks, DbError> {
        let mut options = self.base.clone();
        options.set_write_buffer_size(self.settings.state_write_buffer_bytes);
        options.set_atomic_flush(true);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_bottommost_compression_type(DBCompressionType::Zstd);
        options.set_block_based_table_factory(&self.table_options(TableUse::State));
        Rocks::open(self, &options, directory, WriteAheadLog::Off)
    }

    /// Bytes in write buffers of all instances now.
    pub fn write_buffers_used_bytes(&self) -> usize {
        self.buffers.get_usage()
    }

    /// Bytes in the block cache now.
    pub fn block_cache_used_bytes(&self) -> usize {
        self.cache.get_usage()
    }

    fn table_options(&self, table_use: TableUse) -> BlockBasedOptions {
        let mut table = BlockBasedOptions::default();
        table.set_block_cache(&self.cache);
        table.set_format_version(6);
        // Indexes and filters live in the cache too: otherwise memory grows with the data.
        table.set_cache_index_and_filter_blocks(true);
        table.set_cache_index_and_filter_blocks_with_high_priority(true);
        table.set_pin_l0_filter_and_index_blocks_in_cache(true);
        match table_use {
            TableUse::State => {
                table.set_block_size(8 * KIB);
                table.set_bloom_filter(FILTER_BITS_PER_KEY, false);
                table.set_whole_key_filtering(true);
                table.set_optimize_filters_for_memory(true);
            }
            TableUse::Log => table.set_block_size(32 * KIB),
        }
        table
    }
}

#[derive(Clone, Copy)]
enum TableUse {
    Log,
    State,
}

fn base_options(settings: &RocksSettings, env: &Env, buffers: &WriteBufferManager) -> Options {
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_paranoid_checks(true);
    options.set_env(env);
    options.set_write_buffer_manager(buffers);
    options.set_max_background_jobs(i32::from(settings.background_threads.max(1)) + 1);
    options.set_max_write_buffer_number(WRITE_BUFFERS);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_level_zero_file_num_compaction_trigger(LEVEL_ZERO_COMPACT_FILES);
    options.set_level_zero_slowdown_writes_trigger(LEVEL_ZERO_SLOW_FILES);
    options.set_level_zero_stop_writes_trigger(LEVEL_ZERO_STOP_FILES);
    options.set_max_open_files(settings.max_open_files);
    options.set_max_file_opening_threads(OPEN_THREADS);
    options.set_skip_stats_update_on_db_open(true);
    options.set_bytes_per_sync(SYNC_STEP_BYTES);
    // One thread writes each instance, so the machinery for many costs and brings nothing.
    options.set_allow_concurrent_memtable_write(false);
    options.set_keep_log_file_num(INFO_LOG_FILES);
    options.set_max_log_file_size(MIB);
    options.set_log_level(LogLevel::Warn);
    options.set_stats_dump_period_sec(0);
    options.set_stats_persist_period_sec(0);
    if let Ok(rate) = i64::try_from(settings.background_bytes_per_second)
        && rate > 0
    {
        options.set_ratelimiter(rate, RATE_REFILL_MICROS, RATE_FAIRNESS);
    }
    options
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WriteAheadLog {
    On,
    Off,
}

/// One instance.
pub struct Rocks {
    db: DB,
    wal: WriteAheadLog,
    write_buffers_bytes: usize,
    engine: RocksEngine,
    /// Why writes are refused; set once, by the first failure or by closing.
    refused: OnceLock<Arc<str>>,
    /// Dropped last, when the engine has let go of the directory.
    claim: Claim,
}

/// The lock of a directory. With it goes the directory, if that is to leave.
struct Claim {
    place: Arc<Place>,
    _owned: File,
}

impl Drop for Claim {
    fn drop(&mut self) {
        let directory = &self.place.directory;
        if self.place.leaves.load(Ordering::Acquire)
            && let Err(error) = std::fs::remove_dir_all(directory)
        {
            tracing::warn!(%error, ?directory, "a state that is not needed any more stays until this node is started again");
        }
    }
}

/// A directory, and whether it goes when the engine has let go of it.
struct Place {
    directory: PathBuf,
    leaves: AtomicBool,
}

impl Place {
    fn leave(&self) {
        self.leaves.store(true, Ordering::Release);
    }

    fn stay(&self) {
        self.leaves.store(false, Ordering::Release);
    }
}

/// Makes a directory, and durable that it is there: the engine syncs what lies in it, not the names above, and a file that
/// was synced is lost with the name of its directory.
fn make(directory: &Path) -> std::io::Result<()> {
    let missing =
        directory.ancestors().take_while(|path| !path.as_os_str().is_empty() && !path.exists()).count();
    std::fs::create_dir_all(directory)?;
    let sync = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        File::open(path)?.sync_all()
    };
    for made_in in directory.ancestors().skip(1).take(missing) {
        sync(made_in)?;
    }
    if missing > 0
        && let Some(above) = directory.ancestors().nth(missing + 1)
    {
        // Whoever opens the store has just made the directory it lies in; what is above may not be ours to open.
        let _ = sync(above);
    }
    Ok(())
}

/// The file whose lock says that a process has the directory open.
const OWNER_FILE: &str = "OWNER";

/// Takes the lock of a directory. The engine has a lock of its own, but takes it only when it opens, and the write-ahead
/// log has to be mended before: it must not be that of a running process.
fn own(directory: &Path) -> Result<File, DbError> {
    let path = directory.join(OWNER_FILE);
    let io = |error: std::io::Error| DbError::Io(format!("{}: {error}", path.display()).into());
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(io)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => {
            Err(DbError::Locked(format!("{} is open already", directory.display()).into()))
        }
        Err(TryLockError::Error(error)) => Err(io(error)),
    }
}

/// What was being done when the engine failed: decides whether durability is in doubt.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Doing {
    Opening,
    Reading,
    Writing,
    Syncing,
}

impl Rocks {
    fn open(
        engine: &RocksEngine,
        options: &Options,
        directory: &Path,
        wal: WriteAheadLog,
    ) -> Result<Self, DbError> {
        make(directory).map_err(|error| DbError::Io(format!("{}: {error}", directory.display()).into()))?;
        let owned = own(directory)?;
        if wal == WriteAheadLog::On {
            wal::mend(directory)?;
        }
        let db = DB::open(options, directory).map_err(|error| from_rocks(error, Doing::Opening))?;
        Ok(Rocks::over(engine, db, directory, owned, wal))
    }

    fn over(engine: &RocksEngine, db: DB, directory: &Path, owned: File, wal: WriteAheadLog) -> Self {
        let place = Arc::new(Place { directory: directory.to_owned(), leaves: AtomicBool::new(false) });
        Self {
            db,
            wal,
            write_buffers_bytes: engine.settings.write_buffers_bytes,
            engine: engine.clone(),
            refused: OnceLock::new(),
            claim: Claim { place, _owned: owned },
        }
    }

    /// The directory it lies in.
    pub fn directory(&self) -> &Path {
        &self.claim.place.directory
    }

    fn place(&self) -> &Arc<Place> {
        &self.claim.place
    }

    fn check_writable(&self) -> Result<(), DbError> {
        match self.refused.get() {
            None => Ok(()),
            Some(reason) => Err(DbError::Refused(Arc::clone(reason))),
        }
    }

    /// Remembers the first failure: from then on nothing more is written.
    fn writing<T>(&self, result: Result<T, rocksdb::Error>, doing: Doing) -> Result<T, DbError> {
        result.map_err(|error| {
            let error = from_rocks(error, doing);
            // A later failure finds the reason set, and the first is the one that tells.
            let _ = self.refused.set(error.to_string().into());
            error
        })
    }

    fn write_options(&self) -> WriteOptions {
        let mut options = WriteOptions::default();
        match self.wal {
            // Whatever was asked for: that every write is synced before the next begins is what tells a torn end of the
            // write-ahead log from a damaged middle.
            WriteAheadLog::On => options.set_sync(true),
            WriteAheadLog::Off => options.disable_wal(true),
        }
        options
    }

    fn int_property(&self, name: &str) -> u64 {
        // An unknown property reads as "nothing to tell"; the names are fixed and tested.
        self.db.property_int_value(name).ok().flatten().unwrap_or(0)
    }

    /// Rewrites everything into its final place: for tests and tools that want a settled size.
    pub fn compact(&self) {
        let mut options = CompactOptions::default();
        options.set_bottommost_level_compaction(BottommostLevelCompaction::Force);
        self.db.compact_range_opt(None::<&[u8]>, None::<&[u8]>, &options);
    }
}

impl Db for Rocks {
    fn write(&self, batch: Batch, durability: Durability) -> Result<(), DbError> {
        self.check_writable()?;
        let mut ops = WriteBatch::with_capacity_bytes(batch.bytes() + 16 * batch.len() + 16);
        for op in batch.ops() {
            match op {
                BatchOp::Put { key, value } => ops.put(key, value),
                BatchOp::Delete { key } => ops.delete(key),
                BatchOp::DeleteRange { range } if range.is_empty() => {}
                BatchOp::DeleteRange { range } => {
                    let Some(end) = &range.end else {
                        return Err(DbError::Misused("a range to delete needs an end".into()));
                    };
                    ops.delete_range(&range.start, end);
                }
            }
        }
        let doing = if durability == Durability::Synced { Doing::Syncing } else { Doing::Writing };
        self.writing(self.db.write_opt(ops, &self.write_options()), doing)?;
        if self.wal == WriteAheadLog::Off && durability == Durability::Synced {
            return self.flush();
        }
        Ok(())
    }

    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, DbError> {
        read_value(self.db.get_pinned(key))
    }

    fn get_resident(&self, key: &[u8]) -> Result<Resident, DbError> {
        read_resident(self.db.get_pinned_opt(key, &resident_options()))
    }

    fn snapshot(&self) -> Box<dyn Snapshot + '_> {
        Box::new(RocksSnapshot { snapshot: self.db.snapshot() })
    }

    fn sync(&self) -> Result<(), DbError> {
        self.check_writable()?;
        match self.wal {
            WriteAheadLog::On => self.writing(self.db.flush_wal(true), Doing::Syncing),
            WriteAheadLog::Off => Ok(()),
        }
    }

    fn flush(&self) -> Result<(), DbError> {
        self.check_writable()?;
        self.writing(self.db.flush(), Doing::Syncing)
    }

    fn drop_range(&self, range: &KeyRange) -> Result<(), DbError> {
        self.check_writable()?;
        if range.is_empty() {
            return Ok(());
        }
        let Some(end) = &range.end else {
            return Err(DbError::Misused("a range to drop needs an end".into()));
        };
        self.writing(self.db.delete_file_in_range(range.start.as_slice(), end.as_slice()), Doing::Writing)?;
        let mut rest = Batch::new();
        rest.delete_range(range.clone());
        self.write(rest, Durability::Buffered)
    }

    fn checkpoint(&self, directory: &Path) -> Result<(), DbError> {
        let checkpoint = Checkpoint::new(&self.db).map_err(|error| from_rocks(error, Doing::Reading))?;
        checkpoint.create_checkpoint(directory).map_err(|error| from_rocks(error, Doing::Reading))
    }

    fn approximate_bytes(&self, range: &KeyRange) -> Result<u64, DbError> {
        if range.is_empty() {
            return Ok(0);
        }
        // Longer than any key of ours, so it stands for the end of the map.
        let last = [u8::MAX; 8 * KIB];
        let end = range.end.as_deref().unwrap_or(&last);
        let sizes = self.db.get_approximate_sizes(&[rocksdb::Range::new(&range.start, end)]);
        Ok(sizes.into_iter().sum())
    }

    fn unflushed_bytes(&self) -> u64 {
        match self.wal {
            WriteAheadLog::On => 0,
            WriteAheadLog::Off => self.int_property("rocksdb.cur-size-all-mem-tables"),
        }
    }

    fn write_pressure(&self) -> WritePressure {
        if self.int_property("rocksdb.is-write-stopped") > 0 {
            WritePressure::Stopped
        } else if self.int_property("rocksdb.actual-delayed-write-rate") > 0
            || self.int_property("rocksdb.num-immutable-mem-table") >= WAITING_BUFFERS_HIGH
            || self.engine.write_buffers_used_bytes() > self.write_buffers_bytes
        {
            WritePressure::High
        } else {
            WritePressure::Easy
        }
    }

    fn close(&self) -> Result<(), DbError> {
        if self.refused.get().is_some() {
            // Closed before, or failed: then what is in memory must not reach the disk any more.
            return Ok(());
        }
        let flushed = self.flush();
        let _ = self.refused.set("it was closed".into());
        self.db.cancel_all_background_work(true);
        flushed
    }
}

struct RocksSnapshot<'db> {
    snapshot: SnapshotWithThreadMode<'db, DB>,
}

impl Snapshot for RocksSnapshot<'_> {
    fn get(&self, key: &[u8]) -> Result<Option<Bytes>, DbError> {
        read_value(self.snapshot.get_pinned(key))
    }

    fn get_resident(&self, key: &[u8]) -> Result<Resident, DbError> {
        read_resident(self.snapshot.get_pinned_opt(key, resident_options()))
    }

    fn scan<'a>(&'a self, scan: &Scan) -> Box<dyn Cursor + 'a> {
        let mut options = ReadOptions::default();
        options.set_iterate_lower_bound(scan.range.start.clone());
        if let Some(end) = &scan.range.end {
            options.set_iterate_upper_bound(end.clone());
        }
        options.set_auto_readahead_size(true);
        if scan.source == ScanSource::Resident {
            options.set_read_tier(ReadTier::BlockCache);
        }
        Box::new(RocksCursor {
            iterator: self.snapshot.raw_iterator_opt(options),
            range: scan.range.clone(),
            order: scan.order,
            step: if scan.range.is_empty() { Step::Ended } else { Step::Unplaced },
        })
    }
}

/// What the next move of a cursor has to do.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Go to the first record.
    Unplaced,
    /// A seek stands on the record to give next.
    Placed,
    /// Go one further.
    Given,
    /// Nothing more comes.
    Ended,
}

struct RocksCursor<'a> {
    iterator: DBRawIteratorWithThreadMode<'a, DB>,
    range: KeyRange,
    order: ScanOrder,
    step: Step,
}

impl Cursor for RocksCursor<'_> {
    fn advance(&mut self) -> Result<Option<Record<'_>>, DbError> {
        match (self.step, self.order) {
            (Step::Ended, _) => return Ok(None),
            (Step::Placed, _) => {}
            (Step::Unplaced, ScanOrder::Ascending) => self.iterator.seek_to_first(),
            (Step::Unplaced, ScanOrder::Descending) => self.iterator.seek_to_last(),
            (Step::Given, ScanOrder::Ascending) => self.iterator.next(),
            (Step::Given, ScanOrder::Descending) => self.iterator.prev(),
        }
        self.step = Step::Given;
        if !self.iterator.valid() {
            self.step = Step::Ended;
            self.iterator.status().map_err(|error| from_rocks(error, Doing::Reading))?;
            return Ok(None);
        }
        Ok(self.iterator.item().map(|(key, value)| Record { key, value }))
    }

    fn seek(&mut self, key: &[u8]) {
        if self.range.is_empty() {
            return;
        }
        self.step = Step::Placed;
        match self.order {
            ScanOrder::Ascending => self.iterator.seek(key.max(self.range.start.as_slice())),
            ScanOrder::Descending => match &self.range.end {
                Some(end) if key >= end.as_slice() => self.iterator.seek_to_last(),
                _ => self.iterator.seek_for_prev(key),
            },
        }
    }
}

fn resident_options() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.set_read_tier(ReadTier::BlockCache);
    options
}

type Pinned<'a> = Result<Option<rocksdb::DBPinnableSlice<'a>>, rocksdb::Error>;

fn read_value(read: Pinned<'_>) -> Result<Option<Bytes>, DbError> {
    let value = read.map_err(|error| from_rocks(error, Doing::Reading))?;
    Ok(value.map(|value| Bytes::copy_from_slice(&value)))
}

fn read_resident(read: Pinned<'_>) -> Result<Resident, DbError> {
    match read_value(read) {
        Ok(value) => Ok(Resident::Known(value)),
        Err(DbError::NeedsDisk) => Ok(Resident::NeedsDisk),
        Err(error) => Err(error),
    }
}

fn from_rocks(error: rocksdb::Error, doing: Doing) -> DbError {
    let kind = error.kind();
    let text = error.into_string();
    // The binding hands no sub-code on, so these two causes can be told only by the engine's fixed
    // words. A missed one stays an `Io` or `Sync`, which is as safe.
    if kind == ErrorKind::IOError && text.contains("No space left on device") {
        return DbError::Full(text.into());
    }
    if kind == ErrorKind::IOError && doing == Doing::Opening && text.contains("lock") {
        return DbError::Locked(text.into());
    }
    match (kind, doing) {
        (ErrorKind::Corruption, _) => DbError::Corrupt(text.into()),
        (ErrorKind::Incomplete, Doing::Reading) => DbError::NeedsDisk,
        (ErrorKind::InvalidArgument | ErrorKind::NotSupported, _) => DbError::Misused(text.into()),
        (_, Doing::Syncing) => DbError::Sync(text.into()),
        _ => DbError::Io(text.into()),
    }
}
