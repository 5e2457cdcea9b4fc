//! One operation of one client: what it asked, when, of whom, and what it was told.

use api::Version;
use serde::{Deserialize, Serialize};

use crate::state::{Cell, Condition, Effect, Item, Shown};

/// A point of the one monotonic clock of the run. Unit: nanoseconds.
pub type Nanos = u64;

/// Which protocol carried it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// DynamoDB's JSON.
    Http,
    /// The DAX wire, which has no versions.
    Dax,
    /// The gRPC front.
    Grpc,
}

/// In place of a node: the client chooses among them, and nobody knows which answered.
pub const ELSEWHERE: u32 = u32::MAX;

/// Who asked whom.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The client. It asks one thing at a time.
    #[serde(rename = "c")]
    pub client: u32,
    /// The node that answers, or [`ELSEWHERE`].
    #[serde(rename = "n")]
    pub node: u32,
    /// How.
    #[serde(rename = "p")]
    pub protocol: Protocol,
}

/// How fresh a read must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Eventually consistent: a cache or a replica may answer.
    Eventual,
    /// Strongly consistent, each key by itself.
    Strong,
    /// Strongly consistent, all keys at one point.
    Snapshot,
}

/// A write of one key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Write {
    /// The key: partition, a slash, the rest.
    #[serde(rename = "k")]
    pub key: String,
    /// What it does.
    #[serde(rename = "e")]
    pub effect: Effect,
    /// Where it does it.
    #[serde(rename = "if", default, skip_serializing_if = "is_always")]
    pub condition: Condition,
}

fn is_always(condition: &Condition) -> bool {
    *condition == Condition::Always
}

/// The collection a page is of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// A partition of the table, in the order of keys.
    Partition(String),
    /// A partition of the index: items of this group.
    Group(u32),
}

impl Scope {
    /// Whether an item stands in it. `None` where it is another partition of the table.
    pub(crate) fn holds(&self, key: &str, cell: Cell) -> Option<bool> {
        match self {
            Scope::Partition(partition) => {
                (key.split_once('/').map_or(key, |(first, _)| first) == partition).then_some(cell.is_some())
            }
            Scope::Group(group) => Some(cell.is_some_and(|item| item.group == *group)),
        }
    }
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Items by key.
    Read {
        /// Which.
        keys: Vec<String>,
        /// How fresh.
        mode: Mode,
    },
    /// A page of a query.
    Page {
        /// Of what.
        of: Scope,
        /// It begins after this key; only in a partition of the table.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<String>,
        /// Most items.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        limit: Option<u32>,
        /// Whether it is strongly consistent.
        strong: bool,
    },
    /// Writes.
    Write {
        /// Of each key one at most.
        writes: Vec<Write>,
        /// Whether they take effect together or not at all.
        whole: bool,
    },
}

/// What the writer was told of one key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Told {
    /// It is done.
    Done,
    /// It is done, and this stands there now.
    Image(Cell),
    /// It was left undone, and the writer was told so.
    Left,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Found {
    /// Of a read: what stood under each key, in the order asked.
    Cells(Vec<Cell>),
    /// Of a page.
    Page {
        /// The items.
        rows: Vec<(String, Item)>,
        /// The last key that was looked at, where there is more behind it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        last: Option<String>,
    },
    /// Of writes: what was told of each, in the order asked.
    Written(Vec<Told>),
}

/// What became of it, as its client knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It was answered.
    Done {
        /// Of a write, where it was committed; of a read, where it was read.
        #[serde(default, skip_serializing_if = "Option::is_none", with = "version_as_numbers")]
        version: Option<Version>,
        /// What was answered.
        found: Found,
    },
    /// A condition did not hold: nothing was written, and the client knows that much of the state.
    Refused,
    /// It certainly took no effect, and says nothing of the state.
    Failed(String),
    /// Nobody knows. A write may take effect at any later time, or never.
    Unknown(String),
}

/// An operation with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its number in the history.
    pub id: u64,
    /// Who asked whom.
    pub origin: Origin,
    /// Before the request was sent.
    pub start: Nanos,
    /// After the answer was read; `None` where it never came or the record ends before it.
    pub end: Option<Nanos>,
    /// The connection that carried it, unique in the history; `None` where the client does not know.
    pub connection: Option<u64>,
    /// The read must be at this version or a later one.
    pub token: Option<Version>,
    /// What was asked.
    pub action: Action,
    /// What became of it.
    pub outcome: Outcome,
}

impl Operation {
    /// Whether it is a write that was acknowledged.
    pub fn is_acknowledged_write(&self) -> bool {
        matches!((&self.action, &self.outcome), (Action::Write { .. }, Outcome::Done { .. }))
    }

    /// The version it was answered with.
    pub fn version(&self) -> Option<Version> {
        match self.outcome {
            Outcome::Done { version, .. } => version,
            _ => None,
        }
    }
}

pub(crate) mod version_as_numbers {
    //! Versions as three numbers: half of a history's lines carry one.

    use api::Version;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub fn serialize<S: Serializer>(version: &Option<Version>, to: S) -> Result<S::Ok, S::Error> {
        version.map(|version| (version.incarnation, version.shard, version.index)).serialize(to)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Version>, D::Error> {
        let numbers = Option::<(u64, u32, u64)>::deserialize(from)?;
        Ok(numbers.map(|(incarnation, shard, index)| Version { incarnation, shard, index }))
    }
}

/// One line for a reader, without its id.
impl std::fmt::Display for Operation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let millis = |nanos: Nanos| nanos as f64 / 1e6;
        write!(f, "{:>12.3} .. ", millis(self.start))?;
        match self.end {
            Some(end) => write!(f, "{:<12.3}", millis(end))?,
            None => write!(f, "{:<12}", "?")?,
        }
        let Origin { client, node, protocol } = self.origin;
        write!(f, " client {client}")?;
        if let Some(connection) = self.connection {
            write!(f, " connection {connection}")?;
        }
        write!(f, " node {node} {protocol:?}  ")?;
        match &self.action {
            Action::Read { keys, mode } => write!(f, "{mode:?} read of {}", keys.join(" "))?,
            Action::Page { of, after, limit, strong } => {
                write!(f, "{} page of {of:?}", if *strong { "Strong" } else { "Eventual" })?;
                if let Some(after) = after {
                    write!(f, " after {after}")?;
                }
                if let Some(limit) = limit {
                    write!(f, " limit {limit}")?;
                }
            }
            Action::Write { writes, whole } => {
                f.write_str(if *whole && writes.len() > 1 { "transaction:" } else { "write:" })?;
                for Write { key, effect, condition } in writes {
                    match effect {
                        Effect::Put(item) => write!(f, " {key} := {}", Shown(Some(*item)))?,
                        Effect::Add { tag, by } => write!(f, " {key} += {by} (tag {tag})")?,
                        Effect::Delete => write!(f, " delete {key}")?,
                        Effect::Check => write!(f, " check {key}")?,
                    }
                    if *condition != Condition::Always {
                        write!(f, " if {condition:?}")?;
                    }
                }
            }
        }
        if let Some(token) = self.token {
            write!(f, " at least at {}", token.index)?;
        }
        f.write_str(" -> ")?;
        match &self.outcome {
            Outcome::Done { version, found } => {
                match found {
                    Found::Cells(cells) => {
                        let shown: Vec<String> = cells.iter().map(|cell| Shown(*cell).to_string()).collect();
                        f.write_str(&shown.join(" "))?;
                    }
                    Found::Page { rows, last } => {
                        let shown: Vec<String> =
                            rows.iter().map(|(key, item)| format!("{key} {}", Shown(Some(*item)))).collect();
                        write!(f, "[{}]", shown.join(", "))?;
                        if let Some(last) = last {
                            write!(f, " and more after {last}")?;
                        }
                    }
                    Found::Written(told) => {
                        f.write_str("done")?;
                        for told in told {
                            match told {
                                Told::Done => {}
                                Told::Image(cell) => write!(f, ", now {}", Shown(*cell))?,
                                Told::Left => f.write_str(", left undone")?,
                            }
                        }
                    }
                }
                if let Some(version) = version {
                    write!(f, " at {}", version.index)?;
                }
                Ok(())
            }
            Outcome::Refused => f.write_str("refused by its condition"),
            Outcome::Failed(why) => write!(f, "failed: {why}"),
            Outcome::Unknown(why) => write!(f, "unknown: {why}"),
        }
    }
}
