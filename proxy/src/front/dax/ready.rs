//! Answers of the DAX front, made ready for hits to come.
//!
//! What is made is what the front would write, by the same code. It has no form for an answer whose attribute lists have no
//! ids that last: such a one the front writes anew each time.

use std::sync::Arc;

use api::Response;
use api::operation::Ready;
use dax::attribute_lists::{AttributeLists, Demand};
use dax::codec::answer;
use dax::codec::item::ListIds;
use dax::codec::question::ItemsOf;
use dax::codec::schema::Schema;

use crate::layer::{Asked, WireEncoder};

/// The encoder of the front that has the same registry.
pub struct Encoder {
    lists: Arc<dyn AttributeLists>,
}

impl Encoder {
    /// Finds the ids of attribute lists in `lists`.
    pub fn new(lists: Arc<dyn AttributeLists>) -> Encoder {
        Encoder { lists }
    }
}

impl WireEncoder for Encoder {
    fn encode(&self, asked: Asked<'_>, response: &Response) -> Option<Ready> {
        let find = |names: &[&str]| self.lists.id(names, Demand::Answer);
        let items = ItemsOf::given(Schema::Table(Arc::clone(asked.table)), asked.projection)?;
        answer::ready(items, asked.of_index, response, ListIds::new(&find))
    }
}
