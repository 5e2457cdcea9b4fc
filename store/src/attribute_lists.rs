//! The registry of attribute lists: ordered names of attributes, each list known by a number that never changes its meaning.
//!
//! Clients of the binary protocol send and get items as an id and values, and remember what an id means for as long as they
//! live. So ids are given by commands of the log, one after another, and neither changed nor taken back; every replica gives
//! the same. What is shown here is in the engine already.
//!
//! Bounded, because names may come from data: [`Demand::Answer`], a list that the node itself wants for an answer, is
//! refused early, since the node has another way; [`Demand::Client`] has the rest for itself.
//!
//! Where a history was cut, the ids that the lost part of it may have given are left out: clients may know them. What is left out takes no
//! memory, however many they are.

use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::Arc;

use api::limits;
use api::{Error, ErrorKind};
use hashbrown::HashTable;
use parking_lot::RwLock;

/// The names of a list, in its order.
pub type Names = Arc<[String]>;

/// The first id that is given. 1 is the empty list, which clients know without asking.
pub const FIRST_ID: u64 = 2;
/// Beyond the last id that is ever given: from here on ids need not last, and are not ours.
pub const IDS_END: u64 = 1 << 32;
/// Most lists there can be.
pub const LISTS_MAX: usize = 65_536;
/// Most bytes of names, with [`NAME_OVERHEAD_BYTES`] for each. Unit: bytes.
pub const LISTS_BYTES_MAX: usize = 64 * 1024 * 1024;
/// What a name costs in memory besides its bytes. Unit: bytes.
const NAME_OVERHEAD_BYTES: usize = 32;
/// How many ids that need not last a node takes at a time.
pub const PASSING_IDS: u64 = 1 << 20;
/// Beyond the last passing id: what a client of JavaScript can't hold.
pub const PASSING_IDS_END: u64 = 1 << 53;

/// Who wants a list registered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Demand {
    /// A client that is about to write with it: there is no other way.
    Client,
    /// A node, for its answers: half of what there is room for.
    Answer,
}

/// Every list there is. Read by anyone, written by the thread that applies.
#[derive(Debug, Default)]
pub struct AttributeLists {
    // Held for a look-up or an insertion; a hit that is answered from ready bytes does not come here.
    known: RwLock<Known>,
}

#[derive(Debug)]
struct Known {
    // Where in `lists` the names of a hash stand: names are found as they are borrowed, whatever owns them.
    places: HashTable<usize>,
    // Names may come from whoever writes, so their hashes must not be foreseeable.
    hasher: RandomState,
    // By id, but for those that were left out.
    lists: Vec<Names>,
    // Never none, and ascending in both; only the last may have no list yet.
    stretches: Vec<Stretch>,
    bytes: usize,
}

/// Lists whose ids come one after another.
#[derive(Debug, Clone, Copy)]
struct Stretch {
    // The id of the first of them.
    id: u64,
    // Where that stands in `lists`.
    at: usize,
}

impl Default for Known {
    fn default() -> Known {
        Known {
            places: HashTable::default(),
            hasher: RandomState::default(),
            lists: Vec::new(),
            stretches: vec![Stretch { id: FIRST_ID, at: 0 }],
            bytes: 0,
        }
    }
}

impl Known {
    fn id_at(&self, at: usize) -> u64 {
        let stretch = self.stretches[self.stretches.partition_point(|stretch| stretch.at <= at) - 1];
        stretch.id + (at - stretch.at) as u64
    }

    fn place_of(&self, id: u64) -> Option<usize> {
        let next = self.stretches.partition_point(|stretch| stretch.id <= id);
        let stretch = self.stretches.get(next.checked_sub(1)?)?;
        let end = self.stretches.get(next).map_or(self.lists.len(), |next| next.at);
        let at = stretch.at.checked_add(usize::try_from(id - stretch.id).ok()?)?;
        (at < end).then_some(at)
    }

    fn end(&self) -> u64 {
        self.id_at(self.lists.len())
    }
}

fn hash<S: AsRef<str>>(hasher: &RandomState, names: &[S]) -> u64 {
    let mut hasher = hasher.build_hasher();
    names.iter().for_each(|name| name.as_ref().hash(&mut hasher));
    hasher.finish()
}

impl AttributeLists {
    /// The id of these names in this order.
    pub fn id<S: AsRef<str>>(&self, names: &[S]) -> Option<u64> {
        let known = self.known.read();
        let is_same =
            |at: &usize| known.lists[*at].iter().map(String::as_str).eq(names.iter().map(AsRef::as_ref));
        let at = known.places.find(hash(&known.hasher, names), is_same)?;
        Some(known.id_at(*at))
    }

    /// The names of an id.
    pub fn names(&self, id: u64) -> Option<Names> {
        let known = self.known.read();
        known.place_of(id).map(|at| Arc::clone(&known.lists[at]))
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.known.read().lists.len()
    }

    /// The first id that was not given.
    pub(crate) fn end(&self) -> u64 {
        self.known.read().end()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// What memory they take, roughly. Unit: bytes.
    pub fn bytes(&self) -> usize {
        self.known.read().bytes
    }

    /// The id that the next list gets, if there is room for it beside `more` that are about to be shown.
    pub(crate) fn next_id(&self, names: &[String], demand: Demand, more: &[Names]) -> Option<u64> {
        let known = self.known.read();
        let share = match demand {
            Demand::Client => 1,
            Demand::Answer => 2,
        };
        let lists = known.lists.len() + more.len();
        let bytes = known.bytes + more.iter().map(|names| weight(names)).sum::<usize>() + weight(names);
        let fits = lists < LISTS_MAX / share && bytes <= LISTS_BYTES_MAX / share;
        fits.then(|| known.end() + more.len() as u64)
    }

    /// Shows a list that is committed. Ids come one after another.
    pub(crate) fn show(&self, names: Names) {
        let mut known = self.known.write();
        let Known { places, hasher, lists, bytes, .. } = &mut *known;
        *bytes += weight(&names);
        let hash_of = |at: &usize| hash(hasher, &lists[*at]);
        places.insert_unique(hash(hasher, &names), lists.len(), hash_of);
        lists.push(names);
    }

    /// Leaves out every id up to and with this one that was not given.
    pub(crate) fn leave_out(&self, last: u64) {
        let mut known = self.known.write();
        let next = Stretch { id: last.saturating_add(1), at: known.lists.len() };
        if next.id <= known.end() {
            return;
        }
        let Known { stretches, .. } = &mut *known;
        match stretches.last_mut() {
            Some(empty) if empty.at == next.at => *empty = next,
            _ => stretches.push(next),
        }
    }

    /// Shows what stands under an id in the engine: a list, or no names where ids up to and with this one were left out.
    pub(crate) fn show_stored(&self, id: u64, names: Names) {
        if names.is_empty() { self.leave_out(id) } else { self.show(names) }
    }
}

/// Refuses names that no item can have.
pub(crate) fn check(names: &[String]) -> Result<(), Error> {
    let bytes: usize = names.iter().map(String::len).sum();
    let long = names.iter().any(|name| name.is_empty() || name.len() > limits::ATTRIBUTE_NAME_BYTES);
    if names.is_empty() || long || bytes > limits::ITEM_BYTES {
        return Err(Error::validation("One or more attribute names are invalid: no item can have them"));
    }
    Ok(())
}

/// There is no room for another list.
pub(crate) fn full(lists: usize) -> Error {
    Error::new(
        ErrorKind::LimitExceededException,
        format!(
            "{lists} different sets of attribute names are in use, which is as many as are kept. Put names that come \
             from data into a map attribute"
        ),
    )
}

fn weight(names: &[String]) -> usize {
    names.iter().map(|name| name.len() + NAME_OVERHEAD_BYTES).sum::<usize>() + NAME_OVERHEAD_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Names {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn an_id_is_one_order_of_names() {
        let lists = AttributeLists::default();
        lists.show(names("a b"));
        lists.show(names("b a"));
        assert_eq!(lists.id(&names("a b")), Some(2));
        assert_eq!(lists.id(&names("b a")), Some(3));
        assert_eq!(lists.id(&names("a")), None);
        assert_eq!(lists.names(3), Some(names("b a")));
        assert_eq!(lists.id(&["ab"]), None);
        assert_eq!(lists.id(&["b", "a"]), Some(3));
        for unknown in [0, 1, 4, u64::MAX] {
            assert_eq!(lists.names(unknown), None);
        }
    }

    #[test]
    fn answers_have_half_the_room_and_clients_the_rest() {
        let lists = AttributeLists::default();
        let wanted = names("w");
        for at in 0..LISTS_MAX {
            let half = at < LISTS_MAX / 2;
            assert_eq!(lists.next_id(&wanted, Demand::Answer, &[]).is_some(), half);
            assert_eq!(lists.next_id(&wanted, Demand::Client, &[]), Some(FIRST_ID + at as u64));
            lists.show(names(&format!("n{at}")));
        }
        assert_eq!(lists.next_id(&wanted, Demand::Client, &[]), None);
    }

    #[test]
    fn ids_that_were_left_out_mean_nothing_and_are_never_given() {
        let lists = AttributeLists::default();
        lists.show(names("a"));
        lists.leave_out(9);
        lists.leave_out(5);
        assert_eq!((lists.end(), lists.len()), (10, 1));
        assert_eq!(lists.next_id(&names("b"), Demand::Client, &[names("c")]), Some(11));
        lists.show(names("b"));
        assert_eq!((lists.id(&names("b")), lists.names(10)), (Some(10), Some(names("b"))));
        assert_eq!((lists.id(&names("a")), lists.names(9)), (Some(2), None));
        // Hashes are made anew as the table grows, of the lists that there are.
        (0..1000).for_each(|at| lists.show(names(&format!("n{at}"))));
        assert_eq!(lists.id(&names("n999")), Some(1010));
        // However many they are: what would take memory for each of these would take all there is.
        lists.leave_out(IDS_END - 1000);
        lists.leave_out(IDS_END - 100);
        lists.show(names("far"));
        lists.show(names("farther"));
        assert_eq!(
            (lists.id(&names("far")), lists.id(&names("farther"))),
            (Some(IDS_END - 99), Some(IDS_END - 98))
        );
        assert_eq!((lists.names(IDS_END - 98), lists.names(IDS_END - 97)), (Some(names("farther")), None));
        for left_out in [1011, 1 << 31, IDS_END - 1000, IDS_END - 100] {
            assert_eq!(lists.names(left_out), None);
        }
        assert_eq!((lists.names(1010), lists.names(10)), (Some(names("n999")), Some(names("b"))));
        assert_eq!((lists.len(), lists.end()), (1004, IDS_END - 97));
        // Before any list, as of a store that has none.
        let lists = AttributeLists::default();
        lists.leave_out(6);
        assert_eq!((lists.len(), lists.end(), lists.names(FIRST_ID), lists.names(7)), (0, 7, None, None));
        lists.show(names("a"));
        assert_eq!((lists.id(&names("a")), lists.names(7)), (Some(7), Some(names("a"))));
    }

    #[test]
    fn long_names_are_counted_by_their_bytes() {
        let lists = AttributeLists::default();
        let long: Names = vec!["n".repeat(65_535); 64].into();
        let room = LISTS_BYTES_MAX / weight(&long);
        for _ in 0..room {
            assert!(lists.next_id(&long, Demand::Client, &[]).is_some());
            lists.show(Arc::clone(&long));
        }
        assert_eq!(lists.next_id(&long, Demand::Client, &[]), None);
        assert_eq!(lists.next_id(&names("short"), Demand::Client, &vec![long; 1]), None);
    }
}
