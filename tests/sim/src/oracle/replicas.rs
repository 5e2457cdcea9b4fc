//! P11, what every node is told: at each place of the log all of them see the same change, whichever life and whichever
//! primary it comes from; so a primary that was replaced has published nothing that the others have not.
//!
//! What is gathered here is also what the store held at every version, for whoever judges answers.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::{AttributeValue, Change, ChangeSink, Image, Item, Table, Version};
use parking_lot::Mutex;

use crate::oracle::feed::Feed;

/// Every change that any node was told, at its place.
#[derive(Default)]
pub struct Chronicle {
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    changes: BTreeMap<(u64, u32), Noted>,
    faults: Vec<String>,
}

#[derive(Debug, Clone, PartialEq)]
struct Noted {
    key: String,
    item: Option<Item>,
    incarnation: u64,
    log_time_millis: u64,
}

/// Faults that are kept: after the first, others are mostly what comes of it.
const FAULTS_MAX: usize = 20;

impl Chronicle {
    /// What was wrong so far.
    pub fn faults(&self) -> Vec<String> {
        self.inner.lock().faults.clone()
    }

    /// Places of the log at which anything changed.
    pub fn len(&self) -> usize {
        self.inner.lock().changes.len()
    }

    /// Whether nothing has changed.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Every change in the log's order: its place, its key, what it left there.
    pub fn each(&self, mut look: impl FnMut(u64, &str, Option<&Item>)) {
        for ((index, _), noted) in &self.inner.lock().changes {
            look(*index, &noted.key, noted.item.as_ref());
        }
    }

    fn note(&self, node: u64, changes: &[Change]) {
        let mut inner = self.inner.lock();
        for change in changes {
            let Some(noted) = noted(change) else { continue };
            let place = (change.version.index, change.ordinal);
            match inner.changes.get(&place) {
                Some(known) if *known == noted => {}
                Some(known) if inner.faults.len() < FAULTS_MAX => {
                    let fault = format!(
                        "P11: at {place:?} node {node} applies {noted:?}, and another applied {known:?}"
                    );
                    inner.faults.push(fault);
                }
                Some(_) => {}
                None => {
                    inner.changes.insert(place, noted);
                }
            }
        }
    }
}

fn noted(change: &Change) -> Option<Noted> {
    let item = match &change.new {
        Image::Present(item) => Some(item.to_item().clone()),
        Image::Absent | Image::Unknown => None,
    };
    let key = match (&change.new, &change.old) {
        (Image::Present(item), _) | (_, Image::Present(item)) => key_of(&item.to_item()),
        // Nothing was there, and nothing is.
        _ => return None,
    };
    let (incarnation, log_time_millis) = (change.version.incarnation, change.log_time_millis);
    Some(Noted { key, item, incarnation, log_time_millis })
}

/// The key of an item, as histories name it.
pub fn key_of(item: &Item) -> String {
    let text = |name: &str| match item.get(name) {
        Some(AttributeValue::S(text)) => text.as_str(),
        _ => "",
    };
    format!("{}/{}", text("p"), text("s"))
}

/// What one life of one node is told.
pub struct Told {
    node: u64,
    chronicle: Arc<Chronicle>,
    feed: Feed,
}

impl Told {
    /// Nothing yet.
    pub fn new(node: u64, chronicle: &Arc<Chronicle>) -> Arc<Told> {
        Arc::new(Told { node, chronicle: Arc::clone(chronicle), feed: Feed::default() })
    }

    /// What was wrong with the order of it.
    pub fn faults(&self) -> Vec<String> {
        self.feed.faults()
    }
}

impl ChangeSink for Told {
    fn raise(&self, changes: &[Change]) {
        self.chronicle.note(self.node, changes);
        self.feed.raise(changes);
    }

    fn publish(&self, changes: &[Change], applied: Version) {
        self.feed.publish(changes, applied);
    }

    fn table_changed(&self, table: &Arc<Table>, dropped: bool) {
        self.feed.table_changed(table, dropped);
    }

    fn gap(&self, applied: Version) {
        self.feed.gap(applied);
    }
}
