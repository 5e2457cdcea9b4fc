//! Attribute lists: the ordered names of an item's attributes but for its key, registered once and then known by a number.
//!
//! Clients remember both directions for as long as they live, for each node's address. So the promise of whoever keeps the
//! registry is: **an id never changes its meaning**, across restarts, restores and nodes of one cluster. Two orders of the
//! same names are two lists. The empty list is [`EMPTY`] everywhere and is never asked for.
//!
//! This room says what a front needs of a registry and offers one that lives in memory, for tests: it keeps the promise for one
//! process's life only.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};

use api::{Error, ErrorKind};

/// The id of a list. Shape: 1 to 2^53 - 1, so that every client can hold it; from [`PASSING`] on it need not outlive the
/// node that gave it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ListId(pub u64);

/// The list without names, hard-wired in every client.
pub const EMPTY: ListId = ListId(1);

/// The first id that is given out.
pub const FIRST: ListId = ListId(2);

/// The first of the passing ids: given to a list for answers only, where it can't have a lasting one, and known to the node
/// that gave it alone. Bytes that hold one are not to be kept.
pub const PASSING: ListId = ListId(1 << 32);

/// The largest id a client of JavaScript can hold.
pub const LAST: ListId = ListId((1 << 53) - 1);

/// The names of a list, in its order.
pub type Names = Arc<[String]>;

/// A list being registered.
pub type Defining<'a> = Pin<Box<dyn Future<Output = Result<ListId, Error>> + Send + 'a>>;

/// What an id is wanted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// A client is about to write with it, now and for as long as it lives: the id must last.
    Write,
    /// An answer: the client asks soon what it means, and may be given a passing one.
    Answer,
}

/// A registry of attribute lists.
pub trait AttributeLists: Send + Sync + 'static {
    /// The id of these names in this order, if one that will do is known here; never waits. Not asked for no names.
    fn id(&self, names: &[&str], demand: Demand) -> Option<ListId>;

    /// The names of an id, if it is known here; never waits. Not asked for [`EMPTY`].
    fn names(&self, id: ListId) -> Option<Names>;

    /// The id of these names, registered if they were not; one that lasts is durable by when it is given. Errors: the
    /// registry is full or can't be reached; the message says what to do.
    fn define(&self, names: Names, demand: Demand) -> Defining<'_>;
}

/// A registry in memory. Bounded; forgets everything when the process ends.
#[derive(Debug)]
pub struct VolatileLists {
    lists_max: usize,
    // Held for one look or one insertion.
    known: RwLock<Known>,
}

#[derive(Debug, Default)]
struct Known {
    ids: HashMap<Vec<u8>, ListId>,
    names: Vec<Names>,
}

/// Names with their lengths, one behind the other: one form for each list.
fn joined<S: AsRef<str>>(names: &[S]) -> Vec<u8> {
    let mut form = Vec::with_capacity(names.iter().map(|name| name.as_ref().len() + 4).sum());
    for name in names {
        // A name that long can't have come in a frame.
        form.extend_from_slice(&(name.as_ref().len() as u32).to_be_bytes());
        form.extend_from_slice(name.as_ref().as_bytes());
    }
    form
}

impl VolatileLists {
    /// A registry of at most so many lists.
    pub fn new(lists_max: usize) -> VolatileLists {
        VolatileLists { lists_max, known: RwLock::default() }
    }

    fn insert(&self, names: Names) -> Result<ListId, Error> {
        let form = joined(&names);
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(id) = known.ids.get(&form) {
            return Ok(*id);
        }
        if known.names.len() >= self.lists_max {
            return Err(Error::new(
                ErrorKind::LimitExceededException,
                format!(
                    "The limit of {} attribute lists is reached: items with ever new attribute names can't be written \
                     through DAX; put such names into a map attribute",
                    self.lists_max
                ),
            ));
        }
        let id = ListId(FIRST.0 + known.names.len() as u64);
        known.ids.insert(form, id);
        known.names.push(names);
        Ok(id)
    }
}

impl AttributeLists for VolatileLists {
    fn id(&self, names: &[&str], _: Demand) -> Option<ListId> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).ids.get(&joined(names)).copied()
    }

    fn names(&self, id: ListId) -> Option<Names> {
        let at = usize::try_from(id.0.checked_sub(FIRST.0)?).ok()?;
        self.known.read().unwrap_or_else(PoisonError::into_inner).names.get(at).cloned()
    }

    fn define(&self, names: Names, _: Demand) -> Defining<'_> {
        let defined = self.insert(names);
        Box::pin(async move { defined })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(of: &[&str]) -> Names {
        of.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_list_has_one_id_and_another_order_is_another_list() {
        let lists = VolatileLists::new(10);
        let ab = lists.insert(names(&["a", "b"])).unwrap();
        let ba = lists.insert(names(&["b", "a"])).unwrap();
        assert_eq!((ab, ba), (ListId(2), ListId(3)));
        assert_eq!(lists.insert(names(&["a", "b"])).unwrap(), ab);
        assert_eq!(lists.id(&["a", "b"], Demand::Write), Some(ab));
        assert_eq!(lists.names(ba), Some(names(&["b", "a"])));
        // Names are kept apart by their lengths.
        assert_eq!(lists.id(&["ab"], Demand::Write), None);
        for unknown in [0, 1, 4, u64::MAX] {
            assert_eq!(lists.names(ListId(unknown)), None);
        }
    }

    #[test]
    fn a_full_registry_says_so_and_still_knows_what_it_has() {
        let lists = VolatileLists::new(1);
        let a = lists.insert(names(&["a"])).unwrap();
        assert_eq!(lists.insert(names(&["b"])).unwrap_err().kind, ErrorKind::LimitExceededException);
        assert_eq!(lists.insert(names(&["a"])).unwrap(), a);
    }
}
